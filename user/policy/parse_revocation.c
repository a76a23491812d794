/* SPDX-License-Identifier: Apache-2.0 */
/* kind: Revocation: workloads, SPIFFE IDs, certificates and nodes that are let in no more. */
#include "user/identity/spiffe.h"
#include "user/policy/names.h"
#include "user/policy/parse.h"

#define SPIFFE_SCHEME "spiffe://"
#define NODE_PATH "/countersign/node/"
#define SERIAL_DIGITS_MAX 40 /* 20 bytes, as RFC 5280 has it */
#define SERIAL_TEXT_MAX 80 /* with colons and zeros in front */
#define HEX "0123456789abcdefABCDEF"

/* spiffe://<trust domain>/countersign/node/<name>; NULL also when it is no node's at all. */
static const char *node_id_problem(const char *id, const char *path)
{
	char domain[SPIFFE_TRUST_DOMAIN_MAX + 1];
	size_t n = path - id - strlen(SPIFFE_SCHEME);

	if (n >= sizeof(domain))
		return "the trust domain is longer than 255 bytes";
	memcpy(domain, id + strlen(SPIFFE_SCHEME), n);
	domain[n] = 0;
	if (!spiffe_trust_domain_valid(domain))
		return "the trust domain may only have the characters a-z 0-9 . _ -";
	if (node_name_problem(path + strlen(NODE_PATH)))
		return "it does not end in a node's name";
	return strlen(id) < CS_SPIFFE_ID_MAX ? NULL : "it is longer than 223 bytes";
}

static const char *revoked_id_problem(const char *id)
{
	const char *path = strstr(id, NODE_PATH);

	if (strchr(id, '*'))
		return "a revocation has no wildcards: name each ID in full";
	if (startswith(id, SPIFFE_SCHEME) && path >= id + strlen(SPIFFE_SCHEME))
		return node_id_problem(id, path);
	return spiffe_problem(id);
}

static int parse_revoked_id(struct parse *p, const struct node *node, void *target)
{
	const char *text = parse_text_of(p, node, "a SPIFFE ID"), *problem;

	if (!text)
		return 0;
	problem = revoked_id_problem(text);
	if (problem) {
		parse_error(p, node, "\"%.128s\" is no SPIFFE ID of a workload or node: %s", text,
			    problem);
		return 0;
	}
	text = arena_strdup(&p->set->arena, text);
	if (!text)
		return -ENOMEM;
	*(const char **)target = text;
	return 0;
}

/* Digits, or pairs of them with colons between, as tools print serial numbers. */
static const char *serial_problem(const char *text)
{
	static const char form[] = "is no serial number: expected hexadecimal digits, such as "
				   "\"3f09c2\" or \"3F:09:C2\"";
	size_t n = strlen(text), digits = strspn(text, HEX);

	if (n == 0 || n > SERIAL_TEXT_MAX || strspn(text, HEX ":") < n)
		return form;
	for (size_t i = 0; i < n && digits < n; i++)
		if ((text[i] == ':') != (i % 3 == 2))
			return form;
	if (digits < n && n % 3 != 2)
		return form;
	if (strspn(text, "0:") == n)
		return "is zero, which no certificate has";
	digits = 0;
	for (const char *s = text + strspn(text, "0:"); *s; s++)
		digits += *s != ':';
	return digits <= SERIAL_DIGITS_MAX ? NULL : "is longer than 20 bytes";
}

static int parse_serial(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a serial number", serial_problem };
	const char *text = NULL;
	char *serial;
	size_t n = 0;
	int r;

	r = parse_checked_text(p, node, &spec, &text);
	if (r < 0 || !text)
		return r;
	serial = arena_strdup(&p->set->arena, text);
	if (!serial)
		return -ENOMEM;
	for (const char *s = text + strspn(text, "0:"); *s; s++)
		if (*s != ':')
			serial[n++] = (char)(*s >= 'A' && *s <= 'F' ? *s - 'A' + 'a' : *s);
	serial[n] = 0;
	*(const char **)target = serial;
	return 0;
}

static int parse_workload_name(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "namespace", FIELD(struct workload_name, namespace, parse_dns_label),
		  .required = true },
		{ "name", FIELD(struct workload_name, name, parse_dns_name), .required = true },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

/* Each into a whole struct revocation. */
static int parse_revoked(struct parse *p, const struct node *node, field_fn parse, const char *of,
			 const char ***ret, size_t *ret_n)
{
	const struct list_spec spec = {
		.parse = parse,
		.size = sizeof(const char *),
		.max = MODEL_REVOCATIONS_MAX,
		.of = of,
	};
	void *items = NULL;
	int r = parse_list(p, node, &spec, &items, ret_n);

	*ret = items;
	return r;
}

static int parse_spiffe_ids(struct parse *p, const struct node *node, void *target)
{
	struct revocation *ret = target;

	return parse_revoked(p, node, parse_revoked_id, "SPIFFE IDs", &ret->spiffe_ids,
			     &ret->n_spiffe_ids);
}

static int parse_serials(struct parse *p, const struct node *node, void *target)
{
	struct revocation *ret = target;

	return parse_revoked(p, node, parse_serial, "serial numbers", &ret->serials,
			     &ret->n_serials);
}

static int parse_revoked_nodes(struct parse *p, const struct node *node, void *target)
{
	struct revocation *ret = target;

	return parse_revoked(p, node, parse_node_name, "nodes", &ret->nodes, &ret->n_nodes);
}

static int parse_workload_names(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_workload_name,
		.size = sizeof(struct workload_name),
		.max = MODEL_REVOCATIONS_MAX,
		.of = "workloads",
	};
	struct revocation *ret = target;
	void *items = NULL;
	int r = parse_list(p, node, &spec, &items, &ret->n_workloads);

	ret->workloads = items;
	return r;
}

static const struct field revocation_fields[] = {
	{ "spiffeIDs", .parse = parse_spiffe_ids, .offset = 0 },
	{ "workloads", .parse = parse_workload_names, .offset = 0 },
	{ "serials", .parse = parse_serials, .offset = 0 },
	{ "nodes", .parse = parse_revoked_nodes, .offset = 0 },
	{ "reason", FIELD(struct revocation, reason, parse_remark), .required = true },
	{ "ticket", FIELD(struct revocation, ticket, parse_remark) },
	{ "approver", FIELD(struct revocation, approver, parse_remark) },
	{ 0 },
};

int parse_revocation(struct parse *p, const struct node *spec, const struct meta *meta)
{
	struct revocation *revocation = arena_alloc(&p->set->arena, sizeof(*revocation));
	size_t before = p->errors->total;
	int r;

	if (!revocation)
		return -ENOMEM;
	if (!spec) {
		policy_errors_add(p->errors, &meta->place, p->path, "is missing");
		return 0;
	}
	revocation->place = meta->place;
	revocation->name = meta->name;
	r = parse_fields(p, spec, revocation_fields, revocation);
	if (r < 0 || p->errors->total != before)
		return r;
	if (!revocation->n_spiffe_ids && !revocation->n_workloads && !revocation->n_serials &&
	    !revocation->n_nodes)
		parse_error(p, spec,
			    "revokes nothing: name at least one of spiffeIDs, workloads, serials "
			    "and nodes, or delete the Revocation");
	return p->errors->total == before ? set_add_revocation(p, revocation) : 0;
}
