/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policies select which workload, and which of them enforce for it.
 *
 * A namespaced policy selects in its own namespace, a cluster-wide one anywhere. So each
 * namespace has a list of policies that may select somebody in it, made when a workload
 * first asks; and each identity has those of the list that select it.
 */
#include <countersign/siphash.h>

#include "user/identity/spiffe.h"
#include "user/policy/compile.h"

/* Keys the roll-out's hash: fixed, so that no restart and no other node chooses anew. */
static const struct cs_key rollout_key = { .k0 = 0x6c6c6f72, .k1 = 0x74756f };

static int policy_compare(const void *a, const void *b)
{
	const struct policy *x = ((const struct used_policy *)a)->policy;
	const struct policy *y = ((const struct used_policy *)b)->policy;
	int order = strcmp(x->namespace, y->namespace);

	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->kind, y->kind);
}

/* By namespace and name, so that the order of files means nothing; cluster-wide ones first. */
static int sort_policies(struct compile *c)
{
	size_t n = c->set->policies.n;

	c->policies = arena_alloc(&c->passing, n * sizeof(*c->policies));
	c->found = arena_alloc(&c->passing, n * sizeof(*c->found));
	c->applied = arena_alloc(&c->passing, n * sizeof(*c->applied));
	c->subject_of = arena_alloc(&c->passing, c->set->workloads.n * sizeof(*c->subject_of));
	if (!c->policies || !c->found || !c->applied || !c->subject_of)
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

/* Whether @peer can be somebody of the namespace. */
static bool peer_has_namespace(const struct peer *peer, const struct peer_namespace *namespace)
{
	switch (peer->kind) {
	case PEER_SELECTOR:
		return peer->namespace ? streq(peer->namespace, namespace->name)
				       : selector_matches(&peer->namespaces, &namespace->labels);
	case PEER_SERVICE_ACCOUNT:
		return streq(peer->namespace, namespace->name);
	case PEER_SPIFFE:
		return true;
	default:
		return false; /* no workload */
	}
}

static bool policy_has_namespace(const struct policy *policy,
				 const struct peer_namespace *namespace)
{
	for (size_t i = 0; i < policy->n_subjects; i++)
		if (peer_has_namespace(&policy->subjects[i], namespace))
			return true;
	return false;
}

/* Keeps the first @n of c->found. */
static int keep_found(struct compile *c, size_t n, struct used_policy ***ret)
{
	*ret = arena_alloc(&c->passing, n * sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, c->found, n * sizeof(**ret));
	return 0;
}

static int list_candidates(struct compile *c, struct peer_namespace *namespace)
{
	const char *const spaces[] = { "", namespace->name };
	size_t n = 0;

	for (size_t s = 0; s < ARRAY_SIZE(spaces); s++) {
		for (size_t i = first_policy(c, spaces[s]); i < c->set->policies.n; i++) {
			const struct policy *policy = c->policies[i].policy;

			if (!streq(policy->namespace, spaces[s]))
				break;
			if (policy_has_namespace(policy, namespace))
				c->found[n++] = &c->policies[i];
		}
	}
	namespace->n_candidates = n;
	namespace->listed = true;
	return keep_found(c, n, &namespace->candidates);
}

static bool peer_is_identity(const struct compile *c, const struct peer *peer,
			     const struct peer_namespace *namespace, uint32_t i)
{
	const struct peer_identity *identity = &c->identities[i];

	if (!peer_has_namespace(peer, namespace) ||
	    (identity->host_unit && peer->kind != PEER_SPIFFE))
		return false;
	if (peer->kind == PEER_SERVICE_ACCOUNT)
		return streq(peer->name, identity->workload->service_account);
	if (peer->kind == PEER_SPIFFE)
		return spiffe_matches(peer->name,
				      c->image->names[c->image->identities[i].name_index]);
	return selector_matches(&peer->labels, &identity->labels) &&
	       !(peer->pods_only && identity->workload->host_network);
}

static bool policy_selects(const struct compile *c, const struct policy *policy,
			   const struct peer_namespace *namespace, uint32_t i)
{
	for (size_t s = 0; s < policy->n_subjects; s++)
		if (peer_is_identity(c, &policy->subjects[s], namespace, i))
			return true;
	return false;
}

static int use_policy(struct compile *c, struct used_policy *used)
{
	for (int d = 0; d < CS_DIRECTIONS && !used->used; d++) {
		size_t n = used->policy->direction[d].n_rules;

		used->rules[d] = arena_alloc(&c->passing, n * sizeof(*used->rules[d]));
		if (!used->rules[d])
			return -ENOMEM;
	}
	used->used = true;
	return 0;
}

/* Finds the policies that select identity @i. */
static int match_identity(struct compile *c, uint32_t i)
{
	struct peer_identity *identity = &c->identities[i];
	const char *name = identity->workload->namespace;
	struct peer_namespace *namespace;
	uint32_t space = 0;
	int r = 0;

	keymap_get(&c->by_namespace, name, strlen(name), &space);
	namespace = &c->namespaces.item[space];
	if (!namespace->listed)
		r = list_candidates(c, namespace);
	for (size_t p = 0; p < namespace->n_candidates && r == 0; p++) {
		struct used_policy *used = namespace->candidates[p];

		if (!policy_selects(c, used->policy, namespace, i))
			continue;
		r = use_policy(c, used);
		c->found[identity->n_policies++] = used;
	}
	identity->matched = true;
	return r < 0 ? r : keep_found(c, identity->n_policies, &identity->policies);
}

/*
 * Whether the roll-out of @policy has reached @workload. Each pair has a number below 100
 * that depends on nothing but their names; who is in the share of 25 percent is so too
 * in that of 50.
 */
static bool rollout_reaches(const struct policy *policy, const struct workload *workload, bool *ret)
{
	const char *const names[] = { policy->kind, policy->namespace, policy->name,
				      workload->namespace, workload->name };
	_cleanup_bytes_ struct bytes key = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		bytes_put_string(&key, names[i]);
	if (!key.failed)
		*ret = cs_siphash_bytes(&rollout_key, key.data, key.n) % 100 < policy->rollout;
	return !key.failed;
}

/* A roll-out may tell two workloads of one identity apart. */
static bool is_partial(const struct compile *c, const struct policy *policy)
{
	return !c->options->audit && !policy->audit && policy->rollout > 0 && policy->rollout < 100;
}

/* The modes of the policies for the workload into c->applied; @key tells them apart. */
static int apply_policies(struct compile *c, size_t workload, struct bytes *key)
{
	uint32_t i = c->identity_of[workload];
	const struct peer_identity *identity = &c->identities[i];

	bytes_put_u32(key, i);
	for (size_t p = 0; p < identity->n_policies; p++) {
		const struct policy *policy = identity->policies[p]->policy;
		bool enforces = !c->options->audit && !policy->audit && policy->rollout > 0;

		if (is_partial(c, policy)) {
			if (!rollout_reaches(policy, c->set->workloads.item[workload], &enforces))
				return -ENOMEM;
			bytes_put_u8(key, enforces);
		}
		c->applied[p] = (struct applied){ identity->policies[p], !enforces };
	}
	return key->failed ? -ENOMEM : 0;
}

static int add_subject(struct compile *c, size_t workload, const struct bytes *key)
{
	uint32_t i = c->identity_of[workload];
	size_t n = c->identities[i].n_policies;
	struct subject *subject;
	char *kept = arena_strndup(&c->passing, (char *)key->data, key->n);

	if (!kept || !GROW(c, &c->subjects))
		return -ENOMEM;
	subject = &c->subjects.item[c->subjects.n++];
	*subject = (struct subject){
		.identity = i,
		.workload = c->set->workloads.item[workload],
		.policies = arena_alloc(&c->passing, n * sizeof(*subject->policies)),
		.n_policies = n,
	};
	if (!subject->policies)
		return -ENOMEM;
	memcpy(subject->policies, c->applied, n * sizeof(*subject->policies));
	return keymap_put(&c->by_subject, kept, key->n, (uint32_t)c->subjects.n);
}

static int find_subject(struct compile *c, size_t workload)
{
	_cleanup_bytes_ struct bytes key = { 0 };
	uint32_t i = c->identity_of[workload];
	int r = 0;

	if (!c->identities[i].matched)
		r = match_identity(c, i);
	if (r == 0)
		r = apply_policies(c, workload, &key);
	if (r == 0 && !keymap_get(&c->by_subject, key.data, key.n, &c->subject_of[workload])) {
		r = add_subject(c, workload, &key);
		c->subject_of[workload] = (uint32_t)c->subjects.n;
	}
	return r;
}

int compile_subjects(struct compile *c)
{
	int r;

	r = sort_policies(c);
	for (size_t i = 0; i < c->set->workloads.n && r == 0; i++)
		if (compile_is_subject(c, c->set->workloads.item[i]))
			r = find_subject(c, i);
	return r;
}

bool compile_selects(const struct compile *c, const struct policy *policy,
		     const struct peer_namespace *namespace, uint32_t identity)
{
	return policy_selects(c, policy, namespace, identity);
}
