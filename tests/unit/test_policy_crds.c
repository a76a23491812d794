/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas in policy/crds know the same fields and words as the parsers. The parsers are
 * asked: each names all that it knows when it meets something that it does not know.
 */
#include <fcntl.h>

#include "test_policy.h"
#include "user/base/file.h"
#include "user/policy/yaml.h"

#define CRD_MAX 262144
#define NAMES_MAX 1024

/* What a place in a document may hold, and where its schema is. */
struct schema_case {
	const char *crd; /* file */
	const char *path; /* below the schema of spec, "" for itself */
	const char *kind;
	const char *spec; /* with something unknown in that place */
	bool values; /* the words of an enum, else the names of fields */
};

#define RULE(text) "{subject: {}, ingress: [" text "]}"
#define CASE(text) "{cases: [" text "]}"
#define POLICIES(path, text, values)                                                   \
	{ "identitypolicies", path, "IdentityPolicy", text, values },                  \
	{                                                                              \
		"clusteridentitypolicies", path, "ClusterIdentityPolicy", text, values \
	}

static const struct schema_case cases[] = {
	POLICIES("", "{\"?\": 1}", false),
	POLICIES("tier", "{tier: \"?\"}", true),
	POLICIES("mode", "{mode: \"?\"}", true),
	POLICIES("rollout", "{rollout: {\"?\": 1}}", false),
	POLICIES("subject", "{subject: {\"?\": 1}}", false),
	POLICIES("ingress.items", RULE("{\"?\": 1}"), false),
	POLICIES("egress.items", "{subject: {}, egress: [{\"?\": 1}]}", false),
	POLICIES("ingress.items.action", RULE("{action: \"?\"}"), true),
	POLICIES("ingress.items.mode", RULE("{mode: \"?\"}"), true),
	POLICIES("ingress.items.authentication", RULE("{authentication: \"?\"}"), true),
	POLICIES("ingress.items.from.items", RULE("{from: [{\"?\": 1}]}"), false),
	POLICIES("ingress.items.from.items.entities.items", RULE("{from: [{entities: [\"?\"]}]}"),
		 true),
	POLICIES("ingress.items.from.items.cidrs.items", RULE("{from: [{cidrs: [{\"?\": 1}]}]}"),
		 false),
	POLICIES("ingress.items.from.items.serviceAccounts.items",
		 RULE("{from: [{serviceAccounts: [{\"?\": 1}]}]}"), false),
	POLICIES("ingress.items.from.items.selector", RULE("{from: [{selector: {\"?\": 1}}]}"),
		 false),
	POLICIES("ingress.items.from.items.selector.matchExpressions.items",
		 RULE("{from: [{selector: {matchExpressions: [{\"?\": 1}]}}]}"), false),
	POLICIES("ingress.items.from.items.selector.matchExpressions.items.operator",
		 RULE("{from: [{selector: {matchExpressions: [{key: a, operator: \"?\"}]}}]}"),
		 true),
	POLICIES("ingress.items.ports.items", RULE("{ports: [{\"?\": 1}]}"), false),
	POLICIES("ingress.items.ports.items.protocol", RULE("{ports: [{protocol: \"?\"}]}"), true),
	{ "workloads", "", "Workload", "{\"?\": 1}", false },
	{ "workloads", "ports.items", "Workload", "{ports: [{\"?\": 1}]}", false },
	{ "workloads", "ports.items.protocol", "Workload",
	  "{ports: [{name: a, port: 1, protocol: \"?\"}]}", true },
	{ "revocations", "", "Revocation", "{\"?\": 1}", false },
	{ "revocations", "workloads.items", "Revocation", "{workloads: [{\"?\": 1}]}", false },
	{ "policytests", "", "PolicyTest", "{\"?\": 1}", false },
	{ "policytests", "cases.items", "PolicyTest", CASE("{\"?\": 1}"), false },
	{ "policytests", "cases.items.want", "PolicyTest", CASE("{want: \"?\"}"), true },
	{ "policytests", "cases.items.protocol", "PolicyTest", CASE("{protocol: \"?\"}"), true },
	{ "policytests", "cases.items.family", "PolicyTest", CASE("{family: \"?\"}"), true },
	{ "policytests", "cases.items.direction", "PolicyTest", CASE("{direction: \"?\"}"), true },
};

/* "a, b or c" as the message has it, into "a b c ". */
static void asked_parser(const struct schema_case *test, char ret[static NAMES_MAX])
{
	const char *before = test->values ? "expected " : "unknown field, expected ";
	const char *list = NULL;
	char text[NAMES_MAX];
	_compiled_ c;

	snprintf(text, sizeof(text),
		 "apiVersion: countersign.dev/v1alpha1\nkind: %s\nmetadata: {name: x}\nspec: %s\n",
		 test->kind, test->spec);
	compiled_init(&c);
	compiled_parse(&c, "test.yaml", text);
	for (size_t i = 0; i < c.errors.n && !list; i++) {
		const char *message = c.errors.item[i].message;

		if (startswith(message, before) && (!test->values || strstr(message, "got \"?\"")))
			list = message + strlen(before);
	}
	cr_assert_not_null(list, "%s: %s", test->kind, test->spec);
	*ret = '\0';
	while (*list) {
		size_t n = strcspn(list, ", ");

		if (n && strncmp(list, "or", n) != 0)
			snprintf(ret + strlen(ret), NAMES_MAX - strlen(ret), "%.*s ", (int)n, list);
		if (startswith(list + n, ", got"))
			break;
		list += n + strspn(list + n, ", ");
	}
}

