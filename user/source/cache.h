/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests of a directory as they were read last, so that few need be read again. */
#pragma once

#include "user/source/listing.h"
#include "user/source/source.h"

struct cache {
	struct listing listing;
	struct source_documents documents; /* the files of the listing, in its order */
	bool *settled; /* by document: too old when it was read to change in the same moment */
	dev_t dev; /* of the directory */
	ino_t ino;
	bool elsewhere; /* some file may change without word of it */
	bool valid;
};

void cache_done(struct cache *cache);

/* Where the directory is, and what failed. */
struct cache_reader {
	const char *path;
	int dir; /* open */
	char *failed; /* name of the file that an error is about; the caller's */
};

/*
 * Brings the cache up to date by a listing of all files: those that changed, or may have,
 * are read. -EAGAIN: they changed meanwhile. After a failure the cache is what it was.
 */
int cache_read(struct cache *cache, struct cache_reader *reader);

/* The same for a single file that changed, came or went; -EAGAIN: it takes cache_read(). */
int cache_read_one(struct cache *cache, struct cache_reader *reader, const char *name);

/* All documents, borrowed from the cache. */
int cache_lend(const struct cache *cache, struct source_documents *ret);
