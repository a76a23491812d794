/* SPDX-License-Identifier: Apache-2.0 */
/* What policies mean: one small world, one policy set per group, one verdict per case. */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define PAYMENTS "spec: {subject: {selector: {matchLabels: {app: payments}}}, "

static const char world[] = WORKLOAD
	"metadata: {name: checkout, namespace: shop, labels: {app: checkout, stage: prod}}\n"
	"spec: {serviceAccount: checkout, cgroup: shop/checkout, addresses: [10.77.0.2, \"fd77::2\"],\n"
	"  ports: [{name: http, port: 8080}]}\n" WORKLOAD
	"metadata: {name: payments, namespace: shop, labels: {app: payments, stage: prod}}\n"
	"spec: {serviceAccount: payments, cgroup: shop/payments, addresses: [10.77.0.3],\n"
	"  ports: [{name: http, port: 8081}, {name: dns, port: 53, protocol: UDP},\n"
	"    {name: dns, port: 5353, protocol: TCP}]}\n" WORKLOAD
	"metadata: {name: ledger, namespace: shop, labels: {app: ledger, stage: test}}\n"
	"spec: {serviceAccount: ledger, systemdUnit: ledger.service, addresses: [10.77.0.4],\n"
	"  ports: [{name: http, port: 9080}]}\n" WORKLOAD
	"metadata: {name: admin, namespace: ops, labels: {app: admin}}\n"
	"spec: {serviceAccount: admin, addresses: [10.88.0.2]}\n" WORKLOAD
	"metadata: {name: batch, namespace: ops, labels: {app: batch, stage: prod}}\n"
	"spec: {serviceAccount: report-daily, addresses: [10.88.0.3],\n"
	"  ports: [{name: http, port: 8080, protocol: SCTP}]}\n" WORKLOAD
	"metadata: {name: checkout, namespace: lab, labels: {app: checkout}}\n"
	"spec: {serviceAccount: checkout, cgroup: lab/checkout, addresses: [10.99.0.2]}\n" WORKLOAD
	"metadata: {name: bare, namespace: lab}\n"
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: lab, labels: {team: qa}}\n";

/* The policies of each group. */
enum group {
	NONE,
	EXAMPLE,
	ISOLATE,
	EGRESS_ONLY,
	PEERS,
	SPIFFE,
	SELECTORS,
	NAMESPACES,
	CIDRS,
	NESTED,
	FAMILIES,
	SIX_ONLY,
	ENTITIES,
	PORTS,
	NAMED,
	NAMED_EACH,
	NAMED_OUT,
	DENY_WINS,
	AUTHENTICATION,
	AUDIT_ALONE,
	AUDIT_BESIDE,
	EXPIRY,
	EVERYTHING,
};

