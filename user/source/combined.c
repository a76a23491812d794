/* SPDX-License-Identifier: Apache-2.0 */
/* Two sources as one. What one of them cannot give does not hold up changes of the other. */
#include "user/source/combined.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define PARTS 2

/* What the reader has of a source that only knows how to read everything. */
struct combined_had {
	char *name;
	struct cs_key digest;
};

struct part {
	struct source *source;
	bool dirty; /* something may have happened since it gave all it had */
	struct combined_had *had; /* sorted by name */
	size_t n_had;
	struct source_documents fresh; /* changes that were given and not handed over yet */
};

struct combined {
	struct source source;
	struct part part[PARTS];
	int epoll; /* of both sources, and of `again` */
	int again; /* readable: a part that failed is asked again */
	bool was_read;
	/* All documents of the last part, when there was no memory to hand them over. */
	struct source_documents held;
	bool holds;
};

static void forget_had(struct part *part)
{
	for (size_t i = 0; i < part->n_had; i++)
		free(part->had[i].name);
	free(part->had);
	part->had = NULL;
	part->n_had = 0;
}

static void combined_free(struct source *source)
{
	struct combined *c = (struct combined *)source;

	source_documents_done(&c->held);
	for (size_t i = 0; i < PARTS; i++) {
		source_documents_done(&c->part[i].fresh);
		forget_had(&c->part[i]);
		source_free(c->part[i].source);
	}
	closep(&c->again);
	closep(&c->epoll);
	free(c);
}

static void combined_freep(struct combined **c)
{
	if (*c)
		combined_free(&(*c)->source);
}

static int failed(struct combined *c, const struct part *part, int r)
{
	snprintf(c->source.error, sizeof(c->source.error), "%s",
		 part ? source_error(part->source) : strerror(-r));
	return r;
}

static bool gives_changes(const struct part *part)
{
	return part->source->ops->changes != NULL;
}

/* ---- what a source has that only reads ---- */

static struct cs_key digest_of(const struct source_document *document)
{
	static const struct cs_key unknown;

	if (memcmp(&document->digest, &unknown, sizeof(unknown)) != 0)
		return document->digest;
	return document_digest(document->name, document->text ?: "", document->length);
}

/* Into a part of the caller's, so that a failure leaves what was noted before. */
static int note(const struct source_documents *documents, struct part *ret)
{
	struct part part = { .had = calloc(MAX(documents->n, 1U), sizeof(*part.had)) };

	if (!part.had)
		return -ENOMEM;
	for (; part.n_had < documents->n; part.n_had++) {
		struct combined_had *had = &part.had[part.n_had];

		had->digest = digest_of(&documents->item[part.n_had]);
		had->name = strdup(documents->item[part.n_had].name);
		if (!had->name) {
			forget_had(&part);
			return -ENOMEM;
		}
	}
	*ret = part;
	return 0;
}

static void take_note(struct part *part, struct part *noted)
{
	forget_had(part);
	part->had = noted->had;
	part->n_had = noted->n_had;
}

static int add_gone(const struct combined_had *had, struct source_documents *ret)
{
	char *name = strdup(had->name);

	if (!name)
		return -ENOMEM;
	ret->item[ret->n++] = (struct source_document){ .name = name };
	return 0;
}

static void keep_or_free(struct source_document *document, bool keep, struct source_documents *ret)
{
	if (keep) {
		ret->item[ret->n++] = *document;
	} else if (!document->borrowed) {
		free(document->name);
		free(document->text);
	}
	*document = (struct source_document){ .borrowed = true };
}

/* Both are sorted: what differs between them, in one walk. */
static int compare(const struct part *old, struct source_documents *now, const struct part *noted,
		   struct source_documents *ret)
{
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && (i < old->n_had || k < now->n)) {
		int order = i == old->n_had ? 1
			    : k == now->n   ? -1
					    : strcmp(old->had[i].name, noted->had[k].name);
		bool same;

		if (order < 0) {
			r = add_gone(&old->had[i++], ret);
			continue;
		}
		same = order == 0 && memcmp(&old->had[i].digest, &noted->had[k].digest,
					    sizeof(struct cs_key)) == 0;
		i += order == 0;
		keep_or_free(&now->item[k++], !same, ret);
	}
	return r;
}

static int read_changes(struct part *part, struct source_documents *ret)
{
	_cleanup_(source_documents_done) struct source_documents now = { 0 }, changes = { 0 };
	struct part noted;
	int r;

	r = source_read(part->source, &now);
	if (r == 0)
		r = note(&now, &noted);
	if (r < 0)
		return r;
	changes.item = calloc(MAX(now.n + part->n_had, 1U), sizeof(*changes.item));
	r = changes.item ? compare(part, &now, &noted, &changes) : -ENOMEM;
	if (r < 0) {
		forget_had(&noted);
		return r;
	}
	take_note(part, &noted);
	*ret = changes;
	changes = (struct source_documents){ 0 };
	return 0;
}

/* ---- both together ---- */

