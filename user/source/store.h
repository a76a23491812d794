/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the API server's objects: of each its name and the digest of its document,
 * in one block of memory, as there may be hundreds of thousands; and the documents that
 * changed and were not handed over yet, with their text.
 */
#pragma once

#include "user/base/digest.h"
#include "user/source/source.h"

#define STORE_OBJECTS_MAX (1 << 20)
#define STORE_NAME_MAX 512 /* "<namespace>/<name>" */
#define STORE_CHANGE_BYTES_MAX ((size_t)1 << 30) /* texts that wait, together */

/* An object, until an object is added or removed. */
struct store_object {
	union {
		struct cs_key digest; /* of the document */
		uint32_t change; /* with `changed`: which of the changes has it */
	};
	uint8_t kind;
	bool removed : 1;
	bool changed : 1; /* a change waits */
	bool handed : 1; /* the reader has its document */
	bool told : 1; /* by the list that is under way */
	bool refused : 1; /* its newest version is no document */
	bool kept : 1; /* in the journal that is being written, see journal_compact() */
	uint16_t length;
	char name[]; /* without the kind; with a final NUL */
};

struct store_change {
	uint32_t object; /* reference */
	bool gone;
	char *text;
	size_t length;
	struct cs_key digest;
};

struct store {
	const char *(*kind_name)(uint8_t kind);
	char *pool; /* objects, one behind the other */
	size_t used, room, garbage;
	uint32_t *slot; /* hash table of references; 0: free */
	size_t n_slots; /* power of two, or 0 */
	struct cs_key key; /* of the hash table: names are chosen by others */
	size_t n;
	struct store_change *change;
	size_t n_changes, changes_room, change_bytes;
};

int store_init(struct store *store, const char *(*kind_name)(uint8_t kind));
void store_done(struct store *store);

/* A reference to an object, valid until one is added; 0: there is none. */
uint32_t store_find(const struct store *store, uint8_t kind, const char *name);
/* Adds one that is not there. -EFBIG: there are too many, or the name is too long. */
int store_add(struct store *store, uint8_t kind, const char *name, uint32_t *ret);
void store_remove(struct store *store, uint32_t object);
struct store_object *store_at(const struct store *store, uint32_t object);
/* The objects one by one, from 0 on; 0 after the last. Removing the present one is allowed. */
uint32_t store_next(const struct store *store, uint32_t object);

/* "<kind>/<namespace>/<name>" */
#define STORE_FULL_NAME_MAX (STORE_NAME_MAX + 64)
void store_name(const struct store *store, const struct store_object *object,
		char ret[STORE_FULL_NAME_MAX]);

struct cs_key store_digest(const struct store *store, const struct store_object *object);
/* Whether @object has a document, or will have had when all changes are handed over. */
bool store_has_document(const struct store *store, const struct store_object *object);

/* The document of @object is @text from now on; it is taken over, unless this fails. */
struct store_text {
	char *text;
	size_t length;
	struct cs_key digest;
};
int store_set(struct store *store, uint32_t object, const struct store_text *text);
/* It has none any more. Forgets the object when nobody need be told. */
int store_gone(struct store *store, uint32_t object);

/* Hands over what changed, sorted by name. */
int store_take_changes(struct store *store, struct source_documents *ret);
/*
 * Hands over all documents, those that were handed over before without their text; names of
 * these are borrowed from @names, the caller's to free when they are no more needed.
 */
int store_take_all(struct store *store, struct source_documents *ret, char **names);