/* clang-format off: manifests, and one case a line */
static const char *const policies[] = {
	[NONE] = "",
	[EXAMPLE] = POLICY
	"metadata: {name: payments, namespace: shop}\n"
	"spec:\n"
	"  subject: {selector: {matchLabels: {app: payments}}}\n"
	"  mode: Enforce\n"
	"  ingress:\n"
	"  - name: from-checkout\n"
	"    action: Allow\n"
	"    authentication: Required\n"
	"    from:\n"
	"    - serviceAccounts: [{namespace: shop, name: checkout}]\n"
	"    - spiffeIDs: [\"spiffe://example.org/ns/ops/sa/report-*\"]\n"
	"    - selector: {matchLabels: {app: admin}}\n"
	"      namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}\n"
	"    - cidrs: [{cidr: 10.0.0.0/8, except: [10.9.0.0/16]}]\n"
	"    - entities: [Host, World]\n"
	"    ports: [{port: 8080, endPort: 8090, protocol: TCP}, {port: dns}]\n"
	"  egress: []\n",
	[ISOLATE] = POLICY "metadata: {name: closed, namespace: shop}\n" PAYMENTS "ingress: []}\n",
	[EGRESS_ONLY] = POLICY
	"metadata: {name: out, namespace: shop}\n" PAYMENTS
	"egress: [{name: ledger, to: [{serviceAccounts: [{name: ledger}]}]}]}\n",
	[PEERS] = POLICY
	"metadata: {name: peers, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{from: [{serviceAccounts: [{namespace: ops, name: admin}, {name: ledger}]}], ports: [{port: 1}]},\n"
	"{name: any-peer, from: [], ports: [{port: 2}]},\n"
	"{name: any-port, from: [{serviceAccounts: [{namespace: lab, name: checkout}]}], ports: []}]}\n",
	[SPIFFE] = POLICY
	"metadata: {name: ids, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{name: exact, from: [{spiffeIDs: [\"spiffe://example.org/ns/ops/sa/admin\"]}], ports: [{port: 1}]},\n"
	"{name: prefix, from: [{spiffeIDs: [\"spiffe://example.org/ns/ops/sa/report-*\"]}], ports: [{port: 2}]},\n"
	"{name: spaces, from: [{spiffeIDs: [\"spiffe://example.org/ns/*/sa/checkout\"]}], ports: [{port: 3}]},\n"
	"{name: dot, from: [{spiffeIDs: [\"spiffe://example.org/ns/ops/sa/a.min\"]}], ports: [{port: 4}]},\n"
	"{name: other, from: [{spiffeIDs: [\"spiffe://other.org/ns/*/sa/*\"]}], ports: [{port: 5}]}]}\n",
	[SELECTORS] = POLICY
	"metadata: {name: labels, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{from: [{selector: {matchExpressions: [{key: app, operator: In, values: [ledger, admin]}]}}], ports: [{port: 1}]},\n"
	"{from: [{selector: {matchExpressions: [{key: stage, operator: NotIn, values: [prod]}]}, namespaceSelector: {}}], ports: [{port: 2}]},\n"
	"{from: [{selector: {matchExpressions: [{key: stage, operator: Exists}]}, namespaceSelector: {}}], ports: [{port: 3}]},\n"
	"{from: [{selector: {matchExpressions: [{key: stage, operator: DoesNotExist}]}, namespaceSelector: {}}], ports: [{port: 4}]},\n"
	"{from: [{selector: {}}], ports: [{port: 5}]},\n"
	"{from: [{selector: {matchLabels: {app: checkout, stage: prod}}}], ports: [{port: 6}]}]}\n",
	[NAMESPACES] = POLICY
	"metadata: {name: spaces, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}], ports: [{port: 1}]},\n"
	"{from: [{namespaceSelector: {matchLabels: {team: qa}}}], ports: [{port: 2}]},\n"
	"{from: [{namespaceSelector: {matchLabels: {team: qa}}, selector: {matchLabels: {app: checkout}}}], ports: [{port: 3}]},\n"
	"{from: [{namespaceSelector: {}}], ports: [{port: 4}]}]}\n",
	[CIDRS] = POLICY
	"metadata: {name: nets, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{name: hole, from: [{cidrs: [{cidr: 10.0.0.0/8, except: [10.9.0.0/16, 10.88.0.0/24]}]}], ports: [{port: 1}]},\n"
	"{name: host, from: [{cidrs: [{cidr: 10.9.0.7/32}]}], ports: [{port: 1}]},\n"
	"{name: six, from: [{cidrs: [{cidr: \"2001:db8::/32\", except: [\"2001:db8:1::/48\"]}]}], ports: [{port: 1}]}]}\n",
	[NESTED] = POLICY
	"metadata: {name: nested, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{name: wide, from: [{cidrs: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}], ports: [{port: 1}]},\n"
	"{name: inner, from: [{cidrs: [{cidr: 10.1.2.0/24}]}], ports: [{port: 2}]},\n"
	"{name: both, from: [{cidrs: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, {cidr: 10.1.2.0/24}]}], ports: [{port: 3}]}]}\n",
	[FAMILIES] = POLICY
	"metadata: {name: six, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{name: all-six, from: [{cidrs: [{cidr: \"::/0\"}]}], ports: [{port: 1}]},\n"
	"{name: all-four, from: [{cidrs: [{cidr: 0.0.0.0/0}]}], ports: [{port: 2}]}]}\n",
	[SIX_ONLY] = POLICY "metadata: {name: six, namespace: shop}\n" PAYMENTS
			    "ingress: [{name: all-six, from: [{cidrs: [{cidr: \"::/0\"}]}]}]}\n",
	[ENTITIES] = POLICY
	"metadata: {name: who, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{from: [{entities: [Host]}], ports: [{port: 1}]},\n"
	"{from: [{entities: [RemoteNode, KubeAPIServer]}], ports: [{port: 2}]},\n"
	"{from: [{entities: [World]}], ports: [{port: 3}]},\n"
	"{from: [{entities: [Unmanaged]}], ports: [{port: 4}]}]}\n",
	[PORTS] = POLICY "metadata: {name: ports, namespace: shop}\n" PAYMENTS "ingress: [\n"
			 "{name: one, ports: [{port: 80}]},\n"
			 "{name: range, ports: [{port: 100, endPort: 200, protocol: UDP}]},\n"
			 "{name: all-sctp, ports: [{protocol: SCTP}]},\n"
			 "{name: two, ports: [{port: 443}, {port: 444, protocol: UDP}]}]}\n",
	[NAMED] = POLICY
	"metadata: {name: named, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{name: web, ports: [{port: http}]},\n"
	"{name: dns, ports: [{port: dns, protocol: UDP}]},\n"
	"{name: nothing, ports: [{port: nobody}, {port: http, protocol: UDP}]}]}\n",
	[NAMED_EACH] = POLICY
	"metadata: {name: each, namespace: shop}\n"
	"spec: {subject: {}, ingress: [{name: web, ports: [{port: http}]}]}\n",
	[NAMED_OUT] = POLICY "metadata: {name: named-out, namespace: shop}\n" PAYMENTS "egress: [\n"
			     "{name: web, to: [{selector: {}}], ports: [{port: http}]},\n"
			     "{name: sctp, ports: [{port: http, protocol: SCTP}]}]}\n",
	[DENY_WINS] = POLICY
	"metadata: {name: b-allow, namespace: shop}\n" PAYMENTS
	"ingress: [{name: all, action: Allow}]}\n" POLICY
	"metadata: {name: a-deny, namespace: shop}\n" PAYMENTS
	"ingress: [{name: open, ports: [{port: 1}]},\n"
	"{name: not-checkout, action: Deny, from: [{serviceAccounts: [{name: checkout}]}], ports: [{port: 1, endPort: 99}]}]}\n",
	[AUTHENTICATION] = POLICY
	"metadata: {name: auth, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{name: proved, authentication: Required, ports: [{port: 1}]},\n"
	"{name: either, authentication: IfAvailable, ports: [{port: 2}]},\n"
	"{name: strict, authentication: Required, ports: [{port: 3}]},\n"
	"{name: lax, from: [{serviceAccounts: [{name: ledger}]}], ports: [{port: 3}]}]}\n",
	[AUDIT_ALONE] = POLICY "metadata: {name: trial, namespace: shop}\n" PAYMENTS
			       "mode: Audit, ingress: [\n"
			       "{name: ok, from: [{serviceAccounts: [{name: checkout}]}]},\n"
			       "{name: proved, authentication: Required, ports: [{port: 7}]},\n"
			       "{name: bad, action: Deny, ports: [{port: 1}]}]}\n",
	[AUDIT_BESIDE] = POLICY
	"metadata: {name: trial, namespace: shop}\n" PAYMENTS "mode: Audit, ingress: [\n"
	"{name: would-open, ports: [{port: 9}]},\n"
	"{name: would-close, action: Deny, ports: [{port: 1}]}], egress: []}\n" POLICY
	"metadata: {name: real, namespace: shop}\n" PAYMENTS
	"ingress: [{name: low, ports: [{port: 1, endPort: 5}]}]}\n",
	[EXPIRY] = POLICY
	"metadata: {name: until, namespace: shop}\n" PAYMENTS "ingress: [\n"
	"{name: soon, ports: [{port: 1}], expires: \"1970-01-01T00:16:50Z\", reason: test},\n"
	"{name: gone, ports: [{port: 2}], expires: \"1970-01-01T00:16:39Z\", reason: test},\n"
	"{name: far, ports: [{port: 3}], expires: \"9999-12-31T23:59:59Z\", reason: test},\n"
	"{name: deny, action: Deny, ports: [{port: 4}], expires: \"1970-01-01T00:16:50Z\", reason: test},\n"
	"{name: after, ports: [{port: 4}]}]}\n",
	[EVERYTHING] = POLICY
	"metadata: {name: open, namespace: shop}\nspec: {subject: {}, ingress: [{}]}\n",
};

