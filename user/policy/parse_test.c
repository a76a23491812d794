/* SPDX-License-Identifier: Apache-2.0 */
/* kind: PolicyTest: what policies should say to some flows. Agents take no notice of it. */
#include <netinet/in.h>

#include "user/policy/names.h"
#include "user/policy/parse.h"

#define FILE_NAME_MAX 1024

static const char *file_name_problem(const char *text)
{
	if (!*text)
		return "is empty: name a file or a directory";
	if (*text == '/')
		return "starts with /: write it relative to this document's file";
	if (strlen(text) > FILE_NAME_MAX)
		return "is longer than 1024 bytes";
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return "has control characters";
	return NULL;
}

/* "ns/name" of a workload. */
static bool is_full_name(const char *text)
{
	const char *slash = strchr(text, '/');
	char namespace[64];

	if (!slash || (size_t)(slash - text) >= sizeof(namespace))
		return false;
	memcpy(namespace, text, slash - text);
	namespace[slash - text] = 0;
	return !dns_label_problem(namespace) && !dns_subdomain_problem(slash + 1);
}

static const char *party_problem(const char *text)
{
	struct cs_addr addr;

	if (is_full_name(text) || entity_by_name(text) || !address_parse(text, &addr))
		return NULL;
	return "is nobody: expected \"namespace/name\" of a workload, an IP address, or an entity "
	       "such as World";
}

/* "ns/policy#rule", or "policy#rule" of a cluster-wide one; no rule: the policy's isolation. */
static const char *rule_reference_problem(const char *text)
{
	static const char problem[] =
		"is no rule: expected such as \"shop/payments#from-checkout\"";
	size_t n = strcspn(text, "#");
	char policy[320];

	if (!text[n] || n >= sizeof(policy))
		return problem;
	memcpy(policy, text, n);
	policy[n] = 0;
	return is_full_name(policy) || !dns_subdomain_problem(policy) ? NULL : problem;
}

static int parse_file_name(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a file name", file_name_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_case_name(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a name", remark_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_party(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "who it is", party_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_rule_reference(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a rule", rule_reference_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_family(struct parse *p, const struct node *node, void *target)
{
	static const struct choice families[] = { { "IPv4", 4 }, { "IPv6", 6 }, { 0 } };

	return parse_choice(p, node, families, target);
}

static int parse_case_direction(struct parse *p, const struct node *node, void *target)
{
	static const struct choice directions[] = {
		{ "Ingress", CS_INGRESS },
		{ "Egress", CS_EGRESS },
		{ 0 },
	};

	return parse_choice(p, node, directions, target);
}

static int parse_want(struct parse *p, const struct node *node, void *target)
{
	static const struct choice verdicts[] = {
		{ "allow", CS_VERDICT_ALLOW },
		{ "deny", CS_VERDICT_DENY },
		{ "audit", CS_VERDICT_AUDIT },
		{ 0 },
	};

	return parse_choice(p, node, verdicts, target);
}

/* A number, or a name that the receiver has. */
static int parse_case_port(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a port number or name", port_name_problem };
	struct policy_case *c = target;
	bool number = node->type == NODE_TEXT && !node_is_null(node) && node_is_typed(node);

	return number ? parse_port_number(p, node, &c->port)
		      : parse_checked_text(p, node, &spec, &c->port_name);
}

static int parse_case(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "name", FIELD(struct policy_case, name, parse_case_name) },
		{ "from", FIELD(struct policy_case, from, parse_party), .required = true },
		{ "to", FIELD(struct policy_case, to, parse_party), .required = true },
		{ "port", .parse = parse_case_port, .offset = 0 },
		{ "protocol", FIELD(struct policy_case, protocol, parse_protocol) },
		{ "family", FIELD(struct policy_case, family, parse_family) },
		{ "direction", FIELD(struct policy_case, direction, parse_case_direction) },
		{ "authenticated", FIELD(struct policy_case, authenticated, parse_bool) },
		{ "at", FIELD(struct policy_case, at, parse_moment) },
		{ "want", FIELD(struct policy_case, want, parse_want), .required = true },
		{ "rule", FIELD(struct policy_case, rule, parse_rule_reference) },
		{ 0 },
	};
	struct policy_case *c = target;

	c->place = parse_place(p, node);
	c->protocol = IPPROTO_TCP;
	c->direction = CS_DIRECTIONS;
	c->authenticated = true;
	return parse_fields(p, node, fields, c);
}

static int parse_files(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_file_name,
		.size = sizeof(const char *),
		.max = MODEL_FILES_MAX,
		.of = "files",
	};
	struct policy_test *test = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &test->n_files);
	test->files = items;
	return r;
}

/* Cases without a name are known by their number. */
static int number_cases(struct parse *p, struct policy_test *test)
{
	char number[24];

	for (size_t i = 0; i < test->n_cases; i++) {
		if (test->cases[i].name)
			continue;
		snprintf(number, sizeof(number), "#%zu", i + 1);
		test->cases[i].name = arena_strdup(&p->set->arena, number);
		if (!test->cases[i].name)
			return -ENOMEM;
	}
	return 0;
}

static int parse_cases(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_case,
		.size = sizeof(struct policy_case),
		.max = MODEL_CASES_MAX,
		.min = 1,
		.of = "cases",
	};
	struct policy_test *test = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &test->n_cases);
	test->cases = items;
	return r < 0 ? r : number_cases(p, test);
}

int parse_test(struct parse *p, const struct node *spec, const struct meta *meta)
{
	static const struct field fields[] = {
		{ "files", .parse = parse_files, .offset = 0 },
		{ "cases", .parse = parse_cases, .offset = 0, .required = true },
		{ 0 },
	};
	struct policy_test *test = arena_alloc(&p->set->arena, sizeof(*test));
	size_t before = p->errors->total;
	int r;

	if (!test)
		return -ENOMEM;
	if (!spec) {
		policy_errors_add(p->errors, &meta->place, p->path, "is missing");
		return 0;
	}
	test->place = meta->place;
	test->namespace = meta->namespace;
	test->name = meta->name;
	r = parse_fields(p, spec, fields, test);
	return r < 0 || p->errors->total != before ? r : set_add_test(p, test);
}
