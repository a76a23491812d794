/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy: what their text
 * means, and what the API's validation refuses.
 */
#include "test_policy_model.h"

#define CNP                                                                           \
	"apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n" \
	"metadata: {name: p}\nspec:\n  tier: Admin\n  priority: 7\n" /* 6 lines */
#define ANP                                                                         \
	"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\n" \
	"metadata: {name: p}\nspec:\n  priority: 7\n" /* 5 lines */
#define BANP                                                                                \
	"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\n" \
	"metadata: {name: default}\nspec:\n" /* 4 lines */
#define SUBJECT "  subject: {namespaces: {}}\n"
#define S CNP SUBJECT /* 7 lines */
#define A ANP SUBJECT /* 6 lines */
#define B BANP SUBJECT /* 5 lines */
#define ALL "Admin 7 pods {*}:{*}; "
#define NO "ingress -; egress -"
#define FROM "from: [{namespaces: {}}]"
#define TO "to: [{namespaces: {}}]"

/* clang-format off: one case, a few lines, the same shape everywhere */
static const struct model_case cases[] = {
	/* subjects: never a hostNetwork workload */
	{ "all namespaces", S, ALL NO },
	{ "some namespaces", CNP "  subject: {namespaces: {matchLabels: {team: x}}}\n",
	  "Admin 7 pods {team In x}:{*}; " NO },
	{ "some pods",
	  CNP
	  "  subject: {pods: {namespaceSelector: {matchLabels: {team: x}}, podSelector: {matchLabels: {app: a}}}}\n",
	  "Admin 7 pods {team In x}:{app In a}; " NO },
	{ "without a namespaceSelector: of every namespace",
	  CNP "  subject: {pods: {podSelector: {}}}\n", ALL NO },
	{ "null namespaces are none", CNP "  subject: {namespaces: , pods: {podSelector: {}}}\n",
	  ALL NO },
	{ "matchExpressions",
	  CNP
	  "  subject: {namespaces: {matchExpressions: [{key: team, operator: NotIn, values: [x]}]}}\n",
	  "Admin 7 pods {team NotIn x}:{*}; " NO },

	/* tiers */
	{ "Baseline",
	  "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"
	  "metadata: {name: p}\nspec: {tier: Baseline, priority: 0, subject: {namespaces: {}}}\n",
	  "Baseline 0 pods {*}:{*}; " NO },
	{ "v1beta1",
	  "apiVersion: policy.networking.k8s.io/v1beta1\nkind: ClusterNetworkPolicy\n"
	  "metadata: {name: p}\nspec: {tier: Admin, priority: 7, subject: {namespaces: {}}}\n",
	  ALL NO },
	{ "AdminNetworkPolicy is Admin", A, ALL NO },
	{ "BaselineAdminNetworkPolicy is Baseline", B, "Baseline 500 pods {*}:{*}; " NO },

	/* no isolation by being there */
	{ "an empty list leaves the direction alone", S "  ingress: []\n  egress: []\n", ALL NO },
	{ "a null list too", S "  ingress:\n  egress:\n", ALL NO },

	/* rules */
	{ "Accept", S "  ingress: [{action: Accept, " FROM "}]\n",
	  ALL "ingress #1 Allow pods {*}:{*}; egress -" },
	{ "Deny", S "  egress: [{action: Deny, " TO "}]\n",
	  ALL "ingress -; egress #1 Deny pods {*}:{*}" },
	{ "Pass", S "  ingress: [{action: Pass, " FROM "}]\n",
	  ALL "ingress #1 Pass pods {*}:{*}; egress -" },
	{ "Allow of the older API", A "  ingress: [{action: Allow, " FROM "}]\n",
	  ALL "ingress #1 Allow pods {*}:{*}; egress -" },
	{ "rules keep their order",
	  S "  ingress: [{name: z, action: Deny, " FROM "}, {name: a, action: Accept, " FROM "}]\n",
	  ALL "ingress z Deny pods {*}:{*} | a Allow pods {*}:{*}; egress -" },

	/* names may be any text */
	{ "made fit", S "  ingress: [{name: \"Allow  DNS (all)\", action: Deny, " FROM "}]\n",
	  ALL "ingress Allow-DNS-all Deny pods {*}:{*}; egress -" },
	{ "twice: with a number",
	  S "  ingress: [{name: a, action: Deny, " FROM "}, {name: a, action: Deny, " FROM "}]\n",
	  ALL "ingress a Deny pods {*}:{*} | a#2 Deny pods {*}:{*}; egress -" },
	{ "twice only when made fit",
	  S "  ingress: [{name: a b, action: Deny, " FROM "}, {name: a+b, action: Deny, " FROM
	    "}]\n",
	  ALL "ingress a-b Deny pods {*}:{*} | a-b#2 Deny pods {*}:{*}; egress -" },
	{ "nothing of it can stay", S "  ingress: [{name: \"++\", action: Deny, " FROM "}]\n",
	  ALL "ingress #1 Deny pods {*}:{*}; egress -" },
	{ "an empty one is none", S "  ingress: [{name: \"\", action: Deny, " FROM "}]\n",
	  ALL "ingress #1 Deny pods {*}:{*}; egress -" },

	/* peers */
	{ "pods",
	  S
	  "  ingress: [{action: Accept, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: a}}}}]}]\n",
	  ALL "ingress #1 Allow pods {*}:{app In a}; egress -" },
	{ "a union of all kinds",
	  S "  egress:\n  - action: Accept\n    to:\n    - namespaces: {matchLabels: {team: x}}\n"
	    "    - pods: {podSelector: {}}\n    - networks: [10.0.0.0/8, \"fd00::/8\"]\n"
	    "    - nodes: {matchLabels: {role: db}}\n    - nodes: {}\n",
	  ALL
	  "ingress -; egress #1 Allow pods {team In x}:{*}, pods {*}:{*}, 10.0.0.0/8, fd00::/8, "
	  "nodes {role In db}, nodes {*}" },
	{ "bits behind the prefix do not count",
	  S "  egress: [{action: Deny, to: [{networks: [10.1.2.3/8]}]}]\n",
	  ALL "ingress -; egress #1 Deny 10.0.0.0/8" },

	/* unknown peers: fail closed */
	{ "Accept matches nothing", S "  ingress: [{action: Accept, from: [{users: {}}]}]\n",
	  ALL "ingress #1 Allow any nobody unknown; egress -" },
	{ "even when others are known",
	  S "  ingress: [{action: Accept, from: [{namespaces: {}}, {users: {}}]}]\n",
	  ALL "ingress #1 Allow pods {*}:{*} nobody unknown; egress -" },
	{ "Deny denies everything",
	  S
	  "  ingress: [{action: Deny, from: [{namespaces: {}}, {users: {}}], protocols: [{tcp: {}}]}]\n",
	  ALL "ingress #1 Deny any unknown; egress -" },
	{ "Pass denies everything",
	  S "  egress: [{action: Pass, to: [{users: {}}], protocols: [{tcp: {}}]}]\n",
	  ALL "ingress -; egress #1 Deny any unknown" },
	{ "no field at all: it was one that the API server dropped",
	  S "  egress: [{action: Pass, to: [{}]}]\n", ALL "ingress -; egress #1 Deny any unknown" },
	{ "nor a null one", S "  egress: [{action: Accept, to: [{namespaces: }]}]\n",
	  ALL "ingress -; egress #1 Allow any nobody unknown" },
	{ "domainNames are unknown: Accept",
	  S "  egress: [{action: Accept, to: [{domainNames: [\"*.example.org\"]}]}]\n",
	  ALL "ingress -; egress #1 Allow any nobody unknown" },
	{ "domainNames are unknown: Deny",
	  S "  egress: [{action: Deny, to: [{domainNames: [\"*.example.org\"]}]}]\n",
	  ALL "ingress -; egress #1 Deny any unknown" },
	{ "networks are no sources",
	  S "  ingress: [{action: Accept, from: [{networks: [10.0.0.0/8]}]}]\n",
	  ALL "ingress #1 Allow any nobody unknown; egress -" },
	{ "nodes are no sources", S "  ingress: [{action: Deny, from: [{nodes: {}}]}]\n",
	  ALL "ingress #1 Deny any unknown; egress -" },
	{ "the older API too", A "  ingress: [{action: Pass, from: [{users: {}}]}]\n",
	  ALL "ingress #1 Deny any unknown; egress -" },
	{ "the Baseline too", B "  ingress: [{action: Allow, from: [{users: {}}]}]\n",
	  "Baseline 500 pods {*}:{*}; ingress #1 Allow any nobody unknown; egress -" },

	/* protocols */
	{ "a number",
	  S "  ingress: [{action: Deny, " FROM
	    ", protocols: [{tcp: {destinationPort: {number: 80}}}]}]\n",
	  ALL "ingress #1 Deny pods {*}:{*} at TCP 80; egress -" },
	{ "a range",
	  S "  ingress: [{action: Deny, " FROM
	    ", protocols: [{udp: {destinationPort: {range: {start: 1, end: 9}}}}]}]\n",
	  ALL "ingress #1 Deny pods {*}:{*} at UDP 1-9; egress -" },
	{ "no port: all of the protocol",
	  S "  ingress: [{action: Deny, " FROM
	    ", protocols: [{sctp: {}}, {tcp: {destinationPort: }}]}]\n",
	  ALL "ingress #1 Deny pods {*}:{*} at SCTP *, TCP *; egress -" },
	{ "a name is of any protocol",
	  S "  ingress: [{action: Deny, " FROM ", protocols: [{destinationNamedPort: http}]}]\n",
	  ALL "ingress #1 Deny pods {*}:{*} at TCP http, UDP http, SCTP http; egress -" },
	{ "null protocols are none: any traffic",
	  S "  ingress:\n  - action: Deny\n    " FROM "\n    protocols:\n",
	  ALL "ingress #1 Deny pods {*}:{*}; egress -" },

	/* ports of the older API */
	{ "portNumber",
	  A "  ingress: [{action: Deny, " FROM
	    ", ports: [{portNumber: {port: 80}}, {portNumber: {port: 53, protocol: UDP}}]}]\n",
	  ALL "ingress #1 Deny pods {*}:{*} at TCP 80, UDP 53; egress -" },
	{ "portRange",
	  A "  egress: [{action: Allow, " TO
	    ", ports: [{portRange: {start: 1, end: 9, protocol: SCTP}}]}]\n",
	  ALL "ingress -; egress #1 Allow pods {*}:{*} at SCTP 1-9" },
	{ "namedPort", B "  ingress: [{action: Allow, " FROM ", ports: [{namedPort: http}]}]\n",
	  "Baseline 500 pods {*}:{*}; ingress #1 Allow pods {*}:{*} at TCP http, UDP http, SCTP http; egress -" },

	/* what API servers add */
	{ "with status", S "status: {conditions: [{type: Realized}]}\n", ALL NO },
};