static int by_name(const void *a, const void *b)
{
	const struct source_document *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Takes @more over; on failure nothing has happened. */
static int join(struct source_documents *documents, struct source_documents *more)
{
	struct source_document *item;

	item = reallocarray(documents->item, MAX(documents->n + more->n, 1U), sizeof(*item));
	if (!item)
		return -ENOMEM;
	if (more->n)
		memcpy(item + documents->n, more->item, more->n * sizeof(*item));
	documents->item = item;
	documents->n += more->n;
	free(more->item);
	*more = (struct source_documents){ 0 };
	if (documents->n)
		qsort(item, documents->n, sizeof(*item), by_name);
	return 0;
}

/*
 * The last part is read last, when nothing but memory can be missing: it may be one that
 * gives its texts only once.
 */
static int read_parts(struct combined *c, struct source_documents *ret, struct part *noted)
{
	struct part *first = &c->part[0], *last = &c->part[PARTS - 1];
	int r;

	first->dirty = last->dirty = false;
	r = source_read(first->source, ret);
	if (r == 0 && !gives_changes(first))
		r = note(ret, &noted[0]);
	if (r < 0)
		return failed(c, first, r);
	if (!c->holds)
		r = source_read(last->source, &c->held);
	if (r < 0)
		return failed(c, last, r);
	c->holds = true;
	if (!gives_changes(last))
		r = note(&c->held, &noted[1]);
	if (r == 0)
		r = join(ret, &c->held);
	return r < 0 ? failed(c, NULL, r) : 0;
}

static int combined_read(struct source *source, struct source_documents *ret)
{
	_cleanup_(source_documents_done) struct source_documents all = { 0 };
	struct combined *c = (struct combined *)source;
	struct part noted[PARTS] = { 0 };
	int r;

	/* For want of memory; what is read would not have the texts that these have. */
	if (c->part[0].fresh.n || c->part[1].fresh.n)
		return failed(c, NULL, -EAGAIN);
	/* Until it has gone well, what the parts gave before is not what the reader has. */
	c->was_read = false;
	r = read_parts(c, &all, noted);
	if (r < 0) {
		for (size_t i = 0; i < PARTS; i++)
			forget_had(&noted[i]);
		return r;
	}
	for (size_t i = 0; i < PARTS; i++)
		take_note(&c->part[i], &noted[i]);
	c->holds = false;
	c->was_read = true;
	*ret = all;
	all = (struct source_documents){ 0 };
	return 0;
}

/* Into part->fresh, unless something is there. */
static int part_changes(struct part *part)
{
	struct source_documents changes;
	int r;

	/* A source that only reads is not read again when nothing happened. */
	if (!part->dirty || part->fresh.n)
		return 0;
	r = gives_changes(part) ? source_changes(part->source, &changes)
				: read_changes(part, &changes);
	part->dirty = false;
	if (r < 0)
		return r;
	source_documents_done(&part->fresh);
	part->fresh = changes;
	return 0;
}

/* Those of both; when there is no memory for that, those of the first that has any. */
static void hand_over(struct combined *c, struct source_documents *ret)
{
	struct source_documents *first = &c->part[0].fresh, *last = &c->part[1].fresh;

	if (!first->n) {
		source_documents_done(first);
		first = last;
	} else if (last->n) {
		join(first, last);
	}
	*ret = *first;
	*first = (struct source_documents){ 0 };
}

/* A part that failed beside one that has something to give is asked again for its error. */
static int combined_changes(struct source *source, struct source_documents *ret)
{
	struct combined *c = (struct combined *)source;
	int r[PARTS];

	if (!c->was_read)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < PARTS; i++) {
		r[i] = part_changes(&c->part[i]);
		if (r[i] < 0)
			failed(c, &c->part[i], r[i]);
	}
	if (!c->part[0].fresh.n && !c->part[1].fresh.n && (r[0] < 0 || r[1] < 0))
		return r[1] < 0 ? r[1] : r[0];
	hand_over(c, ret);
	for (size_t i = 0; i < PARTS; i++)
		c->part[i].dirty |= r[i] < 0;
	if (c->part[0].dirty || c->part[1].dirty || c->part[1].fresh.n)
		eventfd_write(c->again, 1);
	return 0;
}

static int combined_fd(const struct source *source)
{
	return ((const struct combined *)source)->epoll;
}

static int combined_dispatch(struct source *source)
{
	struct combined *c = (struct combined *)source;
	bool changed = false;
	eventfd_t n;

	changed = eventfd_read(c->again, &n) == 0;
	for (size_t i = 0; i < PARTS; i++) {
		int r = source_dispatch(c->part[i].source);

		if (r < 0)
			return failed(c, &c->part[i], r);
		c->part[i].dirty |= r > 0;
		changed |= r > 0;
	}
	return changed;
}

static int watch(struct combined *c, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return ret_errno(epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event));
}

static int open_descriptors(struct combined *c)
{
	int r;

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0)
		return -errno;
	c->again = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->again < 0)
		return -errno;
	r = watch(c, c->again);
	for (size_t i = 0; r == 0 && i < PARTS; i++)
		r = watch(c, source_fd(c->part[i].source));
	return r;
}

int source_combined_new(struct source *a, struct source *b, struct source **ret)
{
	static const struct source_ops ops = {
		.read = combined_read,
		.changes = combined_changes,
		.fd = combined_fd,
		.dispatch = combined_dispatch,
		.free = combined_free,
	};
	_cleanup_(combined_freep) struct combined *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		source_free(a);
		source_free(b);
		return -ENOMEM;
	}
	c->source.ops = &ops;
	c->epoll = c->again = -EBADF;
	c->part[0].source = a;
	c->part[1].source = b;
	r = open_descriptors(c);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(c)->source;
	return 0;
}
