/* SPDX-License-Identifier: Apache-2.0 */
/* What can be changed in place: who went, who came, which objects are others. */
#include "user/policy/engine_internal.h"

/* ---- what no two workloads may have ---- */

/* From the documents in force, after a change that did not come into force. */
static int restore_claims(struct policy_engine *engine)
{
	struct order_at at = { 0 };
	uint32_t id;
	int r = 0;

	if (engine->claims.valid)
		return 0;
	engine_claims_done(&engine->claims);
	while (r == 0 && order_next(&engine->order, &at, &id))
		r = engine_claim(engine, &engine->claims, engine->document[id], NULL);
	return r;
}

static int move_claims(struct policy_engine *engine)
{
	struct engine_claims *claims = &engine->claims;
	int r = restore_claims(engine);

	claims->valid = false; /* until the change is accepted */
	engine->claims_moved = false;
	for (size_t i = 0; i < engine->changes.n && r == 0; i++)
		if (engine->changes.item[i].old)
			engine_unclaim(engine, claims, engine->changes.item[i].old);
	for (size_t i = 0; i < engine->changes.n && r == 0; i++)
		if (engine->changes.item[i].new)
			r = engine_claim(engine, claims, engine->changes.item[i].new, NULL);
	engine->claims_moved = r == 0;
	/* Twice the same: the whole compile finds it again and says where. */
	return r == -EEXIST ? -ESTALE : r;
}

/* ---- who went, who came ---- */

/* One version of a document: its workloads, those of brief ones made for the occasion. */
struct version {
	const struct engine_document *document; /* NULL: there is none */
	const struct workload *brief;
};

static const struct workload *next_workload(const struct version *version, size_t *position)
{
	if (!version->document)
		return NULL;
	if (!version->brief)
		return engine_workload(version->document, position);
	return (*position)++ == 0 ? version->brief : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

static bool same_name(const struct workload *a, const struct workload *b)
{
	return streq(a->name, b->name) && streq(a->namespace, b->namespace);
}

/* But for where it is written. */
static bool same_workload(const struct workload *a, const struct workload *b)
{
	return same_name(a, b) && engine_same_template(a, b) && same_text(a->node, b->node) &&
	       same_text(a->cgroup, b->cgroup) && same_text(a->systemd_unit, b->systemd_unit) &&
	       same_text(a->pod_uid, b->pod_uid) && same_text(a->host_unit, b->host_unit) &&
	       a->n_addresses == b->n_addresses &&
	       (!a->n_addresses ||
		memcmp(a->addresses, b->addresses, a->n_addresses * sizeof(*a->addresses)) == 0);
}

/* The names of a version's workloads, for look-ups. */
static int index_version(const struct version *version, struct hashindex *ret)
{
	const struct workload *workload;
	size_t position = 0, before = 0;
	int r = 0;

	while (r == 0 && (workload = next_workload(version, &position))) {
		r = hashindex_add(ret, hashindex_hash_texts(workload->namespace, workload->name),
				  (uint32_t)before);
		before = position;
	}
	return r;
}

static bool has_same(const struct version *version, const struct hashindex *index,
		     const struct workload *workload)
{
	uint32_t hash = hashindex_hash_texts(workload->namespace, workload->name), at;
	size_t probe = 0;

	while (hashindex_next(index, hash, &probe, &at)) {
		size_t position = at;

		if (same_workload(next_workload(version, &position), workload))
			return true;
	}
	return false;
}

/* Workloads of @version that are not the same in @other, appended to @ret. */
static int list_changed(const struct version *version, const struct version *other,
			const struct workload **ret, size_t *ret_n)
{
	struct hashindex index = { 0 };
	const struct workload *workload;
	size_t position = 0;
	int r = index_version(other, &index);

	while (r == 0 && (workload = next_workload(version, &position)))
		if (!has_same(other, &index, workload))
			ret[(*ret_n)++] = workload;
	hashindex_done(&index);
	return r;
}

static struct version version_of(const struct policy_engine *engine,
				 const struct engine_document *document, struct workload *brief)
{
	if (!document || !document->brief)
		return (struct version){ document, NULL };
	engine_expand(engine, document, brief);
	return (struct version){ document, brief };
}

/* Nothing has changed yet when this fails. @brief has room for two of each change. */
static int list_changes(const struct policy_engine *engine, struct workload *brief,
			struct compile_changes *changes)
{
	int r = 0;

	for (size_t i = 0; i < engine->changes.n && r == 0; i++) {
		const struct engine_change *change = &engine->changes.item[i];
		const struct version old = version_of(engine, change->old, &brief[2 * i]);
		const struct version new = version_of(engine, change->new, &brief[2 * i + 1]);

		r = list_changed(&old, &new, changes->gone, &changes->n_gone);
		if (r == 0)
			r = list_changed(&new, &old, changes->come, &changes->n_come);
		if (change->old)
			engine_objects(change->old, changes->gone_objects,
				       &changes->n_gone_objects);
		if (change->new)
			engine_objects(change->new, changes->come_objects,
				       &changes->n_come_objects);
	}
	return r;
}

static int update(struct policy_engine *engine, struct workload *brief,
		  struct compile_changes *changes)
{
	int r = list_changes(engine, brief, changes);

	if (r == 0)
		r = move_claims(engine);
	if (r < 0)
		return r;
	engine->in_place = changes->n_gone || changes->n_come || changes->n_gone_objects ||
			   changes->n_come_objects;
	return compile_update(engine->current, changes, &engine->delta);
}

/* Whether the changes are of kinds that can; of policies in *@ret_rules. */
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

/* Room for all that may be in the lists. */
static int alloc_changes(const struct policy_engine *engine, struct compile_changes *ret)
{
	size_t workloads[2] = { 0 }, objects[2] = { 0 };

	for (size_t i = 0; i < engine->changes.n; i++) {
		const struct engine_document *both[] = { engine->changes.item[i].old,
							 engine->changes.item[i].new };

		for (size_t k = 0; k < ARRAY_SIZE(both); k++) {
			workloads[k] += both[k] ? engine_n_workloads(both[k]) : 0;
			if (both[k])
				engine_objects(both[k], NULL, &objects[k]);
		}
	}
	ret->gone = calloc(workloads[0] + 1, sizeof(*ret->gone));
	ret->come = calloc(workloads[1] + 1, sizeof(*ret->come));
	ret->gone_objects = calloc(objects[0] + 1, sizeof(*ret->gone_objects));
	ret->come_objects = calloc(objects[1] + 1, sizeof(*ret->come_objects));
	return ret->gone && ret->come && ret->gone_objects && ret->come_objects ? 0 : -ENOMEM;
}

int engine_change_peers(struct policy_engine *engine, bool *ret_rules)
{
	_cleanup_free_ struct workload *brief = NULL;
	struct compile_changes changes = { 0 };
	int r;

	if (!may_change(engine, &changes.rules))
		return -ESTALE;
	brief = calloc(2 * engine->changes.n + 1, sizeof(*brief));
	r = brief ? alloc_changes(engine, &changes) : -ENOMEM;
	if (r == 0)
		r = update(engine, brief, &changes);
	*ret_rules = changes.rules;
	free(changes.gone);
	free(changes.come);
	free(changes.gone_objects);
	free(changes.come_objects);
	return r;
}
