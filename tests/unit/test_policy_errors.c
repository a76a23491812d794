/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong manifests: each is refused with its line, its field and words that help. */
#include "test_policy.h"

#define W "apiVersion: countersign.dev/v1alpha1\nkind: Workload\n" /* lines 1, 2 */
#define P "apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {name: p}\n"
#define S P "spec:\n  subject: {}\n" /* up to line 5 */
#define META "metadata: {name: w}\n" /* line 3 of a Workload */

struct error_case {
	const char *text;
	unsigned int line;
	const char *field;
	const char *message; /* a part of it */
};

/* clang-format off: one case, a few lines, the same shape everywhere */
static const struct error_case cases[] = {
	/* YAML itself */
	{ "a: [1", 2, "", "is no YAML" },
	{ "a: b\n c: d\n", 2, "", "is no YAML" },
	{ "\tkind: x\n", 1, "", "is no YAML" },
	{ "a: 1\nb: 2\na: 3\n", 3, "", "\"a\" is given twice, first on line 1" },
	{ "a: &x 1\nb: *x\n", 2, "", "aliases (*x) are not supported" },
	{ "a: &x [1]\nb: {<<: *x}\n", 2, "", "aliases" },
	{ "a: !!str 1\n", 1, "", "tags (tag:yaml.org,2002:str) are not supported" },
	{ "a: !thing {}\n", 1, "", "tags (!thing)" },
	{ "[a]: b\n", 1, "", "a key must be text, not a list" },
	{ "? {a: b}\n: c\n", 1, "", "a key must be text, not a mapping" },
	{ "a: \"x\\0y\"\n", 1, "", "NUL" },
	{ "ok: 1\nbad: \xff\xfe\n", 2, "", "is no YAML in UTF-8" },
	{ "a: 1\nb: \x01\n", 2, "", "control characters" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", 1, "",
	  "nested deeper than 32 levels" },

	/* documents */
	{ "just text\n", 1, "", "expected a mapping, got text" },
	{ "- a\n", 1, "", "expected a mapping, got a list" },
	{ "kind: Workload\nmetadata: {name: w}\n", 1, "apiVersion", "is missing" },
	{ "apiVersion: countersign.dev/v1alpha1\nmetadata: {name: w}\n", 1, "kind", "is missing" },
	{ W, 1, "metadata", "is missing" },
	{ W META "extra: 1\n", 4, "extra", "unknown field, expected apiVersion, kind, metadata" },
	{ "apiVersion: v1\nkind: Pod\nmetadata: {name: w}\n", 2, "kind",
	  "expected Workload, IdentityPolicy, " },
	{ "apiVersion: v1\nkind: Workload\nmetadata: {name: w}\n", 1, "apiVersion",
	  "expected countersign.dev/v1alpha1, got \"v1\"" },
	{ "apiVersion: v1\nkind: []\nmetadata: {name: w}\n", 2, "kind", "got a list" },
	{ W META "---\n" W "metadata: {name: x}\nspec: {cgroup: /x}\n", 8, "spec.cgroup",
	  "starts with /" },

	/* metadata */
	{ W "metadata: text\n", 3, "metadata", "expected a mapping, got text" },
	{ W "metadata: {}\n", 3, "metadata.name", "is missing" },
	{ W "metadata: {name: Upper}\n", 3, "metadata.name", "\"Upper\" is no DNS name" },
	{ W "metadata: {name: 12}\n", 3, "metadata.name", "write \"12\"" },
	{ W "metadata: {name: yes}\n", 3, "metadata.name", "truth value" },
	{ W "metadata: {name: }\n", 3, "metadata.name", "got nothing" },
	{ W "metadata: {name: w, namespace: a.b}\n", 3, "metadata.namespace", "is no DNS label" },
	{ W "metadata: {name: w, label: {}}\n", 3, "metadata.label",
	  "unknown field, expected name, namespace, labels" },
	{ W "metadata: {name: w, labels: [a]}\n", 3, "metadata.labels",
	  "expected a mapping of labels, got a list" },
	{ W "metadata:\n  name: w\n  labels:\n    stage: 1\n", 6, "metadata.labels.stage",
	  "write \"1\"" },
	{ W "metadata:\n  name: w\n  labels:\n    a/b/c: x\n", 6, "metadata.labels[\"a/b/c\"]",
	  "is no label key" },
	{ W "metadata: {name: w, labels: {app: \"-x\"}}\n", 3, "metadata.labels.app",
	  "is no label value" },

	/* workloads */
	{ W META "spec: []\n", 4, "spec", "expected a mapping, got a list" },
	{ W META "spec: {image: a}\n", 4, "spec.image",
	  "unknown field, expected serviceAccount, cgroup, systemdUnit, podUID, hostUnit, "
	  "addresses, ports, hostNetwork, node or trustDomain" },
	{ W META "spec: {cgroup: a/../b}\n", 4, "spec.cgroup", "\"..\"" },
	{ W META "spec: {cgroup: a//b}\n", 4, "spec.cgroup", "empty segment" },
	{ W META "spec: {cgroup: a/}\n", 4, "spec.cgroup", "empty segment" },
	{ W META "spec: {cgroup: \"\"}\n", 4, "spec.cgroup", "is empty" },
	{ W META "spec: {cgroup: a, systemdUnit: a.service}\n", 4, "spec",
	  "a workload has one of them" },
	{ W META "spec: {cgroup: a, podUID: a}\n", 4, "spec", "a workload has one of them" },
	{ W META "spec: {hostUnit: a.service}\n", 4, "spec", "has hostUnit and no node" },
	{ W META "spec: {hostUnit: a.service, node: b, serviceAccount: c}\n", 4, "spec",
	  "they follow from it" },
	{ W META "spec: {hostUnit: \"a@b.service\", node: b}\n", 4, "spec.hostUnit",
	  "cannot be in a SPIFFE ID" },
	{ W META "spec: {podUID: a_b}\n", 4, "spec.podUID", "is no pod's uid" },
	{ W META "spec: {systemdUnit: a}\n", 4, "spec.systemdUnit",
	  "has no cgroup: expected a unit that ends in .service" },
	{ W META "spec: {systemdUnit: a/b.service}\n", 4, "spec.systemdUnit",
	  "is no name of a systemd unit" },
	{ W META "spec: {serviceAccount: a_b}\n", 4, "spec.serviceAccount", "is no DNS name" },
	{ W META "spec: {addresses: 10.0.0.1}\n", 4, "spec.addresses",
	  "expected a list, got text" },
	{ W META "spec: {addresses: [10.0.0.1, 10.0.0.256]}\n", 4, "spec.addresses[1]",
	  "is no IP address" },
	{ W META "spec: {addresses: [10.0.0.1/32]}\n", 4, "spec.addresses[0]", "is no IP address" },
	{ W META "spec: {addresses: [\"fe80::x\"]}\n", 4, "spec.addresses[0]",
	  "is no IPv6 address" },
	{ W META "spec: {addresses: [\"::ffff:10.0.0.1\"]}\n", 4, "spec.addresses[0]",
	  "write it as a.b.c.d" },
	{ W META "spec: {addresses: [0.0.0.0]}\n", 4, "spec.addresses[0]", "unspecified" },
	{ W META "spec: {addresses: [224.0.0.1]}\n", 4, "spec.addresses[0]", "multicast" },
	{ W META "spec: {addresses: [\"ff02::1\"]}\n", 4, "spec.addresses[0]", "multicast" },
	{ W META "spec:\n  ports:\n  - name: http\n", 6, "spec.ports[0].port", "is missing" },
	{ W META "spec:\n  ports:\n  - port: 80\n", 6, "spec.ports[0].name", "is missing" },
	{ W META "spec: {ports: [{name: http, port: 0}]}\n", 4, "spec.ports[0].port",
	  "from 1 to 65535, got \"0\"" },
	{ W META "spec: {ports: [{name: http, port: 65536}]}\n", 4, "spec.ports[0].port",
	  "from 1 to 65535, got \"65536\"" },
	{ W META "spec: {ports: [{name: http, port: \"80\"}]}\n", 4, "spec.ports[0].port",
	  "without quotes" },
	{ W META "spec: {ports: [{name: http, port: 0x50}]}\n", 4, "spec.ports[0].port",
	  "a whole number" },
	{ W META "spec: {ports: [{name: HTTP, port: 80}]}\n", 4, "spec.ports[0].name",
	  "is no port name" },
	{ W META "spec: {ports: [{name: much-too-long-name, port: 80}]}\n", 4, "spec.ports[0].name",
	  "at most 15" },
	{ W META "spec: {ports: [{name: http, port: 80, protocol: tcp}]}\n", 4,
	  "spec.ports[0].protocol", "expected TCP, UDP or SCTP, got \"tcp\"" },
	{ W META "spec: {ports: [{name: a, port: 1}, {name: a, port: 2}]}\n", 4, "spec.ports",
	  "given twice for one protocol" },
	{ W META "---\n" W META, 5, "metadata.name", "first at test.yaml:1" },
	{ W META "spec: {cgroup: a}\n---\n" W "metadata: {name: x}\nspec: {cgroup: a}\n", 6,
	  "spec.cgroup", "first at test.yaml:1" },
	{ W META "spec: {systemdUnit: a.service}\n---\n" W
		 "metadata: {name: x}\nspec: {systemdUnit: a.service}\n",
	  6, "spec.systemdUnit", "first at test.yaml:1" },
	{ W META "spec: {podUID: a}\n---\n" W "metadata: {name: x}\nspec: {podUID: a}\n", 6,
	  "spec.podUID", "first at test.yaml:1" },

	/* policies */
	{ P, 1, "spec", "is missing" },
	{ P "spec: {}\n", 4, "spec.subject", "is missing" },
	{ P "spec: {subject: {selector: }}\n", 4, "spec.subject.selector", "got nothing" },
	{ P "spec: {subject: {}, ingres: []}\n", 4, "spec.ingres",
	  "expected subject, tier, priority, mode, rollout, ingress or egress" },
	{ P "spec: {subject: {labels: {}}}\n", 4, "spec.subject.labels", "expected selector" },
	{ P "spec: {subject: {}, mode: audit}\n", 4, "spec.mode",
	  "expected Enforce or Audit, got \"audit\"" },
	{ S "  ingress:\n", 6, "spec.ingress", "leave the field out" },
	{ S "  ingress: {}\n", 6, "spec.ingress", "expected a list, got a mapping" },
	{ S "  ingress: [text]\n", 6, "spec.ingress[0]", "expected a mapping, got text" },
	{ S "  ingress:\n  - action: Reject\n", 7, "spec.ingress[0].action",
	  "expected Allow, Deny or Pass" },
	{ S "  ingress:\n  - to: []\n", 7, "spec.ingress[0].to",
	  "expected name, action, mode, authentication, from, ports, expires, reason, " },
	{ S "  egress:\n  - from: []\n", 7, "spec.egress[0].from",
	  "expected name, action, mode, authentication, to, ports, expires, reason, " },
	{ S "  ingress:\n  - name: \"#1\"\n", 7, "spec.ingress[0].name", "is no rule name" },
	{ S "  ingress:\n  - name: a\n  - name: b\n  - name: a\n", 9, "spec.ingress",
	  "\"a\" is given twice, first on line 7" },
	{ S "  ingress: [{authentication: Always}]\n", 6, "spec.ingress[0].authentication",
	  "expected Required or IfAvailable" },
	{ S "  ingress: [{action: Deny, authentication: Required}]\n", 6, "spec.ingress[0]",
	  "is for Allow" },
	{ S "  ingress: [{expires: tomorrow}]\n", 6, "spec.ingress[0].expires",
	  "is no RFC 3339 time" },
	{ S "  ingress: [{expires: 2026-02-29T00:00:00Z}]\n", 6, "spec.ingress[0].expires",
	  "is no RFC 3339 time" },
	{ S "  ingress: [{expires: 2026-12-31T00:00:00}]\n", 6, "spec.ingress[0].expires",
	  "is no RFC 3339 time" },
	{ P "---\n" P, 1, "spec", "is missing" },
	{ P "spec: {subject: {}}\n---\n" P "spec: {subject: {}}\n", 6, "metadata.name",
	  "first at test.yaml:1" },

	/* selectors */
	{ S "  ingress: [{from: [{selector: {matchLabel: {}}}]}]\n", 6,
	  "spec.ingress[0].from[0].selector.matchLabel",
	  "expected matchLabels or matchExpressions" },
	{ P "spec:\n  subject:\n    selector:\n      matchLabels:\n        app: true\n", 8,
	  "spec.subject.selector.matchLabels.app", "write \"true\"" },
	{ P "spec: {subject: {selector: {matchExpressions: [{key: a}]}}}\n", 4,
	  "spec.subject.selector.matchExpressions[0].operator", "is missing" },
	{ P "spec: {subject: {selector: {matchExpressions: [{key: a, operator: in}]}}}\n", 4,
	  "spec.subject.selector.matchExpressions[0].operator",
	  "expected In, NotIn, Exists or DoesNotExist" },
	{ P "spec: {subject: {selector: {matchExpressions: [{key: a, operator: In}]}}}\n", 4,
	  "spec.subject.selector.matchExpressions[0]", "need at least one of values" },
	{ P
	  "spec: {subject: {selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}}\n",
	  4, "spec.subject.selector.matchExpressions[0]", "take no values" },
	{ P "spec: {subject: {selector: {matchExpressions: [{key: a b, operator: Exists}]}}}\n", 4,
	  "spec.subject.selector.matchExpressions[0].key", "is no label key" },

	/* peers */
	{ S "  ingress: [{from: [{}]}]\n", 6, "spec.ingress[0].from[0]", "say who is meant" },
	{ S "  ingress: [{from: [{entities: [Host], cidrs: [{cidr: 10.0.0.0/8}]}]}]\n", 6,
	  "spec.ingress[0].from[0]", "exactly one of" },
	{ S "  ingress: [{from: [{entities: [Host], selector: {}, namespaceSelector: {}}]}]\n", 6,
	  "spec.ingress[0].from[0]", "got 2" },
	{ S "  ingress: [{from: [{podSelector: {}}]}]\n", 6, "spec.ingress[0].from[0].podSelector",
	  "unknown field" },
	{ S "  ingress: [{from: [{entities: [host]}]}]\n", 6, "spec.ingress[0].from[0].entities[0]",
	  "expected Host, RemoteNode, World, KubeAPIServer or Unmanaged" },
	{ S "  ingress: [{from: [{entities: []}]}]\n", 6, "spec.ingress[0].from[0].entities",
	  "is empty" },
	{ S "  ingress: [{from: [{serviceAccounts: [{namespace: a}]}]}]\n", 6,
	  "spec.ingress[0].from[0].serviceAccounts[0].name", "is missing" },
	{ S "  ingress: [{from: [{serviceAccounts: [checkout]}]}]\n", 6,
	  "spec.ingress[0].from[0].serviceAccounts[0]", "expected a mapping, got text" },
	{ S "  ingress: [{from: [{spiffeIDs: [\"https://example.org/ns/a/sa/b\"]}]}]\n", 6,
	  "spec.ingress[0].from[0].spiffeIDs[0]", "must start with spiffe://" },
	{ S "  ingress: [{from: [{spiffeIDs: [\"spiffe://example.org/ns/**/sa/b\"]}]}]\n", 6,
	  "spec.ingress[0].from[0].spiffeIDs[0]", "\"**\" is not supported" },
	{ S "  ingress: [{from: [{spiffeIDs: [\"spiffe://example.org/ns/a\"]}]}]\n", 6,
	  "spec.ingress[0].from[0].spiffeIDs[0]", "must look like" },
	{ S
	  "  ingress:\n  - from:\n    - entities: [Host]\n    - cidrs:\n      - cidr: 10.0.0.5/8\n",
	  10, "spec.ingress[0].from[1].cidrs[0].cidr", "has bits set behind its prefix" },
	{ S "  ingress: [{from: [{cidrs: [{cidr: 10.0.0.1}]}]}]\n", 6,
	  "spec.ingress[0].from[0].cidrs[0].cidr", "has no prefix length" },
	{ S "  ingress: [{from: [{cidrs: [{cidr: 10.0.0.0/33}]}]}]\n", 6,
	  "spec.ingress[0].from[0].cidrs[0].cidr", "not 0 to 32" },
	{ S "  ingress: [{from: [{cidrs: [{cidr: \"::/129\"}]}]}]\n", 6,
	  "spec.ingress[0].from[0].cidrs[0].cidr", "not 0 to 128" },
	{ S "  ingress: [{from: [{cidrs: [{cidr: 10.0.0.0/08}]}]}]\n", 6,
	  "spec.ingress[0].from[0].cidrs[0].cidr", "not 0 to 32" },
	{ S "  ingress: [{from: [{cidrs: [{cidr: \"::ffff:10.0.0.0/104\"}]}]}]\n", 6,
	  "spec.ingress[0].from[0].cidrs[0].cidr", "write it as a.b.c.d" },
	{ S
	  "  ingress: [{from: [{cidrs: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16, 11.0.0.0/16]}]}]}]\n",
	  6, "spec.ingress[0].from[0].cidrs[0].except[1]", "is not inside the cidr 10.0.0.0/8" },
	{ S "  ingress: [{from: [{cidrs: [{cidr: \"::/0\", except: [10.1.0.0/16]}]}]}]\n", 6,
	  "spec.ingress[0].from[0].cidrs[0].except[0]", "is not inside the cidr ::/0" },
	{ S "  ingress: [{from: [{cidrs: [{except: [10.1.0.0/16]}]}]}]\n", 6,
	  "spec.ingress[0].from[0].cidrs[0].cidr", "is missing" },

	/* ports */
	{ S "  ingress: [{ports: [80]}]\n", 6, "spec.ingress[0].ports[0]",
	  "expected a mapping, got text" },
	{ S "  ingress: [{ports: [{port: 70000}]}]\n", 6, "spec.ingress[0].ports[0].port",
	  "from 1 to 65535, got \"70000\"" },
	{ S "  ingress: [{ports: [{port: -1}]}]\n", 6, "spec.ingress[0].ports[0].port",
	  "from 1 to 65535, got \"-1\"" },
	{ S "  ingress: [{ports: [{port: \"8080\"}]}]\n", 6, "spec.ingress[0].ports[0].port",
	  "a number is written without quotes" },
	{ S "  ingress: [{ports: [{port: [80]}]}]\n", 6, "spec.ingress[0].ports[0].port",
	  "got a list" },
	{ S "  ingress: [{ports: [{port: 80, endPort: 79}]}]\n", 6,
	  "spec.ingress[0].ports[0].endPort", "79 is below the port 80" },
	{ S "  ingress: [{ports: [{endPort: 79}]}]\n", 6, "spec.ingress[0].ports[0].endPort",
	  "needs a port number" },
	{ S "  ingress: [{ports: [{port: http, endPort: 79}]}]\n", 6,
	  "spec.ingress[0].ports[0].endPort", "needs a port number" },
	{ S "  ingress: [{ports: [{port: 80, protocol: ICMP}]}]\n", 6,
	  "spec.ingress[0].ports[0].protocol", "expected TCP, UDP or SCTP" },
	{ S "  egress: [{to: [{cidrs: [{cidr: 10.0.0.0/8}]}], ports: [{port: http}]}]\n", 6,
	  "spec.egress[0]", "a named port means nothing for cidrs and entities" },
	{ S "  egress: [{to: [{entities: [World]}], ports: [{port: http}]}]\n", 6, "spec.egress[0]",
	  "a named port means nothing" },

	/* namespaces */
	{ "apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}\n", 1, "metadata.name",
	  "is no DNS label" },
	{ "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
	  5, "metadata.name", "first at test.yaml:1" },
};
/* clang-format on */

