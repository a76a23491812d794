/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for keys: which slot of a kernel array belongs to which key. A key keeps its
 * slot for as long as it is bound. A slot that a BPF program may still read is retired,
 * not freed: slots_release() frees the retired ones and is called after an RCU grace
 * period. Slot 0 is never handed out.
 */
#pragma once

#include "user/base/util.h"

struct slots {
	uint32_t key_size;
	uint32_t max; /* slots 1 .. max - 1 exist */
	uint32_t top; /* slots from here on were never handed out */
	uint32_t allocated; /* length of the four arrays below */
	uint32_t bound; /* number of bound slots */
	uint32_t retired; /* number of retired slots */
	uint32_t free_head; /* list of free slots, through next; 0 ends it */
	uint32_t retired_head;
	uint32_t mask; /* number of buckets - 1, a power of two */
	uint32_t *buckets; /* list of bound slots by hash of the key, through next */
	unsigned char *keys; /* the arrays are by slot */
	uint32_t *next;
	uint32_t *mark; /* the caller's; 0 when bound */
	uint8_t *state; /* enum slot_state */
};

int slots_init(struct slots *s, uint32_t key_size, uint32_t max);
void slots_done(struct slots *s);

/* The slot of @key, or 0. */
uint32_t slots_find(const struct slots *s, const void *key);

/* Whether @slot has a key. */
bool slots_is_bound(const struct slots *s, uint32_t slot);

static inline const void *slots_key(const struct slots *s, uint32_t slot)
{
	return s->keys + (size_t)slot * s->key_size;
}

/* Takes a free slot, unbound; -ENOSPC when there is none, -ENOMEM. */
int slots_take(struct slots *s, uint32_t *ret);

/* Takes the free slot @slot and binds it to @key; -EEXIST when either is bound. */
int slots_claim(struct slots *s, uint32_t slot, const void *key);

/* Call once after the last slots_claim(): finds out which slots are free. */
void slots_claimed(struct slots *s);

/* Gives @key to a taken slot. No slot may have it. */
void slots_bind(struct slots *s, uint32_t slot, const void *key);

/* Lets a taken slot remember @key without binding it. */
void slots_note(struct slots *s, uint32_t slot, const void *key);

/* Takes the key from a bound slot; it is a taken one then and remembers the key. */
void slots_unbind(struct slots *s, uint32_t slot);

/* Returns a taken slot that no program could see. */
void slots_drop(struct slots *s, uint32_t slot);

/* Returns a taken slot that a program may still read. */
void slots_retire(struct slots *s, uint32_t slot);

/* Frees the retired slots. */
void slots_release(struct slots *s);
