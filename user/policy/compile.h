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

#include "user/policy/compile_parts.h"
#include "user/policy/errors.h"
#include "user/policy/rule_ids.h"

/*
 * What an image of policy_options.every_subject may hold. No kernel takes it, so these
 * only bound memory; all that a node's image may hold is in abi.h.
 */
#define OFFLINE_WORKLOADS_MAX 131072
#define OFFLINE_RULESETS_MAX 65536
#define OFFLINE_BITMAPS_MAX (CS_IDENTITIES_MAX + CS_CLASSES_MAX)

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
	struct arena passing; /* what is of no use when all is compiled */
	size_t room; /* identities that there is room for */
	size_t endpoints_room;
	bool kept; /* the state outlives the compile, for compile_update() */
	const struct compile *from; /* that knows the identities, see compile_run() */
	bool borrowed; /* what is known of identities belongs to another, see compile_run() */
	bool given; /* the image is another's to free */

	/* identities; what their keys point to is in the store */
	struct image_store *store;
	struct keymap noise; /* keys on the noise list that some policy selects on */
	struct hashindex by_record; /* both -> identity */
	struct hashindex by_number;
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
	struct hashindex by_address; /* -> endpoint, unless it is gone */
	struct endpoint_claim *claims; /* by endpoint */
	GROWING(struct claim_record) claim_records;
	uint32_t claim_free; /* 1 + index of a record that is free, a list; 0: none */
	GROWING(uint32_t) free_endpoints; /* that are gone */
	size_t n_free_ready; /* of these: the first ones, gone before the update at hand */

	/* Services, and other objects that are not compiled but asked */
	struct compile_objects *objects;
	size_t services_room;
	size_t backends_room;
	size_t backends_most; /* so many, and backends of the past are too many */
	GROWING(uint32_t) free_services; /* as free_endpoints */
	size_t n_free_services_ready;
	bool same_prefixes; /* as in the compile that this one goes on from */
	bool asks_nodes; /* some rule's peers are Nodes */

	/* who runs where, and who is revoked */
	struct hashindex by_placement; /* -> placement, unless it is gone */
	struct keymap by_text; /* -> texts */
	GROWING(char *) texts; /* names of nodes and trust domains, in the store */
	GROWING(uint32_t) free_placements; /* as free_endpoints */
	size_t n_free_placements_ready;
	size_t placements_room; /* 0: this node has no name */
	uint32_t *placement_changed; /* by placement: the last update that it is in */
	uint32_t update; /* how many updates there were */
	struct keymap revoked_ids; /* SPIFFE IDs */
	struct keymap revoked_names; /* "namespace/name" of workloads */

	/* for what comes later, see compile_update() */
	struct cs_bitmap restricting; /* selectors of rules that do not just allow */
	size_t n_gone; /* identities, endpoints and placements */
};

/* A GROWING array as the compile has it that this one goes on from; false: no memory. */
#define ADOPT(c, array)                                                                        \
	({                                                                                     \
		size_t _size = (c)->from->array.n * sizeof(*(c)->array.item);                  \
		(c)->array.item = arena_alloc(&(c)->arena, _size);                             \
		if ((c)->array.item && _size)                                                  \
			memcpy((c)->array.item, (c)->from->array.item, _size);                 \
		(c)->array.n = (c)->array.capacity = (c)->array.item ? (c)->from->array.n : 0; \
		(c)->array.item != NULL;                                                       \
	})

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
/* Whether @policy selects those who have the identity, which is of @namespace. */
bool compile_selects(const struct compile *c, const struct policy *policy,
		     const struct peer_namespace *namespace, uint32_t identity);
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

/* The entity that has an address which no workload has, 0: none but what its class says. */
uint8_t compile_entity_at(const struct compile *c, const struct cs_addr *addr);

/* ---- compile_address.c: who has an address ---- */

/* The endpoint of an address. */
bool compile_find_endpoint(const struct compile *c, const struct cs_addr *addr, uint32_t *ret);

/*
 * The endpoint of an address, one that is gone if there is none yet; what it was goes into
 * @delta (NULL: a compile). What it is now, compile_settle_endpoint() says.
 */
int compile_touch_endpoint(struct compile *c, const struct place *place, const struct cs_addr *addr,
			   struct image_delta *delta, uint32_t *ret);
void compile_settle_endpoint(struct compile *c, uint32_t i);

/* A claim on it: identity @identity has the address. -ESTALE: it goes but was not there. */
int compile_claim(struct compile *c, uint32_t i, uint32_t identity, bool revoked);
int compile_unclaim(struct compile *c, uint32_t i, uint32_t identity, bool revoked);