/* clang-format on */

/* Clocks: 1000 s real is 10 s since boot, so "soon" is at 20 s since boot. */
enum { BEFORE = 19, AFTER = 20 };

struct flow_case {
	enum group group;
	struct judged flow;
	const char *expected;
};

#define IN(peer, proto, port, ...)                                                        \
	{                                                                                 \
		"shop/payments", CS_INGRESS, (peer), IPPROTO_##proto, (port), __VA_ARGS__ \
	}
#define OUT(peer, proto, port, ...)                                                      \
	{                                                                                \
		"shop/payments", CS_EGRESS, (peer), IPPROTO_##proto, (port), __VA_ARGS__ \
	}
#define VERIFIED .verified = true
#define INFERRED .verified = false
#define AT(seconds) .now_ns = (seconds)*1000000000ULL

/* clang-format off */
static const struct flow_case cases[] = {
	{ NONE, IN("shop/checkout", TCP, 80, VERIFIED), "ALLOW NOT_ISOLATED" },
	{ NONE, OUT("8.8.8.8", UDP, 53, INFERRED), "ALLOW NOT_ISOLATED" },
	{ NONE, { "Unmanaged", CS_INGRESS, "World", IPPROTO_TCP, 22, INFERRED }, "ALLOW NOT_ISOLATED" },

	{ EXAMPLE, IN("shop/checkout", TCP, 8080, VERIFIED), "ALLOW RULE shop/payments#from-checkout" },
	{ EXAMPLE, IN("shop/checkout", TCP, 8090, VERIFIED), "ALLOW RULE shop/payments#from-checkout" },
	{ EXAMPLE, IN("shop/checkout", TCP, 8091, VERIFIED), "DENY DEFAULT_DENY shop/payments#" },
	{ EXAMPLE, IN("shop/checkout", TCP, 5353, VERIFIED), "ALLOW RULE shop/payments#from-checkout" },
	{ EXAMPLE, IN("shop/checkout", UDP, 53, VERIFIED), "DENY DEFAULT_DENY shop/payments#" },
	{ EXAMPLE, IN("shop/checkout", TCP, 8080, INFERRED), "DENY AUTH_REQUIRED shop/payments#from-checkout" },
	{ EXAMPLE, IN("ops/batch", TCP, 8080, VERIFIED), "ALLOW RULE shop/payments#from-checkout" },
	{ EXAMPLE, IN("ops/admin", TCP, 8080, VERIFIED), "ALLOW RULE shop/payments#from-checkout" },
	{ EXAMPLE, IN("lab/checkout", TCP, 8080, VERIFIED), "DENY DEFAULT_DENY shop/payments#" },
	{ EXAMPLE, IN("lab/checkout@10.9.1.1", TCP, 8080, VERIFIED), "DENY DEFAULT_DENY shop/payments#" },
	{ EXAMPLE, IN("lab/checkout@10.8.1.1", TCP, 8080, VERIFIED), "ALLOW RULE shop/payments#from-checkout" },
	{ EXAMPLE, IN("Host", TCP, 8080, INFERRED), "DENY AUTH_REQUIRED shop/payments#from-checkout" },
	{ EXAMPLE, OUT("shop/checkout", TCP, 8080, VERIFIED), "DENY DEFAULT_DENY shop/payments#" },
	{ EXAMPLE, { "shop/checkout", CS_INGRESS, "World", IPPROTO_TCP, 1, INFERRED }, "ALLOW NOT_ISOLATED" },

	{ ISOLATE, IN("shop/checkout", TCP, 80, VERIFIED), "DENY DEFAULT_DENY shop/closed#" },
	{ ISOLATE, IN("World", ICMP, 0, INFERRED), "DENY DEFAULT_DENY shop/closed#" },
	{ ISOLATE, OUT("shop/checkout", TCP, 80, VERIFIED), "ALLOW NOT_ISOLATED" },

	{ EGRESS_ONLY, OUT("shop/ledger", TCP, 1, VERIFIED), "ALLOW RULE shop/out#ledger" },
	{ EGRESS_ONLY, OUT("shop/ledger", SCTP, 1, INFERRED), "ALLOW RULE shop/out#ledger" },
	{ EGRESS_ONLY, OUT("shop/checkout", TCP, 1, VERIFIED), "DENY DEFAULT_DENY shop/out#" },
	{ EGRESS_ONLY, IN("shop/checkout", TCP, 1, VERIFIED), "ALLOW NOT_ISOLATED" },

	{ PEERS, IN("ops/admin", TCP, 1, INFERRED), "ALLOW RULE shop/peers##1" },
	{ PEERS, IN("shop/ledger", TCP, 1, INFERRED), "ALLOW RULE shop/peers##1" },
	{ PEERS, IN("shop/checkout", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/peers#" },
	{ PEERS, IN("8.8.8.8", TCP, 2, INFERRED), "ALLOW RULE shop/peers#any-peer" },
	{ PEERS, IN("lab/checkout", UDP, 60000, INFERRED), "ALLOW RULE shop/peers#any-port" },
	{ PEERS, IN("lab/checkout", ICMP, 0, INFERRED), "ALLOW RULE shop/peers#any-port" },

	{ SPIFFE, IN("ops/admin", TCP, 1, INFERRED), "ALLOW RULE shop/ids#exact" },
	{ SPIFFE, IN("ops/batch", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/ids#" },
	{ SPIFFE, IN("ops/batch", TCP, 2, INFERRED), "ALLOW RULE shop/ids#prefix" },
	{ SPIFFE, IN("ops/admin", TCP, 2, INFERRED), "DENY DEFAULT_DENY shop/ids#" },
	{ SPIFFE, IN("lab/checkout", TCP, 3, INFERRED), "ALLOW RULE shop/ids#spaces" },
	{ SPIFFE, IN("shop/checkout", TCP, 3, INFERRED), "ALLOW RULE shop/ids#spaces" },
	{ SPIFFE, IN("ops/admin", TCP, 4, INFERRED), "DENY DEFAULT_DENY shop/ids#" },
	{ SPIFFE, IN("ops/admin", TCP, 5, INFERRED), "DENY DEFAULT_DENY shop/ids#" },
	{ SPIFFE, IN("World", TCP, 3, INFERRED), "DENY DEFAULT_DENY shop/ids#" },

	{ SELECTORS, IN("shop/ledger", TCP, 1, INFERRED), "ALLOW RULE shop/labels##1" },
	{ SELECTORS, IN("ops/admin", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/labels#" },
	{ SELECTORS, IN("shop/ledger", TCP, 2, INFERRED), "ALLOW RULE shop/labels##2" },
	{ SELECTORS, IN("ops/admin", TCP, 2, INFERRED), "ALLOW RULE shop/labels##2" },
	{ SELECTORS, IN("ops/batch", TCP, 2, INFERRED), "DENY DEFAULT_DENY shop/labels#" },
	{ SELECTORS, IN("ops/batch", TCP, 3, INFERRED), "ALLOW RULE shop/labels##3" },
	{ SELECTORS, IN("ops/admin", TCP, 3, INFERRED), "DENY DEFAULT_DENY shop/labels#" },
	{ SELECTORS, IN("lab/bare", TCP, 4, INFERRED), "ALLOW RULE shop/labels##4" },
	{ SELECTORS, IN("ops/batch", TCP, 4, INFERRED), "DENY DEFAULT_DENY shop/labels#" },
	{ SELECTORS, IN("shop/checkout", TCP, 5, INFERRED), "ALLOW RULE shop/labels##5" },
	{ SELECTORS, IN("ops/admin", TCP, 5, INFERRED), "DENY DEFAULT_DENY shop/labels#" },
	{ SELECTORS, IN("Unmanaged", TCP, 5, INFERRED), "DENY DEFAULT_DENY shop/labels#" },
	{ SELECTORS, IN("shop/checkout", TCP, 6, INFERRED), "ALLOW RULE shop/labels##6" },
	{ SELECTORS, IN("shop/ledger", TCP, 6, INFERRED), "DENY DEFAULT_DENY shop/labels#" },

	{ NAMESPACES, IN("ops/batch", TCP, 1, INFERRED), "ALLOW RULE shop/spaces##1" },
	{ NAMESPACES, IN("lab/checkout", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/spaces#" },
	{ NAMESPACES, IN("lab/bare", TCP, 2, INFERRED), "ALLOW RULE shop/spaces##2" },
	{ NAMESPACES, IN("shop/checkout", TCP, 2, INFERRED), "DENY DEFAULT_DENY shop/spaces#" },
	{ NAMESPACES, IN("lab/checkout", TCP, 3, INFERRED), "ALLOW RULE shop/spaces##3" },
	{ NAMESPACES, IN("lab/bare", TCP, 3, INFERRED), "DENY DEFAULT_DENY shop/spaces#" },
	{ NAMESPACES, IN("ops/admin", TCP, 4, INFERRED), "ALLOW RULE shop/spaces##4" },
	{ NAMESPACES, IN("World", TCP, 4, INFERRED), "DENY DEFAULT_DENY shop/spaces#" },

	{ CIDRS, IN("10.1.1.1", TCP, 1, INFERRED), "ALLOW RULE shop/nets#hole" },
	{ CIDRS, IN("10.9.0.6", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/nets#" },
	{ CIDRS, IN("10.9.0.7", TCP, 1, INFERRED), "ALLOW RULE shop/nets#host" },
	{ CIDRS, IN("10.10.0.1", TCP, 1, INFERRED), "ALLOW RULE shop/nets#hole" },
	{ CIDRS, IN("11.0.0.1", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/nets#" },
	{ CIDRS, IN("shop/ledger@10.77.0.4", TCP, 1, INFERRED), "ALLOW RULE shop/nets#hole" },
	{ CIDRS, IN("ops/admin@10.88.0.2", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/nets#" },
	{ CIDRS, IN("2001:db8::5", TCP, 1, INFERRED), "ALLOW RULE shop/nets#six" },
	{ CIDRS, IN("2001:db8:1::5", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/nets#" },
	{ CIDRS, IN("2001:db9::5", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/nets#" },

	{ NESTED, IN("10.1.2.3", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/nested#" },
	{ NESTED, IN("10.1.3.3", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/nested#" },
	{ NESTED, IN("10.2.2.3", TCP, 1, INFERRED), "ALLOW RULE shop/nested#wide" },
	{ NESTED, IN("10.1.2.3", TCP, 2, INFERRED), "ALLOW RULE shop/nested#inner" },
	{ NESTED, IN("10.1.3.3", TCP, 2, INFERRED), "DENY DEFAULT_DENY shop/nested#" },
	{ NESTED, IN("10.1.2.3", TCP, 3, INFERRED), "ALLOW RULE shop/nested#both" },
	{ NESTED, IN("10.1.3.3", TCP, 3, INFERRED), "DENY DEFAULT_DENY shop/nested#" },
	{ NESTED, IN("10.7.3.3", TCP, 3, INFERRED), "ALLOW RULE shop/nested#both" },

	{ FAMILIES, IN("2001:db8::1", TCP, 1, INFERRED), "ALLOW RULE shop/six#all-six" },
	{ FAMILIES, IN("192.0.2.1", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/six#" },
	{ FAMILIES, IN("192.0.2.1", TCP, 2, INFERRED), "ALLOW RULE shop/six#all-four" },
	{ FAMILIES, IN("2001:db8::1", TCP, 2, INFERRED), "DENY DEFAULT_DENY shop/six#" },

	{ SIX_ONLY, IN("2001:db8::1", TCP, 1, INFERRED), "ALLOW RULE shop/six#all-six" },
	{ SIX_ONLY, IN("192.0.2.1", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/six#" },

	{ ENTITIES, IN("Host", TCP, 1, INFERRED), "ALLOW RULE shop/who##1" },
	{ ENTITIES, IN("World", TCP, 1, INFERRED), "DENY DEFAULT_DENY shop/who#" },
	{ ENTITIES, IN("RemoteNode", TCP, 2, INFERRED), "ALLOW RULE shop/who##2" },
	{ ENTITIES, IN("KubeAPIServer", TCP, 2, INFERRED), "ALLOW RULE shop/who##2" },
	{ ENTITIES, IN("Host", TCP, 2, INFERRED), "DENY DEFAULT_DENY shop/who#" },
	{ ENTITIES, IN("198.51.100.1", TCP, 3, INFERRED), "ALLOW RULE shop/who##3" },
	{ ENTITIES, IN("shop/checkout", TCP, 3, INFERRED), "DENY DEFAULT_DENY shop/who#" },
	{ ENTITIES, IN("Unmanaged", TCP, 4, INFERRED), "ALLOW RULE shop/who##4" },

	{ PORTS, IN("World", TCP, 80, INFERRED), "ALLOW RULE shop/ports#one" },
	{ PORTS, IN("World", UDP, 80, INFERRED), "DENY DEFAULT_DENY shop/ports#" },
	{ PORTS, IN("World", UDP, 100, INFERRED), "ALLOW RULE shop/ports#range" },
	{ PORTS, IN("World", UDP, 200, INFERRED), "ALLOW RULE shop/ports#range" },
	{ PORTS, IN("World", UDP, 201, INFERRED), "DENY DEFAULT_DENY shop/ports#" },
	{ PORTS, IN("World", TCP, 150, INFERRED), "DENY DEFAULT_DENY shop/ports#" },
	{ PORTS, IN("World", SCTP, 65535, INFERRED), "ALLOW RULE shop/ports#all-sctp" },
	{ PORTS, IN("World", TCP, 444, INFERRED), "DENY DEFAULT_DENY shop/ports#" },
	{ PORTS, IN("World", UDP, 444, INFERRED), "ALLOW RULE shop/ports#two" },

	{ NAMED, IN("World", TCP, 8081, INFERRED), "ALLOW RULE shop/named#web" },
	{ NAMED, IN("World", TCP, 8080, INFERRED), "DENY DEFAULT_DENY shop/named#" },
	{ NAMED, IN("World", UDP, 53, INFERRED), "ALLOW RULE shop/named#dns" },
	{ NAMED, IN("World", TCP, 5353, INFERRED), "DENY DEFAULT_DENY shop/named#" },
	{ NAMED, IN("World", UDP, 8081, INFERRED), "DENY DEFAULT_DENY shop/named#" },

	{ NAMED_EACH, IN("World", TCP, 8081, INFERRED), "ALLOW RULE shop/each#web" },
	{ NAMED_EACH, IN("World", TCP, 8080, INFERRED), "DENY DEFAULT_DENY shop/each#" },
	{ NAMED_EACH, { "shop/checkout", CS_INGRESS, "World", IPPROTO_TCP, 8080, INFERRED }, "ALLOW RULE shop/each#web" },
	{ NAMED_EACH, { "shop/checkout", CS_INGRESS, "World", IPPROTO_TCP, 8081, INFERRED }, "DENY DEFAULT_DENY shop/each#" },

	{ NAMED_OUT, OUT("shop/checkout", TCP, 8080, INFERRED), "ALLOW RULE shop/named-out#web" },
	{ NAMED_OUT, OUT("shop/ledger", TCP, 9080, INFERRED), "ALLOW RULE shop/named-out#web" },
	{ NAMED_OUT, OUT("shop/checkout", TCP, 9080, INFERRED), "DENY DEFAULT_DENY shop/named-out#" },
	{ NAMED_OUT, OUT("shop/ledger", TCP, 8080, INFERRED), "DENY DEFAULT_DENY shop/named-out#" },
	{ NAMED_OUT, OUT("lab/checkout", TCP, 8080, INFERRED), "DENY DEFAULT_DENY shop/named-out#" },
	{ NAMED_OUT, OUT("ops/batch", SCTP, 8080, INFERRED), "ALLOW RULE shop/named-out#sctp" },
	{ NAMED_OUT, OUT("shop/checkout", SCTP, 8080, INFERRED), "DENY DEFAULT_DENY shop/named-out#" },
	{ NAMED_OUT, OUT("World", SCTP, 8080, INFERRED), "DENY DEFAULT_DENY shop/named-out#" },

	{ DENY_WINS, IN("shop/checkout", TCP, 1, VERIFIED), "DENY POLICY_DENY shop/a-deny#not-checkout" },
	{ DENY_WINS, IN("shop/checkout", TCP, 99, VERIFIED), "DENY POLICY_DENY shop/a-deny#not-checkout" },
	{ DENY_WINS, IN("shop/checkout", TCP, 100, VERIFIED), "ALLOW RULE shop/b-allow#all" },
	{ DENY_WINS, IN("shop/ledger", TCP, 1, VERIFIED), "ALLOW RULE shop/a-deny#open" },
	{ DENY_WINS, IN("shop/ledger", TCP, 2, VERIFIED), "ALLOW RULE shop/b-allow#all" },

	{ AUTHENTICATION, IN("shop/ledger", TCP, 1, VERIFIED), "ALLOW RULE shop/auth#proved" },
	{ AUTHENTICATION, IN("shop/ledger", TCP, 1, INFERRED), "DENY AUTH_REQUIRED shop/auth#proved" },
	{ AUTHENTICATION, IN("shop/ledger", TCP, 2, INFERRED), "ALLOW RULE shop/auth#either" },
	{ AUTHENTICATION, IN("shop/ledger", TCP, 3, INFERRED), "ALLOW RULE shop/auth#lax" },
	{ AUTHENTICATION, IN("shop/checkout", TCP, 3, INFERRED), "DENY AUTH_REQUIRED shop/auth#strict" },
	{ AUTHENTICATION, IN("shop/checkout", TCP, 4, INFERRED), "DENY DEFAULT_DENY shop/auth#" },

	{ AUDIT_ALONE, IN("shop/checkout", TCP, 2, INFERRED), "ALLOW NOT_ISOLATED" },
	{ AUDIT_ALONE, IN("shop/checkout", TCP, 1, INFERRED), "AUDIT POLICY_DENY shop/trial#bad" },
	{ AUDIT_ALONE, IN("shop/ledger", TCP, 2, INFERRED), "AUDIT DEFAULT_DENY shop/trial#" },
	{ AUDIT_ALONE, IN("shop/ledger", TCP, 7, INFERRED), "AUDIT AUTH_REQUIRED shop/trial#proved" },
	{ AUDIT_ALONE, IN("shop/ledger", TCP, 7, VERIFIED), "ALLOW NOT_ISOLATED" },
	{ AUDIT_ALONE, OUT("shop/ledger", TCP, 2, INFERRED), "ALLOW NOT_ISOLATED" },

	{ AUDIT_BESIDE, IN("World", TCP, 1, INFERRED), "AUDIT POLICY_DENY shop/trial#would-close" },
	{ AUDIT_BESIDE, IN("World", TCP, 2, INFERRED), "ALLOW RULE shop/real#low" },
	{ AUDIT_BESIDE, IN("World", TCP, 9, INFERRED), "DENY DEFAULT_DENY shop/real#" },
	{ AUDIT_BESIDE, OUT("World", TCP, 9, INFERRED), "AUDIT DEFAULT_DENY shop/trial#" },

	{ EXPIRY, IN("World", TCP, 1, AT(BEFORE)), "ALLOW RULE shop/until#soon" },
	{ EXPIRY, IN("World", TCP, 1, AT(AFTER)), "DENY DEFAULT_DENY shop/until#" },
	{ EXPIRY, IN("World", TCP, 2, AT(BEFORE)), "DENY DEFAULT_DENY shop/until#" },
	{ EXPIRY, IN("World", TCP, 3, AT(AFTER)), "ALLOW RULE shop/until#far" },
	{ EXPIRY, IN("World", TCP, 4, AT(BEFORE)), "DENY POLICY_DENY shop/until#deny" },
	{ EXPIRY, IN("World", TCP, 4, AT(AFTER)), "ALLOW RULE shop/until#after" },

	{ EVERYTHING, IN("World", ICMP, 0, INFERRED), "ALLOW RULE shop/open##1" },
	{ EVERYTHING, { "shop/ledger", CS_INGRESS, "Host", IPPROTO_UDP, 1, INFERRED }, "ALLOW RULE shop/open##1" },
	{ EVERYTHING, { "lab/checkout", CS_INGRESS, "Host", IPPROTO_UDP, 1, INFERRED }, "ALLOW NOT_ISOLATED" },
};
/* clang-format on */

ParameterizedTestParameters(policy_flows, verdict)
{
	static size_t index[ARRAY_SIZE(cases)];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, ARRAY_SIZE(cases));
}

ParameterizedTest(const size_t *index, policy_flows, verdict)
{
	const struct flow_case *c = &cases[*index];
	const struct judged *flow = &c->flow;
	struct cs_result result;
	_compiled_ compiled;
	char text[256];

	compiled_init(&compiled);
	compiled_parse(&compiled, "world.yaml", world);
	compiled_must(&compiled, policies[c->group]);
	result = judge(compiled.image, flow);
	result_text(compiled.image, &result, text, sizeof(text));
	cr_assert_str_eq(text, c->expected, "group %d: %s %s %s %u/%u: %s", c->group, flow->subject,
			 flow->direction == CS_INGRESS ? "<-" : "->", flow->peer, flow->protocol,
			 flow->port, text);
}

/* The same manifests in another order and in one file: the same image. */
Test(policy_flows, order_of_files_means_nothing)
{
	for (size_t g = 0; g < ARRAY_SIZE(policies); g++) {
		_compiled_ one, other;

		compiled_init(&one);
		compiled_init(&other);
		compiled_parse(&one, "a.yaml", world);
		compiled_must(&one, policies[g]);
		compiled_parse(&other, "z.yaml", policies[g]);
		compiled_must(&other, world);
		cr_assert_eq(one.image->n_rulesets, other.image->n_rulesets);
		cr_assert_eq(memcmp(one.image->rulesets, other.image->rulesets,
				    one.image->n_rulesets * sizeof(*one.image->rulesets)),
			     0, "group %zu", g);
		cr_assert_eq(memcmp(one.image->bitmaps, other.image->bitmaps,
				    one.image->n_bitmaps * sizeof(*one.image->bitmaps)),
			     0, "group %zu", g);
	}
}
