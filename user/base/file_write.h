/* SPDX-License-Identifier: Apache-2.0 */
/* Files written whole or not at all. */
#pragma once

#include <sys/types.h>

#include "user/base/util.h"

/*
 * Writes the file @name in the directory @dir: a temporary file beside it, synced and then
 * moved in its place, so that a reader sees the old text or the new one. -EEXIST: @fresh, and
 * there is such a file.
 */
int file_write_at(int dir, const char *name, const void *bytes, size_t length, mode_t mode,
		  bool fresh);

/* All of it, however often that is interrupted. */
int file_write_all(int fd, const char *bytes, size_t length);
