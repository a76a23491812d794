/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What NetworkPolicy and ClusterNetworkPolicy mean together: isolation, union, tiers. One
 * world, one policy set per group, one verdict per case, from manifests to explain.
 */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define NP "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
#define CNP "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"
#define NODE "---\napiVersion: v1\nkind: Node\n"

/* clang-format off: manifests, and one case a line */
static const char world[] = WORKLOAD
	"metadata: {name: a, namespace: x, labels: {pod: a}}\n"
	"spec: {serviceAccount: a, addresses: [10.1.0.1, \"fd01::1\"], ports: [{name: web, port: 80}]}\n" WORKLOAD
	"metadata: {name: b, namespace: x, labels: {pod: b}}\n"
	"spec: {serviceAccount: b, addresses: [10.1.0.2, \"fd01::2\"], ports: [{name: web, port: 8080}, {name: web, port: 53, protocol: UDP}]}\n" WORKLOAD
	"metadata: {name: a, namespace: y, labels: {pod: a}}\n"
	"spec: {serviceAccount: a, addresses: [10.2.0.1, \"fd02::1\"]}\n" WORKLOAD
	"metadata: {name: b, namespace: y, labels: {pod: b}}\n"
	"spec: {serviceAccount: b, addresses: [10.2.0.2, \"fd02::2\"], ports: [{name: web, port: 9090}]}\n" WORKLOAD
	"metadata: {name: h, namespace: x, labels: {pod: h}}\nspec: {serviceAccount: h, hostNetwork: true}\n"
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: x, labels: {team: one}}\n"
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: y, labels: {team: two}}\n" NODE
	"metadata: {name: n1, labels: {zone: one}}\n"
	"status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: InternalIP, address: \"2001:db8::1\"}]}\n" NODE
	"metadata: {name: n2, labels: {zone: two}}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.2}]}\n";

#define ON(pod) "{matchLabels: {pod: " pod "}}"
#define ALL_OF_X "subject: {namespaces: {matchLabels: {team: one}}}"

enum group {
	NOTHING,
	CLOSED_IN,
	CLOSED_OUT,
	DEFAULT_TYPES,
	UNION,
	EMPTY_RULE,
	PEERS,
	PORTS,
	NAMED,
	NAMED_OUT,
	EXCEPT,
	TIERS,
	PASS,
	BASELINE,
	BASELINE_DEFAULT,
	EQUAL,
	ORDER,
	HOSTS,
	HOST_SUBJECT,
	NODES,
	NETWORKS,
	CNP_NAMED,
	UNKNOWN,
	NO_MATCH,
	SUBJECT_PODS,
};

