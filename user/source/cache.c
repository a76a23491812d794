/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>

#include "user/base/file.h"

#define SETTLED_S 2 /* no file system's clock is coarser */

void cache_done(struct cache *cache)
{
	listing_done(&cache->listing);
	source_documents_done(&cache->documents);
	free(cache->settled);
	*cache = (struct cache){ 0 };
}

/* A file that was written just now may be written again without looking different. */
static bool is_settled(const struct listing_entry *entry)
{
	time_t now = time(NULL);

	return now - entry->mtime.tv_sec > SETTLED_S && now - entry->ctime.tv_sec > SETTLED_S;
}

static int read_document(const struct cache_reader *reader, const char *name,
			 struct source_document *ret)
{
	struct source_document document = { 0 };
	int r;

	document.name = path_join(reader->path, name);
	if (!document.name)
		return -ENOMEM;
	r = file_read_at(reader->dir, name, SOURCE_DOCUMENT_BYTES_MAX, &document.text,
			 &document.length);
	if (r < 0) {
		free(document.name);
		return r;
	}
	document.digest = document_digest(document.name, document.text, document.length);
	*ret = document;
	return 0;
}

static int check_size(const struct source_documents *documents)
{
	size_t bytes = 0;

	for (size_t i = 0; i < documents->n; i++)
		bytes += documents->item[i].length;
	return bytes > SOURCE_BYTES_MAX ? -EFBIG : 0;
}

static int cache_alloc(struct cache *cache, size_t n)
{
	cache->documents.item = calloc(n + 1, sizeof(*cache->documents.item));
	cache->settled = calloc(n + 1, sizeof(*cache->settled));
	return cache->documents.item && cache->settled ? 0 : -ENOMEM;
}

/* The document of @entry as it was read before: 1 + its index, or 0. */
static size_t find_same(const struct cache *cache, const struct listing_entry *entry, size_t *at)
{
	const struct listing *known = &cache->listing;

	while (*at < known->n && strcmp(known->entry[*at].name, entry->name) < 0)
		(*at)++;
	if (!cache->valid || *at == known->n || !cache->settled[*at] ||
	    !listing_entry_equal(&known->entry[*at], entry))
		return 0;
	return *at + 1;
}

/* Fills @next, whose listing stands; what is known of @cache is lent, and noted in @from. */
static int read_listed(const struct cache *cache, struct cache_reader *reader, struct cache *next,
		       size_t *from)
{
	size_t at = 0;
	int r;

	for (size_t i = 0; i < next->listing.n; i++) {
		const struct listing_entry *entry = &next->listing.entry[i];
		struct source_document *document = &next->documents.item[i];

		from[i] = find_same(cache, entry, &at);
		next->settled[i] = is_settled(entry);
		next->elsewhere |= entry->elsewhere;
		next->documents.n = i + 1;
		if (from[i]) {
			*document = cache->documents.item[from[i] - 1];
			document->borrowed = true;
			continue;
		}
		r = read_document(reader, entry->name, document);
		if (r < 0)
			reader->failed = strdup(entry->name);
		if (r < 0)
			return r;
		if (next->documents.n % 64 == 0 && check_size(&next->documents) < 0)
			return -EFBIG; /* before all memory is full of them */
	}
	return check_size(&next->documents);
}

/* @next for @cache; documents that were lent change hands. */
static void take_place(struct cache *cache, struct cache *next, const size_t *from)
{
	for (size_t i = 0; i < next->documents.n; i++) {
		if (!from[i])
			continue;
		next->documents.item[i].borrowed = false;
		cache->documents.item[from[i] - 1] = (struct source_document){ 0 };
	}
	next->valid = true;
	cache_done(cache);
	*cache = *next;
	*next = (struct cache){ 0 };
}

static int list(struct cache_reader *reader, struct listing *ret)
{
	return listing_read(reader->dir, ret, &reader->failed);
}

int cache_read(struct cache *cache, struct cache_reader *reader)
{
	_cleanup_(cache_done) struct cache next = { 0 };
	_cleanup_(listing_done) struct listing after = { 0 };
	_cleanup_free_ size_t *from = NULL;
	struct stat st;
	int r;

	if (fstat(reader->dir, &st) < 0)
		return -errno;
	next.dev = st.st_dev;
	next.ino = st.st_ino;
	r = list(reader, &next.listing);
	if (r == 0)
		r = cache_alloc(&next, next.listing.n);
	if (r < 0)
		return r;
	from = calloc(next.listing.n + 1, sizeof(*from));
	if (!from)
		return -ENOMEM;
	r = read_listed(cache, reader, &next, from);
	if (r == 0)
		r = list(reader, &after);
	if (r < 0)
		return r;
	if (!listing_equal(&next.listing, &after))
		return -EAGAIN;
	take_place(cache, &next, from);
	return 0;
}

