/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubectl as a program: it knows how to find the cluster and to log in, whatever the
 * kubeconfig asks for, and every plugin has it at hand. No shell is between; a value is
 * never a word of its own that could be taken for an option.
 */
#pragma once

#include <sys/types.h>

#include "user/base/util.h"

#define KUBECTL_OUTPUT_MAX (16u << 20) /* bytes that a command may print */
#define KUBECTL_ERROR_MAX 1024 /* bytes of its error output that are shown */
#define KUBECTL_ARGS_MAX 24

struct kubectl {
	const char *kubeconfig; /* NULL: as kubectl finds it */
	const char *context; /* NULL: the current one */
};

/* A running kubectl. One socket is its standard input and output. */
struct kubectl_child {
	pid_t pid; /* 0: none */
	int fd;
	int err; /* its standard error, non-blocking; what does not fit in the pipe has to wait */
};

/* Takes kubectl's name and the cluster's options in front of @args, NULL-terminated. */
int kubectl_start(const struct kubectl *kubectl, const char *const *args,
		  struct kubectl_child *ret);

/* What was said on its standard error until now, in one line; "" for nothing. */
void kubectl_error(int err, char ret[static KUBECTL_ERROR_MAX]);

/*
 * Closes its input, waits for its end; with @now it is asked to end. The exit code, or -1 when
 * a signal ended it. One that ended already, or was never started, gives 0.
 */
int kubectl_end(struct kubectl_child *child, bool now);

/*
 * All of a command's output, NUL-terminated, the caller's. -EIO: it failed, and @reterr is what
 * it said; -ENOENT: there is no kubectl; -ETIMEDOUT.
 */
int kubectl_read(const struct kubectl *kubectl, const char *const *args, unsigned int timeout_s,
		 char **ret, char reterr[static KUBECTL_ERROR_MAX]);
