/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/kept_records.h"

#include <fcntl.h>

#include "user/base/file.h"
#include "user/base/file_write.h"

/* All lines in one buffer; the caller's. */
static int join(kept_text_fn text, void *arg, char **ret, size_t *ret_length)
{
	size_t length = 0, n, at = 0;
	const char *one;
	char *all;

	for (size_t i = 0; text(arg, i, &one, &n) == 0; i++)
		length += n + 1;
	if (length > KEPT_RECORDS_BYTES_MAX)
		return -EFBIG;
	all = malloc(length + 1);
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; text(arg, i, &one, &n) == 0; i++) {
		memcpy(all + at, one, n);
		at += n;
		all[at++] = '\n';
	}
	*ret = all;
	*ret_length = length;
	return 0;
}

int kept_records_write(const char *path, kept_text_fn text, void *arg)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *directory = slash ? strndup(path, slash - path + 1) : strdup(".");
	_cleanup_free_ char *all = NULL;
	_cleanup_close_ int dir = -EBADF;
	size_t length = 0;
	int r;

	if (!directory)
		return -ENOMEM;
	r = join(text, arg, &all, &length);
	if (r < 0)
		return r;
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	return file_write_at(dir, name, all, length, 0600, /* fresh= */ false);
}

int kept_records_read(const char *path, int (*fn)(void *arg, const json_t *object), void *arg)
{
	_cleanup_free_ char *all = NULL;
	size_t length = 0;
	int r;

	r = file_read_at(AT_FDCWD, path, KEPT_RECORDS_BYTES_MAX, &all, &length);
	if (r < 0)
		return r;
	for (char *line = all, *end; line < all + length; line = end + 1) {
		json_auto_t *object = NULL;

		end = memchr(line, '\n', all + length - line) ?: all + length;
		object = json_loadb(line, end - line, JSON_REJECT_DUPLICATES, NULL);
		if (object && fn(arg, object) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}
