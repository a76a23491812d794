/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests in a directory. */
#include <fcntl.h>

#include "user/base/file.h"
#include "user/source/listing.h"
#include "user/source/source.h"
#include "user/source/watch.h"

#define DIRECTORY_TRIES 5 /* reads until files that keep changing are given up */

struct directory {
	struct source source;
	char *path;
	struct watch *watch;
};

static void directory_free(struct source *source)
{
	struct directory *d = (struct directory *)source;

	watch_free(d->watch);
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

static int read_document(struct directory *d, int dir, const char *name,
			 struct source_document *ret)
{
	struct source_document document = { 0 };
	int r;

	document.name = path_join(d->path, name);
	if (!document.name)
		return -ENOMEM;
	r = file_read_at(dir, name, SOURCE_DOCUMENT_BYTES_MAX, &document.text, &document.length);
	if (r < 0) {
		free(document.name);
		return r;
	}
	*ret = document;
	return 0;
}

static int read_listed(struct directory *d, int dir, const struct listing *listing,
		       struct source_documents *ret)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	size_t bytes = 0;
	int r;

	documents.item = calloc(listing->n + 1, sizeof(*documents.item));
	if (!documents.item)
		return failed(d, NULL, -ENOMEM);
	for (; documents.n < listing->n; documents.n++) {
		const char *name = listing->entry[documents.n].name;

		r = read_document(d, dir, name, &documents.item[documents.n]);
		if (r < 0)
			return failed(d, name, r);
		bytes += documents.item[documents.n].length;
		if (bytes > SOURCE_BYTES_MAX) {
			documents.n++; /* so that this one is freed as well */
			return failed(d, NULL, -EFBIG);
		}
	}
	*ret = documents;
	documents = (struct source_documents){ 0 };
	return 0;
}

static int list(struct directory *d, int dir, struct listing *ret)
{
	_cleanup_free_ char *name = NULL;
	int r;

	r = listing_read(dir, ret, &name);
	return r < 0 ? failed(d, name, r) : 0;
}

/* One try. -EAGAIN when the files changed meanwhile. */
static int read_once(struct directory *d, struct source_documents *ret)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	_cleanup_(listing_done) struct listing before = { 0 }, after = { 0 };
	_cleanup_close_ int dir = -EBADF;
	int r;

	/* By name every time: another directory may have taken its place. */
	dir = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return failed(d, NULL, -errno);
	r = list(d, dir, &before);
	if (r < 0)
		return r;
	r = read_listed(d, dir, &before, &documents);
	if (r < 0)
		return r;
	r = list(d, dir, &after);
	if (r < 0)
		return r;
	if (!listing_equal(&before, &after))
		return failed(d, NULL, -EAGAIN);
	*ret = documents;
	documents = (struct source_documents){ 0 };
	return 0;
}

static int directory_read(struct source *source, struct source_documents *ret)
{
	struct directory *d = (struct directory *)source;
	int r = -EAGAIN;

	/* A file that vanished (-ENOENT) while it was read is a change like any other. */
	for (int i = 0; i < DIRECTORY_TRIES && (r == -EAGAIN || r == -ENOENT); i++)
		r = read_once(d, ret);
	return r;
}

static int directory_fd(const struct source *source)
{
	return watch_fd(((const struct directory *)source)->watch);
}

static int directory_dispatch(struct source *source)
{
	return watch_dispatch(((struct directory *)source)->watch);
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