ParameterizedTestParameters(policy_errors, refused)
{
	static size_t index[ARRAY_SIZE(cases)];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, ARRAY_SIZE(cases));
}

ParameterizedTest(const size_t *index, policy_errors, refused)
{
	const struct error_case *c = &cases[*index];
	const struct policy_error *error;
	_compiled_ compiled;

	compiled_init(&compiled);
	compiled_parse(&compiled, "test.yaml", c->text);
	cr_assert_eq(compiled.r, -EBADMSG, "accepted:\n%s", c->text);
	cr_assert_geq(compiled.errors.n, 1);
	error = &compiled.errors.item[0];
	cr_expect_str_eq(error->file, "test.yaml");
	cr_expect_eq(error->line, c->line, "line %u, not %u, for:\n%s%s", error->line, c->line,
		     c->text, error->message);
	cr_expect_str_eq(error->field, c->field, "field %s, for:\n%s%s", error->field, c->text,
			 error->message);
	cr_expect_not_null(strstr(error->message, c->message), "message \"%s\" for:\n%s",
			   error->message, c->text);
}

/* One load tells all that it can. */
Test(policy_errors, several_at_once)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "test.yaml",
		       S "  mode: Never\n  ingress:\n  - action: Maybe\n  - ports: [{port: 0}]\n");
	cr_assert_eq(c.r, -EBADMSG);
	cr_assert_eq(c.errors.n, 3);
	cr_expect_str_eq(c.errors.item[0].field, "spec.mode");
	cr_expect_str_eq(c.errors.item[1].field, "spec.ingress[0].action");
	cr_expect_str_eq(c.errors.item[2].field, "spec.ingress[1].ports[0].port");
}

