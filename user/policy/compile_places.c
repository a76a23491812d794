/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads of this node and the addresses of all. */
#include "user/policy/compile.h"

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

static int add_workload(struct compile *c, size_t i)
{
	static const struct limit limits[] = {
		{ "CS_WORKLOADS_MAX", CS_WORKLOADS_MAX - 1, "workloads on this node",
		  "move some to another node" },
		{ "OFFLINE_WORKLOADS_MAX", OFFLINE_WORKLOADS_MAX, "workloads",
		  "look at fewer namespaces at a time" },
	};
	const struct limit *limit = &limits[c->options->every_subject];
	const struct workload *workload = c->set->workloads.item[i];
	const struct image_identity *identity = &c->image->identities[c->identity_of[i]];
	const struct subject *subject;
	struct image_workload *ret;

	if (c->image->n_workloads == limit->max)
		return compile_limit(c, limit, &workload->place);
	subject = &c->subjects.item[c->subject_of[i] - 1];
	ret = &c->image->workloads[c->image->n_workloads++];
	ret->namespace = copy(workload->namespace);
	ret->name = copy(workload->name);
	ret->cgroup = copy(workload->cgroup);
	ret->systemd_unit = copy(workload->systemd_unit);
	ret->identity = identity->identity;
	ret->name_index = identity->name_index;
	ret->host_network = workload->host_network;
	ret->revoked = compile_is_revoked(c, workload, identity->name_index);
	memcpy(ret->ruleset, subject->ruleset, sizeof(ret->ruleset));
	if (!ret->namespace || !ret->name || (workload->cgroup && !ret->cgroup) ||
	    (workload->systemd_unit && !ret->systemd_unit))
		return -ENOMEM;
	return compile_isolation(subject, ret);
}

/* An address that two claim: nothing can be inferred from it, unless they are the same. */
static void share_endpoint(struct image_endpoint *endpoint, const struct image_endpoint *from)
{
	if (endpoint->identity != from->identity)
		endpoint->flags |= CS_ENDPOINT_SHARED;
	if (!endpoint->workload_index)
		endpoint->workload_index = from->workload_index;
	/* Fail closed: a revoked one among those that have it is enough. */
	endpoint->flags |= from->flags;
}

int compile_endpoint(struct compile *c, const struct place *place, const struct cs_addr *addr,
		     const struct image_endpoint *from)
{
	static const struct limit limit = { "CS_ENDPOINTS_MAX", CS_ENDPOINTS_MAX - 1, "addresses",
					    "leave out addresses that need not be inferred" };
	struct image_endpoint *endpoint = &c->image->endpoints[c->image->n_endpoints];
	struct cs_addr *key;
	uint32_t i;

	if (keymap_get(&c->by_address, addr, sizeof(*addr), &i)) {
		share_endpoint(&c->image->endpoints[i], from);
		c->claims[i]++;
		return 0;
	}
	if (c->image->n_endpoints == limit.max || c->image->n_endpoints >= c->endpoints_room)
		return compile_limit(c, &limit, place);
	key = arena_alloc(&c->store->arena, sizeof(*key));
	if (!key)
		return -ENOMEM;
	*key = *addr;
	*endpoint = *from;
	endpoint->addr = *addr;
	endpoint->class_index = compile_class_of(c, addr);
	c->claims[c->image->n_endpoints] = 1;
	return keymap_put(&c->by_address, key, sizeof(*key), (uint32_t)c->image->n_endpoints++);
}

static int add_endpoints(struct compile *c, size_t i, bool local)
{
	const struct workload *workload = c->set->workloads.item[i];
	const struct image_identity *identity = &c->image->identities[c->identity_of[i]];
	bool revoked = compile_is_revoked(c, workload, identity->name_index);
	struct image_endpoint from = {
		.identity = identity->identity,
		.flags = revoked ? CS_ENDPOINT_REVOKED : 0,
		.workload_index = local ? (uint32_t)c->image->n_workloads : 0,
	};
	int r = 0;

	/* The addresses of its node say nothing about who uses them. */
	for (size_t a = 0; a < workload->n_addresses && !workload->host_network && r == 0; a++)
		r = compile_endpoint(c, &workload->place, &workload->addresses[a], &from);
	return r;
}

static bool same_prefixes(const struct compile *c, const struct compile *from)
{
	for (size_t i = 0; i < c->prefixes.n && i < from->prefixes.n; i++)
		if (memcmp(&c->prefixes.item[i]->cidr, &from->prefixes.item[i]->cidr,
			   sizeof(struct cs_cidr)) != 0)
			return false;
	return c->prefixes.n == from->prefixes.n;
}

