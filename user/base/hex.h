/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as lower-case hex. */
#pragma once

#include "user/base/util.h"

/* @ret has room for 2 * @n + 1 characters. */
static inline void hex_write(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}
