/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/paths.h"

#include <libgen.h>
#include <sys/stat.h>

#include "user/base/file.h"
#include "user/source/source.h"

void paths_done(struct paths *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		free(paths->item[i]);
		free(paths->real[i]);
	}
	free(paths->item);
	free(paths->real);
	free(paths->failed);
	*paths = (struct paths){ 0 };
}

static int failed(struct paths *paths, const char *path, int r)
{
	free(paths->failed);
	paths->failed = strdup(path);
	return r;
}

static int grow(struct paths *paths)
{
	size_t capacity = MAX(paths->capacity * 2, (size_t)16);
	void *item, *real;

	if (paths->n < paths->capacity)
		return 0;
	if (paths->n >= PATHS_MAX)
		return -E2BIG;
	item = realloc(paths->item, capacity * sizeof(*paths->item));
	if (!item)
		return -ENOMEM;
	paths->item = item;
	real = realloc(paths->real, capacity * sizeof(*paths->real));
	if (!real)
		return -ENOMEM;
	paths->real = real;
	paths->capacity = capacity;
	return 0;
}

static int add_file(struct paths *paths, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL), *copy = NULL;
	int r;

	if (!real)
		return failed(paths, path, -errno);
	for (size_t i = 0; i < paths->n; i++)
		if (streq(paths->real[i], real))
			return 0;
	r = grow(paths);
	copy = strdup(path);
	if (r < 0 || !copy)
		return failed(paths, path, r < 0 ? r : -ENOMEM);
	paths->item[paths->n] = TAKE_PTR(copy);
	paths->real[paths->n++] = TAKE_PTR(real);
	return 0;
}

static int add_directory(struct paths *paths, const char *path)
{
	_cleanup_(source_freep) struct source *source = NULL;
	struct source_documents documents = { 0 };
	int r;

	r = source_directory_new(path, &source);
	if (r == 0)
		r = source_read(source, &documents);
	if (r < 0)
		return failed(paths, path, r);
	for (size_t i = 0; i < documents.n && r == 0; i++)
		r = add_file(paths, documents.item[i].name);
	source_documents_done(&documents);
	return r;
}

int paths_add(struct paths *paths, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return failed(paths, path, -errno);
	return S_ISDIR(st.st_mode) ? add_directory(paths, path) : add_file(paths, path);
}

int paths_add_beside(struct paths *paths, const char *beside, const char *path)
{
	_cleanup_free_ char *joined = NULL;
	_cleanup_free_ char *copy = NULL;

	if (*path == '/')
		return paths_add(paths, path);
	copy = strdup(beside);
	if (!copy)
		return -ENOMEM;
	joined = path_join(dirname(copy), path);
	return joined ? paths_add(paths, joined) : -ENOMEM;
}
