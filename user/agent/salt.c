/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/salt.h"

#include <fcntl.h>

#include "user/base/file.h"
#include "user/identity/salt.h"

int salt_read(const char *path, const char *trust_domain, uint64_t ret[static 2])
{
	_cleanup_free_ char *bytes = NULL;
	size_t length;
	int r;

	if (!path) {
		identity_salt(trust_domain, strlen(trust_domain), ret);
		return 0;
	}
	r = file_read_at(AT_FDCWD, path, SALT_FILE_BYTES_MAX, &bytes, &length);
	if (r < 0)
		return r;
	if (length < SALT_FILE_BYTES_MIN)
		return -ERANGE;
	identity_salt(bytes, length, ret);
	explicit_bzero(bytes, length);
	return 0;
}
