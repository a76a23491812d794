/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler's state is made of. */
#pragma once

#include "user/identity/hashindex.h"
#include "user/policy/model.h"

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
	bool host_unit; /* nor does one mean a unit of a node: policies name its SPIFFE ID */
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

/*
 * What workloads claim of an endpoint's address, by endpoint. `claim` is 0 for none; 1 + the
 * index of the identity, with CLAIM_REVOKED, when just one workload has the address; else
 * CLAIM_MANY with 1 + the index of the first record.
 */
#define CLAIM_MANY (1U << 31)
#define CLAIM_REVOKED (1U << 30)
#define CLAIM_VALUE (CLAIM_REVOKED - 1)

struct endpoint_claim {
	uint32_t claim;
	uint32_t changed; /* the last update that it is in */
};

/* How many workloads of one identity have an address that others have, too. */
struct claim_record {
	uint32_t identity;
	uint32_t count;
	uint32_t next; /* 1 + index; 0: the last */
	bool revoked;
};

/* Objects of one kind that come and go; places of those that went are used again. */
struct object_list {
	const void **item; /* NULL: free */
	size_t n;
	size_t capacity;
	uint32_t *free;
	size_t n_free;
	uint32_t *mark; /* by place: the last update that looked at it */
};

/*
 * What the compiler asks of Services, EndpointSlices, Nodes and Namespaces, found by what it
 * asks for. The objects are the documents'. One state has it at a time, see compile_run().
 */
struct compile_objects {
	struct object_list services;
	struct object_list slices;
	struct object_list nodes;
	struct object_list namespaces;
	struct hashindex service_by_name;
	struct hashindex service_by_front; /* once for each of its addresses and ports */
	struct hashindex slice_by_name;
	struct hashindex slice_by_service;
	struct hashindex slice_by_address;
	struct hashindex node_by_address;
	struct hashindex namespace_by_name;
	struct hashindex front; /* -> image->services */
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