#define NAMELESS \
	"a named port means nothing for networks, nodes and domainNames: write its number, or make them a rule of their own"

static const struct refused_case refused[] = {
	/* the policy */
	{ "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\n",
	  "1: spec: is missing" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p, namespace: x}\n",
	  "3: metadata.namespace: a ClusterNetworkPolicy has none: leave it out" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\n",
	  "1: apiVersion: expected policy.networking.k8s.io/v1alpha2 or policy.networking.k8s.io/v1beta1, got \"policy.networking.k8s.io/v1alpha1\"" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec: {priority: 1, subject: {namespaces: {}}}\n",
	  "4: spec.tier: is missing" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec: {tier: Admin, subject: {namespaces: {}}}\n",
	  "4: spec.priority: is missing" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec: {tier: Default, priority: 1, subject: {namespaces: {}}}\n",
	  "4: spec.tier: expected Admin or Baseline, got \"Default\"" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\nspec: {tier: Admin, priority: 1001, subject: {namespaces: {}}}\n",
	  "4: spec.priority: expected a whole number from 0 to 1000, got \"1001\"" },
	{ CNP, "5: spec.subject: is missing" },
	{ CNP "  subject: {}\n",
	  "7: spec.subject: expected exactly one of namespaces or pods, got 0" },
	{ CNP "  subject: {namespaces: {}, pods: {podSelector: {}}}\n",
	  "7: spec.subject: expected exactly one of namespaces or pods, got 2" },
	{ CNP "  subject: {users: {}}\n",
	  "7: spec.subject.users: unknown field, expected namespaces or pods" },
	{ CNP "  subject: {pods: {namespaceSelector: {}}}\n",
	  "7: spec.subject.pods.podSelector: is missing" },
	{ S "  policyTypes: [Ingress]\n",
	  "8: spec.policyTypes: unknown field, expected tier, priority, subject, ingress or egress" },
	{ A "  tier: Admin\n",
	  "7: spec.tier: unknown field, expected priority, subject, ingress or egress" },
	{ B "  priority: 1\n",
	  "6: spec.priority: unknown field, expected subject, ingress or egress" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: p}\nspec: {subject: {namespaces: {}}}\n",
	  "1: metadata.name: there is one BaselineAdminNetworkPolicy and its name is \"default\"" },
	{ S "---\n" S,
	  "9: metadata.name: this ClusterNetworkPolicy is given twice, first at test.yaml:1: remove or rename one" },

	/* rules */
	{ S "  ingress: [{" FROM "}]\n", "8: spec.ingress[0].action: is missing" },
	{ S "  ingress: [{action: Allow, " FROM "}]\n",
	  "8: spec.ingress[0].action: expected Accept, Deny or Pass, got \"Allow\"" },
	{ A "  ingress: [{action: Accept, " FROM "}]\n",
	  "7: spec.ingress[0].action: expected Allow, Deny or Pass, got \"Accept\"" },
	{ B "  ingress: [{action: Pass, " FROM "}]\n",
	  "6: spec.ingress[0].action: expected Allow or Deny, got \"Pass\"" },
	{ S "  ingress: [{action: Deny}]\n", "8: spec.ingress[0].from: is missing" },
	{ S "  ingress: [{action: Deny, from: }]\n", "8: spec.ingress[0].from: is missing" },
	{ S "  ingress: [{action: Deny, from: []}]\n",
	  "8: spec.ingress[0].from: is empty: expected peers, or leave the field out" },
	{ S "  egress: [{action: Deny, " FROM "}]\n",
	  "8: spec.egress[0].from: unknown field, expected name, action, to or protocols" },
	{ S "  ingress: [{action: Deny, " FROM ", ports: []}]\n",
	  "8: spec.ingress[0].ports: unknown field, expected name, action, from or protocols" },
	{ A "  ingress: [{action: Deny, " FROM ", protocols: []}]\n",
	  "7: spec.ingress[0].protocols: unknown field, expected name, action, from or ports" },

	/* peers */
	{ S "  ingress: [{action: Deny, from: [namespaces]}]\n",
	  "8: spec.ingress[0].from[0]: expected a mapping, got text" },
	{ S "  ingress: [{action: Deny, from: [{namespaces: {}, pods: {podSelector: {}}}]}]\n",
	  "8: spec.ingress[0].from[0]: expected exactly one of namespaces or pods, got 2" },
	{ S "  ingress: [{action: Deny, from: [{namespaces: {}, users: {}}]}]\n",
	  "8: spec.ingress[0].from[0].users: unknown field, expected namespaces or pods" },
	{ S "  ingress: [{action: Deny, from: [{pods: {podSelector: {}, users: {}}}]}]\n",
	  "8: spec.ingress[0].from[0].pods.users: unknown field, expected namespaceSelector or podSelector" },
	{ S "  egress: [{action: Deny, to: [{networks: []}]}]\n",
	  "8: spec.egress[0].to[0].networks: is empty: expected networks, or leave the field out" },
	{ S "  egress: [{action: Deny, to: [{networks: 10.0.0.0/8}]}]\n",
	  "8: spec.egress[0].to[0].networks: expected a list, got text" },
	{ S "  egress: [{action: Deny, to: [{networks: [10.0.0.0]}]}]\n",
	  "8: spec.egress[0].to[0].networks[0]: \"10.0.0.0\" has no prefix length: a single address is written as 10.0.0.1/32" },

	/* protocols and ports */
	{ S "  ingress: [{action: Deny, " FROM ", protocols: []}]\n",
	  "8: spec.ingress[0].protocols: is empty: expected protocols, or leave the field out" },
	{ S "  ingress: [{action: Deny, " FROM ", protocols: [{}]}]\n",
	  "8: spec.ingress[0].protocols[0]: expected exactly one of tcp, udp, sctp or destinationNamedPort, got 0" },
	{ S "  ingress: [{action: Deny, " FROM ", protocols: [{tcp: }]}]\n",
	  "8: spec.ingress[0].protocols[0]: expected exactly one of tcp, udp, sctp or destinationNamedPort, got 0" },
	{ S "  ingress: [{action: Deny, " FROM ", protocols: [{tcp: {}, udp: {}}]}]\n",
	  "8: spec.ingress[0].protocols[0]: expected exactly one of tcp, udp, sctp or destinationNamedPort, got 2" },
	{ S "  ingress: [{action: Deny, " FROM ", protocols: [{icmp: {}}]}]\n",
	  "8: spec.ingress[0].protocols[0].icmp: unknown field, expected tcp, udp, sctp or destinationNamedPort" },
	{ S "  ingress: [{action: Deny, " FROM ", protocols: [{tcp: {destinationPort: {}}}]}]\n",
	  "8: spec.ingress[0].protocols[0].tcp.destinationPort: expected exactly one of number or range, got 0" },
	{ S "  ingress: [{action: Deny, " FROM
	    ", protocols: [{tcp: {destinationPort: {number: 1, range: {start: 1, end: 2}}}}]}]\n",
	  "8: spec.ingress[0].protocols[0].tcp.destinationPort: expected exactly one of number or range, got 2" },
	{ S "  ingress: [{action: Deny, " FROM
	    ", protocols: [{tcp: {destinationPort: {number: 65536}}}]}]\n",
	  "8: spec.ingress[0].protocols[0].tcp.destinationPort.number: expected a whole number from 1 to 65535, got \"65536\"" },
	{ S "  ingress: [{action: Deny, " FROM
	    ", protocols: [{tcp: {destinationPort: {range: {start: 2, end: 2}}}}]}]\n",
	  "8: spec.ingress[0].protocols[0].tcp.destinationPort.range: the start 2 is not below the end 2: a single port is written as a number" },
	{ S "  ingress: [{action: Deny, " FROM
	    ", protocols: [{tcp: {destinationPort: {range: {start: 2}}}}]}]\n",
	  "8: spec.ingress[0].protocols[0].tcp.destinationPort.range.end: is missing" },
	{ S "  ingress: [{action: Deny, " FROM ", protocols: [{destinationNamedPort: 80}]}]\n",
	  "8: spec.ingress[0].protocols[0].destinationNamedPort: expected a port name, but 80 without quotes is a number or truth value: write \"80\"" },
	{ S
	  "  egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: http}]}]\n",
	  "8: spec.egress[0]: " NAMELESS },
	{ S
	  "  egress: [{action: Deny, to: [{namespaces: {}}, {nodes: {}}], protocols: [{destinationNamedPort: http}]}]\n",
	  "8: spec.egress[0]: " NAMELESS },
	{ S
	  "  egress: [{action: Accept, to: [{domainNames: [a.org]}], protocols: [{destinationNamedPort: http}]}]\n",
	  "8: spec.egress[0]: " NAMELESS },
	{ A
	  "  egress: [{action: Allow, to: [{networks: [10.0.0.0/8]}], ports: [{namedPort: http}]}]\n",
	  "7: spec.egress[0]: " NAMELESS },
	{ A "  egress: [{action: Allow, " TO ", ports: [{portNumber: {protocol: UDP}}]}]\n",
	  "7: spec.egress[0].ports[0].portNumber.port: is missing" },
	{ A "  egress: [{action: Allow, " TO ", ports: [{portRange: {start: 9, end: 1}}]}]\n",
	  "7: spec.egress[0].ports[0].portRange: the start 9 is not below the end 1: a single port is written as a number" },
	{ A "  egress: [{action: Allow, " TO
	    ", ports: [{namedPort: http, portNumber: {port: 1}}]}]\n",
	  "7: spec.egress[0].ports[0]: expected exactly one of portNumber, portRange or namedPort, got 2" },
	{ A "  egress: [{action: Allow, " TO ", ports: [{port: 80}]}]\n",
	  "7: spec.egress[0].ports[0].port: unknown field, expected portNumber, portRange or namedPort" },
};
/* clang-format on */

