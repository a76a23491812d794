/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image: all that the kernel must know, compiled from manifests. The policy room
 * makes it, the datapath puts it into maps, `explain` evaluates on it. It is plain
 * data, holds no kernel handles, and is made afresh by every compile.
 */
#pragma once

#include <countersign/abi.h>

#include "user/identity/arena.h"

/*
 * Strings that images share: from one image to the next few identities change. It lives as
 * long as an image or a compiler uses it, and only grows; who adds to it knows how much of
 * it is garbage.
 */
struct image_store {
	struct arena arena;
	unsigned int users;
};

struct image_store *image_store_new(void); /* one user; NULL: no memory */
struct image_store *image_store_ref(struct image_store *store);
struct image_store *image_store_unref(struct image_store *store); /* takes NULL, returns it */

/* Limits of what documents say about Services. */
#define CS_SERVICES_MAX 16384 /* addresses and ports; the kernel leaves slot 0 unused */
#define CS_BACKENDS_MAX 64 /* different ones behind one */

/* What a rule id stands for. ids start at 1; index = id. */
struct image_rule {
	char *kind; /* "IdentityPolicy" */
	char *namespace;
	char *policy;
	char *rule; /* the rule's name, or its number as "#2"; "" for the policy's default */
	char *file; /* where it is written; NULL for rules that are gone */
	unsigned int line;
	char *reason; /* of an exception that expires, or NULL */
	char *ticket;
	char *approver;
	int64_t expires_s; /* seconds since 1970, 0: never */
	uint8_t tier; /* as in struct cs_rule */
	uint8_t action; /* enum cs_action; 0 for the policy's default */
	bool audit;
};

/* A workload on this node; the agent finds its cgroup id. */
struct image_workload {
	char *namespace;
	char *name;
	char *cgroup; /* path below the cgroup root, no leading slash; NULL: none */
	char *systemd_unit; /* e.g. "checkout.service", or NULL */
	char *pod_uid; /* its cgroup is this pod's; or NULL */
	uint64_t identity;
	uint32_t ruleset[CS_DIRECTIONS]; /* index into rulesets */
	uint32_t name_index; /* index into names: its SPIFFE ID */
	uint32_t *isolated_by[CS_DIRECTIONS]; /* default rule ids of all policies that isolate it */
	size_t n_isolated_by[CS_DIRECTIONS];
	size_t n_enforcing[CS_DIRECTIONS]; /* of isolated_by: these come first, the rest audits */
	bool host_network;
	bool revoked;
};

/* An identity that runs on a node, this one included. No pair twice. */
struct image_placement {
	uint64_t identity;
	char *trust_domain; /* of the node, which is the workload's */
	char *node; /* its name */
	uint32_t workloads; /* how many of that identity run there */
	uint32_t revoked : 31; /* how many of them are revoked; any: the pair is */
	bool gone : 1; /* none runs there any more; see struct image_delta */
};

/* A `Revocation` document, for people. */
struct image_revocation_note {
	char *file;
	unsigned int line;
	char *name;
	char *reason;
	char *ticket; /* or NULL */
};

/* What `Revocation` documents name. Workloads and SPIFFE IDs of workloads are in force by
 * the flags above already; nodes and serial numbers are for whoever judges node records. */
struct image_revocations {
	char **nodes; /* names; each of the three lists is sorted, nothing in it twice */
	size_t n_nodes;
	char **serials; /* of certificates, lower-case hex without leading zeros */
	size_t n_serials;
	char **spiffe_ids;
	size_t n_spiffe_ids;
	struct image_revocation_note *notes; /* the documents, by name; none: nothing is revoked */
	size_t n_notes;
};

struct image_identity {
	uint64_t identity; /* 46-bit number, or an entity's */
	uint32_t row; /* index into bitmaps */
	uint32_t name_index; /* index into names; 0: none */
	char *namespace; /* "" for entities */
	char *service_account;
	char *workload; /* a workload that has it, for people; the entity's name for entities */
	char *labels; /* "app=checkout,stage=prod", sorted by key */
	bool gone; /* no workload has it any more: kept for the names of late events */
};

struct image_endpoint {
	struct cs_addr addr;
	uint64_t identity;
	uint32_t class_index : 24; /* 1 + index into classes of the longest prefix, 0: none */
	uint32_t flags : 8; /* enum cs_endpoint_flags */
	uint32_t workload_index : 31; /* 1 + index into workloads, 0: not on this node */
	bool gone : 1; /* nobody has it any more; see struct image_delta */
};

