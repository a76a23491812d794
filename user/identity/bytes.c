/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/bytes.h"

#define BYTES_FIRST 256 /* bytes of the first allocation */

static bool bytes_reserve(struct bytes *bytes, size_t n)
{
	size_t capacity = MAX(bytes->capacity, (size_t)BYTES_FIRST);
	uint8_t *data;

	if (bytes->failed || n > BYTES_MAX - bytes->n)
		return false;
	while (capacity < bytes->n + n)
		capacity *= 2;
	if (capacity == bytes->capacity)
		return true;
	data = realloc(bytes->data, capacity);
	if (!data)
		return false;
	bytes->data = data;
	bytes->capacity = capacity;
	return true;
}

void bytes_put(struct bytes *bytes, const void *data, size_t n)
{
	if (!bytes_reserve(bytes, n)) {
		bytes->failed = true;
		return;
	}
	if (n)
		memcpy(bytes->data + bytes->n, data, n);
	bytes->n += n;
}

void bytes_put_u8(struct bytes *bytes, uint8_t value)
{
	bytes_put(bytes, &value, sizeof(value));
}

void bytes_put_u16(struct bytes *bytes, uint16_t value)
{
	uint8_t le[2] = { value & 0xff, value >> 8 };

	bytes_put(bytes, le, sizeof(le));
}

void bytes_put_u32(struct bytes *bytes, uint32_t value)
{
	uint8_t le[4] = { value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >> 24 };

	bytes_put(bytes, le, sizeof(le));
}

void bytes_put_string(struct bytes *bytes, const char *s)
{
	size_t n = strlen(s);

	bytes_put_u32(bytes, (uint32_t)n);
	bytes_put(bytes, s, n);
}

void bytes_done(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}
