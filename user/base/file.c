/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FILE_READ_FIRST 4096 /* bytes asked for first: files in /proc say that they are empty */

static int read_some(int fd, char *text, size_t size, size_t *length)
{
	while (*length < size) {
		ssize_t n = read(fd, text + *length, size - *length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ret_errno(n);
		*length += n;
	}
	return 1;
}

static int read_all(int fd, size_t size, size_t max, char **ret, size_t *ret_length)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	int r = 1;

	/* One byte beyond the limit tells a full file from one that is too big. */
	for (size = MIN(size, max + 1); r > 0; size = MIN(size * 2, max + 1)) {
		char *more = realloc(text, size + 1);

		if (!more)
			return -ENOMEM;
		text = more;
		r = read_some(fd, text, size, &length);
		if (r < 0)
			return r;
		if (length > max)
			return -EFBIG;
	}
	text[length] = '\0';
	*ret = TAKE_PTR(text);
	*ret_length = length;
	return 0;
}

int file_read_at(int dir, const char *path, size_t max, char **ret, size_t *ret_length)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	/* O_NONBLOCK: a FIFO must not stop the agent. */
	fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > 0 && (uint64_t)st.st_size > max)
		return -EFBIG;
	return read_all(fd, MAX((size_t)st.st_size + 1, (size_t)FILE_READ_FIRST), max, ret,
			ret_length);
}

int directory_make(const char *path, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(path);
	struct stat st;

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; *copy && (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

char *path_join(const char *directory, const char *name)
{
	size_t length = strlen(directory);
	char *path;

	while (length > 1 && directory[length - 1] == '/')
		length--;
	if (asprintf(&path, "%.*s%s%s", (int)length, directory,
		     directory[length - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}
