/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/revisions.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "user/agent/pin.h"
#include "user/agent/sealed.h"
#include "user/base/file.h"

#define NAME_SUFFIX ".revision"
#define NAME_MAX_BYTES sizeof("4294967295" NAME_SUFFIX)
#define NAME_DIGITS 10

struct revisions {
	int dir;
	size_t keep;
	size_t bytes; /* of all */
	uint32_t protected;
	uint32_t last; /* number given out last */
	struct revisions_item *item; /* by number */
	size_t n;
};

static void file_name(uint32_t number, char ret[static NAME_MAX_BYTES])
{
	snprintf(ret, NAME_MAX_BYTES, "%010u" NAME_SUFFIX, number);
}

/* 0 for what is no revision's name. */
static uint32_t number_of(const char *name)
{
	char *end;
	unsigned long long number;

	if (!isdigit((unsigned char)*name) || strlen(name) != NAME_DIGITS + strlen(NAME_SUFFIX))
		return 0;
	number = strtoull(name, &end, 10);
	return streq(end, NAME_SUFFIX) && number <= UINT32_MAX ? number : 0;
}

struct revisions *revisions_free(struct revisions *revisions)
{
	if (!revisions)
		return NULL;
	closep(&revisions->dir);
	free(revisions->item);
	free(revisions);
	return NULL;
}

static void revisions_freep(struct revisions **revisions)
{
	revisions_free(*revisions);
}

/* What is in the file; @ret_documents may be NULL. */
static int load(const struct revisions *revisions, uint32_t number, struct revision *ret,
		struct source_documents *ret_documents, size_t *ret_bytes)
{
	_cleanup_free_ char *text = NULL;
	struct revision revision;
	char name[NAME_MAX_BYTES];
	int r;

