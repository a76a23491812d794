/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/sealed.h"

#include <fcntl.h>

#include "user/base/file.h"
#include "user/base/file_write.h"

#define SEAL_TEXT "countersign-sealed 1 " /* of the format's version 1 */
#define SEAL_LENGTH (sizeof(SEAL_TEXT) - 1 + 32 + 1) /* with the digest and the line's end */

struct cs_key sealed_digest(const void *bytes, size_t length)
{
	static const struct cs_key keys[] = { { 1, 0 }, { 2, 0 } }; /* two halves; no secret */

	return (struct cs_key){
		.k0 = cs_siphash_bytes(&keys[0], bytes, length),
		.k1 = cs_siphash_bytes(&keys[1], bytes, length),
	};
}

static void make_seal(const void *body, size_t length, char ret[static SEAL_LENGTH + 1])
{
	struct cs_key digest = sealed_digest(body, length);

	snprintf(ret, SEAL_LENGTH + 1, SEAL_TEXT "%016llx%016llx\n", (unsigned long long)digest.k0,
		 (unsigned long long)digest.k1);
}

static int write_temporary(int dir, const void *body, size_t length)
{
	_cleanup_close_ int fd = -EBADF;
	char seal[SEAL_LENGTH + 1];
	int r;

	fd = openat(dir, SEALED_TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	make_seal(body, length, seal);
	r = file_write_all(fd, seal, SEAL_LENGTH);
	if (r == 0)
		r = file_write_all(fd, body, length);
	return r == 0 ? ret_errno(fsync(fd)) : r;
}

int sealed_write(int dir, const char *name, const void *body, size_t length)
{
	int r;

	r = sealed_remove(dir, SEALED_TEMPORARY);
	if (r == 0)
		r = write_temporary(dir, body, length);
	if (r == 0)
		r = ret_errno(renameat(dir, SEALED_TEMPORARY, dir, name));
	if (r < 0) {
		unlinkat(dir, SEALED_TEMPORARY, 0);
		return r;
	}
	return ret_errno(fsync(dir));
}

int sealed_read(int dir, const char *name, size_t max, char **ret, size_t *ret_length)
{
	_cleanup_free_ char *text = NULL;
	char seal[SEAL_LENGTH + 1];
	size_t length;
	int r;

	r = file_read_at(dir, name, max + SEAL_LENGTH, &text, &length);
	if (r < 0)
		return r;
	if (length < SEAL_LENGTH)
		return -EBADMSG;
	make_seal(text + SEAL_LENGTH, length - SEAL_LENGTH, seal);
	if (memcmp(text, seal, SEAL_LENGTH) != 0)
		return -EBADMSG;
	memmove(text, text + SEAL_LENGTH, length - SEAL_LENGTH + 1);
	*ret = TAKE_PTR(text);
	*ret_length = length - SEAL_LENGTH;
	return 0;
}

int sealed_remove(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return ret_errno(fsync(dir));
}