Test(policy_cluster, meaning)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		model_case_holds(&cases[i]);
}

Test(policy_cluster, refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused_case_holds(&refused[i]);
}

/* @n times @item in a list behind @before. */
static char *many(const char *before, const char *item, size_t n, const char *after)
{
	size_t size = strlen(before) + n * (strlen(item) + 1) + strlen(after) + 1;
	char *text = calloc(1, size);

	cr_assert_not_null(text);
	strcat(text, before);
	for (size_t i = 0; i < n; i++) {
		strcat(text, i ? "," : "");
		strcat(text, item);
	}
	return strcat(text, after);
}

struct limit_case {
	const char *before;
	const char *item;
	size_t max;
	const char *after;
};

/* As many as the API allows, and one more. */
Test(policy_cluster, limits)
{
	static const struct limit_case limits[] = {
		{ S "  ingress: [", "{action: Deny, " FROM "}", 25, "]\n" },
		{ S "  egress: [", "{action: Deny, " TO "}", 25, "]\n" },
		{ S "  ingress: [{action: Deny, from: [", "{namespaces: {}}", 25, "]}]\n" },
		{ S "  egress: [{action: Deny, to: [{networks: [", "10.0.0.0/8", 25, "]}]}]\n" },
		{ S "  ingress: [{action: Deny, " FROM ", protocols: [", "{tcp: {}}", 25, "]}]\n" },
		{ A "  ingress: [", "{action: Deny, " FROM "}", 100, "]\n" },
		{ A "  ingress: [{action: Deny, from: [", "{namespaces: {}}", 100, "]}]\n" },
		{ A "  egress: [{action: Deny, to: [{networks: [", "10.0.0.0/8", 25, "]}]}]\n" },
		{ B "  ingress: [{action: Deny, " FROM ", ports: [", "{namedPort: a}", 100,
		  "]}]\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		for (size_t more = 0; more < 2; more++) {
			const struct limit_case *l = &limits[i];
			_cleanup_free_ char *text =
				many(l->before, l->item, l->max + more, l->after);
			_compiled_ c;

			compiled_init(&c);
			compiled_parse(&c, "test.yaml", text);
			cr_expect_eq(c.r, more ? -EBADMSG : 0, "case %zu, %zu more", i, more);
		}
	}
}

/* A hundred characters, however many bytes. */
Test(policy_cluster, names_have_an_end)
{
	for (size_t n = 100; n <= 101; n++) {
		char text[1024] = S "  ingress: [{" FROM ", action: Deny, name: x";
		_compiled_ c;

		for (size_t i = 1; i < n; i++)
			strcat(text, "\xc3\xa4");
		strcat(text, "}]\n");
		compiled_init(&c);
		compiled_parse(&c, "test.yaml", text);
		cr_expect_eq(c.r, n == 100 ? 0 : -EBADMSG, "%zu characters", n);
	}
}
