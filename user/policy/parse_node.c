/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kind: Namespace for its labels, and kind: Node for its labels and addresses. Both come
 * from an API server, with many fields of no interest.
 */
#include "user/policy/names.h"
#include "user/policy/parse.h"

#define NAMESPACE_NAME_LABEL "kubernetes.io/metadata.name"

/* The name is a label of every namespace, and nobody can give it another value. */
static int namespace_labels(struct parse *p, const struct meta *meta, struct labels *ret)
{
	struct labels labels = { 0 };

	labels.item = arena_alloc(&p->set->arena, (meta->labels.n + 1) * sizeof(*labels.item));
	if (!labels.item)
		return -ENOMEM;
	for (size_t i = 0; i < meta->labels.n; i++)
		if (!streq(meta->labels.item[i].key, NAMESPACE_NAME_LABEL))
			labels.item[labels.n++] = meta->labels.item[i];
	labels.item[labels.n++] = (struct label){ NAMESPACE_NAME_LABEL, meta->name };
	qsort(labels.item, labels.n, sizeof(*labels.item), label_compare);
	*ret = labels;
	return 0;
}

int parse_namespace(struct parse *p, const struct node *document, const struct meta *meta)
{
	struct namespace *namespace = arena_alloc(&p->set->arena, sizeof(*namespace));
	const char *problem = dns_label_problem(meta->name);
	int r;

	(void)document;
	if (!namespace)
		return -ENOMEM;
	if (problem) {
		policy_errors_add(p->errors, &meta->place, "metadata.name", "\"%.64s\" %s",
				  meta->name, problem);
		return 0;
	}
	namespace->place = meta->place;
	namespace->name = meta->name;
	r = namespace_labels(p, meta, &namespace->labels);
	return r < 0 ? r : set_add_namespace(p, namespace);
}

struct node_entry {
	struct node_object object;
	size_t capacity; /* of its addresses */
};

struct node_address {
	const struct node *type;
	const struct node *address;
};

static int keep_node(struct parse *p, const struct node *node, void *target)
{
	(void)p;
	*(const struct node **)target = node;
	return 0;
}

/* Names of hosts are among the addresses; only IPs are of use. */
static int add_address(struct parse *p, const struct node_address *from, struct node_entry *entry)
{
	static const char *const types[] = { "InternalIP", "ExternalIP" };
	struct node_object *object = &entry->object;
	size_t before = p->errors->total;
	struct cs_addr addr;
	void *items;
	int r;

	if (!from->type || from->type->type != NODE_TEXT ||
	    (!streq(from->type->text, types[0]) && !streq(from->type->text, types[1])))
		return 0;
	r = parse_address(p, from->address, &addr);
	if (r < 0 || p->errors->total != before)
		return r;
	items = arena_grow(&p->set->arena, object->addresses, object->n_addresses, &entry->capacity,
			   sizeof(addr));
	if (!items)
		return -ENOMEM;
	object->addresses = items;
	object->addresses[object->n_addresses++] = addr;
	return 0;
}

static int parse_node_address(struct parse *p, const struct node *node, struct node_entry *entry)
{
	static const struct field fields[] = {
		{ "type", FIELD(struct node_address, type, keep_node), .required = true },
		{ "address", FIELD(struct node_address, address, keep_node), .required = true },
		{ 0 },
	};
	struct node_address address = { 0 };
	size_t before = p->errors->total;
	int r;

	r = parse_fields(p, node, fields, &address);
	return r < 0 || p->errors->total != before ? r : add_address(p, &address, entry);
}

static int parse_node_addresses(struct parse *p, const struct node *node, void *target)
{
	int r = 0;

	if (node->type != NODE_LIST || node->n > MODEL_ADDRESSES_MAX) {
		parse_error(p, node, "expected a list of at most %u addresses",
			    MODEL_ADDRESSES_MAX);
		return 0;
	}
	for (size_t i = 0; i < node->n && r == 0; i++) {
		size_t before = parse_enter_index(p, i);

		r = parse_node_address(p, node->item[i], target);
		parse_leave(p, before);
	}
	return r;
}

static int parse_node_status(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "addresses", .parse = parse_node_addresses, .offset = 0 },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

static int parse_pod_cidrs(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_prefix,
		.size = sizeof(struct cs_cidr),
		.max = MODEL_POD_CIDRS_MAX,
		.of = "prefixes",
	};
	struct node_entry *entry = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &entry->object.n_pod_cidrs);
	entry->object.pod_cidrs = items;
	return r;
}

static int parse_node_spec(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "podCIDRs", .parse = parse_pod_cidrs, .offset = 0 },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

int parse_node(struct parse *p, const struct node *document, const struct meta *meta)
{
	static const struct field fields[] = {
		{ "spec", .parse = parse_node_spec, .offset = 0 },
		{ "status", .parse = parse_node_status, .offset = 0 },
		{ 0 },
	};
	struct node_entry *entry = arena_alloc(&p->set->arena, sizeof(*entry));
	size_t before = p->errors->total;
	int r;

	if (!entry)
		return -ENOMEM;
	entry->object.place = meta->place;
	entry->object.name = meta->name;
	entry->object.labels = meta->labels;
	r = parse_fields(p, document, fields, entry);
	return r < 0 || p->errors->total != before ? r : set_add_node(p, &entry->object);
}
