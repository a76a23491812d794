/* SPDX-License-Identifier: Apache-2.0 */
/* Revocations of nobody, and workloads of no node beside those that name theirs. */
#include "user/identity/spiffe.h"
#include "user/policy/lint_work.h"

static int note_ids(struct lint *l, struct keymap *ids)
{
	int r = 0;

	for (size_t i = 0; i < l->set->workloads.n && r == 0; i++) {
		const struct workload *w = l->set->workloads.item[i];
		char id[CS_SPIFFE_ID_MAX], *kept;

		if (workload_spiffe_id(l->options->compile, w, id) < 0)
			continue;
		kept = arena_strdup(&l->arena, id);
		r = kept ? keymap_put(ids, kept, strlen(kept), 0) : -ENOMEM;
		r = r == -EEXIST ? 0 : r;
	}
	return r;
}

static int check_workload(struct lint *l, const struct revocation *revocation,
			  const struct workload_name *name)
{
	const struct about about = { .code = LINT_REVOKED_NOBODY, .place = &revocation->place };
	char full[OBJECT_NAME_MAX];
	uint32_t unused;

	snprintf(full, sizeof(full), "%s/%s", name->namespace, name->name);
	if (keymap_get(&l->set->workloads.names, full, strlen(full), &unused))
		return 0;
	return lint_add(l->findings, &about, "Revocation %s: there is no workload %s",
			revocation->name, full);
}

static int check_revocation(struct lint *l, const struct revocation *revocation,
			    const struct keymap *ids)
{
	const struct about about = { .code = LINT_REVOKED_NOBODY, .place = &revocation->place };
	int r = 0;

	for (size_t i = 0; i < revocation->n_workloads && r == 0; i++)
		r = check_workload(l, revocation, &revocation->workloads[i]);
	for (size_t i = 0; i < revocation->n_spiffe_ids && r == 0; i++) {
		const char *id = revocation->spiffe_ids[i];
		uint32_t unused;

		/* Nodes are no workloads; who they are is not in manifests. */
		if (!spiffe_problem(id) && !keymap_get(ids, id, strlen(id), &unused))
			r = lint_add(l->findings, &about, "Revocation %s: no workload has %s",
				     revocation->name, id);
	}
	return r;
}

/* One that runs here by its cgroup gets the node's name from the agent. */
static int check_nodes(struct lint *l)
{
	bool named = false;
	int r = 0;

	for (size_t i = 0; i < l->set->workloads.n && !named; i++)
		named = l->set->workloads.item[i]->node;
	for (size_t i = 0; i < l->set->workloads.n && named && r == 0; i++) {
		const struct workload *w = l->set->workloads.item[i];
		const struct about about = { .code = LINT_NODE_MISSING, .place = &w->place };

		if (!w->node && !workload_has_place(w))
			r = lint_add(l->findings, &about,
				     "workload %s/%s has no node: no node may speak for it",
				     w->namespace, w->name);
	}
	return r;
}

int lint_where(struct lint *l)
{
	_cleanup_keymap_ struct keymap ids = { 0 };
	int r = note_ids(l, &ids);

	/* Without Workloads nothing can be said of who exists. */
	for (size_t i = 0; i < l->set->revocations.n && r == 0 && l->set->workloads.n; i++)
		r = check_revocation(l, l->set->revocations.item[i], &ids);
	return r < 0 ? r : check_nodes(l);
}
