/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NetworkPolicy: what its text means, trap by trap. The cases follow the API text; what
 * the API server refuses is refused with the same meaning.
 */
#include "test_policy_model.h"

#define NP                                                        \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" \
	"metadata: {name: p, namespace: shop}\n" /* 3 lines */
#define S NP "spec:\n  podSelector: {}\n" /* 5 lines */
#define ALL "Default 500 shop:{*}; "

/* clang-format off: one case, a few lines, the same shape everywhere */
static const struct model_case cases[] = {
	/* policyTypes */
	{ "no policyTypes: ingress", S, ALL "ingress none; egress -" },
	{ "an empty policyTypes is none", S "  policyTypes: []\n", ALL "ingress none; egress -" },
	{ "null is none", S "  policyTypes:\n", ALL "ingress none; egress -" },
	{ "egress too when there is a rule for it", S "  egress: [{}]\n",
	  ALL "ingress none; egress #1 Allow any" },
	{ "an empty list of egress rules is none", S "  egress: []\n",
	  ALL "ingress none; egress -" },
	{ "null egress is none", S "  egress:\n", ALL "ingress none; egress -" },
	{ "egress only, said", S "  policyTypes: [Egress]\n", ALL "ingress -; egress none" },
	{ "egress only, said, with a rule", S "  policyTypes: [Egress]\n  egress: [{}]\n",
	  ALL "ingress -; egress #1 Allow any" },
	{ "both, said", S "  policyTypes: [Ingress, Egress]\n", ALL "ingress none; egress none" },
	{ "rules of a direction that is not said mean nothing",
	  S "  policyTypes: [Ingress]\n  egress: [{}]\n", ALL "ingress none; egress -" },
	{ "nor for ingress", S "  policyTypes: [Egress]\n  ingress: [{}]\n",
	  ALL "ingress -; egress none" },
	{ "a type said twice", S "  policyTypes: [Egress, Egress]\n",
	  ALL "ingress -; egress none" },

	/* rules: none against an empty one */
	{ "null ingress: no rules", S "  ingress:\n", ALL "ingress none; egress -" },
	{ "~ ingress: no rules", S "  ingress: ~\n", ALL "ingress none; egress -" },
	{ "empty ingress: no rules", S "  ingress: []\n", ALL "ingress none; egress -" },
	{ "one empty rule allows all", S "  ingress:\n  - {}\n",
	  ALL "ingress #1 Allow any; egress -" },
	{ "empty from is no from", S "  ingress: [{from: []}]\n",
	  ALL "ingress #1 Allow any; egress -" },
	{ "null from is no from", S "  ingress:\n  - from:\n",
	  ALL "ingress #1 Allow any; egress -" },
	{ "empty ports are no ports", S "  ingress: [{ports: []}]\n",
	  ALL "ingress #1 Allow any; egress -" },
	{ "null ports are no ports", S "  ingress:\n  - ports:\n",
	  ALL "ingress #1 Allow any; egress -" },
	{ "rules have numbers for names", S "  ingress: [{}, {ports: [{port: 1}]}]\n",
	  ALL "ingress #1 Allow any | #2 Allow any at TCP 1; egress -" },
	{ "peers and ports must both match, peers are a union",
	  S "  egress:\n  - to: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}]\n"
	    "    ports: [{port: 80}, {port: 53, protocol: UDP}]\n",
	  ALL "ingress none; egress #1 Allow shop:{*}, 10.0.0.0/8 at TCP 80, UDP 53" },

	/* subject */
	{ "a subject by labels", NP "spec: {podSelector: {matchLabels: {app: a}}}\n",
	  "Default 500 shop:{app In a}; ingress none; egress -" },
	{ "null parts of a selector are none",
	  NP "spec: {podSelector: {matchLabels: , matchExpressions: }}\n",
	  ALL "ingress none; egress -" },
	{ "no podSelector is an empty one", NP "spec: {}\n", ALL "ingress none; egress -" },
	{ "a null one too", NP "spec: {podSelector: }\n", ALL "ingress none; egress -" },
	{ "the namespace default",
	  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
	  "spec: {podSelector: {}}\n",
	  "Default 500 default:{*}; ingress none; egress -" },

	/* peers: nil is not empty */
	{ "podSelector alone: the policy's namespace",
	  S "  ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]\n",
	  ALL "ingress #1 Allow shop:{app In a}; egress -" },
	{ "an empty podSelector alone: all of the policy's namespace",
	  S "  ingress: [{from: [{podSelector: {}}]}]\n",
	  ALL "ingress #1 Allow shop:{*}; egress -" },
	{ "namespaceSelector alone: everything in those namespaces",
	  S "  ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}]}]\n",
	  ALL "ingress #1 Allow {team In x}:{*}; egress -" },
	{ "an empty namespaceSelector alone: every workload",
	  S "  ingress: [{from: [{namespaceSelector: {}}]}]\n",
	  ALL "ingress #1 Allow {*}:{*}; egress -" },
	{ "both in one entry: both must match",
	  S "  ingress:\n  - from:\n    - namespaceSelector: {matchLabels: {team: x}}\n"
	    "      podSelector: {matchLabels: {app: a}}\n",
	  ALL "ingress #1 Allow {team In x}:{app In a}; egress -" },
	{ "in two entries: either",
	  S "  ingress:\n  - from:\n    - namespaceSelector: {matchLabels: {team: x}}\n"
	    "    - podSelector: {matchLabels: {app: a}}\n",
	  ALL "ingress #1 Allow {team In x}:{*}, shop:{app In a}; egress -" },
	{ "a null podSelector is none",
	  S "  ingress: [{from: [{podSelector: , namespaceSelector: {}}]}]\n",
	  ALL "ingress #1 Allow {*}:{*}; egress -" },
	{ "a null namespaceSelector is none",
	  S "  ingress: [{from: [{namespaceSelector: , podSelector: {}}]}]\n",
	  ALL "ingress #1 Allow shop:{*}; egress -" },
	{ "matchExpressions, all operators, with matchLabels",
	  S "  ingress:\n  - from:\n    - podSelector:\n        matchLabels: {a: x}\n"
	    "        matchExpressions:\n"
	    "        - {key: b, operator: In, values: [z, y, z]}\n"
	    "        - {key: c, operator: NotIn, values: [y]}\n"
	    "        - {key: d, operator: Exists}\n"
	    "        - {key: e, operator: DoesNotExist, values: []}\n",
	  ALL
	  "ingress #1 Allow shop:{a In x, b In y|z, c NotIn y, d Exists, e Missing}; egress -" },
	{ "the name label of namespaces",
	  S
	  "  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}}]}]\n",
	  ALL "ingress #1 Allow {kubernetes.io/metadata.name In x}:{*}; egress -" },

	/* ipBlock */
	{ "IPv4 with holes",
	  S
	  "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}}]}]\n",
	  ALL "ingress #1 Allow 10.0.0.0/8 but 10.1.0.0/16|10.2.0.0/16; egress -" },
	{ "IPv6 with a hole",
	  S "  egress: [{to: [{ipBlock: {cidr: \"fd00::/8\", except: [\"fd01::/16\"]}}]}]\n",
	  ALL "ingress none; egress #1 Allow fd00::/8 but fd01::/16" },
	{ "everything of a family", S "  ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]\n",
	  ALL "ingress #1 Allow 0.0.0.0/0; egress -" },
	{ "bits behind the prefix do not count, as in the API",
	  S "  ingress: [{from: [{ipBlock: {cidr: 10.1.2.3/8, except: [10.1.2.3/16]}}]}]\n",
	  ALL "ingress #1 Allow 10.0.0.0/8 but 10.1.0.0/16; egress -" },
	{ "null except is none",
	  S "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: }}]}]\n",
	  ALL "ingress #1 Allow 10.0.0.0/8; egress -" },

	/* ports */
	{ "the protocol is TCP unless said", S "  ingress: [{ports: [{port: 80}]}]\n",
	  ALL "ingress #1 Allow any at TCP 80; egress -" },
	{ "a null protocol is TCP", S "  ingress: [{ports: [{port: 80, protocol: }]}]\n",
	  ALL "ingress #1 Allow any at TCP 80; egress -" },
	{ "a protocol alone is all of it", S "  ingress: [{ports: [{protocol: UDP}]}]\n",
	  ALL "ingress #1 Allow any at UDP *; egress -" },
	{ "an empty entry is all of TCP", S "  ingress: [{ports: [{}]}]\n",
	  ALL "ingress #1 Allow any at TCP *; egress -" },
	{ "SCTP is SCTP", S "  ingress: [{ports: [{port: 80, protocol: SCTP}]}]\n",
	  ALL "ingress #1 Allow any at SCTP 80; egress -" },
	{ "a name has a protocol too", S "  ingress: [{ports: [{port: dns, protocol: UDP}]}]\n",
	  ALL "ingress #1 Allow any at UDP dns; egress -" },
	{ "a name on the way out",
	  S "  egress: [{to: [{podSelector: {}}], ports: [{port: http}]}]\n",
	  ALL "ingress none; egress #1 Allow shop:{*} at TCP http" },
	{ "the API takes a name for addresses; it matches nothing",
	  S "  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: http}]}]\n",
	  ALL "ingress none; egress #1 Allow 10.0.0.0/8 at TCP http" },
	{ "endPort counts", S "  ingress: [{ports: [{port: 80, endPort: 90}]}]\n",
	  ALL "ingress #1 Allow any at TCP 80-90; egress -" },
	{ "a range of one", S "  ingress: [{ports: [{port: 80, endPort: 80}]}]\n",
	  ALL "ingress #1 Allow any at TCP 80; egress -" },
	{ "the whole range is not quite any port",
	  S "  ingress: [{ports: [{port: 1, endPort: 65535}]}]\n",
	  ALL "ingress #1 Allow any at TCP 1-65535; egress -" },
	{ "null endPort is none", S "  ingress: [{ports: [{port: 80, endPort: }]}]\n",
	  ALL "ingress #1 Allow any at TCP 80; egress -" },

	/* what API servers add */
	{ "as kubectl prints it",
	  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n"
	  "  annotations: {kubectl.kubernetes.io/last-applied-configuration: \"{}\"}\n"
	  "  creationTimestamp: null\n  generation: 2\n  name: p\n  namespace: shop\n"
	  "  generateName: p-\n  managedFields:\n  - {manager: kubectl, fieldsV1: {\"f:spec\": {}}}\n"
	  "  ownerReferences: []\n  labels:\n"
	  "  resourceVersion: \"1234\"\n  uid: 1c3e\n"
	  "spec: {podSelector: {}, policyTypes: [Ingress]}\nstatus: {conditions: [{type: Accepted}]}\n",
	  ALL "ingress none; egress -" },
};

