/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where workloads and policy come from: YAML documents with a name each, and word of
 * every change. One interface; a directory is behind it now, Kubernetes later. No
 * function logs; what a person must know is in source_error().
 */
#pragma once

#include "user/base/digest.h"

#define SOURCE_DOCUMENTS_MAX 16384 /* documents in one read */
#define SOURCE_DOCUMENT_BYTES_MAX (16 << 20) /* bytes of one document */
#define SOURCE_BYTES_MAX (64 << 20) /* bytes of all documents together */

/* One YAML stream and what people call it: the path of its file. */
struct source_document {
	char *name;
	char *text; /* with a final NUL */
	size_t length;
	struct cs_key digest; /* of name and text, see document_digest(); zero: not known */
	bool borrowed; /* name and text are the source's, until it is read again or freed */
};

struct source_documents {
	struct source_document *item; /* sorted by name */
	size_t n;
};

void source_documents_done(struct source_documents *documents);

struct source;

/* What a kind of source does; see the functions of the same names. */
struct source_ops {
	int (*read)(struct source *source, struct source_documents *ret);
	int (*changes)(struct source *source, struct source_documents *ret); /* NULL: none */
	int (*fd)(const struct source *source);
	int (*dispatch)(struct source *source);
	void (*free)(struct source *source);
};

/* First member of every source. */
struct source {
	const struct source_ops *ops;
	char error[512];
};

/* The manifests (*.yaml, *.yml, *.json) in the directory @path, which need not exist yet. */
int source_directory_new(const char *path, struct source **ret);

struct source *source_free(struct source *source); /* takes and returns NULL */
static inline void source_freep(struct source **source)
{
	source_free(*source);
}

/*
 * All documents as they are at one moment, those that did not change as they were read
 * before; a read that files changed under is done
 * again. Free them with source_documents_done(). On failure nothing is returned, so
 * that nobody acts on a part: -ENOENT there is no such directory, -EFBIG a limit is
 * passed, -EAGAIN the files do not come to rest.
 */
int source_read(struct source *source, struct source_documents *ret);

/*
 * What came, changed or went since the last source_read() or source_changes(), sorted by name;
 * a document that went has no text. -EOPNOTSUPP: this kind of source reads all there is.
 * Free them with source_documents_done().
 */
int source_changes(struct source *source, struct source_documents *ret);

/* The last failure in words: which file, what is wrong, what to do. Never NULL. */
const char *source_error(const struct source *source);

/* Becomes readable when source_dispatch() has something to do. */
int source_fd(const struct source *source);

/* Takes in what happened. 1: the documents may have changed, read them; 0: not (yet). */
int source_dispatch(struct source *source);
