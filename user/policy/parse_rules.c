/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of rules, whatever the language: bounded, and every rule with a name of its own. */
#include "user/policy/names.h"
#include "user/policy/parse.h"

#define RULE_NUMBER_MAX 24 /* bytes of "#12" */

/* "#2" behind @name, for the second rule. */
static int number_rule(struct parse *p, struct rule *rule, const char *name, size_t i)
{
	char text[RULE_NAME_MAX + 1 + RULE_NUMBER_MAX];

	snprintf(text, sizeof(text), "%.*s#%zu", RULE_NAME_MAX, name, i + 1);
	rule->name = arena_strdup(&p->set->arena, text);
	return rule->name ? 0 : -ENOMEM;
}

/*
 * Names in other languages may be any text: what ours may not have becomes a dash. A name
 * that is there already gets its number behind it; no other can end like that.
 */
static int fit_name(struct parse *p, struct keymap *names, struct rule *rule, size_t i)
{
	char text[RULE_NAME_MAX + 1];
	int r;

	rule_name_fit(rule->name, text);
	if (!*text)
		return number_rule(p, rule, "", i);
	rule->name = arena_strdup(&p->set->arena, text);
	if (!rule->name)
		return -ENOMEM;
	r = keymap_put(names, rule->name, strlen(rule->name), (uint32_t)i);
	return r == -EEXIST ? number_rule(p, rule, text, i) : r;
}

static int claim_name(struct parse *p, const struct node *node, struct keymap *names,
		      const struct direction *direction, size_t i)
{
	const char *name = direction->rules[i].name;
	uint32_t first = 0;
	int r;

	r = keymap_put(names, name, strlen(name), (uint32_t)i);
	if (r != -EEXIST)
		return r;
	keymap_get(names, name, strlen(name), &first);
	parse_error(p, node->item[i], "the rule name \"%s\" is given twice, first on line %u", name,
		    direction->rules[first].place.line);
	return 0;
}

/* Flows and counters show the name of a rule, so it needs one of its own. */
static int name_rules(struct parse *p, const struct node *node, const struct rules_spec *spec,
		      struct direction *direction)
{
	_cleanup_keymap_ struct keymap names = { 0 };
	int r = 0;

	for (size_t i = 0; i < direction->n_rules && r >= 0; i++) {
		struct rule *rule = &direction->rules[i];

		if (!rule->name)
			r = number_rule(p, rule, "", i);
		else if (spec->upstream_names)
			r = fit_name(p, &names, rule, i);
		else
			r = claim_name(p, node, &names, direction, i);
	}
	return r < 0 ? r : 0;
}

int parse_rules(struct parse *p, const struct node *node, const struct rules_spec *spec,
		struct direction *ret)
{
	const struct list_spec list = {
		.parse = spec->parse,
		.size = sizeof(struct rule),
		.max = spec->max,
		.of = "rules",
	};
	void *items = NULL;
	int r;

	r = parse_list(p, node, &list, &items, &ret->n_rules);
	if (r < 0 || !items)
		return r;
	ret->rules = items;
	ret->present = true;
	return name_rules(p, node, spec, ret);
}
