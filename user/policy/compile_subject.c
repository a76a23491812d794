/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies isolate which identity of this node, and the ids of their rules. */
#include "user/policy/compile.h"

static int policy_compare(const void *a, const void *b)
{
	const struct policy *x = ((const struct used_policy *)a)->policy;
	const struct policy *y = ((const struct used_policy *)b)->policy;
	int order = strcmp(x->namespace, y->namespace);

	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->kind, y->kind);
}

/* By namespace and name, so that the order of files means nothing. */
static int sort_policies(struct compile *c)
{
	size_t n = c->set->policies.n;

	c->policies = arena_alloc(&c->arena, n * sizeof(*c->policies));
	if (!c->policies)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		c->policies[i].policy = c->set->policies.item[i];
	if (n)
		qsort(c->policies, n, sizeof(*c->policies), policy_compare);
	return 0;
}

/* The first policy of a namespace, or where it would be. */
static size_t first_policy(const struct compile *c, const char *namespace)
{
	size_t low = 0, high = c->set->policies.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(c->policies[middle].policy->namespace, namespace) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int use_policy(struct compile *c, struct used_policy *used)
{
	for (int d = 0; d < CS_DIRECTIONS && !used->used; d++) {
		size_t n = used->policy->direction[d].n_rules;

		used->rules[d] = arena_alloc(&c->arena, n * sizeof(*used->rules[d]));
		if (!used->rules[d])
			return -ENOMEM;
	}
	used->used = true;
	return 0;
}

/* Makes room for the policies [@first, @end) in both directions. */
static int alloc_policies(struct compile *c, struct subject *subject, size_t n)
{
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		subject->policies[d] = arena_alloc(&c->arena, n * sizeof(*subject->policies[d]));
		if (!subject->policies[d])
			return -ENOMEM;
	}
	return 0;
}

static int add_policies(struct compile *c, struct subject *subject)
{
	const char *namespace = subject->workload->namespace;
	size_t first = first_policy(c, namespace), end = first;
	int r;

	while (end < c->set->policies.n && streq(c->policies[end].policy->namespace, namespace))
		end++;
	r = alloc_policies(c, subject, end - first);
	for (size_t i = first; i < end && r == 0; i++) {
		struct used_policy *used = &c->policies[i];

		if (!selector_matches(&used->policy->subject,
				      &c->identities[subject->identity].labels))
			continue;
		r = use_policy(c, used);
		for (int d = 0; d < CS_DIRECTIONS; d++)
			if (used->policy->direction[d].present)
				subject->policies[d][subject->n_policies[d]++] = used;
	}
	return r;
}

static bool is_local(const struct workload *workload)
{
	return workload->cgroup || workload->systemd_unit;
}

int compile_subjects(struct compile *c)
{
	int r;

	r = sort_policies(c);
	for (size_t i = 0; i < c->set->workloads.n && r == 0; i++) {
		const struct workload *workload = c->set->workloads.item[i];
		struct subject *subject;

		if (!is_local(workload) || c->identities[c->identity_of[i]].subject)
			continue;
		if (!GROW(c, &c->subjects))
			return -ENOMEM;
		subject = &c->subjects.item[c->subjects.n++];
		*subject = (struct subject){ .identity = c->identity_of[i], .workload = workload };
		c->identities[c->identity_of[i]].subject = (uint32_t)c->subjects.n;
		r = add_policies(c, subject);
	}
	return r;
}

typedef int (*id_fn)(struct rule_ids *ids, const struct rule_key *key, uint32_t *ret);

/* Asks @fn for the ids of a policy's rules and of its default. */
static int policy_ids(struct compile *c, struct used_policy *used, id_fn fn)
{
	const struct policy *policy = used->policy;
	struct rule_key key = { policy->kind, policy->namespace, policy->name, "", CS_DIRECTIONS };
	int r;

	r = fn(c->ids, &key, &used->default_id);
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		key.direction = (uint8_t)d;
		for (size_t i = 0; i < policy->direction[d].n_rules && r == 0; i++) {
			key.rule = policy->direction[d].rules[i].name;
			r = fn(c->ids, &key, &used->rules[d][i].id);
		}
	}
	return r;
}

int compile_rule_ids(struct compile *c)
{
	static const struct limit limit = { "CS_RULE_IDS_MAX", CS_RULE_IDS_MAX - 1,
					    "rules in use on this node", "merge rules" };
	static const id_fn passes[] = { rule_ids_find, rule_ids_get };
	int r = 0;

	rule_ids_begin(c->ids);
	for (size_t pass = 0; pass < ARRAY_SIZE(passes); pass++) {
		for (size_t i = 0; i < c->set->policies.n && r == 0; i++) {
			if (!c->policies[i].used)
				continue;
			r = policy_ids(c, &c->policies[i], passes[pass]);
			c->policy = c->policies[i].policy;
		}
	}
	if (r == -ENOSPC)
		r = compile_limit(c, &limit, &c->policy->place);
	c->policy = NULL;
	return r;
}
