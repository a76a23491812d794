/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster salt, which keys identity numbers. */
#pragma once

#include "user/base/util.h"

#define SALT_FILE_BYTES_MAX 4096
#define SALT_FILE_BYTES_MIN 16

/*
 * The salt from the bytes of the file @path, or, when @path is NULL, from the trust
 * domain's name: the same on every agent and after every start. -ERANGE: the file has
 * fewer than SALT_FILE_BYTES_MIN bytes.
 */
int salt_read(const char *path, const char *trust_domain, uint64_t ret[static 2]);
