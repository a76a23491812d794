/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are whole or refused: the first line carries a digest of the rest, and a
 * write takes effect in one step, even when the power fails. The digest finds damage; it
 * is no signature, the files are as trustworthy as their directory.
 */
#pragma once

#include <countersign/siphash.h>

#include "user/base/util.h"

#define SEALED_TEMPORARY "unfinished" /* what a write that was cut short leaves */

/* Two numbers of one text, as 128 bits. */
struct cs_key sealed_digest(const void *bytes, size_t length);

/*
 * Makes or replaces the file @name, mode 0600, in the directory @dir. On failure what
 * was there before is untouched.
 */
int sealed_write(int dir, const char *name, const void *body, size_t length);

/*
 * The body of the file @name, at most @max bytes, with a final NUL that *@ret_length does
 * not count; the caller's. -EBADMSG: damaged.
 */
int sealed_read(int dir, const char *name, size_t max, char **ret, size_t *ret_length);

/* Removes it for good. 0 also when there is none. */
int sealed_remove(int dir, const char *name);