static const char *const policies[] = {
	[NOTHING] = "",
	[CLOSED_IN] = NP "metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
		"a") ", policyTypes: [Ingress]}\n",
	[CLOSED_OUT] = NP "metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
		"a") ", policyTypes: [Egress]}\n",
	[DEFAULT_TYPES] = NP "metadata: {name: p, namespace: x}\nspec: {podSelector: {}}\n",
	[UNION] = NP
	"metadata: {name: p, namespace: x}\nspec: {podSelector: {}, ingress: [{from: [{podSelector: " ON(
		"b") "}], ports: [{port: 80}]}]}\n" NP
		     "metadata: {name: q, namespace: x}\nspec: {podSelector: " ON(
			     "a") ", ingress: [{from: [{namespaceSelector: {matchLabels: {team: two}}}], ports: [{port: 81}]}]}\n",
	[EMPTY_RULE] = NP
	"metadata: {name: p, namespace: x}\nspec: {podSelector: {}, ingress: [{}]}\n",
	[PEERS] = NP "metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
		"a") ", ingress: [\n"
		     "{from: [{podSelector: " ON(
			     "b") "}], ports: [{port: 1}]},\n"
				  "{from: [{namespaceSelector: {}}], ports: [{port: 2}]},\n"
				  "{from: [{namespaceSelector: {matchLabels: {team: two}}, podSelector: " ON(
					  "b") "}], ports: [{port: 3}]},\n"
					       "{from: [{namespaceSelector: {matchLabels: {team: two}}}, {podSelector: " ON(
						       "b") "}], ports: [{port: 4}]},\n"
							    "{from: [{podSelector: {matchExpressions: [{key: none, operator: NotIn, values: [z]}]}}], ports: [{port: 5}]},\n"
							    "{from: [], ports: [{port: 6}]}]}\n",
	[PORTS] = NP "metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
		"a") ", ingress: [\n"
		     "{ports: [{port: 80}, {protocol: SCTP, port: 81}, {protocol: UDP, port: 100, endPort: 200}]}]}\n",
	[NAMED] = NP
	"metadata: {name: p, namespace: x}\nspec: {podSelector: {}, ingress: [{ports: [{port: web}, {port: web, protocol: UDP}]}]}\n",
	[NAMED_OUT] = NP "metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
		"a") ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: web}]}]}\n",
	[EXCEPT] = NP "metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
		"a") ", ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.0/16]}}]}]}\n" NP
		     "metadata: {name: q, namespace: x}\nspec: {podSelector: " ON(
			     "a") ", ingress: [{from: [{ipBlock: {cidr: 10.2.0.2/32}}]}]}\n",
	[TIERS] = CNP
	"metadata: {name: top}\nspec: {tier: Admin, priority: 1, " ALL_OF_X ", ingress: [\n"
	"{name: refuse, action: Deny, from: [{namespaces: {matchLabels: {team: two}}}], protocols: [{tcp: {destinationPort: {number: 80}}}]},\n"
	"{name: admit, action: Accept, from: [{namespaces: {matchLabels: {team: two}}}], protocols: [{tcp: {destinationPort: {number: 81}}}]}]}\n" NP
	"metadata: {name: p, namespace: x}\nspec: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 82}]}]}\n",
	[PASS] = CNP
	"metadata: {name: first}\nspec: {tier: Admin, priority: 1, " ALL_OF_X
	", ingress: [{action: Pass, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}\n" CNP
	"metadata: {name: second}\nspec: {tier: Admin, priority: 2, " ALL_OF_X
	", ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n" CNP
	"metadata: {name: low}\nspec: {tier: Baseline, priority: 1, subject: {pods: {namespaceSelector: {}, podSelector: " ON(
		"b") "}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n" NP
		     "metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
			     "a") ", ingress: [{from: [{podSelector: {}}]}]}\n",
	[BASELINE] = CNP
	"metadata: {name: low}\nspec: {tier: Baseline, priority: 1, " ALL_OF_X
	", ingress: [{name: out, action: Deny, from: [{namespaces: {}}]}], egress: [{name: shut, action: Deny, to: [{namespaces: {}}]}]}\n" NP
	"metadata: {name: p, namespace: x}\nspec: {podSelector: " ON(
		"a") ", ingress: [{ports: [{port: 80}]}]}\n",
	[BASELINE_DEFAULT] = CNP
	"metadata: {name: low}\nspec: {tier: Baseline, priority: 1, " ALL_OF_X ", ingress: [\n"
	"{action: Pass, from: [{namespaces: {matchLabels: {team: two}}}]},\n"
	"{action: Deny, from: [{namespaces: {}}]}]}\n",
	[EQUAL] = CNP
	"metadata: {name: b-deny}\nspec: {tier: Admin, priority: 5, " ALL_OF_X
	", ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n" CNP
	"metadata: {name: a-accept}\nspec: {tier: Admin, priority: 5, " ALL_OF_X
	", ingress: [{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}\n",
	[ORDER] = CNP
	"metadata: {name: late}\nspec: {tier: Admin, priority: 9, " ALL_OF_X
	", ingress: [{action: Accept, from: [{namespaces: {}}]}]}\n" CNP
	"metadata: {name: soon}\nspec: {tier: Admin, priority: 8, " ALL_OF_X ", ingress: [\n"
	"{action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]},\n"
	"{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 90}}}}]}]}\n",
	[HOSTS] = CNP
	"metadata: {name: top}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n",
	[HOST_SUBJECT] = NP
	"metadata: {name: p, namespace: x}\nspec: {podSelector: {}, ingress: [{from: [{podSelector: " ON(
		"h") "}]}]}\n",
	[NODES] = CNP "metadata: {name: top}\nspec: {tier: Admin, priority: 1, " ALL_OF_X
		      ", egress: [\n"
		      "{action: Deny, to: [{nodes: {matchLabels: {zone: one}}}]}]}\n",
	[NETWORKS] = CNP
	"metadata: {name: top}\nspec: {tier: Admin, priority: 1, " ALL_OF_X
	", egress: [{action: Deny, to: [{networks: [10.2.0.0/24, \"fd02::/64\"]}]}]}\n",
	[CNP_NAMED] = CNP
	"metadata: {name: top}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [\n"
	"{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: web}]}], egress: [\n"
	"{action: Deny, to: [{namespaces: {matchLabels: {team: two}}}], protocols: [{destinationNamedPort: web}]}]}\n",
	[UNKNOWN] = CNP
	"metadata: {name: top}\nspec: {tier: Admin, priority: 1, " ALL_OF_X ", egress: [\n"
	"{name: open, action: Accept, to: [{domainNames: [example.org]}]},\n"
	"{name: shut, action: Pass, to: [{future: {}}], protocols: [{udp: {destinationPort: {number: 1}}}]}]}\n",
	[NO_MATCH] = NP
	"metadata: {name: p, namespace: x}\nspec: {podSelector: " ON("a") ", ingress: [{from: [{podSelector: " ON(
		"nobody") "}]}, {from: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 9}]}]}\n",
	[SUBJECT_PODS] = CNP
	"metadata: {name: top}\nspec: {tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: two}}, podSelector: " ON(
		"a") "}}, ingress: [{action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: " ON("b") "}}]}]}\n",
};

