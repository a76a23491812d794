/* SPDX-License-Identifier: Apache-2.0 */
/* Documents whose workloads changed, and nothing else: who went, who came. */
#include "user/policy/engine_internal.h"

void engine_claims_done(struct engine_claims *claims)
{
	keymap_done(&claims->names);
	keymap_done(&claims->cgroups);
	keymap_done(&claims->units);
	claims->valid = false;
}

/* ---- what no two workloads may have ---- */

static void drop_claims(struct keymap *all, const struct keymap *own)
{
	struct keymap_item item;
	size_t position = 0;

	while (keymap_next(own, &position, &item))
		keymap_remove(all, item.key, item.length);
}

static int take_claims(struct keymap *all, const struct keymap *own)
{
	struct keymap_item item;
	size_t position = 0;
	int r = 0;

	while (r == 0 && keymap_next(own, &position, &item))
		r = keymap_put(all, item.key, item.length, item.value);
	return r;
}

static int take_all_claims(struct engine_claims *claims, const struct engine_document *document)
{
	int r = take_claims(&claims->names, &document->set->workloads.names);

	if (r == 0)
		r = take_claims(&claims->cgroups, &document->set->cgroups);
	return r < 0 ? r : take_claims(&claims->units, &document->set->units);
}

/* From the documents in force, after a change that did not come into force. */
static int restore_claims(struct policy_engine *engine)
{
	int r = 0;

	if (engine->claims.valid)
		return 0;
	engine_claims_done(&engine->claims);
	for (size_t i = 0; i < engine->documents.n && r == 0; i++)
		r = take_all_claims(&engine->claims, engine->documents.item[i]);
	return r;
}

static int move_claims(struct policy_engine *engine)
{
	struct engine_claims *claims = &engine->claims;
	int r = restore_claims(engine);

	claims->valid = false; /* until the change is accepted */
	engine->claims_moved = false;
	for (size_t i = 0; i < engine->changes.n; i++) {
		const struct engine_document *old = engine->changes.item[i].old;

		if (!old)
			continue;
		drop_claims(&claims->names, &old->set->workloads.names);
		drop_claims(&claims->cgroups, &old->set->cgroups);
		drop_claims(&claims->units, &old->set->units);
	}
	for (size_t i = 0; i < engine->changes.n && r == 0; i++) {
		const struct engine_document *new = engine->changes.item[i].new;

		if (new)
			r = take_all_claims(claims, new);
	}
	engine->claims_moved = r == 0;
	/* Twice the same: the whole compile finds it again and says where. */
	return r == -EEXIST ? -ESTALE : r;
}

/* ---- who went, who came ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

static bool same_labels(const struct labels *a, const struct labels *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (!streq(a->item[i].key, b->item[i].key) ||
		    !streq(a->item[i].value, b->item[i].value))
			return false;
	return a->n == b->n;
}

static bool same_ports(const struct named_ports *a, const struct named_ports *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (named_port_compare(&a->item[i], &b->item[i]) != 0 ||
		    a->item[i].port != b->item[i].port)
			return false;
	return a->n == b->n;
}

/* But for where it is written. */
static bool same_workload(const struct workload *a, const struct workload *b)
{
	return streq(a->service_account, b->service_account) && same_text(a->node, b->node) &&
	       same_text(a->trust_domain, b->trust_domain) && same_text(a->cgroup, b->cgroup) &&
	       same_text(a->systemd_unit, b->systemd_unit) && same_labels(&a->labels, &b->labels) &&
	       same_ports(&a->ports, &b->ports) && a->n_addresses == b->n_addresses &&
	       (!a->n_addresses ||
		memcmp(a->addresses, b->addresses, a->n_addresses * sizeof(*a->addresses)) == 0) &&
	       a->host_network == b->host_network;
}

/* The workload of that name in another version of its document, or NULL. */
static const struct workload *find_version(const struct engine_document *document, const char *key,
					   size_t length)
{
	uint32_t i;

	if (!document || !keymap_get(&document->set->workloads.names, key, length, &i))
		return NULL;
	return document->set->workloads.item[i];
}

/* Workloads of @document that are not the same in @other, appended to @ret. */
static int list_changed(const struct engine_document *document, const struct engine_document *other,
			const struct workload **ret, size_t *ret_n)
{
	_cleanup_free_ struct keymap_item *items = NULL;

	if (!document)
		return 0;
	items = engine_in_order(&document->set->workloads.names, document->set->workloads.n);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < document->set->workloads.n; i++) {
		const struct workload *workload = document->set->workloads.item[i];
		const struct workload *version = find_version(other, items[i].key, items[i].length);

		if (!version || !same_workload(workload, version))
			ret[(*ret_n)++] = workload;
	}
	return 0;
}

static size_t count(const struct engine_document *document)
{
	return document ? document->set->workloads.n : 0;
}

/* Nothing has changed yet when this fails. */
static int list_changes(const struct policy_engine *engine, struct compile_changes *changes)
{
	int r = 0;

	for (size_t i = 0; i < engine->changes.n && r == 0; i++) {
		const struct engine_change *change = &engine->changes.item[i];

		r = list_changed(change->old, change->new, changes->gone, &changes->n_gone);
		if (r == 0)
			r = list_changed(change->new, change->old, changes->come, &changes->n_come);
	}
	return r;
}

static int update(struct policy_engine *engine, struct compile_changes *changes)
{
	int r = list_changes(engine, changes);

	if (r == 0)
		r = move_claims(engine);
	if (r < 0)
		return r;
	engine->in_place = changes->n_gone || changes->n_come;
	return compile_update(engine->current, changes, &engine->delta);
}

/* Whether the changes are of workloads and policies alone; of policies in *@ret_rules. */
static bool may_change(const struct policy_engine *engine, bool *ret_rules)
{
	unsigned int contents = 0;

	for (size_t i = 0; i < engine->changes.n; i++) {
		const struct engine_change *change = &engine->changes.item[i];

		contents |= change->old ? engine_contents(change->old) : 0;
		contents |= change->new ? engine_contents(change->new) : 0;
	}
	*ret_rules = contents & ENGINE_HAS_POLICIES;
	return !(contents & ENGINE_HAS_OTHERS);
}

int engine_change_peers(struct policy_engine *engine, bool *ret_rules)
{
	struct compile_changes changes = { 0 };
	size_t n_old = 0, n_new = 0;
	int r;

	if (!may_change(engine, &changes.rules))
		return -ESTALE;
	for (size_t i = 0; i < engine->changes.n; i++) {
		n_old += count(engine->changes.item[i].old);
		n_new += count(engine->changes.item[i].new);
	}
	changes.gone = calloc(n_old + 1, sizeof(*changes.gone));
	changes.come = calloc(n_new + 1, sizeof(*changes.come));
	r = changes.gone && changes.come ? update(engine, &changes) : -ENOMEM;
	*ret_rules = changes.rules;
	free(changes.gone);
	free(changes.come);
	return r;
}
