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
#define MODEL_POD_CIDRS_MAX 16 /* podCIDRs of a Node */
#define MODEL_PORTS_MAX 256 /* ports of a workload or a rule */
#define MODEL_RULES_MAX 1024 /* rules of a policy and direction */
#define MODEL_PEERS_MAX 1024 /* peers in one list */
#define MODEL_ENDPOINTS_MAX 1000 /* endpoints of a slice: as many as the API allows */
#define MODEL_FILES_MAX 256 /* files of a PolicyTest */
#define MODEL_CASES_MAX 10000 /* cases of a PolicyTest */
#define MODEL_REVOCATIONS_MAX 1024 /* entries of one list of a Revocation */

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
	PEER_NODES, /* labels: of Node objects, whose addresses it means */
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
	bool pods_only; /* PEER_SELECTOR: hostNetwork workloads do not match (CNP) */
};

/* Ports of a rule: a range, or a name. A name for any protocol is one entry for each. */
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
	struct peer *peers; /* none: any peer, known or not; but see `nobody` */
	size_t n_peers;
	struct port_match *ports; /* none: all ports and protocols */
	size_t n_ports;
	struct moment expires;
	const char *reason; /* of an exception that expires; NULL: none */
	const char *ticket;
	const char *approver;
	uint8_t action; /* enum cs_action */
	bool authenticated; /* an Allow that covers verified peers only */
	bool audit; /* mode: Audit of this rule, whatever the policy's */
	bool nobody; /* covers nothing: an Accept whose peers are of a kind we do not know */
	bool unknown_peer; /* was read fail-closed, see parse_cluster_policy() */
};

struct direction {
	struct rule *rules;
	size_t n_rules;
	bool present; /* the policy speaks of it; in TIER_DEFAULT it isolates the subject */
};

/* Tiers as the kernel sees them, in the order of evaluation. */
enum policy_tier {
	TIER_ADMIN = 0,
	TIER_DEFAULT = 1, /* that of NetworkPolicy: policies isolate, and the union is allowed */
	TIER_BASELINE = 2, /* only for what no policy of TIER_DEFAULT isolates */
};

#define POLICY_PRIORITY_DEFAULT 500 /* of policies that have none: the middle of 0..1000 */
#define POLICY_PRIORITY_MAX 1000

/*
 * In the Admin and Baseline tiers policies go by priority, then by namespace and name, and
 * the rules of each in their order. In the default tier they go by priority; at one
 * priority Deny comes before Allow.
 */
struct policy {
	struct place place;
	const char *kind;
	const char *namespace; /* "" for cluster-wide kinds */
	const char *name;
	struct peer *subjects; /* union of PEER_SELECTOR, PEER_SERVICE_ACCOUNT, PEER_SPIFFE */
	size_t n_subjects;
	struct direction direction[CS_DIRECTIONS];
	uint16_t priority; /* within the tier; lower ones come first */
	uint8_t tier; /* enum policy_tier */
	uint8_t rollout; /* percent of subject workloads that enforce, the others audit */
	bool audit; /* mode: Audit of all its rules */
	struct moment audit_since; /* as metadata tells; not set: it does not */
};

struct workload {
	struct place place;
	const char *namespace;
	const char *name;
	const char *service_account;
	const char *cgroup; /* or NULL */
	const char *systemd_unit; /* or NULL */
	const char *pod_uid; /* its cgroup is this pod's; or NULL */
	const char *host_unit; /* this systemd unit of @node itself, which is no pod; or NULL */
	const char *node; /* where it runs, or NULL */
	const char *trust_domain; /* NULL: the agent's own */
	struct labels labels;
	struct named_ports ports;
	struct cs_addr *addresses;
	size_t n_addresses;
	bool host_network; /* uses its node's addresses: none of them is its own */
};

/* Whether it says by which cgroup its processes are known. */
static inline bool workload_has_place(const struct workload *workload)
{
	return workload->cgroup || workload->systemd_unit || workload->pod_uid;
}

/* Whether the workload is of another trust domain. It is judged there, never here. */
static inline bool workload_is_foreign(const struct policy_options *options,
				       const struct workload *workload)
{
	return workload->trust_domain && !streq(workload->trust_domain, options->trust_domain);
}

/*
 * A Node object: its addresses are RemoteNode, but for those of this host. To its pods' prefixes
 * tags are written even while a pod is not known yet.
 */
