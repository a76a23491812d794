/* SPDX-License-Identifier: Apache-2.0 */
/* inotify watches on cgroup directories, by path below the cgroup root. */
#pragma once

#include "user/base/util.h"

/* One watched directory. */
struct cgroup_watch {
	int wd;
	bool used; /* since the last cgroup_watches_mark() */
	bool kept; /* in use for good */
	char *path; /* below the root, "" for the root itself */
};

struct cgroup_watches {
	int inotify;
	char *root;
	struct cgroup_watch *watch; /* sorted by wd */
	size_t n, room;
};

int cgroup_watches_init(struct cgroup_watches *watches, const char *root);
void cgroup_watches_done(struct cgroup_watches *watches);

/* Watches the directory @path below the root. -ENOENT when it is not there. */
int cgroup_watches_add(struct cgroup_watches *watches, const char *path);

/* The same for good: cgroup_watches_sweep() leaves it alone. */
int cgroup_watches_keep(struct cgroup_watches *watches, const char *path);

/* Forgets which watches are in use; cgroup_watches_sweep() drops those not added since. */
void cgroup_watches_mark(struct cgroup_watches *watches);
void cgroup_watches_sweep(struct cgroup_watches *watches);

/* @path (below the root) came or went; "" when anything may have. */
typedef void (*cgroup_watches_fn)(void *arg, const char *path);

/* Hands every waiting change to @fn. Never blocks. */
int cgroup_watches_read(struct cgroup_watches *watches, cgroup_watches_fn fn, void *arg);
