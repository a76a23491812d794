/* SPDX-License-Identifier: Apache-2.0 */
/* Files and paths: everything that is read is bounded. */
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include "user/base/util.h"

DEFINE_TRIVIAL_CLEANUP(DIR *, closedir)

/*
 * Reads the regular file @path, relative to the directory @dir (AT_FDCWD as usual).
 * -EFBIG when it has more than @max bytes, -EINVAL when it is not a regular file. The
 * text gets a final NUL that @ret_length does not count; it is the caller's.
 */
int file_read_at(int dir, const char *path, size_t max, char **ret, size_t *ret_length);

/* Makes the directory @path and those above it that are missing. 0 when it is there. */
int directory_make(const char *path, mode_t mode);

/* "directory/name"; the caller's, NULL when out of memory. */
char *path_join(const char *directory, const char *name);
