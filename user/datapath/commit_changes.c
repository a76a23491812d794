/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of a commit: doing, undoing, removing. */
#include "user/datapath/commit.h"

#define CHANGES_MAX (4U * CS_IDENTITIES_MAX) /* more than all tables have slots */

/* ---- checking ---- */

struct limit {
	size_t have;
	size_t most;
	const char *what;
	const char *name;
};

static int check_limits(const struct image *image)
{
	const struct limit limits[] = {
		{ image->n_rulesets, CS_RULESETS_MAX, "different rulesets", "CS_RULESETS_MAX" },
		{ image->n_bitmaps, CS_BITMAPS_MAX, "different sets of selectors",
		  "CS_BITMAPS_MAX" },
		{ image->n_names, CS_NAMES_MAX, "SPIFFE IDs", "CS_NAMES_MAX" },
		{ image->n_workloads, CS_WORKLOADS_USABLE, "workloads", "CS_WORKLOADS_MAX" },
		{ image->n_identities, CS_IDENTITIES_MAX - 1, "identities", "CS_IDENTITIES_MAX" },
		{ image->n_endpoints, CS_ENDPOINTS_MAX - 1, "addresses", "CS_ENDPOINTS_MAX" },
		{ image->n_classes, CS_CLASSES_MAX - 1, "CIDR classes", "CS_CLASSES_MAX" },
		{ image->n_services, CS_SERVICES_MAX - 1, "Service addresses", "CS_SERVICES_MAX" },
		{ image->n_rules, CS_RULE_IDS_MAX, "rules", "CS_RULE_IDS_MAX" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limits[i].have > limits[i].most)
			return datapath_fail(-ENOSPC, "too many %s: %zu, at most %zu fit (%s)",
					     limits[i].what, limits[i].have, limits[i].most,
					     limits[i].name);
	for (size_t i = 0; i < image->n_services; i++)
		if (image->services[i].n > CS_BACKENDS_MAX)
			return datapath_fail(-ENOSPC,
					     "service %s/%s: too many kinds of backends: %u, at "
					     "most %u fit (CS_BACKENDS_MAX)",
					     image->services[i].namespace, image->services[i].name,
					     image->services[i].n, CS_BACKENDS_MAX);
	return 0;
}

static bool rulesets_in_range(const struct image *image, const uint32_t *ruleset)
{
	return ruleset[CS_INGRESS] < image->n_rulesets && ruleset[CS_EGRESS] < image->n_rulesets;
}

static bool services_in_range(const struct image *image)
{
	const struct image_service *service;
	bool ok = true;

	for (size_t i = 0; i < image->n_services; i++) {
		service = &image->services[i];
		ok &= service->first <= image->n_backends &&
		      service->n <= image->n_backends - service->first;
	}
	for (size_t i = 0; i < image->n_backends; i++)
		ok &= image->backends[i].class_index <= image->n_classes;
	return ok;
}

static bool image_in_range(const struct image *image)
{
	bool ok = rulesets_in_range(image, image->unmanaged_ruleset) && services_in_range(image);

	for (size_t i = 0; i < image->n_rulesets; i++)
		ok &= image->rulesets[i].count <= CS_RULES_MAX;
	for (size_t i = 0; i < image->n_workloads; i++)
		ok &= rulesets_in_range(image, image->workloads[i].ruleset) &&
		      image->workloads[i].name_index < image->n_names &&
		      image->workloads[i].identity >= CS_IDENTITY_FIRST;
	for (size_t i = 0; i < image->n_identities; i++)
		ok &= image->identities[i].row < image->n_bitmaps &&
		      image->identities[i].name_index < image->n_names;
	for (size_t i = 0; i < image->n_endpoints; i++)
		ok &= image->endpoints[i].class_index <= image->n_classes &&
		      image->endpoints[i].workload_index <= image->n_workloads;
	for (size_t i = 0; i < image->n_classes; i++)
		ok &= image->classes[i].row < image->n_bitmaps &&
		      image->classes[i].prefix.prefixlen <= 128;
	return ok;
}

int commit_check(const struct image *image)
{
	int r = check_limits(image);

	if (r >= 0 && !image_in_range(image))
		r = datapath_fail(-EINVAL, "the compiled policy refers to what it does not have");
	return r;
}

/* ---- doing ---- */

static int reserve(struct changes *changes)
{
	size_t wanted = changes->allocated ? changes->allocated * 2 : 256;
	struct change *grown;

	if (changes->n < changes->allocated)
		return 0;
	if (wanted > CHANGES_MAX)
		return -ENOSPC;
	grown = reallocarray(changes->list, wanted, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	changes->list = grown;
	changes->allocated = wanted;
	return 0;
}

/* The cgroup of a workload, too, gets the slot that the workload has. */
static int point_cgroup(const struct commit *c, uint32_t slot)
{
	uint64_t id = c->dp->view.workloads[slot].cgroup_id;

	return id ? ret_errno(bpf_map_update_elem(c->dp->cgroups, &id, &slot, BPF_ANY)) : 0;
}

/* Lets @key lead to @slot, in the kernel. */
static int point(const struct commit *c, const struct table *table, const void *key, uint32_t slot)
{
	if (table == commit_table(c, TABLE_WORKLOADS))
		return point_cgroup(c, slot);
	if (table->map < 0)
		return 0;
	return ret_errno(bpf_map_update_elem(table->map, key, &slot, BPF_ANY));
}

static int fail_change(const struct table *table, int r)
{
	if (r == -ENOSPC || r == -E2BIG)
		return datapath_fail(-ENOSPC, "the kernel's table of %s is full (%s)", table->what,
				     table->limit);
	return datapath_fail(r, "cannot write the kernel's table of %s: %s", table->what,
			     strerror(-r));
}

int commit_change(struct commit *c, struct change change, const void *key)
{
	struct table *table = change.table;
	int r = reserve(&c->done);

	if (r >= 0)
		r = point(c, table, key, change.to);
	if (r < 0) {
		slots_drop(&table->slots, change.to);
		return fail_change(table, r);
	}
	if (change.from)
		slots_unbind(&table->slots, change.from);
	slots_bind(&table->slots, change.to, key);
	commit_want(c, table, change.to);
	c->done.list[c->done.n++] = change;
	return 0;
}

int commit_defer(struct commit *c, struct change change, const void *key)
{
	int r = reserve(&c->late);

	if (r < 0) {
		slots_drop(&change.table->slots, change.to);
		return fail_change(change.table, r);
	}
	slots_note(&change.table->slots, change.to, key);
	commit_want(c, change.table, change.from);
	c->late.list[c->late.n++] = change;
	return 0;
}

/*
 * Post-epoch changes replace the value of a key that is there, so only memory can be
 * short. Then the address keeps its old slot, which the next commit sees and corrects.
 */
void commit_late(struct commit *c)
{
	for (size_t i = 0; i < c->late.n; i++) {
		struct change *change = &c->late.list[i];
		struct slots *slots = &change->table->slots;
		const void *key = slots_key(slots, change->to);
		int r = point(c, change->table, key, change->to);

		if (r < 0) {
			fail_change(change->table, r);
			slots_retire(slots, change->to);
			change->to = 0;
			continue;
		}
		slots_unbind(slots, change->from);
		slots_bind(slots, change->to, key);
		commit_want(c, change->table, change->to);
	}
}

/* ---- undoing ---- */

static int unpoint(const struct commit *c, const struct change *change)
{
	const struct table *table = change->table;
	const void *key = slots_key(&table->slots, change->to);

	if (change->from)
		return point(c, table, key, change->from);
	if (table->map < 0)
		return 0; /* a new workload has no cgroup yet */
	return ret_errno(bpf_map_delete_elem(table->map, key));
}

void commit_undo(struct commit *c)
{
	for (size_t i = c->late.n; i-- > 0;)
		slots_drop(&c->late.list[i].table->slots, c->late.list[i].to);
	for (size_t i = c->done.n; i-- > 0;) {
		const struct change *change = &c->done.list[i];
		struct slots *slots = &change->table->slots;

		/* What the kernel keeps stays bound; the next commit removes it. */
		if (unpoint(c, change) < 0)
			continue;
		slots_unbind(slots, change->to);
		if (change->from)
			slots_bind(slots, change->from, slots_key(slots, change->from));
		slots_retire(slots, change->to);
	}
}

/* ---- cleaning up ---- */

void commit_retire_replaced(struct commit *c)
{
	for (size_t i = 0; i < c->done.n; i++)
		if (c->done.list[i].from)
			slots_retire(&c->done.list[i].table->slots, c->done.list[i].from);
	for (size_t i = 0; i < c->late.n; i++)
		if (c->late.list[i].to)
			slots_retire(&c->late.list[i].table->slots, c->late.list[i].from);
}

size_t commit_remove_unwanted(struct commit *c, struct table *table)
{
	struct slots *slots = &table->slots;
	size_t n = 0;

	for (uint32_t slot = 1; slot < slots->top; slot++) {
		if (!slots_is_bound(slots, slot) || commit_wants(c, table, slot))
			continue;
		if (table->map >= 0 &&
		    bpf_map_delete_elem(table->map, slots_key(slots, slot)) < 0 && errno != ENOENT)
			continue; /* the next commit tries again */
		slots_unbind(slots, slot);
		slots_retire(slots, slot);
		n++;
	}
	return n;
}
