/* SPDX-License-Identifier: Apache-2.0 */
/* A list of manifests' files, each there once however often and by whatever name it is given. */
#pragma once

#include "user/base/util.h"

#define PATHS_MAX 16384 /* files in one list */

struct paths {
	char **item;
	char **real; /* what item[] is without links and dots */
	size_t n;
	size_t capacity;
	char *failed; /* what the last failure was about, or NULL */
};

void paths_done(struct paths *paths);

/* Adds a file, or the manifests in a directory. Negative errno, with @paths->failed set. */
int paths_add(struct paths *paths, const char *path);

/* The same for a path relative to the directory that the file @beside is in. */
int paths_add_beside(struct paths *paths, const char *beside, const char *path);
