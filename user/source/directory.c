/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests in a directory. */
#include <fcntl.h>

#include "user/base/file.h"
#include "user/source/cache.h"
#include "user/source/source.h"
#include "user/source/watch.h"

#define DIRECTORY_TRIES 5 /* reads until files that keep changing are given up */

struct directory {
	struct source source;
	char *path;
	struct watch *watch;
	struct cache cache;
	bool told; /* by the watch, since the last read */
};

static void directory_free(struct source *source)
{
	struct directory *d = (struct directory *)source;

	watch_free(d->watch);
	cache_done(&d->cache);
	free(d->path);
	free(d);
}

static void directory_freep(struct directory **d)
{
	if (*d)
		directory_free(&(*d)->source);
}

/* Says what went wrong on @name (NULL: on the directory) and returns @r. */
static int failed(struct directory *d, const char *name, int r)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{ -ENOENT, "does not exist: create it, or name another with --manifests" },
		{ -ENOTDIR, "is not a directory" },
		{ -EINVAL, "is not a regular file: move it out of the manifests" },
		{ -EACCES, "must not be read by this user: change its owner or mode" },
		{ -ELOOP, "is a link to itself" },
		{ -EFBIG, "passes a limit: at most 16384 files of 16 MiB, 64 MiB together" },
		{ -EAGAIN, "changes while it is read: move finished files into place" },
	};
	const char *text = strerror(-r);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].error == r)
			text = texts[i].text;
	if (name && r == -ENOENT)
		text = "is a link to nothing: remove it, or make what it points to";
	snprintf(d->source.error, sizeof(d->source.error), "%s%s%s: %s", d->path, name ? "/" : "",
		 name ?: "", text);
	return r;
}

/*
 * Whether the watch has told every change since the last read, by name. Who asks without
 * being told to wants to know, not to believe: he gets a whole listing.
 */
static bool knows_changes(const struct directory *d, int dir)
{
	const struct watch_changes *changes = watch_changes(d->watch);
	struct stat st;

	return d->told && !changes->all && d->cache.valid && !d->cache.elsewhere &&
	       fstat(dir, &st) == 0 && st.st_dev == d->cache.dev && st.st_ino == d->cache.ino;
}

static int read_named(struct directory *d, struct cache_reader *reader)
{
	const struct watch_changes *changes = watch_changes(d->watch);
	int r = 0;

	for (size_t i = 0; i < changes->n && r == 0; i++)
		r = cache_read_one(&d->cache, reader, changes->name[i]);
	return r;
}

/* One try. -EAGAIN when the files changed meanwhile. */
static int read_once(struct directory *d)
{
	_cleanup_close_ int dir = -EBADF;
	struct cache_reader reader = { .path = d->path };
	int r = -EAGAIN;

	/* By name every time: another directory may have taken its place. */
	dir = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return failed(d, NULL, -errno);
	reader.dir = dir;
	if (knows_changes(d, dir))
		r = read_named(d, &reader);
	if (r < 0)
		r = cache_read(&d->cache, &reader);
	if (r < 0)
		r = failed(d, reader.failed, r);
	free(reader.failed);
	return r;
}

static int directory_read(struct source *source, struct source_documents *ret)
{
	struct directory *d = (struct directory *)source;
	int r = -EAGAIN;

	/* A file that vanished (-ENOENT) while it was read is a change like any other. */
	for (int i = 0; i < DIRECTORY_TRIES && (r == -EAGAIN || r == -ENOENT); i++)
		r = read_once(d);
	if (r == 0)
		r = cache_lend(&d->cache, ret);
	if (r == 0) {
		watch_changes_reset(d->watch);
		d->told = false;
	}
	return r;
}

static int directory_fd(const struct source *source)
{
	return watch_fd(((const struct directory *)source)->watch);
}

static int directory_dispatch(struct source *source)
{
	struct directory *d = (struct directory *)source;
	int r = watch_dispatch(d->watch);

	d->told |= r > 0;
	return r;
}

int source_directory_new(const char *path, struct source **ret)
{
	static const struct source_ops ops = {
		.read = directory_read,
		.fd = directory_fd,
		.dispatch = directory_dispatch,
		.free = directory_free,
	};
	_cleanup_(directory_freep) struct directory *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->source.ops = &ops;
	d->path = strdup(path);
	if (!d->path)
		return -ENOMEM;
	r = watch_new(path, &d->watch);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(d)->source;
	return 0;
}