struct meaning {
	enum group group;
	enum cs_direction direction;
	const char *from, *to;
	uint8_t protocol;
	uint16_t port;
	uint8_t family;
	const char *expected;
};

#define IN(from, to, proto, port) CS_INGRESS, (from), (to), IPPROTO_##proto, (port), 0
#define OUT(from, to, proto, port) CS_EGRESS, (from), (to), IPPROTO_##proto, (port), 0
#define OUT6(from, to, proto, port) CS_EGRESS, (from), (to), IPPROTO_##proto, (port), 6

static const struct meaning cases[] = {
	/* not isolated: all allowed */
	{ NOTHING, IN("y/a", "x/a", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ NOTHING, OUT("x/a", "World", UDP, 53), "ALLOW NOT_ISOLATED" },
	/* isolated per direction */
	{ CLOSED_IN, IN("x/b", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ CLOSED_IN, IN("World", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ CLOSED_IN, OUT("x/a", "x/b", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ CLOSED_IN, IN("x/a", "x/b", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ CLOSED_IN, IN("x/b", "y/a", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ CLOSED_OUT, OUT("x/a", "x/b", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ CLOSED_OUT, IN("x/b", "x/a", TCP, 80), "ALLOW NOT_ISOLATED" },
	/* without policyTypes and egress: ingress alone */
	{ DEFAULT_TYPES, IN("x/b", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ DEFAULT_TYPES, OUT("x/a", "x/b", TCP, 80), "ALLOW NOT_ISOLATED" },
	/* union of all rules of all policies */
	{ UNION, IN("x/b", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ UNION, IN("y/b", "x/a", TCP, 81), "ALLOW RULE x/q##1" },
	{ UNION, IN("y/b", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ UNION, IN("y/b", "x/b", TCP, 81), "DENY DEFAULT_DENY x/p#" },
	{ EMPTY_RULE, IN("World", "x/a", ICMP, 0), "ALLOW RULE x/p##1" },
	/* peers */
	{ PEERS, IN("x/b", "x/a", TCP, 1), "ALLOW RULE x/p##1" },
	{ PEERS, IN("y/b", "x/a", TCP, 1), "DENY DEFAULT_DENY x/p#" },
	{ PEERS, IN("y/a", "x/a", TCP, 2), "ALLOW RULE x/p##2" },
	{ PEERS, IN("World", "x/a", TCP, 2), "DENY DEFAULT_DENY x/p#" },
	{ PEERS, IN("y/b", "x/a", TCP, 3), "ALLOW RULE x/p##3" },
	{ PEERS, IN("y/a", "x/a", TCP, 3), "DENY DEFAULT_DENY x/p#" },
	{ PEERS, IN("x/b", "x/a", TCP, 3), "DENY DEFAULT_DENY x/p#" },
	{ PEERS, IN("y/a", "x/a", TCP, 4), "ALLOW RULE x/p##4" },
	{ PEERS, IN("x/b", "x/a", TCP, 4), "ALLOW RULE x/p##4" },
	{ PEERS, IN("x/b", "x/a", TCP, 5), "ALLOW RULE x/p##5" },
	{ PEERS, IN("World", "x/a", TCP, 6), "ALLOW RULE x/p##6" },
	/* protocols are told apart */
	{ PORTS, IN("World", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ PORTS, IN("World", "x/a", SCTP, 80), "DENY DEFAULT_DENY x/p#" },
	{ PORTS, IN("World", "x/a", SCTP, 81), "ALLOW RULE x/p##1" },
	{ PORTS, IN("World", "x/a", TCP, 81), "DENY DEFAULT_DENY x/p#" },
	{ PORTS, IN("World", "x/a", UDP, 100), "ALLOW RULE x/p##1" },
	{ PORTS, IN("World", "x/a", UDP, 200), "ALLOW RULE x/p##1" },
	{ PORTS, IN("World", "x/a", UDP, 201), "DENY DEFAULT_DENY x/p#" },
	{ PORTS, IN("World", "x/a", TCP, 150), "DENY DEFAULT_DENY x/p#" },
	/* a name is the destination's, with the protocol */
	{ NAMED, IN("y/a", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ NAMED, IN("y/a", "x/b", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ NAMED, IN("y/a", "x/b", TCP, 8080), "ALLOW RULE x/p##1" },
	{ NAMED, IN("y/a", "x/b", UDP, 53), "ALLOW RULE x/p##1" },
	{ NAMED, IN("y/a", "x/a", UDP, 53), "DENY DEFAULT_DENY x/p#" },
	{ NAMED_OUT, OUT("x/a", "x/b", TCP, 8080), "ALLOW RULE x/p##1" },
	{ NAMED_OUT, OUT("x/a", "y/b", TCP, 9090), "ALLOW RULE x/p##1" },
	{ NAMED_OUT, OUT("x/a", "y/b", TCP, 8080), "DENY DEFAULT_DENY x/p#" },
	{ NAMED_OUT, OUT("x/a", "x/b", UDP, 53), "DENY DEFAULT_DENY x/p#" },
	/* ipBlock: workloads' addresses too; a hole is re-allowed elsewhere */
	{ EXCEPT, IN("x/b", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ EXCEPT, IN("y/a", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ EXCEPT, IN("y/b", "x/a", TCP, 80), "ALLOW RULE x/q##1" },
	{ EXCEPT, IN("10.9.9.9", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ EXCEPT, IN("11.0.0.1", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	/* Admin comes first, unmatched falls through, NetworkPolicy decides the rest */
	{ TIERS, IN("y/a", "x/a", TCP, 80), "DENY POLICY_DENY /top#refuse" },
	{ TIERS, IN("y/a", "x/a", TCP, 81), "ALLOW RULE /top#admit" },
	{ TIERS, IN("x/b", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ TIERS, IN("x/b", "x/a", TCP, 81), "DENY DEFAULT_DENY x/p#" },
	{ TIERS, IN("World", "x/a", TCP, 82), "ALLOW RULE x/p##1" },
	{ TIERS, OUT("x/a", "y/a", TCP, 80), "ALLOW NOT_ISOLATED" },
	/* Pass skips the rest of the tier */
	{ PASS, IN("x/b", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ PASS, IN("y/b", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ PASS, IN("x/b", "x/a", TCP, 81), "DENY POLICY_DENY /second##1" },
	{ PASS, IN("x/a", "x/b", TCP, 80), "DENY POLICY_DENY /low##1" },
	/* NetworkPolicy makes a final decision, in the direction that it isolates */
	{ BASELINE, IN("y/a", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ BASELINE, IN("World", "x/a", TCP, 81), "DENY DEFAULT_DENY x/p#" },
	{ BASELINE, IN("y/a", "x/a", TCP, 81), "DENY DEFAULT_DENY x/p#" },
	{ BASELINE, OUT("x/a", "y/a", TCP, 80), "DENY POLICY_DENY /low#shut" },
	{ BASELINE, IN("y/a", "x/b", TCP, 80), "DENY POLICY_DENY /low#out" },
	{ BASELINE, IN("World", "x/b", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ BASELINE_DEFAULT, IN("y/a", "x/b", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ BASELINE_DEFAULT, IN("x/a", "x/b", TCP, 80), "DENY POLICY_DENY /low##2" },
	/* equal priorities go by name; lower ones first; rules top-down */
	{ EQUAL, IN("y/a", "x/a", TCP, 80), "ALLOW RULE /a-accept##1" },
	{ EQUAL, IN("y/a", "x/a", TCP, 81), "DENY POLICY_DENY /b-deny##1" },
	{ ORDER, IN("y/a", "x/a", TCP, 80), "ALLOW RULE /soon##1" },
	{ ORDER, IN("y/a", "x/a", TCP, 90), "DENY POLICY_DENY /soon##2" },
	{ ORDER, IN("y/a", "x/a", TCP, 91), "ALLOW RULE /late##1" },
	/* hostNetwork: never of ClusterNetworkPolicy, always of NetworkPolicy */
	{ HOSTS, IN("x/b", "x/a", TCP, 80), "DENY POLICY_DENY /top##1" },
	{ HOSTS, IN("x/h", "x/a", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ HOSTS, IN("x/a", "x/h", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ HOST_SUBJECT, IN("x/h", "x/a", TCP, 80), "ALLOW RULE x/p##1" },
	{ HOST_SUBJECT, IN("x/b", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ HOST_SUBJECT, IN("x/b", "x/h", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ HOST_SUBJECT, IN("Host", "x/h", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	/* the own node always, remote ones not */
	{ CLOSED_IN, IN("Host", "x/a", TCP, 80), "ALLOW OWN_NODE" },
	{ CLOSED_OUT, OUT("x/a", "Host", TCP, 80), "ALLOW OWN_NODE" },
	{ CLOSED_IN, IN("RemoteNode", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ CLOSED_IN, IN("192.0.2.1", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ CLOSED_IN, IN("x/a", "x/a", TCP, 80), "ALLOW SELF" },
	/* nodes by the addresses of those that match */
	{ NODES, OUT("x/a", "192.0.2.1", TCP, 10250), "DENY POLICY_DENY /top##1" },
	{ NODES, OUT("x/a", "2001:db8::1", UDP, 1), "DENY POLICY_DENY /top##1" },
	{ NODES, OUT("x/a", "192.0.2.2", TCP, 10250), "ALLOW NOT_ISOLATED" },
	/* networks match addresses of workloads, each family its own */
	{ NETWORKS, OUT("x/a", "y/a", TCP, 80), "DENY POLICY_DENY /top##1" },
	{ NETWORKS, OUT6("x/a", "y/a", TCP, 80), "DENY POLICY_DENY /top##1" },
	{ NETWORKS, OUT("x/a", "x/b", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ NETWORKS, OUT("x/a", "10.2.0.9", UDP, 80), "DENY POLICY_DENY /top##1" },
	/* a named port of any protocol */
	{ CNP_NAMED, IN("x/a", "x/b", TCP, 8080), "DENY POLICY_DENY /top##1" },
	{ CNP_NAMED, IN("x/a", "x/b", UDP, 53), "DENY POLICY_DENY /top##1" },
	{ CNP_NAMED, IN("x/a", "x/b", SCTP, 8080), "ALLOW NOT_ISOLATED" },
	{ CNP_NAMED, OUT("x/a", "y/b", TCP, 9090), "DENY POLICY_DENY /top##1" },
	{ CNP_NAMED, OUT("x/a", "x/b", TCP, 8080), "ALLOW NOT_ISOLATED" },
	/* unknown peers: Accept matches nothing, all else denies everything */
	{ UNKNOWN, OUT("x/a", "World", TCP, 443), "DENY POLICY_DENY /top#shut" },
	{ UNKNOWN, OUT("x/a", "y/a", UDP, 2), "DENY POLICY_DENY /top#shut" },
	{ UNKNOWN, IN("y/a", "x/a", UDP, 2), "ALLOW NOT_ISOLATED" },
	/* peers that match nobody match nobody, known or not */
	{ NO_MATCH, IN("x/b", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ NO_MATCH, IN("World", "x/a", TCP, 80), "DENY DEFAULT_DENY x/p#" },
	{ NO_MATCH, IN("World", "x/a", TCP, 9), "DENY DEFAULT_DENY x/p#" },
	/* subjects by pods, in any namespace that matches */
	{ SUBJECT_PODS, IN("x/b", "y/a", TCP, 80), "DENY POLICY_DENY /top##1" },
	{ SUBJECT_PODS, IN("x/a", "y/a", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ SUBJECT_PODS, IN("x/b", "y/b", TCP, 80), "ALLOW NOT_ISOLATED" },
	{ SUBJECT_PODS, IN("y/b", "x/a", TCP, 80), "ALLOW NOT_ISOLATED" },
};
/* clang-format on */

ParameterizedTestParameters(policy_meaning, verdict)
{
	static size_t index[ARRAY_SIZE(cases)];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, ARRAY_SIZE(cases));
}

ParameterizedTest(const size_t *index, policy_meaning, verdict)
{
	const struct meaning *m = &cases[*index];
	struct policy_explanation both[CS_DIRECTIONS];
	_compiled_ c;
	char text[256];

	compiled_init(&c);
	c.options.every_subject = true;
	compiled_parse(&c, "world.yaml", world);
	compiled_must(&c, policies[m->group]);
	cr_assert_eq(policy_explain(c.image,
				    &(struct policy_flow){ .from = m->from,
							   .to = m->to,
							   .port = m->port,
							   .protocol = m->protocol,
							   .family = m->family,
							   .authenticated = true,
							   .boottime_ns = 1 },
				    both),
		     0);
	cr_expect(both[m->direction].known);
	result_text(c.image, &both[m->direction].result, text, sizeof(text));
	cr_expect_str_eq(text, m->expected, "group %d, %s -> %s %u/%u: %s", m->group, m->from,
			 m->to, m->protocol, m->port, text);
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&both[d]);
}

/* Both sides must allow; a side that is nobody's here lets pass. */
Test(policy_meaning, both_sides)
{
	static const struct {
		enum group group;
		const char *from, *to;
		uint8_t verdict, direction;
	} sides[] = {
		{ CLOSED_IN, "x/b", "x/a", CS_VERDICT_DENY, CS_INGRESS },
		{ CLOSED_OUT, "x/a", "x/b", CS_VERDICT_DENY, CS_EGRESS },
		{ CLOSED_OUT, "x/b", "x/a", CS_VERDICT_ALLOW, CS_EGRESS },
		{ NOTHING, "World", "192.0.2.1", CS_VERDICT_ALLOW, CS_INGRESS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		struct policy_judgement judgement;
		_compiled_ c;

		compiled_init(&c);
		c.options.every_subject = true;
		compiled_parse(&c, "world.yaml", world);
		compiled_must(&c, policies[sides[i].group]);
		cr_assert_eq(policy_judge(c.image,
					  &(struct policy_flow){ .from = sides[i].from,
								 .to = sides[i].to,
								 .port = 80,
								 .protocol = IPPROTO_TCP },
					  &judgement),
			     0);
		cr_expect_eq(judgement.result.verdict, sides[i].verdict, "case %zu", i);
		if (sides[i].verdict == CS_VERDICT_DENY)
			cr_expect_eq(judgement.direction, sides[i].direction, "case %zu", i);
	}
}
