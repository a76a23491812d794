/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model: what manifests say, checked and in one form whatever language they were
 * written in. The parsers make it, the compiler reads it. All of it lives in the arena of
 * its set; nothing in it is changed after parsing.
 */
#pragma once

#include "user/identity/arena.h"
#include "user/identity/identity.h"
#include "user/identity/keymap.h"
#include "user/policy/address.h"
#include "user/policy/policy.h"

/* Bounds on one manifest's lists. */
#define MODEL_LABELS_MAX 256 /* labels of an object, requirements of a selector */
#define MODEL_VALUES_MAX 256 /* values of a matchExpressions entry */
#define MODEL_ADDRESSES_MAX 256 /* addresses of a workload */
#define MODEL_PORTS_MAX 256 /* ports of a workload or a rule */
#define MODEL_RULES_MAX 1024 /* rules of a policy and direction */
#define MODEL_PEERS_MAX 1024 /* peers in one list */

/* Where something was written. */
struct place {
	const char *file;
	unsigned int line;
};

enum requirement_op {
	REQUIRE_IN,
	REQUIRE_NOT_IN, /* also matches when the key is missing */
	REQUIRE_EXISTS,
	REQUIRE_MISSING,
};

struct requirement {
	const char *key;
	const char **values; /* sorted, no value twice */
	size_t n_values;
	uint8_t op; /* enum requirement_op */
};

/* All requirements must hold; without any it matches everything. */
struct selector {
	struct requirement *item; /* sorted */
	size_t n;
};

enum peer_kind {
	PEER_SERVICE_ACCOUNT, /* namespace, name */
	PEER_SPIFFE, /* name: a pattern */
	PEER_SELECTOR, /* labels, and namespace or namespaces */
	PEER_CIDR, /* cidr, except */
	PEER_ENTITY, /* entity */
};

/* One kind of peer; a rule's peers are a union. */
struct peer {
	const char *name;
	const char *namespace; /* PEER_SELECTOR: NULL when `namespaces` selects them */
	struct selector labels;
	struct selector namespaces;
	struct cs_cidr *except;
	size_t n_except;
	struct cs_cidr cidr;
	uint8_t entity; /* enum cs_entity */
	uint8_t kind; /* enum peer_kind */
};

/* Ports of a rule: a range, or a name. */
struct port_match {
	const char *name; /* NULL: min..max */
	uint16_t min;
	uint16_t max;
	uint8_t protocol; /* IPPROTO_* */
};

/* A moment since 1970; not set: never. */
struct moment {
	int64_t seconds;
	uint32_t ns;
	bool set;
};

struct rule {
	struct place place;
	const char *name; /* as given, or "#2" for the second */
	struct peer *peers; /* none: any peer, known or not */
	size_t n_peers;
	struct port_match *ports; /* none: all ports and protocols */
	size_t n_ports;
	struct moment expires;
	uint8_t action; /* enum cs_action */
	bool authenticated; /* an Allow that covers verified peers only */
};

struct direction {
	struct rule *rules;
	size_t n_rules;
	bool present; /* isolates the subject */
};

/* Tiers as the kernel sees them, in the order of evaluation. */
enum policy_tier {
	TIER_ADMIN = 0,
	TIER_DEFAULT = 1,
	TIER_BASELINE = 2,
};

struct policy {
	struct place place;
	const char *kind;
	const char *namespace;
	const char *name;
	struct selector subject; /* within the namespace */
	struct direction direction[CS_DIRECTIONS];
	uint16_t priority; /* within the tier; lower ones come first */
	uint8_t tier; /* enum policy_tier */
	bool audit;
};

struct workload {
	struct place place;
	const char *namespace;
	const char *name;
	const char *service_account;
	const char *cgroup; /* or NULL */
	const char *systemd_unit; /* or NULL */
	struct labels labels;
	struct named_ports ports;
	struct cs_addr *addresses;
	size_t n_addresses;
};

/* A Namespace object: only its labels are of interest. */
struct namespace
{
	struct place place;
	const char *name;
	struct labels labels;
};

/* Objects of one kind, and a table from a name to the place in the list. */
#define MODEL_LIST(type)             \
	struct {                     \
		type **item;         \
		size_t n;            \
		size_t capacity;     \
		struct keymap names; \
	}

struct policy_set {
	struct arena arena;
	MODEL_LIST(struct workload) workloads;
	MODEL_LIST(struct policy) policies;
	MODEL_LIST(struct namespace) namespaces;
	struct keymap cgroups; /* path -> workload */
	struct keymap units; /* systemd unit -> workload */
};

/* Whether @labels meet every requirement. */
bool selector_matches(const struct selector *selector, const struct labels *labels);

/* The canonical encoding of a selector, appended to @ret. */
void selector_encode(const struct selector *selector, struct bytes *ret);

/* qsort(3) orders: requirements as selector_encode() wants them, and strings. */
int requirement_compare(const void *a, const void *b);
int string_compare(const void *a, const void *b);
