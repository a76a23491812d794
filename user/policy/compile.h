/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler's working state and its steps, in the order in which they run:
 *
 *   order       the set's lists by name, so that the order of files means nothing
 *   identities  each workload's record and number; who shares which SPIFFE ID, namespace
 *   subjects    who is judged here: an identity and which policies enforce; rule ids
 *   rulesets    their rules, sorted; peers become selectors when a rule first needs them
 *   classes     which CIDR selectors cover which prefix
 *   rows        equal sets of selector bits become one bitmap
 *   revocations who is revoked, for the steps behind it and for changes
 *   places      workloads of this node, endpoints, entities' among them, and who runs where
 *   services    their addresses and ports, and who is behind them
 *
 * Steps return 0, -ENOMEM, or -ENOSPC and -EBADMSG with the error added.
 */
#pragma once

#include "user/policy/errors.h"
#include "user/policy/rule_ids.h"

/*
 * What an image of policy_options.every_subject may hold. No kernel takes it, so these
 * only bound memory; all that a node's image may hold is in abi.h.
 */
#define OFFLINE_WORKLOADS_MAX 131072
#define OFFLINE_RULESETS_MAX 65536
#define OFFLINE_BITMAPS_MAX (CS_IDENTITIES_MAX + CS_CLASSES_MAX)

/* Selector bits: ascending, none twice. */
struct bits {
	uint16_t *bit;
	size_t n;
	size_t capacity;
};

/*
 * What the compiler knows of image->identities[] beyond the image. Index 0 is an entity,
 * so 0 ends the chains. `workload` is a copy in the store, made of the first workload that
 * has the identity: it has what the record has and a name, and outlives the manifests.
 */
struct peer_identity {
	const struct workload *workload; /* NULL for entities */
	struct labels labels; /* those of the record */
	uint32_t uses; /* workloads that have it; 0: it is gone */
	struct bits bits; /* selectors that it matches */
	uint32_t next_in_namespace;
	uint32_t next_of_name;
	uint32_t collected; /* the last collection that it is in */
	struct used_policy **policies; /* that select it, when `matched` */
	size_t n_policies;
	bool matched;
	bool foreign; /* of another trust domain: no selector means it */
};

struct peer_namespace {
	const char *name;
	struct labels labels;
	uint32_t first; /* of its identities */
	uint32_t last;
	struct used_policy **candidates; /* that may select somebody here, when `listed` */
	size_t n_candidates;
	bool listed;
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

/* A policy as it holds for one subject. */
struct applied {
	struct used_policy *used;
	bool audit; /* its mode, or its roll-out has not reached the subject */
};

/*
 * Who is judged on this node: an identity, and which of the policies that select it enforce.
 * Two workloads of one identity differ when a roll-out has reached just one of them.
 */
struct subject {
	uint32_t identity; /* index */
	const struct workload *workload; /* the first that is this subject */
	struct applied *policies; /* in the order of namespaces and names */
	size_t n_policies;
	uint32_t ruleset[CS_DIRECTIONS];
};

/* What a selector stands for: the peers of a rule, or those of them that call a port so. */
struct used_selector {
	const struct rule *rule;
	const struct port_match *match; /* NULL: all of them */
	uint16_t port;
};

/* A rule that goes out to a port by name: peers that come may mean another number. */
struct named_use {
	const struct rule *rule;
	const struct port_match *match;
	uint16_t port; /* one that some peer means; 0: the rule itself, whoever means what */
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
	size_t room; /* identities that there is room for */
	size_t endpoints_room;
	bool kept; /* the state outlives the compile, for compile_update() */
	const struct compile *from; /* that knows the identities, see compile_run() */
	bool borrowed; /* what is known of identities belongs to another, see compile_run() */
	bool given; /* the image is another's to free */

	/* identities; what their keys point to is in the store */
	struct image_store *store;
	struct keymap noise; /* keys on the noise list that some policy selects on */
	struct keymap by_record;
	struct keymap by_number;
	struct keymap by_name; /* SPIFFE ID -> index into names */
	struct keymap by_namespace;
	struct peer_identity *identities;
	uint32_t *identity_of; /* index by workload of the set; not known of others' if adopted */
	uint32_t *name_first; /* first identity of a name */
	uint32_t *name_last;
	GROWING(struct peer_namespace) namespaces;

	/* subjects */
	struct used_policy *policies;
	struct used_policy **found; /* room for all policies */
	struct applied *applied; /* the same */
	uint32_t *subject_of; /* 1 + index into subjects by workload of the set, 0: not here */
	struct keymap by_subject; /* identity and modes of policies that are being rolled out */
	GROWING(struct subject) subjects;

	/* rulesets; the policy and subject at hand, for messages */
	const struct policy *policy;
	const struct subject *subject;
	struct cs_ruleset scratch;
	struct keymap by_ruleset;
	struct keymap by_peers; /* canonical peers -> selector */
	GROWING(struct used_selector) selectors;
	GROWING(struct named_use) named;
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
	uint32_t *claims; /* by endpoint: workloads that have the address */

	/* who runs where, and who is revoked */
	struct keymap by_placement; /* -> placement */
	size_t placements_room; /* 0: this node has no name */
	uint32_t *placement_changed; /* by placement: the last update that it is in */
	uint32_t update; /* how many updates there were */
	struct keymap revoked_ids; /* SPIFFE IDs */
	struct keymap revoked_names; /* "namespace/name" of workloads */