/* The schema below @path: names are properties, "items" those of a list. */
static const struct node *schema_at(const struct node *node, const char *path)
{
	char copy[256], *save, *name;

	snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, ".", &save); name; name = strtok_r(NULL, ".", &save)) {
		node = streq(name, "items") ? node_get(node, "items")
					    : node_get(node_get(node, "properties"), name);
		cr_assert_not_null(node, "%s: no %s", path, name);
	}
	return node;
}

static const struct node *spec_schema(const struct node *crd)
{
	static const char *const steps[] = { "schema", "openAPIV3Schema", "properties", "spec" };
	const struct node *node = node_get(node_get(crd, "spec"), "versions")->item[0];

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		node = node_get(node, steps[i]);
		cr_assert_not_null(node, "%s", steps[i]);
	}
	return node;
}

static size_t names_in(const struct node *schema, bool values)
{
	const struct node *list = node_get(schema, values ? "enum" : "properties");

	cr_assert_not_null(list);
	return list->n;
}

static const char *name_in(const struct node *schema, bool values, size_t i)
{
	return values ? node_get(schema, "enum")->item[i]->text
		      : node_key(node_get(schema, "properties"), i)->text;
}

static size_t count_words(const char *words)
{
	size_t n = 0;

	for (; *words; words++)
		n += *words == ' ';
	return n;
}

static void compare(const struct schema_case *test, const struct node *crd)
{
	const struct node *schema = schema_at(spec_schema(crd), test->path);
	char names[NAMES_MAX], word[128];
	size_t n = names_in(schema, test->values);

	asked_parser(test, names);
	cr_expect_eq(count_words(names), n, "%s %s: the parser knows %s", test->crd, test->path,
		     names);
	for (size_t i = 0; i < n; i++) {
		const char *found;

		snprintf(word, sizeof(word), "%s ", name_in(schema, test->values, i));
		found = strstr(names, word);
		cr_expect(found && (found == names || found[-1] == ' '),
			  "%s %s: the parser does not know %s", test->crd, test->path, word);
	}
}

struct opened_crd {
	struct yaml_stream *stream;
	struct arena arena;
	char *text;
	const struct node *root;
};

static struct opened_crd open_crd(const char *name)
{
	struct opened_crd crd = { 0 };
	char here[] = __FILE__, path[4096];
	size_t length;

	*strstr(here, "tests/unit/") = '\0';
	snprintf(path, sizeof(path), "%spolicy/crds/%s.yaml", here, name);
	cr_assert_eq(file_read_at(AT_FDCWD, path, CRD_MAX, &crd.text, &length), 0, "%s", path);
	cr_assert_eq(yaml_stream_new(crd.text, length, &crd.stream), 0);
	cr_assert_eq(yaml_stream_next(crd.stream, &crd.arena, &crd.root), 0, "%s", path);
	return crd;
}

static void close_crd(struct opened_crd *crd)
{
	arena_done(&crd->arena);
	yaml_stream_freep(&crd->stream);
	free(crd->text);
}

static void with_crd(const struct schema_case *test)
{
	struct opened_crd crd = open_crd(test->crd);

	compare(test, crd.root);
	close_crd(&crd);
}

Test(policy_crds, know_what_the_parsers_know)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		with_crd(&cases[i]);
}

/* Node records are not parsed here: they have what user/credential/node_record.h says. */
Test(policy_crds, node_identities_have_what_records_have)
{
	static const char *const spec[] = { "trustDomain", "node",	   "number",	"issued",
					    "keys",	   "certificates", "signature", NULL };
	static const char *const key[] = { "parity", "publicKey", "notBefore",
					   "active", "notAfter",  NULL };
	static const struct {
		const char *path;
		const char *const *names;
		size_t required; /* of a spec: what a claim has; the rest comes with the signature */
	} places[] = { { "", spec, 3 }, { "keys.items", key, 5 } };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct opened_crd crd = open_crd("nodeidentities");
		const struct node *schema = schema_at(spec_schema(crd.root), places[i].path);
		const struct node *properties = node_get(schema, "properties");
		const struct node *required = node_get(schema, "required");
		size_t n = 0;

		for (; places[i].names[n]; n++)
			cr_expect_not_null(node_get(properties, places[i].names[n]), "%s",
					   places[i].names[n]);
		cr_expect_eq(properties->n, n);
		cr_expect_eq(required->n, places[i].required, "what is signed is complete");
		close_crd(&crd);
	}
}