/* One prefix; an address belongs to the class of its longest prefix. */
struct image_class {
	struct cs_cidr prefix;
	uint32_t row; /* bits of every CIDR selector that covers the prefix */
	uint32_t flags; /* enum cs_class_flags */
};

/* A Service's address and port, and who is behind it. */
struct image_service {
	struct cs_addr addr;
	uint16_t port;
	uint8_t protocol; /* IPPROTO_* */
	uint32_t first; /* index into backends; the ready ones, no two alike */
	uint32_t n;
	char *namespace;
	char *name;
	bool gone; /* nobody has it any more; see struct image_delta */
};

struct image_backend {
	uint64_t identity; /* 46-bit number, or an entity's: what its address stands for */
	uint32_t class_index; /* 1 + index into classes, 0: none */
	uint16_t port; /* the backend's own */
	uint16_t pad; /* zero: they are compared as bytes */
};

struct image {
	struct image_store *
		store; /* of identities', placements' and Services' strings; NULL: the image's own */
	struct cs_ruleset *rulesets;
	size_t n_rulesets;
	struct cs_bitmap *bitmaps; /* row 0 is empty */
	size_t n_bitmaps;
	char (*names)[CS_SPIFFE_ID_MAX]; /* index 0 is "" */
	size_t n_names;
	struct image_workload *workloads;
	size_t n_workloads;
	struct image_identity *identities; /* the entities come first */
	size_t n_identities;
	struct image_endpoint *endpoints;
	size_t n_endpoints;
	struct image_class *classes;
	size_t n_classes;
	struct image_service *services;
	size_t n_services;
	struct image_backend *backends;
	size_t n_backends;
	struct image_placement *placements;
	size_t n_placements;
	struct image_revocations revocations;
	struct image_rule *rules; /* index = rule id; 0 is unused */
	size_t n_rules;
	size_t n_policies;
	size_t n_selectors;
	uint32_t unmanaged_ruleset[CS_DIRECTIONS]; /* for sockets of no workload */
};

/* Indexes into a list of an image. */
struct image_indexes {
	uint32_t *index;
	size_t n;
	size_t capacity;
};

/*
 * A small change of the image in force, made in place: workloads of other nodes, Services
 * and addresses came, changed or went. What came is new at the end of its list or took a place
 * that was `gone` before; what went is marked. Bitmaps, names, backends were only added to.
 */
struct image_delta {
	struct image_indexes identities; /* that came */
	struct image_indexes gone_identities;
	struct image_indexes endpoints; /* that came, changed, or are gone; each once */
	struct image_endpoint *endpoints_before; /* what each of these was, in the same order */
	struct image_indexes placements; /* the same */
	struct image_placement *before;
	struct image_indexes services; /* the same, but one may be there twice */
	struct image_service *services_before;
	size_t n_bitmaps; /* of the image before the change */
	size_t n_names;
	size_t n_identities;
	size_t n_endpoints;
	size_t n_placements;
	size_t n_services;
	size_t n_backends;
	bool restricts; /* connections that were allowed before may be denied now */
};

void image_delta_done(struct image_delta *delta);

/* Adds an index; -ENOMEM. */
int image_indexes_add(struct image_indexes *indexes, uint32_t index);

/* Adds what is not in the delta yet, as it is before it changes; -ENOMEM. */
int image_delta_endpoint(struct image_delta *delta, const struct image *image, uint32_t index);
int image_delta_placement(struct image_delta *delta, const struct image *image, uint32_t index);
int image_delta_service(struct image_delta *delta, const struct image *image, uint32_t index);

/* Makes the image what it was before the change. */
void image_delta_undo(const struct image_delta *delta, struct image *image);

/*
 * Leaves of an image that is no longer in force what names its events: identities, rules,
 * workloads and their addresses. The rest is most of it, and nobody asks for it. Whoever
 * made an index of the image's endpoints must forget it.
 */
void image_keep_names(struct image *image);

/* Frees the image and all it owns; takes NULL. */
void image_free(struct image *image);
DEFINE_TRIVIAL_CLEANUP(struct image *, image_free)

/* The rule of an id, or NULL. */
static inline const struct image_rule *image_rule(const struct image *image, uint32_t id)
{
	return id > 0 && id < image->n_rules ? &image->rules[id] : NULL;
}
