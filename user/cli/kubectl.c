/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/kubectl.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "user/base/clock.h"

#define READ_CHUNK 65536u
#define PATH_TEXT_MAX 4096

extern char **environ;

/* "--kubeconfig=FILE": one word, so that no value is taken for an option. */
static const char *option(char *ret, const char *name, const char *value)
{
	int n;

	if (!value)
		return NULL;
	n = snprintf(ret, PATH_TEXT_MAX, "--%s=%s", name, value);
	return n > 0 && n < PATH_TEXT_MAX ? ret : NULL;
}

static int spawn(const char *const *argv, int io, int err, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	sigemptyset(&none);
	r = posix_spawn_file_actions_adddup2(&actions, io, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, io, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	if (r == 0)
		r = posix_spawnattr_setsigmask(&attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (r == 0)
		r = posix_spawnp(ret, argv[0], &actions, &attributes, (char **)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int kubectl_start(const struct kubectl *kubectl, const char *const *args, struct kubectl_child *ret)
{
	char kubeconfig[PATH_TEXT_MAX], context[PATH_TEXT_MAX];
	const char *argv[KUBECTL_ARGS_MAX + 4] = { "kubectl" };
	int pair[2], errors[2], n = 1, r;
	pid_t pid;

	if (kubectl->kubeconfig)
		argv[n++] = option(kubeconfig, "kubeconfig", kubectl->kubeconfig);
	if (kubectl->context)
		argv[n++] = option(context, "context", kubectl->context);
	if (!argv[n - 1])
		return -ENAMETOOLONG;
	for (int i = 0; args[i]; i++) {
		if (i >= KUBECTL_ARGS_MAX)
			return -E2BIG;
		argv[n++] = args[i];
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (pipe2(errors, O_CLOEXEC) < 0) {
		r = -errno;
		close(pair[0]);
		close(pair[1]);
		return r;
	}
	r = spawn(argv, pair[1], errors[1], &pid);
	close(pair[1]);
	close(errors[1]);
	if (r < 0 || fcntl(errors[0], F_SETFL, O_NONBLOCK) < 0) {
		close(pair[0]);
		close(errors[0]);
		return r < 0 ? r : -errno;
	}
	*ret = (struct kubectl_child){ .pid = pid, .fd = pair[0], .err = errors[0] };
	return 0;
}

void kubectl_error(int err, char ret[static KUBECTL_ERROR_MAX])
{
	ssize_t n = read(err, ret, KUBECTL_ERROR_MAX - 1);

	ret[MAX(n, 0)] = '\0';
	while (n > 0 && strchr("\n ", ret[n - 1]))
		ret[--n] = '\0';
	for (char *c = ret; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

int kubectl_end(struct kubectl_child *child, bool now)
{
	int status = 0;
	pid_t r;

	if (!child->pid)
		return 0;
	/* The end of its input is the end of what it runs in the pod. */
	closep(&child->fd);
	if (now)
		kill(child->pid, SIGTERM);
	do
		r = waitpid(child->pid, &status, 0);
	while (r < 0 && errno == EINTR);
	closep(&child->err);
	*child = (struct kubectl_child){ .fd = -EBADF, .err = -EBADF };
	return r > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct output {
	char *text;
	size_t length;
	size_t size;
};

static int make_room(struct output *output)
{
	char *more;

	if (output->length + 1 < output->size)
		return 0;
	if (output->size >= KUBECTL_OUTPUT_MAX)
		return -EFBIG;
	more = realloc(output->text, output->size + READ_CHUNK);
	if (!more)
		return -ENOMEM;
	output->text = more;
	output->size += READ_CHUNK;
	return 0;
}

/* Until the end of the output; -ETIMEDOUT when that does not come in time. */
static int read_all(int fd, unsigned int timeout_s, struct output *output)
{
	const int64_t until = clock_ns(CLOCK_MONOTONIC) + (int64_t)timeout_s * NS_PER_S;
	ssize_t n = 1;
	int r = 0;

	while (n != 0 && (r = make_room(output)) == 0) {
		int64_t left_ms = (until - clock_ns(CLOCK_MONOTONIC)) / NS_PER_MS;
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0)
			return -ETIMEDOUT;
		n = read(fd, output->text + output->length, output->size - 1 - output->length);
		/* It ended without having read its input. */
		if (n < 0 && errno == ECONNRESET)
			n = 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		output->length += (size_t)MAX(n, 0);
	}
	if (r == 0)
		output->text[output->length] = '\0';
	return r;
}

int kubectl_read(const struct kubectl *kubectl, const char *const *args, unsigned int timeout_s,
		 char **ret, char reterr[static KUBECTL_ERROR_MAX])
{
	struct output output = { 0 };
	struct kubectl_child child;
	_cleanup_close_ int err = -EBADF;
	int r;

	*reterr = '\0';
	r = kubectl_start(kubectl, args, &child);
	if (r < 0)
		return r;
	shutdown(child.fd, SHUT_WR);
	r = read_all(child.fd, timeout_s, &output);
	err = child.err;
	child.err = -EBADF;
	if (kubectl_end(&child, r < 0) != 0 && r == 0)
		r = -EIO;
	kubectl_error(err, reterr);
	if (r < 0) {
		free(output.text);
		return r;
	}
	*ret = output.text;
	return 0;
}
