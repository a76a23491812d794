/* SPDX-License-Identifier: Apache-2.0 */
/* The image's SPIFFE IDs, its workloads and what policy they are subject to. */
#include "user/datapath/commit.h"

/* ---- names ---- */

static int take_name(struct commit *c, const char *name, uint32_t *ret)
{
	struct table *table = commit_table(c, TABLE_NAMES);
	int r = table_take(c->dp, table, ret);

	if (r < 0)
		return r;
	memcpy(c->dp->view.names[*ret].spiffe_id, name, CS_SPIFFE_ID_MAX);
	return commit_change(c, (struct change){ .table = table, .to = *ret }, name);
}

int commit_names(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_NAMES);
	char name[CS_SPIFFE_ID_MAX];
	int r = 0;

	for (size_t i = 1; r >= 0 && i < c->image->n_names; i++) {
		memset(name, 0, sizeof(name));
		strncpy(name, c->image->names[i], sizeof(name) - 1);
		c->names[i] = slots_find(&table->slots, name);
		if (c->names[i])
			commit_want(c, table, c->names[i]);
		else
			r = take_name(c, name, &c->names[i]);
	}
	return r;
}

/* ---- workloads ---- */

static struct cs_subject *subject(const struct commit *c, uint32_t bank, uint32_t slot)
{
	return &c->dp->view.subjects[bank * CS_WORKLOADS_MAX + slot];
}

/*
 * A workload that got another identity moves to another slot, so that no program ever
 * sees half of either. Until the epoch changes it is subject to what it was.
 */
static void inherit_subject(const struct commit *c, uint32_t from, uint32_t to)
{
	uint32_t bank = datapath_bank(c->dp);
	struct cs_subject inherited = { 0 };

	if (from)
		inherited = *subject(c, bank, from);
	inherited.generation = c->dp->view.workloads[to].generation;
	*subject(c, bank, to) = inherited;
}

static int place_workload(struct commit *c, size_t i, uint32_t from, const char *key)
{
	const struct image_workload *workload = &c->image->workloads[i];
	struct cs_workload *workloads = c->dp->view.workloads;
	struct change change = { .table = commit_table(c, TABLE_WORKLOADS), .from = from };
	int r = table_take(c->dp, change.table, &change.to);

	if (r < 0)
		return r;
	workload_renew(c->dp, change.to);
	workloads[change.to].identity = workload->identity;
	workloads[change.to].name = c->names[workload->name_index];
	workloads[change.to].cgroup_id = from ? workloads[from].cgroup_id : 0;
	inherit_subject(c, from, change.to);
	c->workloads[i] = change.to;
	return commit_change(c, change, key);
}

static int commit_workload(struct commit *c, size_t i)
{
	const struct image_workload *workload = &c->image->workloads[i];
	struct table *table = commit_table(c, TABLE_WORKLOADS);
	char key[WORKLOAD_KEY_MAX];
	int r = workload_key(workload->namespace, workload->name, key);
	uint32_t slot;

	if (r < 0)
		return r;
	slot = slots_find(&table->slots, key);
	if (slot && commit_wants(c, table, slot))
		return datapath_fail(-EINVAL, "workload %s/%s: is there twice", workload->namespace,
				     workload->name);
	if (!slot || c->dp->view.workloads[slot].identity != workload->identity)
		return place_workload(c, i, slot, key);
	commit_want(c, table, slot);
	c->workloads[i] = slot;
	return 0;
}

int commit_workloads(struct commit *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->image->n_workloads; i++)
		r = commit_workload(c, i);
	return r;
}

/* ---- subjects ---- */

static void write_subject(struct commit *c, uint32_t slot, const uint32_t *ruleset, bool revoked)
{
	*subject(c, c->bank, slot) = (struct cs_subject){
		.ruleset = { ruleset[CS_INGRESS], ruleset[CS_EGRESS] },
		.generation = c->dp->view.workloads[slot].generation,
		.standing = revoked ? CS_SUBJECT_REVOKED : CS_SUBJECT_VALID,
	};
}

/* What was at @from is at @to now; until its sockets have noticed they are subject to the same. */
static void write_moved(struct commit *c, uint32_t from, uint32_t to)
{
	const struct cs_subject *moved = subject(c, c->bank, to);

	write_subject(c, from, moved->ruleset, moved->standing == CS_SUBJECT_REVOKED);
}

/*
 * The whole bank. Slots of workloads that are gone are subject to what applies to no
 * workload until their sockets have noticed; slots that were moved from, to what applies
 * where they moved.
 */
void commit_subjects(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_WORKLOADS);
	const struct slots *slots = &table->slots;

	memset(subject(c, c->bank, 0), 0, CS_WORKLOADS_MAX * sizeof(struct cs_subject));
	write_subject(c, 0, c->image->unmanaged_ruleset, false);
	for (uint32_t slot = 1; slot < slots->top; slot++)
		if (slots_is_bound(slots, slot) && !commit_wants(c, table, slot))
			write_subject(c, slot, c->image->unmanaged_ruleset, false);
	for (size_t i = 0; i < c->image->n_workloads; i++)
		write_subject(c, c->workloads[i], c->image->workloads[i].ruleset,
			      c->image->workloads[i].revoked);
	for (size_t i = 0; i < c->done.n; i++)
		if (c->done.list[i].table == table && c->done.list[i].from)
			write_moved(c, c->done.list[i].from, c->done.list[i].to);
}

/* ---- the end of a workload ---- */

void commit_unlink_workloads(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_WORKLOADS);
	uint32_t owner;
	uint64_t id;

	for (uint32_t slot = 1; slot < table->slots.top; slot++) {
		if (!slots_is_bound(&table->slots, slot) || commit_wants(c, table, slot))
			continue;
		id = c->dp->view.workloads[slot].cgroup_id;
		if (id && bpf_map_lookup_elem(c->dp->cgroups, &id, &owner) == 0 && owner == slot)
			bpf_map_delete_elem(c->dp->cgroups, &id);
	}
}

/* The generation first: whoever remembers the slot must not take the rest for his own. */
static void end_workload(struct commit *c, uint32_t slot)
{
	struct cs_workload *workload = &c->dp->view.workloads[slot];

	workload_renew(c->dp, slot);
	__atomic_store_n(&workload->cgroup_id, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&workload->identity, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&workload->name, 0, __ATOMIC_RELEASE);
}

void commit_end_workloads(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_WORKLOADS);

	for (uint32_t slot = 1; slot < table->slots.top; slot++)
		if (slots_is_bound(&table->slots, slot) && !commit_wants(c, table, slot))
			end_workload(c, slot);
	for (size_t i = 0; i < c->done.n; i++)
		if (c->done.list[i].table == table && c->done.list[i].from)
			end_workload(c, c->done.list[i].from);
}