	/* for what comes later, see compile_update() */
	struct keymap foreign; /* addresses of Nodes and of EndpointSlices */
	struct cs_bitmap restricting; /* selectors of rules that do not just allow */
	size_t n_gone; /* identities, endpoints and placements */
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

int compile_order(struct compile *c);
int compile_identities(struct compile *c);
int compile_subjects(struct compile *c);
int compile_rule_ids(struct compile *c);
int compile_rulesets(struct compile *c);
int compile_classes(struct compile *c);
int compile_rows(struct compile *c);
int compile_revocations(struct compile *c);
int compile_places(struct compile *c);
int compile_services(struct compile *c);
int compile_rule_texts(struct compile *c);

/* Whether the workload lives on this node. */
bool workload_is_local(const struct policy_options *options, const struct workload *workload);

/* Whether the workload is a subject: it is on this node, or all are. */
static inline bool compile_is_subject(const struct compile *c, const struct workload *workload)
{
	return c->options->every_subject ? !workload_is_foreign(c->options, workload)
					 : workload_is_local(c->options, workload);
}

/* How many there can be: an offline image is sized by what it is made from. */
static inline size_t compile_rulesets_max(const struct compile *c)
{
	size_t needed = CS_DIRECTIONS * (c->set->workloads.n + 1);

	return c->options->every_subject ? MIN(needed, (size_t)OFFLINE_RULESETS_MAX)
					 : CS_RULESETS_MAX;
}

static inline size_t compile_bitmaps_max(const struct compile *c)
{
	size_t needed = c->set->workloads.n + CS_IDENTITY_FIRST + CS_CLASSES_MAX;

	return c->options->every_subject ? MIN(needed, (size_t)OFFLINE_BITMAPS_MAX)
					 : CS_BITMAPS_MAX;
}

/* Notes in @ret who isolates the subject, enforcing policies first. */
int compile_isolation(const struct subject *subject, struct image_workload *ret);

/* How many addresses documents give to entities, at most; and their endpoints. */
size_t compile_entities_max(const struct compile *c);
int compile_entities(struct compile *c);

/* Adds an endpoint at @addr, or marks that there is another; @place is for the message. */
int compile_endpoint(struct compile *c, const struct place *place, const struct cs_addr *addr,
		     const struct image_endpoint *from);

/* Whether the address is one of this node's own. */
bool compile_is_host(const struct compile *c, const struct cs_addr *addr);

/*
 * The state of one compile. @kept: it stays, with room for what may come, and the image has
 * a store. compile_free() takes NULL and the image too, unless it was given away.
 */
struct compile_input {
	const struct policy_set *set;
	const struct policy_options *options;
	struct rule_ids *ids;
	struct policy_errors *errors;
	bool kept;
};
int compile_new(const struct compile_input *input, struct compile **ret);
void compile_free(struct compile *c);
DEFINE_TRIVIAL_CLEANUP(struct compile *, compile_free)

/*
 * Compiles into c->image. With @from, the workloads and namespaces are those that @from
 * knows: nobody asks again who they are, and the set need only have the workloads of this
 * node. What is known of identities stays @from's, so that it goes on when this compile
 * fails or is not wanted; compile_take_over() gives it to @c for good.
 */
int compile_run(struct compile *c, const struct compile *from);
void compile_take_over(struct compile *c, struct compile *from);

/* Readies a state that is kept for compile_update(). */
int compile_keep(struct compile *c);

/* Workloads that went and that came. What changed went and came. */
struct compile_changes {
	const struct workload **gone;
	size_t n_gone;
	const struct workload **come;
	size_t n_come;
	bool rules; /* in and out: the rules must be compiled anew behind it */
};

/*
 * Makes the change in the image of a state that was kept: *@ret, which is empty before, says
 * where. When it needs other rules (changes->rules) only who is there is right then, and the
 * state is what compile_run() goes on from. -ESTALE: this change needs a whole compile. After
 * a failure, and after a change that is not wanted, the caller undoes it with
 * image_delta_undo() and must not use the state again but for compile_free().
 */
int compile_update(struct compile *c, struct compile_changes *changes, struct image_delta *ret);

/* The keys of the noise list that policies select on, into c->noise. */
int compile_noise(struct compile *c);

/* Copies what c->from knows of identities. -ESTALE: it is of no use for these policies. */
int compile_adopt(struct compile *c);

/* The workload's identity, a new one if need be, in *@ret. */
int compile_identity(struct compile *c, const struct workload *workload, uint32_t *ret);

/* Whether a Revocation names the workload, or its SPIFFE ID, which is names[@name_index]. */
bool compile_is_revoked(const struct compile *c, const struct workload *workload,
			uint32_t name_index);

/* Room for the placements of this node's image. */
int compile_alloc_placements(struct compile *c);

/*
 * 1 + index of the placement of a workload whose identity is @identity, a new one without
 * workloads if need be; 0: it has no node that could speak for it.
 */
int compile_placement(struct compile *c, const struct workload *workload, uint32_t identity,
		      uint32_t *ret);

/* One workload more (or less) in a placement. */
void compile_count_placement(struct compile *c, uint32_t index, bool revoked, bool comes);

/* Notes what a new selector stands for; the selectors come in order. */
int compile_note_selector(struct compile *c, const struct used_selector *selector);
int compile_note_named(struct compile *c, const struct named_use *use);

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