/* ---- one file ---- */

static size_t find_name(const struct listing *listing, const char *name)
{
	size_t low = 0, high = listing->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(listing->entry[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void forget(struct cache *cache, size_t i)
{
	size_t behind = cache->listing.n - i - 1;

	free(cache->listing.entry[i].name);
	free(cache->documents.item[i].name);
	free(cache->documents.item[i].text);
	memmove(&cache->listing.entry[i], &cache->listing.entry[i + 1],
		behind * sizeof(*cache->listing.entry));
	memmove(&cache->documents.item[i], &cache->documents.item[i + 1],
		behind * sizeof(*cache->documents.item));
	memmove(&cache->settled[i], &cache->settled[i + 1], behind * sizeof(*cache->settled));
	cache->listing.n--;
	cache->documents.n--;
}

/* Room for one more at @i, in all three lists. */
static int make_room(struct cache *cache, size_t i)
{
	struct listing *listing = &cache->listing;
	size_t n = listing->n, room = MAX(n + 1, listing->room);
	void *entries, *documents, *settled;

	if (n >= SOURCE_DOCUMENTS_MAX)
		return -EFBIG;
	if (n + 1 > listing->room)
		room = (n + 1) * 2;
	entries = reallocarray(listing->entry, room, sizeof(*listing->entry));
	if (entries)
		listing->entry = entries;
	documents = reallocarray(cache->documents.item, room + 1, sizeof(*cache->documents.item));
	if (documents)
		cache->documents.item = documents;
	settled = reallocarray(cache->settled, room + 1, sizeof(*cache->settled));
	if (settled)
		cache->settled = settled;
	if (!entries || !documents || !settled)
		return -ENOMEM;
	listing->room = room;
	memmove(&listing->entry[i + 1], &listing->entry[i], (n - i) * sizeof(*listing->entry));
	memmove(&cache->documents.item[i + 1], &cache->documents.item[i],
		(n - i) * sizeof(*cache->documents.item));
	memmove(&cache->settled[i + 1], &cache->settled[i], (n - i) * sizeof(*cache->settled));
	listing->n++;
	cache->documents.n++;
	return 0;
}

static int put(struct cache *cache, size_t i, struct listing_entry *entry,
	       struct source_document *document)
{
	int r;

	if (i < cache->listing.n && streq(cache->listing.entry[i].name, entry->name))
		forget(cache, i);
	r = make_room(cache, i);
	if (r < 0) {
		cache->valid = false; /* a file is missing */
		return r;
	}
	cache->settled[i] = is_settled(entry);
	cache->elsewhere |= entry->elsewhere;
	cache->listing.entry[i] = *entry;
	cache->documents.item[i] = *document;
	entry->name = NULL;
	*document = (struct source_document){ 0 };
	return 0;
}

/* Reads the file; its entry before and after must be the same. */
static int read_whole(struct cache_reader *reader, const char *name, struct listing_entry *entry,
		      struct source_document *document)
{
	struct listing_entry after = { 0 };
	int r;

	r = listing_entry_read(reader->dir, name, DT_REG, entry);
	if (r == 0)
		r = read_document(reader, name, document);
	if (r == 0)
		r = listing_entry_read(reader->dir, name, DT_REG, &after);
	if (r == 0 && !listing_entry_equal(entry, &after))
		r = -EAGAIN;
	free(after.name);
	return r;
}

int cache_read_one(struct cache *cache, struct cache_reader *reader, const char *name)
{
	struct listing_entry entry = { 0 };
	struct source_document document = { 0 };
	size_t i = find_name(&cache->listing, name);
	struct stat st;
	int r;

	if (fstatat(reader->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -EAGAIN;
		if (i < cache->listing.n && streq(cache->listing.entry[i].name, name))
			forget(cache, i);
		return 0;
	}
	if (S_ISLNK(st.st_mode))
		return -EAGAIN;
	r = read_whole(reader, name, &entry, &document);
	if (r == 0)
		r = put(cache, i, &entry, &document);
	free(entry.name);
	free(document.name);
	free(document.text);
	if (r == 0)
		r = check_size(&cache->documents);
	return r == 0 ? 0 : -EAGAIN; /* a whole listing says it better */
}

int cache_lend(const struct cache *cache, struct source_documents *ret)
{
	size_t n = cache->documents.n;
	struct source_document *items = calloc(n + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		items[i] = cache->documents.item[i];
		items[i].borrowed = true;
	}
	*ret = (struct source_documents){ items, n };
	return 0;
}
