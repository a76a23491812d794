/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte string for canonical encodings: numbers little-endian, strings with
 * their length in front, so that two different values never encode to the same bytes.
 */
#pragma once

#include "user/base/util.h"

#define BYTES_MAX ((size_t)64 << 20) /* more is refused: `failed` is set */

struct bytes {
	uint8_t *data;
	size_t n;
	size_t capacity;
	bool failed; /* some put found no memory: the contents are incomplete */
};

void bytes_put(struct bytes *bytes, const void *data, size_t n);
void bytes_put_u8(struct bytes *bytes, uint8_t value);
void bytes_put_u16(struct bytes *bytes, uint16_t value);
void bytes_put_u32(struct bytes *bytes, uint32_t value);
void bytes_put_string(struct bytes *bytes, const char *s);

/* Frees the contents; the byte string is empty and usable afterwards. */
void bytes_done(struct bytes *bytes);
#define _cleanup_bytes_ _cleanup_(bytes_done)
