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
		{ "CS_WORKLOADS_MAX", CS_WORKLOADS_USABLE, "workloads on this node",
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
	ret->pod_uid = copy(workload->pod_uid);
	ret->identity = identity->identity;
	ret->name_index = identity->name_index;
	ret->host_network = workload->host_network;
	ret->revoked = compile_is_revoked(c, workload, identity->name_index);
	memcpy(ret->ruleset, subject->ruleset, sizeof(ret->ruleset));
	if (!ret->namespace || !ret->name || (workload->cgroup && !ret->cgroup) ||
	    (workload->systemd_unit && !ret->systemd_unit) || (workload->pod_uid && !ret->pod_uid))
		return -ENOMEM;
	return compile_isolation(subject, ret);
}

static int add_endpoints(struct compile *c, size_t i, bool local)
{
	const struct workload *workload = c->set->workloads.item[i];
	uint32_t identity = c->identity_of[i], endpoint;
	bool revoked = compile_is_revoked(c, workload, c->image->identities[identity].name_index);
	int r = 0;

	/* The addresses of its node say nothing about who uses them. */
	for (size_t a = 0; a < workload->n_addresses && !workload->host_network && r == 0; a++) {
		r = compile_touch_endpoint(c, &workload->place, &workload->addresses[a], NULL,
					   &endpoint);
		if (r == 0)
			r = compile_claim(c, endpoint, identity, revoked);
		if (r == 0 && local && !c->image->endpoints[endpoint].workload_index)
			c->image->endpoints[endpoint].workload_index =
				(uint32_t)c->image->n_workloads;
	}
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
static int adopt_endpoints(struct compile *c)
{
	const struct compile *from = c->from;
	size_t n = from->image->n_endpoints;

	if (n > c->endpoints_room)
		return -ESTALE;
	memcpy(c->image->endpoints, from->image->endpoints, n * sizeof(*c->image->endpoints));
	memcpy(c->claims, from->claims, n * sizeof(*c->claims));
	c->image->n_endpoints = n;
	for (size_t i = 0; i < n && !c->same_prefixes; i++) {
		struct image_endpoint *endpoint = &c->image->endpoints[i];

		endpoint->class_index = compile_class_of(c, &endpoint->addr);
	}
	for (size_t i = 0; i < n; i++)
		c->image->endpoints[i].workload_index = 0; /* that of another image */
	c->claim_free = from->claim_free;
	return ADOPT(c, claim_records) && ADOPT(c, free_endpoints) ? 0 : -ENOMEM;
}

static int adopt_placements(struct compile *c)
{
	const struct image *from = c->from->image;

	if (!ADOPT(c, texts) || !ADOPT(c, free_placements))
		return -ENOMEM;
	if (!from->n_placements)
		return 0;
	memcpy(c->image->placements, from->placements,
	       from->n_placements * sizeof(*c->image->placements));
	c->image->n_placements = from->n_placements;
	return 0;
}

/* The last workload of the image has its addresses already; they lead to it. */
static void lead_endpoints(struct compile *c, const struct workload *workload)
{
	uint32_t i;

	for (size_t a = 0; a < workload->n_addresses && !workload->host_network; a++)
		if (compile_find_endpoint(c, &workload->addresses[a], &i) &&
		    !c->image->endpoints[i].workload_index)
			c->image->endpoints[i].workload_index = (uint32_t)c->image->n_workloads;
}

/* How a workload says where it is: its field, and what that is called. */
struct whereabouts {
	const char *place;
	const char *field;
	const char *what;
};

static struct whereabouts whereabouts_of(const struct workload *workload)
{
	if (workload->cgroup)
		return (struct whereabouts){ workload->cgroup, "spec.cgroup", "cgroup" };
	if (workload->systemd_unit)
		return (struct whereabouts){ workload->systemd_unit, "spec.systemdUnit", "unit" };
	return (struct whereabouts){ workload->pod_uid, "spec.podUID", "pod" };
}

/* Who of this node has one place twice; nodes may share manifests, and each its own. A path
 * may read like a pod's uid, so the kind is part of the key. */
static int claim_place(struct compile *c, struct keymap *places, size_t i)
{
	const struct workload *workload = c->set->workloads.item[i], *first;
	const struct whereabouts at = whereabouts_of(workload);
	uint32_t other;
	char *key;
	int r;

	if (!at.place || !workload_is_local(c->options, workload))
		return 0;
	key = arena_alloc(&c->arena, strlen(at.what) + strlen(at.place) + 2);
	if (!key)
		return -ENOMEM;
	sprintf(key, "%s %s", at.what, at.place);
	r = keymap_put(places, key, strlen(key), (uint32_t)i);
	if (r != -EEXIST)
		return r;
	keymap_get(places, key, strlen(key), &other);
	first = c->set->workloads.item[other];
	policy_errors_add(c->errors, &workload->place, at.field,
			  "workloads %s/%s and %s/%s (%s:%u) of this node have the same %s: give "
			  "each its own, or correct a node",
			  workload->namespace, workload->name, first->namespace, first->name,
			  first->place.file, first->place.line, at.what);
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
		r = compile_placement(c, workload, identity, NULL, &placement);
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
		c->same_prefixes = same_prefixes(c, c->from);
		r = adopt_endpoints(c);
		if (r == 0)
			r = adopt_placements(c);
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
	if (r == 0 && !c->from)
		r = compile_entities(c);
	for (uint32_t i = 0; i < c->image->n_endpoints && r == 0 && !c->from; i++)
		compile_settle_endpoint(c, i);
	return r;
}
