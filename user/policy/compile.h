/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler's working state and its steps, in the order in which they run:
 *
 *   identities  each workload's record and number; who shares which SPIFFE ID, namespace
 *   subjects    for each identity on this node, the policies that isolate it; rule ids
 *   rulesets    their rules, sorted; peers become selectors when a rule first needs them
 *   classes     which CIDR selectors cover which prefix
 *   rows        equal sets of selector bits become one bitmap
 *   places      workloads of this node and endpoints
 *
 * Steps return 0, -ENOMEM, or -ENOSPC and -EBADMSG with the error added.
 */
#pragma once

#include "user/policy/errors.h"
#include "user/policy/rule_ids.h"

/* Selector bits: ascending, none twice. */
struct bits {
	uint16_t *bit;
	size_t n;
	size_t capacity;
};

/* What the compiler knows of image->identities[] beyond the image. Index 0 is an entity,
 * so 0 ends the chains. */
struct peer_identity {
	const struct workload *workload; /* the first that has it; NULL for entities */
	struct labels labels; /* those of the record */
	struct bits bits; /* selectors that it matches */
	uint32_t next_in_namespace;
	uint32_t next_of_name;
	uint32_t collected; /* the last collection that it is in */
	uint32_t subject; /* 1 + index into subjects, 0: not on this node */
};

struct peer_namespace {
	const char *name;
	struct labels labels;
	uint32_t first; /* of its identities */
	uint32_t last;
};

/* What one rule means for the kernel, but for its place in the order. */
struct target {
	uint16_t selector;
	uint16_t min;
	uint16_t max;
	uint8_t protocol;
};

struct targets {
	struct target *item;
	size_t n;
	size_t capacity;
};

/* A rule in use. Both are found once, however many subjects it has. */
struct used_rule {
	uint32_t id;
	bool resolved;
	uint16_t selector; /* of all its peers, when resolved */
	bool expanded;
	struct targets targets; /* when expanded */
};

/* A policy; in the order of namespaces and names. */
struct used_policy {
	const struct policy *policy;
	bool used;
	uint32_t default_id;
	struct used_rule *rules[CS_DIRECTIONS];
};

/* An identity on this node. */
struct subject {
	uint32_t identity; /* index */
	const struct workload *workload; /* one that has it */
	struct used_policy **policies[CS_DIRECTIONS]; /* that isolate it */
	size_t n_policies[CS_DIRECTIONS];
	uint32_t ruleset[CS_DIRECTIONS];
};

/* A CIDR with holes, of one selector. */
struct block {
	const struct peer *peer;
	uint16_t selector;
	uint32_t excluded; /* 1 + the last prefix that a hole covers */
};

/* A prefix that some block starts or a hole cuts, or of the tag networks. */
struct prefix_use {
	uint32_t block;
	uint32_t next; /* 1 + index, 0: the last */
	bool except;
};

struct prefix {
	struct cs_cidr cidr;
	const struct place *place; /* of the policy that first names it, or NULL */
	uint32_t uses; /* 1 + index of the first use, 0: none */
	bool tag;
	bool host; /* an address of this node */
};

#define GROWING(type)            \
	struct {                 \
		type *item;      \
		size_t n;        \
		size_t capacity; \
	}

struct compile {
	const struct policy_set *set;
	const struct policy_options *options;
	struct rule_ids *ids;
	struct policy_errors *errors;
	struct image *image;
	struct arena arena;

	/* identities */
	struct keymap noise; /* keys on the noise list that some policy selects on */
	struct keymap by_record;
	struct keymap by_number;
	struct keymap by_name; /* SPIFFE ID -> index into names */
	struct keymap by_namespace;
	struct peer_identity *identities;
	uint32_t *identity_of; /* index by workload of the set */
	uint32_t *name_first; /* first identity of a name */
	uint32_t *name_last;
	GROWING(struct peer_namespace) namespaces;

	/* subjects */
	struct used_policy *policies;
	GROWING(struct subject) subjects;

	/* rulesets; the policy and subject at hand, for messages */
	const struct policy *policy;
	const struct subject *subject;
	struct cs_ruleset scratch;
	struct keymap by_ruleset;
	struct keymap by_peers; /* canonical peers -> selector */
	uint32_t *collected;
	size_t n_collected;
	uint32_t collection;

	/* classes and rows */
	GROWING(struct block) blocks;
	GROWING(struct prefix_use) uses;
	GROWING(struct prefix *) prefixes;
	struct keymap by_prefix;
	bool lengths[ADDRESS_BITS + 1]; /* prefix lengths in use */
	struct keymap by_bits; /* -> row */
	struct keymap by_address; /* -> endpoint */
};

/* Room for one more in a GROWING array; evaluates to false when there is no memory. */
#define GROW(c, array)                                                                 \
	({                                                                             \
		void *_grown = arena_grow(&(c)->arena, (array)->item, (array)->n,      \
					  &(array)->capacity, sizeof(*(array)->item)); \
		if (_grown)                                                            \
			(array)->item = _grown;                                        \
		_grown != NULL;                                                        \
	})

int compile_identities(struct compile *c);
int compile_subjects(struct compile *c);
int compile_rule_ids(struct compile *c);
int compile_rulesets(struct compile *c);
int compile_classes(struct compile *c);
int compile_rows(struct compile *c);
int compile_places(struct compile *c);

/* The ranges and selectors that a rule means for the subject at hand. */
int compile_targets(struct compile *c, const struct rule *rule, enum cs_direction direction,
		    struct used_rule *used, const struct targets **ret);

/* The selector of a union of peers. */
int compile_selector(struct compile *c, const struct rule *rule, uint16_t *ret);

/* The selector of those peers that call @port of @match's protocol by its name. */
int compile_named_selector(struct compile *c, const struct rule *rule,
			   const struct port_match *match, uint16_t port, uint16_t *ret);

/* The identities that the peers match, CIDRs aside, into c->collected. */
int compile_collect(struct compile *c, const struct rule *rule);

/* Notes the CIDR of a selector for compile_classes(). */
int compile_block(struct compile *c, const struct peer *peer, uint16_t selector);

/* 1 + index of the class that an address is in, 0: none. */
uint32_t compile_class_of(const struct compile *c, const struct cs_addr *addr);

int bits_add(struct compile *c, struct bits *bits, uint16_t bit);

/* The row of the image's bitmaps with these bits. @place is for the message. */
int compile_row(struct compile *c, const struct bits *bits, const struct place *place,
		uint32_t *ret);

/* Adds "@what: more than @limit (@name)" with a remedy; returns -ENOSPC. */
struct limit {
	const char *name; /* "CS_SELECTORS_MAX" */
	unsigned int max;
	const char *of; /* "different sets of peers" */
	const char *remedy;
};
int compile_limit(struct compile *c, const struct limit *limit, const struct place *place);
