/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loads. A client and a server, each one thread on a processor of its own, one
 * connection at a time: what is measured is the path, not the scheduler.
 */
#include "tools/bench/bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define LATENCIES_MAX (1 << 20)
#define BULK_BYTES (256 << 10)

struct task {
	enum load load;
	int port;
	int server_cpu;
};

static void give_up(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static struct sockaddr_in server_address(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, SERVER_ADDR, &addr.sin_addr);
	return addr;
}

static int open_stream(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		give_up("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* ---- servers ---- */

static int listen_on(int port)
{
	struct sockaddr_in addr = server_address(port);
	int fd = open_stream();
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1024) < 0)
		give_up("listen");
	return fd;
}

static void ready(void)
{
	printf("{}\n");
	fflush(stdout);
}

/* Serves connect, rr and bulk: what comes is answered with a byte, or swallowed. */
static void serve_stream(int port, bool answer)
{
	static char bytes[BULK_BYTES];
	int listener = listen_on(port);
	struct sockaddr_in from;
	int fd;

	ready();
	for (;;) {
		socklen_t length = sizeof(from);

		fd = accept4(listener, (struct sockaddr *)&from, &length, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		while (recv(fd, bytes, answer ? 1 : sizeof(bytes), 0) > 0)
			if (answer && send(fd, bytes, 1, MSG_NOSIGNAL) != 1)
				break;
		close(fd);
	}
}

static void serve_datagrams(int port)
{
	struct sockaddr_in from, addr = server_address(port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		give_up("bind");
	ready();
	for (;;) {
		socklen_t length = sizeof(from);

		if (recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &length) == 1)
			sendto(fd, &byte, 1, 0, (struct sockaddr *)&from, length);
	}
}

static int serve_child(void *arg)
{
	struct task *task = arg;

	place_pin(task->server_cpu);
	if (task->load == LOAD_UDP)
		serve_datagrams(task->port);
	else
		serve_stream(task->port, task->load != LOAD_BULK);
	return 0;
}

void load_serve(struct arm *arm)
{
	for (enum load load = 0; load < LOAD_MAX; load++) {
		struct task task = { load, arm->port + load, arm->server_cpu };
		struct lab_spawn spec = {
			.place = arm->server, .fn = serve_child, .arg = &task, .log = "bench-server"
		};

		if (arm->loads & 1u << load)
			lab_check(arm->lab, lab_read(lab_spawn(arm->lab, &spec), LAB_WAIT_MS),
				  "arm %s: no server", arm->name);
	}
}

/* ---- clients ---- */

struct meter {
	uint64_t end;
	uint64_t count;
	uint64_t bytes;
	uint32_t *latency; /* nanoseconds, the first LATENCIES_MAX */
};

static void tick(struct meter *m, uint64_t start)
{
	if (m->count < LATENCIES_MAX)
		m->latency[m->count] = bench_now_ns() - start;
	m->count++;
}

static int dial(int port)
{
	struct sockaddr_in addr = server_address(port);
	int fd = open_stream();

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		give_up("connect");
	return fd;
}

static void exchange(int fd)
{
	char byte = 'x';

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
		give_up("exchange");
}

static void run_connect(struct meter *m, int port)
{
	uint64_t start;
	int fd;

	while ((start = bench_now_ns()) < m->end) {
		fd = dial(port);
		exchange(fd);
		close(fd);
		tick(m, start);
	}
}

static void run_rr(struct meter *m, int port)
{
	int fd = dial(port);
	uint64_t start;

	while ((start = bench_now_ns()) < m->end) {
		exchange(fd);
		tick(m, start);
	}
}

static void run_bulk(struct meter *m, int port)
{
	static char bytes[BULK_BYTES];
	int fd = dial(port);
	ssize_t n;

	while (bench_now_ns() < m->end) {
		n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		if (n < 0)
			give_up("send");
		m->bytes += n;
		m->count++;
	}
}

static void run_udp(struct meter *m, int port)
{
	struct sockaddr_in addr = server_address(port);
	struct timeval limit = { .tv_sec = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t start;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		give_up("connect");
	while ((start = bench_now_ns()) < m->end) {
		exchange(fd);
		tick(m, start);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int client_child(void *arg)
{
	static void (*const run[LOAD_MAX])(struct meter * m, int port) = { run_connect, run_rr,
									   run_bulk, run_udp };
	struct meter m = { .latency = calloc(LATENCIES_MAX, sizeof(uint32_t)) };
	struct task *task = arg;
	uint64_t start;
	double seconds;
	size_t n;

	if (!m.latency)
		return 1;
	place_pin(CLIENT_CPU);
	start = bench_now_ns();
	m.end = start + SLICE_MS * 1000000ULL;
	run[task->load](&m, task->port);
	seconds = (bench_now_ns() - start) / 1e9;
	n = MIN(m.count, (uint64_t)LATENCIES_MAX);
	qsort(m.latency, n, sizeof(*m.latency), by_value);
	printf("{\"count\":%llu,\"rate\":%f,\"p50\":%f,\"p99\":%f}\n", (unsigned long long)m.count,
	       task->load == LOAD_BULK ? m.bytes * 8 / seconds / 1e9 : m.count / seconds,
	       n ? m.latency[n / 2] / 1e3 : 0, n ? m.latency[n * 99 / 100] / 1e3 : 0);
	fflush(stdout);
	return 0;
}

void load_measure(struct arm *arm, enum load load, struct sample *ret)
{
	struct task task = { load, arm->port + load, arm->server_cpu };
	struct lab_spawn spec = {
		.place = arm->client, .fn = client_child, .arg = &task, .log = "bench-client"
	};
	struct lab_process *client = lab_spawn(arm->lab, &spec);
	json_t *line = lab_read(client, LAB_WAIT_MS);

	lab_check(arm->lab, line, "arm %s: the client did not finish load %d", arm->name, load);
	ret->rate = lab_real(line, "rate");
	ret->p50_us = lab_real(line, "p50");
	ret->p99_us = lab_real(line, "p99");
	ret->count = lab_int(line, "count");
	lab_kill(client);
}
