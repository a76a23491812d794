/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/salt.h"

#include <countersign/siphash.h>
#include <fcntl.h>

#include "user/base/file.h"

/*
 * SipHash-2-4 twice, under two fixed keys that only serve to make two numbers of one
 * text. The salt of a trust domain's name is no secret: it keeps numbers apart, and
 * who wants them hard to predict gives a file.
 */
static void derive(const void *bytes, size_t length, uint64_t ret[static 2])
{
	static const struct cs_key keys[2] = {
		{ .k0 = 0x746e756f63747375ULL, .k1 = 0x0000000000000001ULL },
		{ .k0 = 0x746e756f63747375ULL, .k1 = 0x0000000000000002ULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		ret[i] = cs_siphash_bytes(&keys[i], bytes, length);
}

int salt_read(const char *path, const char *trust_domain, uint64_t ret[static 2])
{
	_cleanup_free_ char *bytes = NULL;
	size_t length;
	int r;

	if (!path) {
		derive(trust_domain, strlen(trust_domain), ret);
		return 0;
	}
	r = file_read_at(AT_FDCWD, path, SALT_FILE_BYTES_MAX, &bytes, &length);
	if (r < 0)
		return r;
	if (length < SALT_FILE_BYTES_MIN)
		return -ERANGE;
	derive(bytes, length, ret);
	explicit_bzero(bytes, length);
	return 0;
}
