/* SPDX-License-Identifier: Apache-2.0 */
/* Word of changes in a directory of manifests, also while it does not exist. */
#pragma once

#include <limits.h>

#include "user/base/util.h"

#define WATCH_NAMES_MAX 64 /* files that changed and are told by name; more are "all" */
#define WATCH_SETTLE_MS 20 /* changes this close together are one */

/*
 * Watches the directory @path and the way to it, with and without its symbolic links,
 * so that it may vanish, come back, or be replaced as a whole.
 */
struct watch;
int watch_new(const char *path, struct watch **ret);
struct watch *watch_free(struct watch *watch); /* takes and returns NULL */
static inline void watch_freep(struct watch **watch)
{
	watch_free(*watch);
}

/* Becomes readable when watch_dispatch() has something to do. */
int watch_fd(const struct watch *watch);

/* 1: something changed, and WATCH_SETTLE_MS have passed since; 0: nothing yet. */
int watch_dispatch(struct watch *watch);

/* What changed since watch_changes_reset(). */
struct watch_changes {
	bool all; /* anything may have; the names are not all there is */
	size_t n;
	char name[WATCH_NAMES_MAX][NAME_MAX + 1]; /* files in the directory itself */
};
const struct watch_changes *watch_changes(const struct watch *watch);
void watch_changes_reset(struct watch *watch);
