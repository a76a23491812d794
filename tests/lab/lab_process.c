/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs in a place: the child joins its cgroup first, then enters the namespace (so
 * that /sys stays what it was), then executes. It dies with the test.
 */
#include "tests/lab/lab_internal.h"

#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

void lab_args(const char **argv, size_t n, const char *const *args)
{
	for (; *args; args++) {
		lab_check(NULL, n + 1 < LAB_ARGS_MAX, "at most %d arguments", LAB_ARGS_MAX - 1);
		argv[n++] = *args;
	}
	argv[n] = NULL;
}

/* In a new child: it dies with its parent and holds none of the test's descriptors. */
void lab_child_prepare(struct lab *lab, int keep_fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != lab->owner)
		_exit(126); /* died between fork and prctl */
	if (keep_fd > 3)
		close_range(3, keep_fd - 1, 0);
	close_range(keep_fd >= 3 ? keep_fd + 1 : 3, ~0U, 0);
}

static void lab_child_fail(const char *what, const char *object, int error)
{
	dprintf(STDERR_FILENO, "lab: cannot %s %s: %s\n", what, object, strerror(error));
	_exit(126);
}

static void lab_child(struct lab *lab, const struct lab_spawn *spec, const char *cgroup,
		      const int fds[static 2])
{
	int r;

	dup2(fds[0], STDOUT_FILENO);
	dup2(fds[1], STDERR_FILENO);
	r = lab_cgroup_join(cgroup);
	if (r < 0)
		lab_child_fail("join", cgroup, -r);
	if (spec->place.host && setns(spec->place.host->netns, CLONE_NEWNET) < 0)
		lab_child_fail("enter namespace", spec->place.host->name, errno);
	lab_child_prepare(lab, -1);
	for (size_t i = 0; spec->env && spec->env[i]; i++)
		putenv((char *)spec->env[i]);
	if (spec->fn)
		_exit(spec->fn(spec->arg));
	execvp(spec->argv[0], (char *const *)spec->argv);
	lab_child_fail("run", spec->argv[0], errno);
}

static int lab_open_log(struct lab *lab, const struct lab_spawn *spec)
{
	const char *name = spec->log;
	const char *path;

	if (!name)
		name = spec->fn ? "function" : basename(lab_printf(lab, "%s", spec->argv[0]));
	path = lab_printf(lab, "%s/log/%s", lab->dir, name);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

struct lab_process *lab_spawn(struct lab *lab, const struct lab_spawn *spec)
{
	struct lab_node *node = lab_node_of(lab, spec->place.host);
	const char *cgroup = lab_node_cgroup(node, spec->place.cgroup);
	_cleanup_close_ int log = lab_open_log(lab, spec);
	struct lab_process *p = calloc(1, sizeof(*p));
	int fds[2];

	lab_check(lab, p && lab->n_processes < LAB_PROCESSES_MAX, "too many programs in one lab");
	lab_check(lab, log >= 0 && pipe2(fds, O_CLOEXEC) == 0, "no descriptors for a program");
	p->lab = lab;
	p->out = fds[0];
	fflush(NULL);
	p->pid = fork();
	if (p->pid == 0)
		lab_child(lab, spec, cgroup, (const int[]){ fds[1], log });
	close(fds[1]);
	lab_check(lab, p->pid > 0, "cannot fork: %s", strerror(errno));
	lab->processes[lab->n_processes++] = p;
	return p;
}

static bool lab_reap(struct lab_process *p, int flags)
{
	if (p->pid == 0)
		return true;
	if (waitpid(p->pid, &p->status, flags) != p->pid)
		return false;
	p->pid = 0;
	return true;
}

bool lab_alive(struct lab_process *process)
{
	return !lab_reap(process, WNOHANG);
}

pid_t lab_pid(const struct lab_process *process)
{
	return process->pid;
}

void lab_signal(struct lab_process *process, int sig)
{
	if (lab_alive(process))
		kill(process->pid, sig);
}

void lab_kill(struct lab_process *process)
{
	lab_signal(process, SIGKILL);
	lab_reap(process, 0);
	if (process->out >= 0)
		close(process->out);
	process->out = -EBADF;
}

int lab_wait(struct lab_process *process, unsigned int timeout_ms)
{
	uint64_t end = lab_now_ms() + timeout_ms;

	while (lab_alive(process)) {
		lab_check(process->lab, lab_now_ms() < end, "program %d still runs after %u ms",
			  process->pid, timeout_ms);
		lab_sleep_ms(2);
	}
	if (WIFSIGNALED(process->status))
		return 128 + WTERMSIG(process->status);
	return WEXITSTATUS(process->status);
}

/* Takes the first line out of the buffer. */
static const char *lab_take_line(struct lab_process *p)
{
	char *newline = memchr(p->buffer, '\n', p->used);
	size_t length;
	char *line;

	if (!newline)
		return NULL;
	length = newline - p->buffer;
	line = lab_printf(p->lab, "%.*s", (int)length, p->buffer);
	p->used -= length + 1;
	memmove(p->buffer, newline + 1, p->used);
	return line;
}

const char *lab_read_text(struct lab_process *process, unsigned int timeout_ms)
{
	uint64_t now, end = lab_now_ms() + timeout_ms;
	const char *line;
	ssize_t n;

	while (!(line = lab_take_line(process))) {
		struct pollfd fd = { .fd = process->out, .events = POLLIN };

		now = lab_now_ms();
		if (process->out < 0 || now >= end || process->used == sizeof(process->buffer))
			return NULL;
		if (poll(&fd, 1, end - now) <= 0)
			continue;
		n = read(process->out, process->buffer + process->used,
			 sizeof(process->buffer) - process->used);
		if (n <= 0)
			return NULL;
		process->used += n;
	}
	return line;
}

json_t *lab_read(struct lab_process *process, unsigned int timeout_ms)
{
	const char *line = lab_read_text(process, timeout_ms);
	json_error_t error;
	json_t *json;

	if (!line)
		return NULL;
	json = json_loads(line, 0, &error);
	lab_check(process->lab, json, "not JSON: %s (%s)", line, error.text);
	return lab_keep(process->lab, json);
}

const char *lab_run(struct lab *lab, struct lab_place place, const char *const *argv, int *ret_code)
{
	return lab_run_for(lab, LAB_WAIT_MS, place, argv, ret_code);
}

const char *lab_run_for(struct lab *lab, unsigned int ms, struct lab_place place,
			const char *const *argv, int *ret_code)
{
	struct lab_process *p = lab_spawn(lab, &(struct lab_spawn){ .place = place, .argv = argv });
	uint64_t end = lab_now_ms() + ms;
	const char *line;
	char *all = lab_printf(lab, "%s", "");

	for (;;) {
		line = lab_read_text(p, 100);
		if (line)
			all = lab_printf(lab, "%s%s\n", all, line);
		else if (!lab_alive(p) || lab_now_ms() > end)
			break;
	}
	while ((line = lab_read_text(p, 0)))
		all = lab_printf(lab, "%s%s\n", all, line);
	*ret_code = lab_wait(p, 1000);
	close(p->out);
	p->out = -EBADF;
	return all;
}
