/* SPDX-License-Identifier: Apache-2.0 */
/* Finds for an image's rule the one that was written, and for a namespace its workloads. */
#include "user/policy/lint_work.h"
#include "user/policy/rule_ids.h"

#define NAMESPACE_NAME_LABEL "kubernetes.io/metadata.name"

static int add_rule(struct lint *l, const struct policy *policy, const struct rule *rule,
		    enum cs_direction direction)
{
	struct rule_key key = { policy->kind, policy->namespace, policy->name,
				rule ? rule->name : "", (uint8_t)direction };
	struct lint_rule *slot = &l->rules[l->n_rules++];
	uint32_t id;
	int r;

	*slot = (struct lint_rule){ policy, rule, .direction = (uint8_t)direction };
	r = rule_ids_find(l->options->ids, &key, &id);
	if (r == 0 && id > 0 && id < l->image->n_rules)
		l->by_id[id] = slot;
	return r;
}

static int add_policy(struct lint *l, const struct policy *policy)
{
	int r;

	r = add_rule(l, policy, NULL, CS_DIRECTIONS);
	for (int d = 0; d < CS_DIRECTIONS; d++)
		for (size_t i = 0; i < policy->direction[d].n_rules && r == 0; i++)
			r = add_rule(l, policy, &policy->direction[d].rules[i], d);
	return r;
}

static int index_rules(struct lint *l)
{
	size_t n = l->set->policies.n;
	int r = 0;

	for (size_t i = 0; i < l->set->policies.n; i++)
		for (int d = 0; d < CS_DIRECTIONS; d++)
			n += l->set->policies.item[i]->direction[d].n_rules;
	l->rules = arena_alloc(&l->arena, n * sizeof(*l->rules));
	l->by_id = arena_alloc(&l->arena, l->image->n_rules * sizeof(*l->by_id));
	if (!l->rules || !l->by_id)
		return -ENOMEM;
	for (size_t i = 0; i < l->set->policies.n && r == 0; i++)
		r = add_policy(l, l->set->policies.item[i]);
	return r;
}

/* Without an object of its own, a namespace has just its name as a label. */
static int namespace_labels(struct lint *l, const char *name, struct labels *ret)
{
	uint32_t i;

	if (keymap_get(&l->set->namespaces.names, name, strlen(name), &i)) {
		*ret = l->set->namespaces.item[i]->labels;
		return 0;
	}
	ret->item = arena_alloc(&l->arena, sizeof(*ret->item));
	if (!ret->item)
		return -ENOMEM;
	ret->item[0] = (struct label){ NAMESPACE_NAME_LABEL, name };
	ret->n = 1;
	return 0;
}

static int get_namespace(struct lint *l, const char *name, struct lint_namespace **ret)
{
	uint32_t i = (uint32_t)l->n_namespaces;
	void *grown;
	int r;

	if (!keymap_get(&l->by_namespace, name, strlen(name), &i)) {
		grown = arena_grow(&l->arena, l->namespaces, l->n_namespaces,
				   &l->namespaces_capacity, sizeof(*l->namespaces));
		if (!grown)
			return -ENOMEM;
		l->namespaces = grown;
		l->namespaces[i] = (struct lint_namespace){ .name = name };
		r = namespace_labels(l, name, &l->namespaces[i].labels);
		if (r == 0)
			r = keymap_put(&l->by_namespace, name, strlen(name), i);
		if (r < 0)
			return r;
		l->n_namespaces++;
	}
	*ret = &l->namespaces[i];
	return 0;
}

static int index_workload(struct lint *l, const struct workload *workload)
{
	struct lint_namespace *namespace;
	void *grown;
	int r;

	r = get_namespace(l, workload->namespace, &namespace);
	if (r < 0)
		return r;
	grown = arena_grow(&l->arena, namespace->workloads, namespace->n_workloads,
			   &namespace->capacity, sizeof(*namespace->workloads));
	if (!grown)
		return -ENOMEM;
	namespace->workloads = grown;
	namespace->workloads[namespace->n_workloads++] = workload;
	return 0;
}

int lint_index(struct lint *l)
{
	int r;

	r = index_rules(l);
	for (size_t i = 0; i < l->set->workloads.n && r == 0; i++)
		r = index_workload(l, l->set->workloads.item[i]);
	return r;
}
