/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the cgroups of pods, wherever below the cgroup root kubelet has them, and notices
 * at once when one comes or goes. Watched are the cgroups that may hold a "kubepods", those
 * themselves and the QoS classes in them; never a pod's own.
 *
 * A user may own a subtree and name cgroups in it as he likes, so only those count that
 * belong to root, like every cgroup above them.
 */
#pragma once

#include "user/agent/cgroup_watches.h"
#include "user/identity/pod_cgroup.h"

#define PODS_DEPTH_MAX 4 /* levels below the cgroup root where a "kubepods" is looked for */
#define PODS_ROOTS_MAX 64 /* of them */
#define PODS_MAX 8192 /* pods' cgroups that are remembered */

struct pods;

struct pods_ops {
	/* The pod's cgroup came, or went. */
	void (*moved)(void *arg, const char *uid);
	/* A "kubepods" came or went. */
	void (*roots)(void *arg);
};

/* Where a pod is. */
struct pod_place {
	char uid[POD_UID_MAX + 1];
	char *path; /* below the cgroup root */
	uint64_t id; /* of the cgroup */
	bool gone; /* the cgroup is; what its processes left behind may still be on its way out */
};

/* A cgroup that holds pods and nothing else. */
struct pods_root {
	char *path;
	uint64_t id;
};

/* Looks for all there are; @watches outlives it. Negative: -ENOMEM, nothing else. */
int pods_new(struct cgroup_watches *watches, const struct pods_ops *ops, void *arg,
	     struct pods **ret);
struct pods *pods_free(struct pods *pods); /* takes and returns NULL */

/* What came or went at @path, as cgroup_watches_read() says it. */
void pods_event(struct pods *pods, const char *path);

/* The first failure since the last call: -ENOSPC, a limit, and some cgroup is not followed. */
int pods_error(struct pods *pods);

/* NULL: nowhere. */
const struct pod_place *pods_find(const struct pods *pods, const char *uid);

/* All of them, sorted by uid, and all that hold them. */
const struct pod_place *pods_list(const struct pods *pods, size_t *ret_n);
const struct pods_root *pods_roots(const struct pods *pods, size_t *ret_n);

/* Forgets the pods that are gone, but for those that @keep wants. */
void pods_forget(struct pods *pods, bool (*keep)(void *arg, const char *uid), void *arg);