struct node_object {
	struct place place;
	const char *name;
	struct labels labels;
	struct cs_addr *addresses;
	size_t n_addresses;
	struct cs_cidr *pod_cidrs;
	size_t n_pod_cidrs;
};

struct service_port {
	const char *name; /* "" when it has none */
	uint16_t port;
	uint8_t protocol; /* IPPROTO_* */
};

/* A Service: the addresses that stand for its backends. */
struct service {
	struct place place;
	const char *namespace;
	const char *name;
	struct cs_addr *addresses; /* clusterIPs, externalIPs, load balancers' */
	size_t n_addresses;
	struct service_port *ports;
	size_t n_ports;
};

/* One endpoint of an EndpointSlice. */
struct backend {
	struct cs_addr *addresses;
	size_t n_addresses;
	bool ready; /* conditions.ready, true when not given */
};

/* An EndpointSlice: which addresses and ports are behind a Service's port of a name. */
struct endpoint_slice {
	struct place place;
	const char *namespace;
	const char *name;
	const char *service; /* of label kubernetes.io/service-name, "" for none */
	struct service_port *ports; /* the backends' own numbers */
	size_t n_ports;
	struct backend *backends;
	size_t n_backends;
};

/*
 * Documents that an agent makes itself of its --host-units are named so, with the unit behind
 * it. Only there does `hostUnit` say which processes a workload is; elsewhere it tells other
 * nodes who that is. Whoever may write Workloads changes nothing about a node's own units.
 */
#define HOST_UNIT_DOCUMENT "host-unit/"

#define OBJECT_NAME_MAX 320 /* bytes of "namespace/name" */

/* "namespace/name" in two parts. */
struct workload_name {
	const char *namespace;
	const char *name;
};

/* A Revocation: who and what is let in no more. */
struct revocation {
	struct place place;
	const char *name;
	const char *reason;
	const char *ticket; /* or NULL */
	const char *approver; /* or NULL */
	struct workload_name *workloads;
	size_t n_workloads;
	const char **spiffe_ids; /* of workloads and of nodes */
	size_t n_spiffe_ids;
	const char **serials; /* lower-case hex without leading zeros */
	size_t n_serials;
	const char **nodes; /* names */
	size_t n_nodes;
};

/* One case of a PolicyTest: what the policies should say to a flow. */
struct policy_case {
	struct place place;
	const char *name; /* as given, or "#2" */
	const char *from; /* as in struct policy_flow */
	const char *to;
	const char *port_name; /* a named port of `to`, or NULL */
	const char *rule; /* "ns/policy#rule", the decider's; NULL: not asked */
	struct moment at; /* not set: now */
	uint16_t port; /* 0: none, or by name */
	uint8_t protocol; /* IPPROTO_* */
	uint8_t want; /* enum cs_verdict */
	uint8_t family; /* 4, 6, or 0: either, they must agree */
	uint8_t direction; /* enum cs_direction, or CS_DIRECTIONS: both sides together */
	bool authenticated;
};

/* A PolicyTest document. Agents take no notice of it. */
struct policy_test {
	struct place place;
	const char *namespace;
	const char *name;
	const char **files; /* manifests to load, relative to the document's file */
	size_t n_files;
	struct policy_case *cases;
	size_t n_cases;
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
	MODEL_LIST(struct node_object) nodes;
	MODEL_LIST(struct service) services;
	MODEL_LIST(struct endpoint_slice) slices;
	MODEL_LIST(struct policy_test) tests;
	MODEL_LIST(struct revocation) revocations;
	struct keymap cgroups; /* path -> workload; "node//path" of those that name a node */
	struct keymap units; /* systemd unit -> workload; likewise */
	struct keymap pods; /* pod's uid -> workload; likewise */
};

/* The SPIFFE ID of a workload; as spiffe_build(). */
int workload_spiffe_id(const struct policy_options *options, const struct workload *workload,
		       char ret[static CS_SPIFFE_ID_MAX]);

/* Whether @labels meet every requirement. */
bool selector_matches(const struct selector *selector, const struct labels *labels);

/* The canonical encoding of a selector, appended to @ret. */
void selector_encode(const struct selector *selector, struct bytes *ret);

/* qsort(3) orders: requirements as selector_encode() wants them, and strings. */
int requirement_compare(const void *a, const void *b);
int string_compare(const void *a, const void *b);
