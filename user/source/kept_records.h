/* SPDX-License-Identifier: Apache-2.0 */
/* JSON objects in a file, one a line, written whole or not at all. */
#pragma once

#include <jansson.h>

#include "user/base/util.h"

#define KEPT_RECORDS_BYTES_MAX (256 << 20)

/* The text of object @i, without a line feed in it; -ENOENT: there are no more. */
typedef int (*kept_text_fn)(void *arg, size_t i, const char **ret_text, size_t *ret_length);
int kept_records_write(const char *path, kept_text_fn text, void *arg);

/*
 * Calls @fn for each object. A line that is none is left out: records are signed, and the API
 * server tells them again. -ENOENT: there is no file; < 0: it cannot be read.
 */
int kept_records_read(const char *path, int (*fn)(void *arg, const json_t *object), void *arg);
