/* SPDX-License-Identifier: Apache-2.0 */
/* The network namespaces that local workloads are in. */
#pragma once

#include <sys/types.h>

#include "user/base/util.h"

#define NETNS_MAX 4096 /* distinct namespaces */
#define NETNS_PROCESSES_MAX 65536 /* processes looked at */
#define NETNS_CGROUPS_MAX 16384 /* cgroups looked into */
#define NETNS_DEPTH_MAX 16 /* levels below a workload's cgroup */

struct netns {
	int fd; /* -EBADF once closed: the numbers stay known */
	dev_t dev;
	ino_t ino;
	unsigned int not_adopted; /* sockets in it that could not be adopted */
};

struct netns_set {
	struct netns *item;
	size_t n;
	size_t processes, cgroups; /* looked at so far */
	int error; /* the first process that could not be looked at: the rest were */
};

void netns_set_done(struct netns_set *set);

/* Closes the namespaces but goes on to know which they were. */
void netns_set_close(struct netns_set *set);

/* Adds the calling process's own. */
int netns_add_own(struct netns_set *set);

/*
 * Adds those of the processes in the cgroup directory @path and below it. Processes
 * and cgroups that end meanwhile are left out. -E2BIG when a limit cuts the search.
 */
int netns_add_cgroup(struct netns_set *set, const char *path);

/* The one of @set that is the same namespace as @netns, or NULL. */
const struct netns *netns_set_find(const struct netns_set *set, const struct netns *netns);
