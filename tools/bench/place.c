/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the two ends run. Client and server belong on a processor each; but a virtual
 * machine's two processors may share one real one, and then every exchange between them
 * can wait for the host's scheduler, milliseconds at a time. That is measured first, and
 * if it is so, both ends share a processor: the strictest arrangement, since there is no
 * idle time in which overhead could hide.
 */
#include "tools/bench/bench.h"

#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#define TRIAL_EXCHANGES 4000
#define STALL_NS 1000000 /* the slowest of a hundred exchanges takes so long: they stall */

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void place_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* one processor only: as good as it gets */
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void echo(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1)
		if (write(out, &byte, 1) != 1)
			return;
}

/* The 99th percentile of an exchange over pipes, nanoseconds. */
static uint64_t exchange(int out, int in)
{
	static uint64_t took[TRIAL_EXCHANGES];
	char byte = 0;

	for (size_t i = 0; i < TRIAL_EXCHANGES; i++) {
		uint64_t start = bench_now_ns();

		if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
			return 0;
		took[i] = bench_now_ns() - start;
	}
	qsort(took, TRIAL_EXCHANGES, sizeof(*took), by_value);
	return took[TRIAL_EXCHANGES * 99 / 100];
}

/* In a process of its own, since it moves itself to a processor. */
static uint64_t trial(void)
{
	int to[2], from[2];
	uint64_t p99;
	pid_t pid;

	if (pipe(to) < 0 || pipe(from) < 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		place_pin(SERVER_CPU);
		close(to[1]);
		echo(to[0], from[1]);
		_exit(0);
	}
	place_pin(CLIENT_CPU);
	p99 = exchange(to[1], from[0]);
	close(to[1]);
	waitpid(pid, NULL, 0);
	return p99;
}

int place_server(void)
{
	const char *wish = getenv("BENCH_CPUS");
	int result[2], status;
	uint64_t p99 = 0;
	pid_t pid;

	if (wish)
		return atoi(wish) == 1 ? CLIENT_CPU : SERVER_CPU;
	if (pipe(result) < 0)
		return SERVER_CPU;
	pid = fork();
	if (pid == 0) {
		p99 = trial();
		_exit(write(result[1], &p99, sizeof(p99)) == sizeof(p99) ? 0 : 1);
	}
	if (read(result[0], &p99, sizeof(p99)) != sizeof(p99))
		p99 = 0;
	close(result[0]);
	close(result[1]);
	waitpid(pid, &status, 0);
	printf("exchanges between two processors: p99 %.0f us, so the ends run on %s\n", p99 / 1e3,
	       p99 > STALL_NS ? "one processor" : "two processors");
	return p99 > STALL_NS ? CLIENT_CPU : SERVER_CPU;
}
