/* SPDX-License-Identifier: Apache-2.0 */
/* How many workloads a policy selects, wherever they run: for people, not for verdicts. */
#include "user/policy/engine_internal.h"

/* In the view of the last compile, which keeps no order by names. */
static const struct policy *find(const struct policy_engine *engine, const struct policy *key)
{
	const struct policy_set *view = engine->view;

	for (size_t i = 0; view && i < view->policies.n; i++) {
		const struct policy *policy = view->policies.item[i];

		if (streq(policy->name, key->name) && streq(policy->namespace, key->namespace) &&
		    streq(policy->kind, key->kind))
			return policy;
	}
	return NULL;
}

static int64_t count_in(const struct compile *c, const struct policy *policy,
			const struct peer_namespace *namespace)
{
	int64_t n = 0;

	for (uint32_t i = namespace->first; i; i = c->identities[i].next_in_namespace) {
		const struct peer_identity *identity = &c->identities[i];

		if (identity->uses && !identity->foreign &&
		    compile_selects(c, policy, namespace, i))
			n += identity->uses;
	}
	return n;
}

int64_t policy_engine_count_subjects(const struct policy_engine *engine, const char *kind,
				     const char *namespace, const char *name)
{
	const struct policy key = { .kind = kind, .namespace = namespace, .name = name };
	const struct compile *c = engine->current;
	const struct policy *found = c ? find(engine, &key) : NULL;
	int64_t n = 0;
	uint32_t i;

	if (!found)
		return -ENOENT;
	/* One that has a namespace selects nobody elsewhere. */
	if (*namespace) {
		bool known = keymap_get(&c->by_namespace, namespace, strlen(namespace), &i);

		return known ? count_in(c, found, &c->namespaces.item[i]) : 0;
	}
	for (i = 0; i < c->namespaces.n; i++)
		n += count_in(c, found, &c->namespaces.item[i]);
	return n;
}