Test(policy_errors, more_than_are_kept_are_counted)
{
	char text[8192] = W "metadata:\n  name: w\n";
	_compiled_ c;

	for (int i = 0; i < POLICY_ERRORS_MAX + 8; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "  unknown%d: x\n", i);
	compiled_init(&c);
	compiled_parse(&c, "test.yaml", text);
	cr_assert_eq(c.r, -EBADMSG);
	cr_expect_eq(c.errors.n, POLICY_ERRORS_MAX);
	cr_expect_eq(c.errors.total, POLICY_ERRORS_MAX + 8);
}

Test(policy_errors, text_of_an_error)
{
	static struct {
		struct policy_error error;
		const char *text;
	} texts[] = {
		{ { "a.yaml", 3, "spec.x", "is wrong" }, "a.yaml:3: spec.x: is wrong" },
		{ { "a.yaml", 3, "", "is wrong" }, "a.yaml:3: is wrong" },
		{ { "a.yaml", 0, "", "is wrong" }, "a.yaml: is wrong" },
		{ { "", 0, "", "is wrong" }, "is wrong" },
	};

	(void)texts[0].error.message;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *text = policy_error_text(&texts[i].error);

		cr_expect_str_eq(text, texts[i].text);
		free(text);
	}
}

/* What a manifest says must not move a terminal's cursor. */
Test(policy_errors, no_control_characters)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "test.yaml", W "metadata: {name: \"a\\e[2Jb\", \"\\e[1m\": 1}\n");
	cr_assert_eq(c.r, -EBADMSG);
	for (size_t i = 0; i < c.errors.n; i++) {
		cr_expect_null(strchr(c.errors.item[i].message, '\033'));
		cr_expect_null(strchr(c.errors.item[i].field, '\033'));
	}
}