/* The addresses are known, those of entities too; what covers them may have changed. */
static void adopt_endpoints(struct compile *c)
{
	const struct compile *from = c->from;
	bool same = same_prefixes(c, from);

	memcpy(c->image->endpoints, from->image->endpoints,
	       from->image->n_endpoints * sizeof(*c->image->endpoints));
	memcpy(c->claims, from->claims, from->image->n_endpoints * sizeof(*c->claims));
	c->image->n_endpoints = from->image->n_endpoints;
	for (size_t i = 0; i < c->image->n_endpoints && !same; i++) {
		struct image_endpoint *endpoint = &c->image->endpoints[i];

		endpoint->class_index = compile_class_of(c, &endpoint->addr);
	}
	for (size_t i = 0; i < c->image->n_endpoints; i++)
		c->image->endpoints[i].workload_index = 0; /* that of another image */
}

static void adopt_placements(struct compile *c)
{
	const struct image *from = c->from->image;

	if (!from->n_placements)
		return;
	memcpy(c->image->placements, from->placements,
	       from->n_placements * sizeof(*c->image->placements));
	c->image->n_placements = from->n_placements;
}

/* The last workload of the image has its addresses already; they lead to it. */
static void lead_endpoints(struct compile *c, const struct workload *workload)
{
	uint32_t i;

	for (size_t a = 0; a < workload->n_addresses && !workload->host_network; a++)
		if (keymap_get(&c->by_address, &workload->addresses[a],
			       sizeof(workload->addresses[a]), &i) &&
		    !c->image->endpoints[i].workload_index)
			c->image->endpoints[i].workload_index = (uint32_t)c->image->n_workloads;
}

/* Who of this node has a cgroup or unit twice; nodes may share manifests, and each its own. */
static int claim_place(struct compile *c, struct keymap *places, size_t i)
{
	const struct workload *workload = c->set->workloads.item[i], *first;
	const char *place = workload->cgroup ?: workload->systemd_unit;
	uint32_t other;
	int r;

	if (!place || !workload_is_local(c->options, workload))
		return 0;
	r = keymap_put(places, place, strlen(place), (uint32_t)i);
	if (r != -EEXIST)
		return r;
	keymap_get(places, place, strlen(place), &other);
	first = c->set->workloads.item[other];
	policy_errors_add(c->errors, &workload->place,
			  workload->cgroup ? "spec.cgroup" : "spec.systemdUnit",
			  "workloads %s/%s and %s/%s (%s:%u) of this node have the same %s: give "
			  "each its own, or correct a node",
			  workload->namespace, workload->name, first->namespace, first->name,
			  first->place.file, first->place.line,
			  workload->cgroup ? "cgroup" : "unit");
	return -EBADMSG;
}

static int claim_places(struct compile *c)
{
	_cleanup_keymap_ struct keymap places = { 0 };
	int r = 0;

	for (size_t i = 0; i < c->set->workloads.n && r == 0 && !c->options->every_subject; i++)
		r = claim_place(c, &places, i);
	return r;
}

/* The workload's own, and that it runs where it does. */
static int add_place(struct compile *c, size_t i, bool local)
{
	const struct workload *workload = c->set->workloads.item[i];
	uint32_t identity = c->identity_of[i], placement;
	int r;

	r = add_endpoints(c, i, local);
	if (r == 0)
		r = compile_placement(c, workload, identity, &placement);
	if (r == 0 && placement)
		compile_count_placement(
			c, placement - 1,
			compile_is_revoked(c, workload, c->image->identities[identity].name_index),
			/* comes= */ true);
	return r;
}

int compile_places(struct compile *c)
{
	const struct policy_set *set = c->set;
	int r = claim_places(c);

	if (r < 0)
		return r;
	c->image->workloads = calloc(set->workloads.n + 1, sizeof(*c->image->workloads));
	if (!c->image->workloads)
		return -ENOMEM;
	if (c->from) {
		adopt_endpoints(c);
		adopt_placements(c);
	}
	for (size_t i = 0; i < set->workloads.n && r == 0; i++) {
		bool local = compile_is_subject(c, set->workloads.item[i]);

		if (local)
			r = add_workload(c, i);
		if (r == 0 && !c->from)
			r = add_place(c, i, local);
		if (r == 0 && c->from && local)
			lead_endpoints(c, set->workloads.item[i]);
	}
	return r == 0 && !c->from ? compile_entities(c) : r;
}
