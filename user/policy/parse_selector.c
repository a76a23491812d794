/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and label selectors. */
#include "user/policy/names.h"
#include "user/policy/parse.h"

/* "key: value" of a map, checked. */
static int parse_label(struct parse *p, const struct node *map, size_t i, struct label *ret)
{
	static const struct text_spec spec = { "text", label_value_problem };
	const struct node *key = node_key(map, i);
	const char *problem = label_key_problem(key->text);
	size_t before = parse_enter(p, key->text);
	int r;

	if (problem)
		parse_error(p, key, "\"%.64s\" %s", key->text, problem);
	r = parse_checked_text(p, node_value(map, i), &spec, &ret->value);
	parse_leave(p, before);
	ret->key = arena_strdup(&p->set->arena, key->text);
	return r < 0 || ret->key ? r : -ENOMEM;
}

int parse_labels(struct parse *p, const struct node *node, void *target)
{
	struct labels labels = { 0 };
	int r;

	if (node->type != NODE_MAP) {
		parse_wrong_type(p, node, "a mapping of labels");
		return 0;
	}
	if (node->n > MODEL_LABELS_MAX) {
		parse_error(p, node, "%zu labels, at most %u are allowed", node->n,
			    MODEL_LABELS_MAX);
		return 0;
	}
	labels.item = arena_alloc(&p->set->arena, node->n * sizeof(*labels.item));
	if (!labels.item)
		return -ENOMEM;
	for (; labels.n < node->n; labels.n++) {
		r = parse_label(p, node, labels.n, &labels.item[labels.n]);
		if (r < 0)
			return r;
	}
	qsort(labels.item, labels.n, sizeof(*labels.item), label_compare);
	*(struct labels *)target = labels;
	return 0;
}

static int parse_label_key(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a label key", label_key_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_label_value(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "text", label_value_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_operator(struct parse *p, const struct node *node, void *target)
{
	static const struct choice operators[] = {
		{ "In", REQUIRE_IN },
		{ "NotIn", REQUIRE_NOT_IN },
		{ "Exists", REQUIRE_EXISTS },
		{ "DoesNotExist", REQUIRE_MISSING },
		{ 0 },
	};

	return parse_choice(p, node, operators, target);
}

/* Of sorted values each once: two spellings of one selector are one. */
static void drop_twins(struct requirement *req)
{
	size_t n = 0;

	for (size_t i = 0; i < req->n_values; i++)
		if (n == 0 || !streq(req->values[n - 1], req->values[i]))
			req->values[n++] = req->values[i];
	req->n_values = n;
}

static int parse_values(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_label_value,
		.size = sizeof(const char *),
		.max = MODEL_VALUES_MAX,
		.of = "values",
	};
	struct requirement *req = target;
	size_t before = p->errors->total;
	void *values = NULL;
	int r;

	r = parse_list(p, node, &spec, &values, &req->n_values);
	if (r < 0 || p->errors->total != before) {
		req->n_values = 0;
		return r;
	}
	req->values = values;
	qsort(req->values, req->n_values, sizeof(*req->values), string_compare);
	drop_twins(req);
	return 0;
}

/* In and NotIn need values, the others have none. */
static int parse_expression(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "key", FIELD(struct requirement, key, parse_label_key), .required = true },
		{ "operator", FIELD(struct requirement, op, parse_operator), .required = true },
		{ "values", .parse = parse_values, .offset = 0 },
		{ 0 },
	};
	struct requirement *req = target;
	size_t before = p->errors->total;
	int r;

	r = parse_fields(p, node, fields, req);
	if (r < 0 || p->errors->total != before)
		return r;
	if (req->op <= REQUIRE_NOT_IN && req->n_values == 0)
		parse_error(p, node, "In and NotIn need at least one of values");
	if (req->op > REQUIRE_NOT_IN && req->n_values > 0)
		parse_error(p, node, "Exists and DoesNotExist take no values");
	return 0;
}

static int parse_match_labels(struct parse *p, const struct node *node, void *target)
{
	struct selector *selector = target;
	struct labels labels = { 0 };
	int r;

	r = parse_labels(p, node, &labels);
	if (r < 0)
		return r;
	selector->item = arena_alloc(&p->set->arena, labels.n * sizeof(*selector->item));
	if (!selector->item)
		return -ENOMEM;
	for (selector->n = 0; selector->n < labels.n; selector->n++)
		selector->item[selector->n] = (struct requirement){
			.key = labels.item[selector->n].key,
			.values = &labels.item[selector->n].value,
			.n_values = 1,
			.op = REQUIRE_IN,
		};
	return 0;
}

static int parse_match_expressions(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_expression,
		.size = sizeof(struct requirement),
		.max = MODEL_LABELS_MAX,
		.of = "expressions",
	};
	struct selector *selector = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &selector->n);
	if (items)
		selector->item = items;
	return r;
}

/* Both halves as one sorted list: all must hold, so their order means nothing. */
static int selector_join(struct parse *p, const struct selector half[static 2],
			 struct selector *ret)
{
	struct selector all = { .n = half[0].n + half[1].n };

	all.item = arena_alloc(&p->set->arena, all.n * sizeof(*all.item));
	if (!all.item)
		return -ENOMEM;
	for (size_t i = 0; i < all.n; i++)
		all.item[i] = i < half[0].n ? half[0].item[i] : half[1].item[i - half[0].n];
	qsort(all.item, all.n, sizeof(*all.item), requirement_compare);
	*ret = all;
	return 0;
}

int parse_selector(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "matchLabels", .parse = parse_match_labels, .offset = 0 },
		{ "matchExpressions", .parse = parse_match_expressions,
		  .offset = sizeof(struct selector) },
		{ 0 },
	};
	struct selector half[2] = { 0 };
	size_t before = p->errors->total;
	int r;

	r = parse_fields(p, node, fields, half);
	if (r < 0 || p->errors->total != before)
		return r;
	return selector_join(p, half, target);
}
