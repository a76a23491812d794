/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests in a directory, and whether they changed since. */
#pragma once

#include <sys/stat.h>

#include "user/base/util.h"

/* Which version of which file a name stood for. */
struct listing_entry {
	char *name;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct timespec ctime;
	bool elsewhere; /* a link, or one of several names: it may change without word of it */
};

struct listing {
	struct listing_entry *entry; /* sorted by name */
	size_t n, room;
};

void listing_done(struct listing *listing);

/* Whether @name is a manifest's: *.yaml, *.yml or *.json, no dotfile, no editor's leftover. */
bool listing_wants(const char *name);

/* One file of @dir, as above. @type: of its directory entry, DT_UNKNOWN will do. */
int listing_entry_read(int dir, const char *name, unsigned char type, struct listing_entry *ret);
bool listing_entry_equal(const struct listing_entry *a, const struct listing_entry *b);

/*
 * Lists the manifests of the open directory @dir. On failure @reterr_name may hold the
 * name of the file it failed on (the caller's): -EINVAL it is no regular file, -EFBIG
 * there are too many.
 */
int listing_read(int dir, struct listing *ret, char **reterr_name);

/* Whether both list the same versions of the same files. */
bool listing_equal(const struct listing *a, const struct listing *b);
