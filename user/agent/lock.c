/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_TRIES 100 /* of LOCK_WAIT_US: an agent that was just killed takes a moment to end */
#define LOCK_WAIT_US 20000

static int read_pid(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return atoi(text);
}

static int write_pid(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, n, 0) != n)
		return -EIO;
	return 0;
}

/* Who uninstalls removes the file: a lock on a removed file keeps nobody out. */
static bool still_there(int fd, const char *path)
{
	struct stat mine, theirs;

	return fstat(fd, &mine) == 0 && stat(path, &theirs) == 0 && mine.st_dev == theirs.st_dev &&
	       mine.st_ino == theirs.st_ino;
}

int lock_file(const char *path, int *ret_fd, int *ret_pid)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		_cleanup_close_ int fd =
			open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		int r;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			r = -errno;
			*ret_pid = read_pid(fd);
			if (r != -EWOULDBLOCK || i == LOCK_TRIES - 1)
				return r;
			usleep(LOCK_WAIT_US);
			continue;
		}
		if (!still_there(fd, path))
			continue;
		r = write_pid(fd);
		if (r < 0)
			return r;
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	return -EAGAIN;
}
