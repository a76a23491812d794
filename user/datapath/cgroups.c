/* SPDX-License-Identifier: Apache-2.0 */
/* Which cgroup is which workload's. */
#include "user/datapath/internal.h"

/* ---- after a restart ---- */

/* One side of the matching: a workload of the image, or a slot that was left behind. */
struct candidate {
	uint64_t identity;
	uint32_t index;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->identity != y->identity)
		return x->identity < y->identity ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool is_unmatched(const struct slots *s, uint32_t slot)
{
	return slots_is_bound(s, slot) && *(const char *)slots_key(s, slot) == '\1';
}

/* Gives the slot that was left behind to the workload, by name from now on. */
static int match(struct datapath *dp, const struct image_workload *workload, uint32_t slot)
{
	struct slots *slots = &dp->tables[TABLE_WORKLOADS].slots;
	char key[WORKLOAD_KEY_MAX];
	int r = workload_key(workload->namespace, workload->name, key);

	if (r < 0)
		return r;
	if (slots_find(slots, key))
		return 0; /* matched already, by a commit that failed after that */
	slots_unbind(slots, slot);
	slots_bind(slots, slot, key);
	return 0;
}

/* The cgroup that the workload's path names, or that the agent knows it by; 0: none. */
static uint64_t cgroup_of(const struct datapath *dp, const struct image_workload *workload)
{
	uint64_t id = 0;

	if (workload->cgroup)
		return cgroup_id_at(dp->cgroup, workload->cgroup, &id) < 0 ? 0 : id;
	return dp->cgroup_of ? dp->cgroup_of(dp->cgroup_of_arg, workload) : 0;
}

void datapath_ask_cgroups(struct datapath *dp, datapath_cgroup_fn fn, void *arg)
{
	dp->cgroup_of = fn;
	dp->cgroup_of_arg = arg;
}

/* The slot that has this workload's identity and its cgroup, or 0. */
static uint32_t slot_by_cgroup(struct datapath *dp, const struct image_workload *workload)
{
	uint64_t id = cgroup_of(dp, workload);
	uint32_t slot;

	if (!id || bpf_map_lookup_elem(dp->cgroups, &id, &slot) < 0)
		return 0;
	if (slot >= CS_SLOT_WAITING || !is_unmatched(&dp->tables[TABLE_WORKLOADS].slots, slot) ||
	    dp->view.workloads[slot].identity != workload->identity)
		return 0;
	return slot;
}

static size_t match_by_cgroup(struct datapath *dp, const struct image *image,
			      struct candidate *rest, int *ret)
{
	uint32_t slot;
	size_t n = 0;

	for (size_t i = 0; *ret >= 0 && i < image->n_workloads; i++) {
		slot = slot_by_cgroup(dp, &image->workloads[i]);
		if (slot)
			*ret = match(dp, &image->workloads[i], slot);
		else
			rest[n++] = (struct candidate){ image->workloads[i].identity, i };
	}
	return n;
}

static size_t unmatched_slots(struct datapath *dp, struct candidate *ret)
{
	const struct slots *slots = &dp->tables[TABLE_WORKLOADS].slots;
	size_t n = 0;

	for (uint32_t slot = 1; slot < slots->top; slot++)
		if (is_unmatched(slots, slot))
			ret[n++] = (struct candidate){ dp->view.workloads[slot].identity, slot };
	return n;
}

/*
 * The rest by identity alone: both lists sorted, then walked side by side. Workloads of
 * one identity may swap slots here; datapath_set_cgroup() puts their cgroups right.
 */
static int match_by_identity(struct datapath *dp, const struct image *image, struct candidate *rest,
			     size_t n_rest)
{
	struct candidate left[CS_WORKLOADS_MAX];
	size_t n = unmatched_slots(dp, left);
	int r = 0;

	qsort(rest, n_rest, sizeof(*rest), compare_candidates);
	qsort(left, n, sizeof(*left), compare_candidates);
	for (size_t i = 0, j = 0; r >= 0 && i < n_rest && j < n;) {
		if (rest[i].identity == left[j].identity)
			r = match(dp, &image->workloads[rest[i++].index], left[j++].index);
		else if (rest[i].identity < left[j].identity)
			i++;
		else
			j++;
	}
	return r;
}