static const struct refused_case refused[] = {
	{ NP, "1: spec: is missing" },
	{ NP "spec:\n", "1: spec: is missing" },
	{ NP "spec: {podSelector: []}\n", "4: spec.podSelector: expected a mapping, got a list" },
	{ S "  subject: {}\n",
	  "6: spec.subject: unknown field, expected podSelector, policyTypes, ingress or egress" },
	{ S "  policyTypes: Ingress\n", "6: spec.policyTypes: expected a list, got text" },
	{ S "  policyTypes: [ingress]\n",
	  "6: spec.policyTypes[0]: expected Ingress or Egress, got \"ingress\"" },
	{ S "  policyTypes: [Ingress, Egress, Ingress]\n",
	  "6: spec.policyTypes: 3 policyTypes, at most 2 are allowed: split it" },
	{ S "  ingress: {}\n", "6: spec.ingress: expected a list, got a mapping" },
	{ S "  ingress:\n  -\n",
	  "7: spec.ingress[0]: expected a mapping, got nothing: give it a value or leave the field out" },
	{ S "  ingress: [{to: []}]\n",
	  "6: spec.ingress[0].to: unknown field, expected from or ports" },
	{ S "  egress: [{from: []}]\n",
	  "6: spec.egress[0].from: unknown field, expected to or ports" },
	{ S "  ingress: [{name: x}]\n",
	  "6: spec.ingress[0].name: unknown field, expected from or ports" },
	{ S "  ingress: [{from: [{}]}]\n",
	  "6: spec.ingress[0].from[0]: expected podSelector, namespaceSelector or ipBlock: say who is meant, or leave the list out for anybody" },
	{ S "  ingress: [{from: [{podSelector: }]}]\n",
	  "6: spec.ingress[0].from[0]: expected podSelector, namespaceSelector or ipBlock: say who is meant, or leave the list out for anybody" },
	{ S "  ingress:\n  - from:\n    -\n",
	  "8: spec.ingress[0].from[0]: expected a mapping, got nothing: give it a value or leave the field out" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]\n",
	  "6: spec.ingress[0].from[0]: has ipBlock and a selector: make them peers of their own" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}]}]\n",
	  "6: spec.ingress[0].from[0]: has ipBlock and a selector: make them peers of their own" },
	{ S "  ingress: [{from: [{selector: {}}]}]\n",
	  "6: spec.ingress[0].from[0].selector: unknown field, expected podSelector, namespaceSelector or ipBlock" },
	{ S "  ingress: [{from: [{ipBlock: {}}]}]\n",
	  "6: spec.ingress[0].from[0].ipBlock.cidr: is missing" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.1}}]}]\n",
	  "6: spec.ingress[0].from[0].ipBlock.cidr: \"10.0.0.1\" has no prefix length: a single address is written as 10.0.0.1/32" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: \"fd00::/129\"}}]}]\n",
	  "6: spec.ingress[0].from[0].ipBlock.cidr: \"fd00::/129\" has a prefix length that is not 0 to 128" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]\n",
	  "6: spec.ingress[0].from[0].ipBlock.except[0]: \"11.0.0.0/16\" is not inside the cidr 10.0.0.0/8" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]\n",
	  "6: spec.ingress[0].from[0].ipBlock.except[0]: is the whole cidr 10.0.0.0/8: expected a prefix inside it" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [0.0.0.0/0]}}]}]\n",
	  "6: spec.ingress[0].from[0].ipBlock.except[0]: \"0.0.0.0/0\" is not inside the cidr 10.0.0.0/8" },
	{ S "  ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [\"fd00::/8\"]}}]}]\n",
	  "6: spec.ingress[0].from[0].ipBlock.except[0]: \"fd00::/8\" is not inside the cidr 0.0.0.0/0" },
	{ S "  ingress: [{ports: [{port: 0}]}]\n",
	  "6: spec.ingress[0].ports[0].port: expected a whole number from 1 to 65535, got \"0\"" },
	{ S "  ingress: [{ports: [{port: \"80\"}]}]\n",
	  "6: spec.ingress[0].ports[0].port: \"80\" is no port name: at most 15 of a-z 0-9 - with a letter; a number is written without quotes" },
	{ S "  ingress: [{ports: [{endPort: 80}]}]\n",
	  "6: spec.ingress[0].ports[0].endPort: needs a port number as the range's start in \"port\"" },
	{ S "  ingress: [{ports: [{port: http, endPort: 80}]}]\n",
	  "6: spec.ingress[0].ports[0].endPort: needs a port number as the range's start in \"port\"" },
	{ S "  ingress: [{ports: [{port: 80, endPort: 79}]}]\n",
	  "6: spec.ingress[0].ports[0].endPort: 79 is below the port 80: expected 80 to 65535" },
	{ S "  ingress: [{ports: [{port: 80, protocol: ICMP}]}]\n",
	  "6: spec.ingress[0].ports[0].protocol: expected TCP, UDP or SCTP, got \"ICMP\"" },
	{ S
	  "  ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: In, values: []}]}}]}]\n",
	  "6: spec.ingress[0].from[0].podSelector.matchExpressions[0]: In and NotIn need at least one of values" },
	{ S
	  "  ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: NotIn}]}}]}]\n",
	  "6: spec.ingress[0].from[0].podSelector.matchExpressions[0]: In and NotIn need at least one of values" },
	{ S
	  "  ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: DoesNotExist, values: [x]}]}}]}]\n",
	  "6: spec.ingress[0].from[0].podSelector.matchExpressions[0]: Exists and DoesNotExist take no values" },
	{ S "---\n" S,
	  "7: metadata.name: this NetworkPolicy is given twice, first at test.yaml:1: remove or rename one" },
	{ "apiVersion: networking.k8s.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p}\n",
	  "1: apiVersion: expected networking.k8s.io/v1, got \"networking.k8s.io/v1beta1\"" },
};
/* clang-format on */

Test(policy_network, meaning)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		model_case_holds(&cases[i]);
}

Test(policy_network, refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused_case_holds(&refused[i]);
}

/* Kinds are names of their own: a NetworkPolicy and an IdentityPolicy may share one. */
Test(policy_network, shares_its_name_with_another_kind)
{
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, S "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
			 "metadata: {name: p, namespace: shop}\nspec: {subject: {}}\n");
	cr_assert_eq(c.set->policies.n, 2);
	cr_expect_str_eq(c.set->policies.item[0]->kind, "NetworkPolicy");
	cr_expect_str_eq(c.set->policies.item[1]->kind, "IdentityPolicy");
}
