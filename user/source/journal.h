/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was heard last, on disk: one file to which records are appended, so that an agent that
 * starts while the API server is away knows what the one before it knew.
 *
 * It is a copy of what the server has, and a copy that is not whole is never believed: records
 * have checksums, a tail that was cut short (the agent or the machine stopped while it was
 * written) is cut off, anything else that is wrong makes all of it void. So nothing is synced
 * to the disk: what a power cut takes away is asked from the server. Neither a full disk nor
 * any other failure stops the agent: it has no journal then, and says so.
 */
#pragma once

#include "user/source/source.h"

#define JOURNAL_BYTES_MAX ((uint64_t)1 << 30) /* when it would be larger, there is none */
#define JOURNAL_WRITE_BYTES ((size_t)256 << 10) /* so much is written at once */
#define JOURNAL_WRITE_MS 1000 /* less waits so long */
#define JOURNAL_WAITING_MAX ((size_t)4 << 20) /* what waits for a disk that is full */
#define JOURNAL_GARBAGE_MIN ((uint64_t)1 << 20) /* for less it is not written anew */
#define JOURNAL_STEP_BYTES ((size_t)2 << 20) /* looked at in one step of writing it anew */
#define JOURNAL_STEP_MS 50
#define JOURNAL_RETRY_MS 60000 /* up to twice that, until a lost journal is begun again */

enum journal_type {
	JOURNAL_HEADER = 1, /* text: whose objects these are */
	JOURNAL_SET, /* name, text: the document from now on */
	JOURNAL_GONE, /* name: no such document any more */
	JOURNAL_BEGIN, /* name: a kind, of which all that came before is void */
	JOURNAL_WHOLE, /* name: a kind, of which all documents are here */
	JOURNAL_TYPES,
};

struct journal_record {
	enum journal_type type;
	const char *name;
	const char *text; /* with a final NUL */
	size_t length;
};

struct journal_ops {
	/* While it is opened: each record. < 0: it cannot be used. */
	int (*record)(void *arg, const struct journal_record *record);
	/* Forget what record() was told: it is void. */
	void (*reset)(void *arg);
	/* It is about to be written anew: live() will be asked. */
	void (*rewrite)(void *arg);
	/* Whether @record still says what is; of several that say the same, of one only. */
	bool (*live)(void *arg, const struct journal_record *record);
	/* After it was lost, it is kept again: nothing that was added before is in it. */
	void (*begun)(void *arg);
};

struct journal;

/*
 * Opens the file @path, which need not exist; reads it if it is @cluster's. What is wrong with
 * it is no failure, see journal_trouble(): -ENOMEM is the only one.
 */
int journal_new(const char *path, const char *cluster, const struct journal_ops *ops, void *arg,
		struct journal **ret);
struct journal *journal_free(struct journal *journal); /* writes what waits; takes NULL */

/* @replaces: a document of that name is in the journal, and is garbage from now on. */
void journal_add(struct journal *journal, const struct journal_record *record, bool replaces);

/* Does what is due. */
void journal_tick(struct journal *journal);
/* In how many milliseconds journal_tick() has something to do; -1: not before a record is added. */
int journal_wait_ms(const struct journal *journal);

/* Whether records are kept. */
bool journal_is_open(const struct journal *journal);
/* For people: what is wrong, or was when it was opened, until it is written; "" for nothing. */
const char *journal_trouble(const struct journal *journal);

struct journal_stats {
	uint64_t bytes, garbage; /* the latter: about */
	uint64_t rewrites; /* since the start */
};
void journal_stats(const struct journal *journal, struct journal_stats *ret);
/* After it was opened: what of it is no garbage. */
void journal_set_live(struct journal *journal, uint64_t bytes);