int workloads_match(struct datapath *dp, const struct image *image)
{
	struct candidate rest[CS_WORKLOADS_MAX];
	int r = 0;
	size_t n;

	if (!dp->unmatched)
		return 0;
	n = match_by_cgroup(dp, image, rest, &r);
	if (r >= 0)
		r = match_by_identity(dp, image, rest, n);
	return r;
}

/* ---- setting ---- */

void workload_renew(struct datapath *dp, uint32_t slot)
{
	uint32_t *generation = &dp->view.workloads[slot].generation;
	uint32_t next = *generation + 1;

	__atomic_store_n(generation, next ? next : 1, __ATOMIC_RELEASE);
}

static void store_cgroup(struct datapath *dp, uint32_t slot, uint64_t id)
{
	__atomic_store_n(&dp->view.workloads[slot].cgroup_id, id, __ATOMIC_RELEASE);
}

/* Cgroup @id goes to @slot; @owner had it, @former was the slot's own. 0: none. */
struct move {
	uint64_t id;
	uint64_t former;
	uint32_t slot;
	uint32_t owner;
	/*
	 * Slot and owner have one identity, so the owner gets @former: after a restart two
	 * such workloads may have each other's slot (match_by_identity()), and neither may
	 * be without policy until both are put right.
	 */
	bool exchange;
};

static struct move plan_move(const struct datapath *dp, uint32_t slot, uint64_t id)
{
	const struct cs_workload *workloads = dp->view.workloads;
	struct move m = { .id = id, .former = workloads[slot].cgroup_id, .slot = slot };

	if (id && (bpf_map_lookup_elem(dp->cgroups, &id, &m.owner) < 0 || m.owner == slot ||
		   m.owner >= CS_SLOT_WAITING))
		m.owner = 0;
	m.exchange = m.owner && m.former && workloads[m.owner].identity == workloads[slot].identity;
	return m;
}

static int move_cgroup(struct datapath *dp, const struct move *m)
{
	if (m->former && !m->exchange && bpf_map_delete_elem(dp->cgroups, &m->former) < 0 &&
	    errno != ENOENT)
		return -errno;
	store_cgroup(dp, m->slot, m->id);
	if (m->id && bpf_map_update_elem(dp->cgroups, &m->id, &m->slot, BPF_ANY) < 0) {
		store_cgroup(dp, m->slot, 0);
		return -errno;
	}
	if (!m->owner)
		return 0;
	store_cgroup(dp, m->owner, m->exchange ? m->former : 0);
	if (m->exchange && bpf_map_update_elem(dp->cgroups, &m->former, &m->owner, BPF_ANY) < 0)
		return -errno;
	return 0;
}

static void renew_in_force(struct datapath *dp, uint32_t slot)
{
	struct cs_subject *subject =
		&dp->view.subjects[datapath_bank(dp) * CS_WORKLOADS_MAX + slot];

	workload_renew(dp, slot);
	__atomic_store_n(&subject->generation, dp->view.workloads[slot].generation,
			 __ATOMIC_RELEASE);
}

/*
 * Sockets must not stay with a slot that has lost their cgroup. Its generation changes
 * after a grace period: no program can then remember the new one for them.
 */
static int disown_sockets(struct datapath *dp, const struct move *m)
{
	int r;

	if (m->exchange || (!m->former && !m->owner))
		return 0;
	r = datapath_grace(dp);
	if (r < 0)
		return r;
	if (m->former)
		renew_in_force(dp, m->slot);
	if (m->owner)
		renew_in_force(dp, m->owner);
	datapath_stamp(dp);
	return 0;
}

int datapath_set_cgroup(struct datapath *dp, size_t workload, uint64_t cgroup_id)
{
	struct move move;
	uint32_t slot;
	int r;

	if (workload >= dp->n_workloads)
		return datapath_fail(-EINVAL, "no workload number %zu in the policy in force",
				     workload);
	slot = dp->workload_slot[workload];
	if (dp->view.workloads[slot].cgroup_id == cgroup_id)
		return 0;
	move = plan_move(dp, slot, cgroup_id);
	r = move_cgroup(dp, &move);
	datapath_stamp(dp);
	if (r < 0)
		return datapath_fail(r, "cannot set the cgroup of a workload: %s", strerror(-r));
	return disown_sockets(dp, &move);
}
