/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/file_write.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

int file_write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int write_temporary(int dir, const char *name, const void *bytes, size_t length, mode_t mode)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, bytes, length);
	/* Not what the umask leaves of it: the mode is asked for. */
	if (r == 0)
		r = ret_errno(fchmod(fd, mode));
	return r == 0 ? ret_errno(fsync(fd)) : r;
}

int file_write_at(int dir, const char *name, const void *bytes, size_t length, mode_t mode,
		  bool fresh)
{
	char temporary[NAME_MAX + 1];
	int r;

	if ((size_t)snprintf(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid()) >=
	    sizeof(temporary))
		return -ENAMETOOLONG;
	/* Left by a process of this number that died while it wrote. */
	if (unlinkat(dir, temporary, 0) < 0 && errno != ENOENT)
		return -errno;
	r = write_temporary(dir, temporary, bytes, length, mode);
	if (r == 0)
		r = ret_errno(renameat2(dir, temporary, dir, name, fresh ? RENAME_NOREPLACE : 0));
	if (r < 0) {
		unlinkat(dir, temporary, 0);
		return r;
	}
	return ret_errno(fsync(dir));
}