	file_name(number, name);
	r = sealed_read(revisions->dir, name, REVISION_BYTES_MAX, &text, ret_bytes);
	if (r == 0)
		r = revision_decode(text, *ret_bytes, &revision, ret_documents);
	if (r < 0)
		return r;
	if (revision.number != number) { /* a file that was given another name */
		if (ret_documents)
			source_documents_done(ret_documents);
		return -EBADMSG;
	}
	*ret = revision;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct revisions_item *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int append(struct revisions *revisions, const struct revisions_item *item)
{
	struct revisions_item *more =
		reallocarray(revisions->item, revisions->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	more[revisions->n++] = *item;
	revisions->item = more;
	revisions->bytes += item->bytes;
	revisions->last = MAX(revisions->last, item->number);
	return 0;
}

static size_t file_bytes(const struct revisions *revisions, uint32_t number)
{
	char name[NAME_MAX_BYTES];
	struct stat st;

	file_name(number, name);
	return fstatat(revisions->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : 0;
}

static int list(struct revisions *revisions)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	int fd = openat(revisions->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	int r = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		struct revisions_item item = { .number = number_of(entry->d_name) };

		if (!item.number)
			continue;
		item.bytes = file_bytes(revisions, item.number);
		r = revisions->n < REVISIONS_FILES_MAX ? append(revisions, &item) : -E2BIG;
	}
	if (r == 0)
		r = -errno;
	if (revisions->n)
		qsort(revisions->item, revisions->n, sizeof(*revisions->item), compare);
	return r;
}

static int drop(struct revisions *revisions, size_t i)
{
	char name[NAME_MAX_BYTES];
	int r;

	file_name(revisions->item[i].number, name);
	r = sealed_remove(revisions->dir, name);
	if (r < 0)
		return r;
	revisions->bytes -= revisions->item[i].bytes;
	revisions->n--;
	memmove(&revisions->item[i], &revisions->item[i + 1],
		(revisions->n - i) * sizeof(*revisions->item));
	return 0;
}

/* Drops the oldest until the limits are kept; the newest stays anyway. */
static int keep_limits(struct revisions *revisions)
{
	size_t i = 0;
	int r = 0;

	while (r == 0 && i + 1 < revisions->n &&
	       (revisions->n > revisions->keep || revisions->bytes > REVISIONS_BYTES_MAX)) {
		if (revisions->item[i].number != revisions->protected)
			r = drop(revisions, i);
		else
			i++;
	}
	return r;
}

static int open_directory(const char *path, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	int r;

	r = directory_make(path, 0700);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int revisions_open(const char *path, size_t keep, struct revisions **ret)
{
	_cleanup_(revisions_freep) struct revisions *revisions = calloc(1, sizeof(*revisions));
	struct pin pin;
	int r;

	if (!revisions)
		return -ENOMEM;
	revisions->dir = -EBADF;
	revisions->keep = keep;
	r = open_directory(path, &revisions->dir);
	if (r == 0)
		r = sealed_remove(revisions->dir, SEALED_TEMPORARY);
	if (r == 0)
		r = list(revisions);
	if (r == 0)
		pin_abandon(revisions->dir);
	/* While nobody knows which one is pinned, none is dropped. */
	if (r == 0 && pin_read(revisions->dir, &pin) == 0) {
		revisions->protected = pin.revision;
		r = keep_limits(revisions);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < revisions->n; i++) {
		struct revisions_item *item = &revisions->item[i];
		size_t bytes;

		item->damage = load(revisions, item->number, &item->is, NULL, &bytes);
		if (item->damage == -ENOMEM)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(revisions);
	return 0;
}

size_t revisions_count(const struct revisions *revisions)
{
	return revisions->n;
}

const struct revisions_item *revisions_at(const struct revisions *revisions, size_t i)
{
	return &revisions->item[i];
}

const struct revisions_item *revisions_find(const struct revisions *revisions, uint32_t number)
{
	const struct revisions_item key = { .number = number };

	return revisions->n ? bsearch(&key, revisions->item, revisions->n, sizeof(*revisions->item),
				      compare)
			    : NULL;
}

const struct revisions_item *revisions_newest(const struct revisions *revisions)
{
	for (size_t i = revisions->n; i-- > 0;)
		if (!revisions->item[i].damage)
			return &revisions->item[i];
	return NULL;
}

static bool is_newest(const struct revisions *revisions, struct cs_key digest)
{
	const struct revisions_item *last = revisions->n ? &revisions->item[revisions->n - 1]
							 : NULL;

	return last && !last->damage && last->is.digest.k0 == digest.k0 &&
	       last->is.digest.k1 == digest.k1;
}

static int write_item(struct revisions *revisions, struct revisions_item *item,
		      const struct source_documents *documents)
{
	_cleanup_free_ char *bytes = NULL;
	char name[NAME_MAX_BYTES];
	int r;

	r = revision_encode(&item->is, documents, &bytes, &item->bytes);
	if (r < 0)
		return r;
	file_name(item->number, name);
	return sealed_write(revisions->dir, name, bytes, item->bytes);
}

int revisions_add(struct revisions *revisions, const struct revision *revision,
		  const struct source_documents *documents, uint32_t *ret_number)
{
	struct revisions_item item = { .number = revisions->last + 1, .is = *revision };
	int r;

	item.is.number = item.number;
	item.is.digest = revision_digest(documents);
	if (is_newest(revisions, item.is.digest)) {
		*ret_number = revisions->last;
		return 0;
	}
	if (!item.number)
		return -EOVERFLOW;
	r = write_item(revisions, &item, documents);
	if (r == 0)
		r = append(revisions, &item);
	if (r < 0)
		return r;
	*ret_number = item.number;
	return keep_limits(revisions);
}

int revisions_refresh(struct revisions *revisions, uint64_t workloads,
		      const struct source_documents *documents)
{
	struct revisions_item *last = revisions->n ? &revisions->item[revisions->n - 1] : NULL;
	struct revisions_item item;
	int r;

	if (!last || last->damage)
		return -ENOENT;
	item = *last;
	item.is.workloads = workloads;
	item.is.digest = revision_digest(documents);
	if (is_newest(revisions, item.is.digest))
		return 0;
	r = write_item(revisions, &item, documents);
	if (r < 0)
		return r;
	revisions->bytes += item.bytes - last->bytes;
	*last = item;
	return keep_limits(revisions);
}

int revisions_read(struct revisions *revisions, uint32_t number, struct source_documents *ret)
{
	struct revisions_item *item = (struct revisions_item *)revisions_find(revisions, number);
	struct revision is;
	size_t bytes;
	int r;

	if (!item)
		return -ENOENT;
	r = load(revisions, number, &is, ret, &bytes);
	if (r < 0 && r != -ENOMEM)
		item->damage = r;
	return r == -ENOENT ? -EBADMSG : r; /* listed, but its file is gone */
}

void revisions_protect(struct revisions *revisions, uint32_t number)
{
	revisions->protected = number;
}

int revisions_directory(const struct revisions *revisions)
{
	return revisions->dir;
}

int revisions_remove(const char *path)
{
	_cleanup_(revisions_freep) struct revisions *revisions = NULL;
	int r;

	if (access(path, F_OK) < 0)
		return 0;
	r = revisions_open(path, REVISIONS_FILES_MAX, &revisions);
	while (r == 0 && revisions->n)
		r = drop(revisions, revisions->n - 1);
	if (r == 0)
		r = pin_remove(revisions->dir);
	if (r == 0)
		rmdir(path); /* unless something else is in it */
	return r;
}

const char *revisions_damage_text(int damage)
{
	if (damage == -EBADMSG)
		return "its file is damaged or gone: the digest does not fit";
	return strerror(-damage);
}
