/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image: all that the kernel must know, compiled from manifests. The policy room
 * makes it, the datapath puts it into maps, `explain` evaluates on it. It is plain
 * data, holds no kernel handles, and is made afresh by every compile.
 */
#pragma once

#include <countersign/abi.h>

#include "user/base/util.h"

/* What a rule id stands for. ids start at 1; index = id. */
struct image_rule {
	char *kind; /* "IdentityPolicy" */
	char *namespace;
	char *policy;
	char *rule; /* the rule's name, or its number as "#2"; "" for the policy's default */
};

/* A workload on this node; the agent finds its cgroup id. */
struct image_workload {
	char *namespace;
	char *name;
	char *cgroup; /* path below the cgroup root, no leading slash; NULL: none */
	char *systemd_unit; /* e.g. "checkout.service", or NULL */
	uint64_t identity;
	uint32_t ruleset[CS_DIRECTIONS]; /* index into rulesets */
	uint32_t name_index; /* index into names: its SPIFFE ID */
};

struct image_identity {
	uint64_t identity; /* 46-bit number, or an entity's */
	uint32_t row; /* index into bitmaps */
	uint32_t name_index; /* index into names; 0: none */
	char *namespace; /* "" for entities */
	char *service_account;
	char *workload; /* a workload that has it, for people; the entity's name for entities */
	char *labels; /* "app=checkout,stage=prod", sorted by key */
};

struct image_endpoint {
	struct cs_addr addr;
	uint64_t identity;
	uint32_t class_index; /* 1 + index into classes of the longest prefix, 0: none */
	uint32_t workload_index; /* 1 + index into workloads, 0: not on this node */
	uint32_t flags; /* enum cs_endpoint_flags */
};

/* One prefix; an address belongs to the class of its longest prefix. */
struct image_class {
	struct cs_cidr prefix;
	uint32_t row; /* bits of every CIDR selector that covers the prefix */
	uint32_t flags; /* enum cs_class_flags */
};

struct image {
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
	struct image_rule *rules; /* index = rule id; 0 is unused */
	size_t n_rules;
	size_t n_policies;
	size_t n_selectors;
	uint32_t unmanaged_ruleset[CS_DIRECTIONS]; /* for sockets of no workload */
};

/* Frees the image and all it owns; takes NULL. */
void image_free(struct image *image);
DEFINE_TRIVIAL_CLEANUP(struct image *, image_free)

/* The rule of an id, or NULL. */
static inline const struct image_rule *image_rule(const struct image *image, uint32_t id)
{
	return id > 0 && id < image->n_rules ? &image->rules[id] : NULL;
}
