/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cgroup each workload of this node lives in, now and at every moment: cgroups
 * that appear, vanish or are made anew are noticed at once.
 */
#pragma once

#include "user/agent/pods.h"
#include "user/identity/image.h"

#define CGROUPS_WATCHES_MAX 16384
#define CGROUPS_SLICES_MAX 256 /* *.slice directories searched for a systemd unit */

#define CGROUPS_STATIC_MAX 128 /* static pods that are no workloads, at a time */

struct cgroups;

struct cgroups_ops {
	/* Workload @workload of the image now lives in the cgroup @id; 0: it has none. */
	void (*placed)(void *arg, size_t workload, uint64_t id);
	/* What cgroups_pods() says is another thing now. NULL: it is of no interest. */
	void (*pods)(void *arg);
};

int cgroups_new(const char *root, const struct cgroups_ops *ops, void *arg, struct cgroups **ret);
struct cgroups *cgroups_free(struct cgroups *cgroups); /* takes and returns NULL */

/*
 * Follows the workloads of @image from now on, no others, and calls the function for
 * each of them once. -ENOSPC: out of inotify watches; what could be followed is.
 */
int cgroups_follow(struct cgroups *cgroups, const struct image *image);

/* The cgroups that hold pods, and static pods (see pod_uid_is_static()) of no workload. */
struct cgroups_pods {
	uint64_t root[PODS_ROOTS_MAX];
	size_t n_roots;
	uint64_t static_pod[CGROUPS_STATIC_MAX];
	size_t n_static;
};

void cgroups_pods(const struct cgroups *cgroups, struct cgroups_pods *ret);

/* The pod's cgroup as it was last, 0: none was ever seen. */
uint64_t cgroups_pod_id(const struct cgroups *cgroups, const char *uid);

/* Becomes readable when cgroups_dispatch() has something to do. */
int cgroups_fd(const struct cgroups *cgroups);

/* Takes in what happened and calls the function for each workload that moved. */
int cgroups_dispatch(struct cgroups *cgroups);

/* Of workload @workload: its cgroup's id, 0: none now. */
uint64_t cgroups_id(const struct cgroups *cgroups, size_t workload);

/* Of workload @workload: its cgroup's path below the root, found or declared; "" if unknown. */
const char *cgroups_path(const struct cgroups *cgroups, size_t workload);
