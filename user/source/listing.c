/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/listing.h"

#include <fcntl.h>

#include "user/base/file.h"
#include "user/source/source.h"

void listing_done(struct listing *listing)
{
	for (size_t i = 0; i < listing->n; i++)
		free(listing->entry[i].name);
	free(listing->entry);
	*listing = (struct listing){ 0 };
}

bool listing_wants(const char *name)
{
	static const char *const suffixes[] = { ".yaml", ".yml", ".json" };
	size_t length = strlen(name);

	/* Editors write .name.yaml.swp, name.yaml~ and #name.yaml#; .#name.yaml is a lock. */
	if (*name == '.' || *name == '#')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t suffix = strlen(suffixes[i]);

		if (length > suffix && streq(name + length - suffix, suffixes[i]))
			return true;
	}
	return false;
}

static int listing_room(struct listing *listing)
{
	struct listing_entry *more;
	size_t room;

	if (listing->n < listing->room)
		return 0;
	if (listing->n >= SOURCE_DOCUMENTS_MAX)
		return -EFBIG;
	room = listing->room ? listing->room * 2 : 16;
	more = reallocarray(listing->entry, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	listing->entry = more;
	listing->room = room;
	return 0;
}

int listing_entry_read(int dir, const char *name, unsigned char type, struct listing_entry *ret)
{
	struct stat st;
	char *copy;

	/* Follows symbolic links: in a ConfigMap every file is one. */
	if (fstatat(dir, name, &st, 0) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	*ret = (struct listing_entry){
		.name = copy,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = st.st_size,
		.mtime = st.st_mtim,
		.ctime = st.st_ctim,
		.elsewhere = type != DT_REG || st.st_nlink > 1,
	};
	return 0;
}

static int listing_add(struct listing *listing, int dir, const struct dirent *entry)
{
	int r;

	r = listing_room(listing);
	if (r == 0)
		r = listing_entry_read(dir, entry->d_name, entry->d_type,
				       &listing->entry[listing->n]);
	listing->n += r == 0;
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct listing_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int listing_read(int dir, struct listing *ret, char **reterr_name)
{
	_cleanup_(listing_done) struct listing listing = { 0 };
	_cleanup_(closedirp) DIR *stream = NULL;
	_cleanup_close_ int fd = -EBADF;
	const struct dirent *entry;
	int r;

	/* A descriptor of its own, as the stream moves the offset and closes it. */
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		return -errno;
	TAKE_FD(fd);
	while ((errno = 0, entry = readdir(stream))) {
		if (!listing_wants(entry->d_name))
			continue;
		r = listing_add(&listing, dir, entry);
		if (r < 0) {
			*reterr_name = strdup(entry->d_name);
			return r;
		}
	}
	if (errno)
		return -errno;
	if (listing.n)
		qsort(listing.entry, listing.n, sizeof(*listing.entry), by_name);
	*ret = listing;
	listing = (struct listing){ 0 };
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool listing_entry_equal(const struct listing_entry *a, const struct listing_entry *b)
{
	return streq(a->name, b->name) && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && same_time(&a->mtime, &b->mtime) &&
	       same_time(&a->ctime, &b->ctime);
}

bool listing_equal(const struct listing *a, const struct listing *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!listing_entry_equal(&a->entry[i], &b->entry[i]))
			return false;
	return true;
}