/* The endpoint is gone for good: another may have its place, from the next update on. */
int compile_free_endpoint(struct compile *c, uint32_t i);

/* ---- compile_objects.c ---- */

struct compile_objects *compile_objects_free(struct compile_objects *objects);

/* From the set of the compile. */
int compile_objects_make(struct compile *c);

enum object_kind {
	OBJECT_SERVICE,
	OBJECT_SLICE,
	OBJECT_NODE,
	OBJECT_NAMESPACE,
};

struct compile_object {
	const void *object;
	enum object_kind kind;
};

/* -ESTALE: there is one of that name, or none. */
int compile_object_comes(struct compile_objects *objects, const struct compile_object *object);
int compile_object_goes(struct compile_objects *objects, const struct compile_object *object);

/* The labels of a Namespace object of that name, or NULL. */
const struct labels *compile_namespace_labels(const struct compile *c, const char *name);

/* Whether the slice has the API server's own addresses. */
bool slice_is_apiserver(const struct endpoint_slice *slice);

/* ---- compile_service.c ---- */

/* An address, port and protocol at which Services may be. */
struct front {
	struct cs_addr addr;
	uint16_t port;
	uint8_t protocol;
	uint8_t pad[5]; /* zero: they are hashed as bytes */
};
_Static_assert(sizeof(struct front) == 24, "a front has bytes that nobody set");

static inline struct front front_of(const struct service *service, size_t address, size_t port)
{
	return (struct front){ service->addresses[address],
			       service->ports[port].port,
			       service->ports[port].protocol,
			       { 0 } };
}

static inline uint32_t front_hash(const struct front *front)
{
	return hashindex_hash(front, sizeof(*front));
}

/* The Service at a front is made anew; what it was goes into @delta. */
int compile_service_at(struct compile *c, const struct front *front, struct image_delta *delta);

/* Backends of the past go, when there are many; before an update. */
int compile_tidy_backends(struct compile *c);

/* The same for all fronts of a Service, by its object; and of the Service that a slice is of. */
int compile_touch_service(struct compile *c, const struct service *service,
			  struct image_delta *delta);
int compile_touch_slice(struct compile *c, const struct endpoint_slice *slice,
			struct image_delta *delta);

/* The same for all Services that an address is behind. */
int compile_touch_backend(struct compile *c, const struct cs_addr *addr, struct image_delta *delta);

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
void compile_keep(struct compile *c);

/* What went and what came. What changed went and came. */
struct compile_changes {
	const struct workload **gone;
	size_t n_gone;
	const struct workload **come;
	size_t n_come;
	struct compile_object *gone_objects;
	size_t n_gone_objects;
	struct compile_object *come_objects;
	size_t n_come_objects;
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

/* The parts of it that are about objects, and in the end about Services. */
int compile_update_objects(struct compile *c, const struct compile_changes *changes,
			   struct image_delta *delta, bool *ret_rules);
int compile_update_services(struct compile *c, const struct compile_changes *changes,
			    struct image_delta *delta);

/* Whether identity @i matches a selector; whether a rule needs a port more for its sake. */
bool compile_selector_has(const struct compile *c, const struct used_selector *selector,
			  uint32_t i);
bool compile_needs_target(const struct compile *c, uint32_t i);

/* The keys of the noise list that policies select on, into c->noise. */
int compile_noise(struct compile *c);

/* Copies what c->from knows of identities. -ESTALE: it is of no use for these policies. */
int compile_adopt(struct compile *c);

/* The labels of a namespace, which is in the tables by @name, as its object says by now. */
int compile_label_namespace(struct compile *c, const char *name, struct labels *ret);

/* The workload's identity, a new one if need be, in *@ret. */
int compile_identity(struct compile *c, const struct workload *workload, uint32_t *ret);

/* Whether a Revocation names the workload, or its SPIFFE ID, which is names[@name_index]. */
bool compile_is_revoked(const struct compile *c, const struct workload *workload,
			uint32_t name_index);

/* Room for the placements of this node's image. */
int compile_alloc_placements(struct compile *c);

/*
 * 1 + index of the placement of a workload whose identity is @identity, a new one without
 * workloads if need be; 0: it has no node that could speak for it. What it was goes into
 * @delta (NULL: a compile).
 */
int compile_placement(struct compile *c, const struct workload *workload, uint32_t identity,
		      struct image_delta *delta, uint32_t *ret);

/* Lets another have the place of a placement that is gone, from the next update on. */
int compile_free_placement(struct compile *c, uint32_t index);

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