/* Ten lines that would be 10^9 nodes if aliases were followed. */
Test(policy_errors, a_billion_laughs)
{
	char text[1024] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
	_compiled_ c;

	for (int i = 1; i < 10; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "a%d: &a%d [*a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1);
	compiled_init(&c);
	compiled_parse(&c, "test.yaml", text);
	cr_assert_eq(c.r, -EBADMSG);
	cr_expect_eq(c.errors.item[0].line, 2);
}

Test(policy_errors, every_truncation_of_an_example_is_survived)
{
	static const char text[] = S
		"  ingress:\n  - name: x\n    from:\n    - cidrs: [{cidr: "
		"10.0.0.0/8, except: [10.9.0.0/16]}]\n    ports: [{port: 1}]\n";

	for (size_t n = 0; n < sizeof(text); n++) {
		_compiled_ c;

		compiled_init(&c);
		c.r = policy_set_parse(c.set, "cut.yaml", text, n, &c.errors);
		cr_assert(c.r == 0 || (c.r == -EBADMSG && c.errors.total), "%zu bytes: %d", n, c.r);
	}
}

/* One byte changed anywhere: accepted or refused, never a crash; ASan watches. */
Test(policy_errors, every_changed_byte_is_survived)
{
	static const char text[] = S
		"  ingress:\n  - name: x\n    from:\n    - cidrs: [{cidr: "
		"10.0.0.0/8, except: [10.9.0.0/16]}]\n    ports: [{port: 1}]\n";
	static const char bytes[] = "\0\n:-[]{}\"'&*!#%@ \xff\x80"
				    "9";
	char copy[sizeof(text)];

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
			_compiled_ c;

			memcpy(copy, text, sizeof(text));
			copy[i] = bytes[b];
			compiled_init(&c);
			c.r = policy_set_parse(c.set, "x.yaml", copy, sizeof(text) - 1, &c.errors);
			cr_assert(c.r == 0 || (c.r == -EBADMSG && c.errors.total));
		}
	}
}

Test(policy_errors, empty_files_and_documents_are_fine)
{
	static const char *const texts[] = { "",
					     "\n\n",
					     "# nothing\n",
					     "---\n---\n",
					     "---\n# a\n---\n" W META,
					     "\xef\xbb\xbf" W META };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_compiled_ c;

		compiled_init(&c);
		compiled_must(&c, texts[i]);
	}
}
