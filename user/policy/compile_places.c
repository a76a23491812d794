/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads of this node and the addresses of all. */
#include "user/policy/compile.h"

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

static int add_workload(struct compile *c, size_t i)
{
	static const struct limit limit = { "CS_WORKLOADS_MAX", CS_WORKLOADS_MAX - 1,
					    "workloads on this node", "move some to another node" };
	const struct workload *workload = c->set->workloads.item[i];
	const struct image_identity *identity = &c->image->identities[c->identity_of[i]];
	const struct subject *subject;
	struct image_workload *ret;

	if (c->image->n_workloads == limit.max)
		return compile_limit(c, &limit, &workload->place);
	subject = &c->subjects.item[c->identities[c->identity_of[i]].subject - 1];
	ret = &c->image->workloads[c->image->n_workloads++];
	ret->namespace = copy(workload->namespace);
	ret->name = copy(workload->name);
	ret->cgroup = copy(workload->cgroup);
	ret->systemd_unit = copy(workload->systemd_unit);
	ret->identity = identity->identity;
	ret->name_index = identity->name_index;
	memcpy(ret->ruleset, subject->ruleset, sizeof(ret->ruleset));
	if (!ret->namespace || !ret->name || (workload->cgroup && !ret->cgroup) ||
	    (workload->systemd_unit && !ret->systemd_unit))
		return -ENOMEM;
	return 0;
}

/* An address that two claim: nothing can be inferred from it, unless they are the same. */
static void share_endpoint(struct image_endpoint *endpoint, uint64_t identity, uint32_t local)
{
	if (endpoint->identity != identity)
		endpoint->flags |= CS_ENDPOINT_SHARED;
	if (!endpoint->workload_index)
		endpoint->workload_index = local;
}

static int add_endpoint(struct compile *c, const struct workload *workload,
			const struct cs_addr *addr, const struct image_endpoint *from)
{
	static const struct limit limit = { "CS_ENDPOINTS_MAX", CS_ENDPOINTS_MAX - 1, "addresses",
					    "leave out addresses that need not be inferred" };
	struct image_endpoint *endpoint = &c->image->endpoints[c->image->n_endpoints];
	uint32_t i;

	if (keymap_get(&c->by_address, addr, sizeof(*addr), &i)) {
		share_endpoint(&c->image->endpoints[i], from->identity, from->workload_index);
		return 0;
	}
	if (c->image->n_endpoints == limit.max)
		return compile_limit(c, &limit, &workload->place);
	*endpoint = *from;
	endpoint->addr = *addr;
	endpoint->class_index = compile_class_of(c, addr);
	return keymap_put(&c->by_address, &endpoint->addr, sizeof(*addr),
			  (uint32_t)c->image->n_endpoints++);
}

static int add_endpoints(struct compile *c, size_t i, bool local)
{
	const struct workload *workload = c->set->workloads.item[i];
	struct image_endpoint from = {
		.identity = c->image->identities[c->identity_of[i]].identity,
		.workload_index = local ? (uint32_t)c->image->n_workloads : 0,
	};
	int r = 0;

	for (size_t a = 0; a < workload->n_addresses && r == 0; a++)
		r = add_endpoint(c, workload, &workload->addresses[a], &from);
	return r;
}

int compile_places(struct compile *c)
{
	const struct policy_set *set = c->set;
	size_t addresses = 0;
	int r = 0;

	for (size_t i = 0; i < set->workloads.n; i++)
		addresses += set->workloads.item[i]->n_addresses;
	c->image->workloads = calloc(CS_WORKLOADS_MAX, sizeof(*c->image->workloads));
	c->image->endpoints = calloc(addresses + 1, sizeof(*c->image->endpoints));
	if (!c->image->workloads || !c->image->endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < set->workloads.n && r == 0; i++) {
		bool local = set->workloads.item[i]->cgroup || set->workloads.item[i]->systemd_unit;

		if (local)
			r = add_workload(c, i);
		if (r == 0)
			r = add_endpoints(c, i, local);
	}
	return r;
}
