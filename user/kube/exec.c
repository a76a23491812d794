/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/exec.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "user/base/loop.h"

#define INFO_VARIABLE "KUBERNETES_EXEC_INFO"

struct kube_exec_run {
	struct kube_exec *exec;
	pid_t pid;
	int pidfd, fd; /* its end; its standard output */
	struct event *on_end, *on_output;
	char *output; /* KUBE_EXEC_OUTPUT_MAX + 1 bytes */
	size_t length;
	kube_exec_fn done;
	void *arg;
};

/* spec.cluster of the ExecCredential that the plugin is given. */
static json_t *cluster_info(const struct kube_config *config)
{
	json_t *cluster = json_pack("{s:s}", "server", config->server);

	if (cluster && config->insecure)
		json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
	if (cluster && config->server_name)
		json_object_set_new(cluster, "tls-server-name", json_string(config->server_name));
	if (cluster && config->proxy)
		json_object_set_new(cluster, "proxy-url", json_string(config->proxy));
	return cluster;
}

static int make_info(const struct kube_config *config, char **ret)
{
	const struct kube_exec *exec = config->exec;
	_cleanup_free_ char *text = NULL;
	json_t *root;

	root = json_pack("{s:s, s:s, s:{s:b, s:o*}}", "apiVersion", exec->api_version, "kind",
			 "ExecCredential", "spec", "interactive", 0, "cluster",
			 exec->cluster_info ? cluster_info(config) : NULL);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (!text || asprintf(ret, INFO_VARIABLE "=%s", text) < 0)
		return -ENOMEM;
	return 0;
}

static bool same_variable(const char *a, const char *b)
{
	size_t n = strcspn(b, "=") + 1;

	return strncmp(a, b, n) == 0;
}

/* Ours, with the plugin's in place of those of the same name. The array is the caller's. */
static char **make_environment(const struct kube_exec *exec, char *info)
{
	size_t n = 0, own = 0;
	char **all;

	while (environ[n])
		n++;
	while (exec->environment && exec->environment[own])
		own++;
	all = calloc(n + own + 2, sizeof(*all));
	if (!all)
		return NULL;
	n = 0;
	for (char **e = environ; *e; e++) {
		bool replaced = same_variable(*e, info);

		for (size_t i = 0; i < own; i++)
			replaced |= same_variable(*e, exec->environment[i]);
		if (!replaced)
			all[n++] = *e;
	}
	for (size_t i = 0; i < own; i++)
		all[n++] = exec->environment[i];
	all[n] = info;
	return all;
}

/* A group of its own, so that its children can be ended with it. */
static int spawn(const struct kube_exec *exec, char **environment, int out, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	r = posix_spawnp(ret, exec->command, &actions, &attr, exec->argument, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

static void read_output(struct kube_exec_run *run)
{
	while (run->length <= KUBE_EXEC_OUTPUT_MAX) {
		ssize_t n = read(run->fd, run->output + run->length,
				 KUBE_EXEC_OUTPUT_MAX + 1 - run->length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 && run->on_output)
			event_del(run->on_output);
		if (n <= 0)
			return;
		run->length += (size_t)n;
	}
	/* Nobody reads on: it would wait for ever. */
	event_del(run->on_output);
	if (run->pid > 0)
		kill(-run->pid, SIGKILL);
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_output(arg);
}

static int finish(struct kube_exec_run *run, bool late, struct kube_error *reterr)
{
	const char *command = run->exec->command;
	int status = 0;

	if (late)
		kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	run->pid = 0;
	if (late)
		return kube_fail(reterr, -ETIMEDOUT,
				 "the credential plugin %.128s took more than %d s: run it by hand",
				 command, KUBE_EXEC_TIMEOUT_MS / 1000);
	read_output(run);
	if (run->length > KUBE_EXEC_OUTPUT_MAX)
		return kube_fail(reterr, -EBADMSG,
				 "the credential plugin %.128s wrote more than %d bytes", command,
				 KUBE_EXEC_OUTPUT_MAX);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return kube_fail(reterr, -EACCES,
				 "the credential plugin %.128s failed (%s %d): run it by hand",
				 command, WIFEXITED(status) ? "exit code" : "signal",
				 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return kube_exec_accept(run->exec, run->output, run->length, reterr);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct kube_exec_run *run = arg;
	struct kube_error error = { "" };
	kube_exec_fn done = run->done;
	void *owner = run->arg;
	int r;

	(void)fd;
	r = finish(run, what & EV_TIMEOUT, &error);
	kube_exec_cancel(run);
	done(owner, r, &error);
}

static int watch(struct kube_exec_run *run, struct event_base *base)
{
	const struct timeval limit = { .tv_sec = KUBE_EXEC_TIMEOUT_MS / 1000 };
	int r;

	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	if (run->pidfd < 0)
		return -errno;
	r = loop_read(base, run->fd, on_output, run, &run->on_output);
	if (r < 0)
		return r;
	return loop_add(base, run->pidfd, EV_READ, on_end, run, &limit, &run->on_end);
}

static int start(struct kube_exec_run *run, const struct kube_config *config,
		 struct kube_error *reterr)
{
	_cleanup_free_ char *info = NULL;
	_cleanup_free_ char **environment = NULL;
	_cleanup_close_ int out = -EBADF;
	const struct kube_exec *exec = run->exec;
	int pipes[2], r;

	r = make_info(config, &info);
	if (r < 0)
		return r;
	environment = make_environment(exec, info);
	run->output = malloc(KUBE_EXEC_OUTPUT_MAX + 1);
	if (!environment || !run->output)
		return -ENOMEM;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	run->fd = pipes[0];
	out = pipes[1];
	if (fcntl(run->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = spawn(exec, environment, out, &run->pid);
	if (r < 0) {
		run->pid = 0;
		return kube_fail(reterr, r, "cannot run the credential plugin %.128s: %s%s%.200s",
				 exec->command, strerror(-r), exec->hint ? ": " : "",
				 exec->hint ? exec->hint : "");
	}
	return 0;
}

int kube_exec_start(struct kube_config *config, struct event_base *base, kube_exec_fn done,
		    void *arg, struct kube_exec_run **ret, struct kube_error *reterr)
{
	struct kube_exec_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->exec = config->exec;
	run->done = done;
	run->arg = arg;
	run->fd = run->pidfd = -EBADF;
	r = start(run, config, reterr);
	if (r == 0)
		r = watch(run, base);
	if (r < 0) {
		kube_exec_cancel(run);
		return r;
	}
	*ret = run;
	return 0;
}

struct kube_exec_run *kube_exec_cancel(struct kube_exec_run *run)
{
	if (!run)
		return NULL;
	if (run->on_end)
		event_free(run->on_end);
	if (run->on_output)
		event_free(run->on_output);
	if (run->pid > 0) {
		kill(-run->pid, SIGKILL);
		while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	closep(&run->fd);
	closep(&run->pidfd);
	if (run->output)
		explicit_bzero(run->output, run->length);
	free(run->output);
	free(run);
	return NULL;
}
