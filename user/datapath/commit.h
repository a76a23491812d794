/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One commit. Its steps, and what a program can see of each:
 *
 *  1. Contents go into the bank that is not in force and into free slots: unreachable.
 *  2. Keys of new slots go into the hash maps and the trie: reachable, but in the bank in
 *     force they mean what was there before (row 0 is what unknown identities have, a new
 *     prefix has the row of the one that covers it). Everything so far is in a journal
 *     and is undone when a step fails.
 *  3. The epoch: one aligned word. Nothing after this may fail.
 *  4. What would have been wrong for the old policy (a shorter class for an address, other
 *     backends for a Service).
 *  5. A grace period: nobody reads the old bank or unlinked slots any more.
 *  6. What the image does not have is removed; its slots are retired, and are free after
 *     the next grace period. Decided sockets decide anew.
 */
#pragma once

#include "user/datapath/internal.h"

/* A key that got slot @to; it had @from before, 0: it is new. */
struct change {
	struct table *table;
	uint32_t from;
	uint32_t to;
};

struct changes {
	struct change *list;
	size_t n;
	size_t allocated;
};

struct commit {
	struct datapath *dp;
	const struct image *image;
	uint32_t epoch; /* to be */
	uint32_t bank; /* that it will use */
	uint32_t *names; /* slots, by index into the image */
	uint32_t *workloads;
	uint32_t *peers;
	uint32_t *classes; /* 1 + index; [0] is slot 0 */
	struct changes done; /* in the kernel already */
	struct changes late; /* to be done after the epoch; `to` is taken, not bound */
};

/* ---- commit_changes.c ---- */

/* Checks that every index in the image is in range and every limit is kept. */
int commit_check(const struct image *image);
/* Moves @key to slot @to in kernel and table, and remembers that. */
int commit_change(struct commit *c, struct change change, const void *key);
/* Notes a change for after the epoch. The slot @change.to remembers the key. */
int commit_defer(struct commit *c, struct change change, const void *key);
/* Undoes everything. */
void commit_undo(struct commit *c);
/* Does what was deferred. */
void commit_late(struct commit *c);
/* Retires the slots that changes have replaced. */
void commit_retire_replaced(struct commit *c);
/* Removes keys that the image does not have; after the grace period. Returns how many. */
size_t commit_remove_unwanted(struct commit *c, struct table *table);

/* ---- commit_workloads.c ---- */

int commit_names(struct commit *c);
int commit_workloads(struct commit *c);
void commit_subjects(struct commit *c);
/* Takes the cgroups of workloads that are gone; before the grace period. */
void commit_unlink_workloads(struct commit *c);
/* Ends what workloads that are gone or have moved left behind; after it. */
void commit_end_workloads(struct commit *c);

/* ---- commit_peers.c ---- */

int commit_peers(struct commit *c);
int commit_classes(struct commit *c);
int commit_endpoints(struct commit *c);
/* What exists once, not per bank: names and flags of what stays. */
void commit_settle(struct commit *c);

/* ---- commit_services.c ---- */

/* After commit_classes(). */
int commit_services(struct commit *c);
/* A Service that came, changed or is gone, while policy stays: at once. Before others are gone. */
int commit_change_service(struct commit *c, const struct image_service *wanted);

/* Whether the image of this commit wants the bound slot. */
static inline bool commit_wants(const struct commit *c, const struct table *table, uint32_t slot)
{
	return table->slots.mark[slot] == c->dp->commit;
}

static inline void commit_want(const struct commit *c, struct table *table, uint32_t slot)
{
	table->slots.mark[slot] = c->dp->commit;
}

static inline struct table *commit_table(const struct commit *c, enum table_id id)
{
	return &c->dp->tables[id];
}
