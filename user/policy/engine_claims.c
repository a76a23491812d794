/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no two objects may have: a name among those of one kind; a cgroup or systemd unit of
 * one node. The claims are what the documents say, so that the table need not repeat it.
 */
#include "user/policy/engine_internal.h"

/* One claim, in words of three; and how to say that it is another's. */
struct claim {
	const char *kind;
	const char *of; /* a namespace, or a node */
	const char *name;
	const char *field;
	const char *what;
	const struct place *place;
};

/* Calls @fn for each claim of a document until it returns less than 0. */
typedef int (*claim_fn)(const struct claim *claim, void *arg);

void engine_claims_done(struct engine_claims *claims)
{
	hashindex_done(&claims->index);
	claims->valid = false;
}

static uint32_t hash(const struct claim *claim)
{
	return hashindex_hash_texts(claim->of, claim->name) ^
	       hashindex_hash(claim->kind, strlen(claim->kind)) * 31;
}

static bool same(const struct claim *a, const struct claim *b)
{
	return streq(a->name, b->name) && streq(a->of, b->of) && streq(a->kind, b->kind);
}

/* ---- what is claimed ---- */

static int each_of_workload(const struct workload *w, claim_fn fn, void *arg)
{
	const char *node = w->node ?: "";
	const struct claim claims[] = {
		{ "Workload", w->namespace, w->name, "metadata.name", "this Workload", &w->place },
		{ "cgroup", node, w->cgroup, "spec.cgroup", "this cgroup", &w->place },
		{ "pod", node, w->pod_uid, "spec.podUID", "this pod", &w->place },
		{ "unit", node, w->systemd_unit, "spec.systemdUnit", "this unit", &w->place },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(claims) && r == 0; i++)
		if (claims[i].name)
			r = fn(&claims[i], arg);
	return r;
}

static int each_of_policy(const struct policy *policy, claim_fn fn, void *arg)
{
	const struct claim claim = { policy->kind,    policy->namespace, policy->name,
				     "metadata.name", "this policy",	 &policy->place };

	return fn(&claim, arg);
}

/* What engine_view.c calls the kinds; those with a namespace and those without. */
static int each_of_object(const struct compile_object *object, claim_fn fn, void *arg)
{
	const struct service *service = object->object;
	const struct endpoint_slice *slice = object->object;
	const struct node_object *node = object->object;
	const struct namespace *namespace = object->object;
	struct claim claim = { .field = "metadata.name", .of = "" };

	switch (object->kind) {
	case OBJECT_SERVICE:
		claim.kind = "Service";
		claim.of = service->namespace;
		claim.name = service->name;
		claim.what = "this Service";
		claim.place = &service->place;
		break;
	case OBJECT_SLICE:
		claim.kind = "EndpointSlice";
		claim.of = slice->namespace;
		claim.name = slice->name;
		claim.what = "this EndpointSlice";
		claim.place = &slice->place;
		break;
	case OBJECT_NODE:
		claim.kind = "Node";
		claim.name = node->name;
		claim.what = "this Node";
		claim.place = &node->place;
		break;
	case OBJECT_NAMESPACE:
		claim.kind = "Namespace";
		claim.name = namespace->name;
		claim.what = "this Namespace";
		claim.place = &namespace->place;
		break;
	}
	return fn(&claim, arg);
}

static int each_of_revocation(const struct revocation *revocation, claim_fn fn, void *arg)
{
	const struct claim claim = { "Revocation",	"",
				     revocation->name,	"metadata.name",
				     "this Revocation", &revocation->place };

	return fn(&claim, arg);
}

static int each_of_test(const struct policy_test *test, claim_fn fn, void *arg)
{
	const struct claim claim = { "PolicyTest",    test->namespace,	 test->name,
				     "metadata.name", "this PolicyTest", &test->place };

	return fn(&claim, arg);
}

static int each_claim(const struct policy_engine *engine, const struct engine_document *document,
		      claim_fn fn, void *arg)
{
	struct workload workload;
	int r = 0;

	if (document->brief) {
		engine_expand(engine, document, &workload);
		return each_of_workload(&workload, fn, arg);
	}
	for (uint32_t i = 0; i < document->full->n && r == 0; i++) {
		const struct engine_object *object = &document->full->object[i];
		struct compile_object seen = { .object = object->object };

		if (engine_kind_of_object(object, &seen.kind))
			r = each_of_object(&seen, fn, arg);
		else if (object->kind == ENGINE_KIND_WORKLOAD)
			r = each_of_workload(object->object, fn, arg);
		else if (object->kind == ENGINE_KIND_POLICY)
			r = each_of_policy(object->object, fn, arg);
		else if (object->kind == ENGINE_KIND_REVOCATION)
			r = each_of_revocation(object->object, fn, arg);
		else
			r = each_of_test(object->object, fn, arg);
	}
	return r;
}

/* ---- claiming ---- */

struct claiming {
	const struct policy_engine *engine;
	struct engine_claims *claims;
	const struct engine_document *document;
	struct policy_errors *errors; /* NULL: nothing is said */
	const struct claim *wanted;
	struct place first; /* of who has it */
	bool taken;
	size_t refused;
};

static int compare_claim(const struct claim *claim, void *arg)
{
	struct claiming *claiming = arg;

	if (!same(claim, claiming->wanted))
		return 0;
	claiming->first = *claim->place;
	claiming->taken = true;
	return -EEXIST;
}

/* Whether another document has the claim. */
static bool is_taken(struct claiming *claiming, const struct claim *claim)
{
	const struct engine_document *other;
	size_t position = 0;
	uint32_t id;

	claiming->wanted = claim;
	claiming->taken = false;
	while (!claiming->taken &&
	       hashindex_next(&claiming->claims->index, hash(claim), &position, &id)) {
		other = claiming->engine->document[id];
		if (other && other != claiming->document)
			each_claim(claiming->engine, other, compare_claim, claiming);
	}
	return claiming->taken;
}

static int make_claim(const struct claim *claim, void *arg)
{
	struct claiming *claiming = arg;

	if (!is_taken(claiming, claim))
		return hashindex_add(&claiming->claims->index, hash(claim), claiming->document->id);
	if (++claiming->refused > POLICY_ERRORS_MAX)
		return -EEXIST; /* enough is said, and looking for the others takes long */
	if (claiming->errors)
		policy_errors_add(claiming->errors, claim->place, claim->field,
				  "%s is given twice, first at %s:%u: remove or rename one",
				  claim->what, claiming->first.file, claiming->first.line);
	return 0;
}

int engine_claim(const struct policy_engine *engine, struct engine_claims *claims,
		 const struct engine_document *document, struct policy_errors *errors)
{
	struct claiming claiming = {
		.engine = engine,
		.claims = claims,
		.document = document,
		.errors = errors,
	};
	int r = each_claim(engine, document, make_claim, &claiming);

	return r == 0 && claiming.refused ? -EEXIST : r;
}

static int drop_claim(const struct claim *claim, void *arg)
{
	struct claiming *claiming = arg;

	hashindex_remove(&claiming->claims->index, hash(claim), claiming->document->id);
	return 0;
}

void engine_unclaim(const struct policy_engine *engine, struct engine_claims *claims,
		    const struct engine_document *document)
{
	struct claiming claiming = { .engine = engine, .claims = claims, .document = document };

	each_claim(engine, document, drop_claim, &claiming);
}
