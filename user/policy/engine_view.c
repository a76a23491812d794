/* SPDX-License-Identifier: Apache-2.0 */
/* The documents' objects as one set, and which objects a document has. */
#include "user/policy/engine_internal.h"

/* Every MODEL_LIST looks like this one, and its objects begin with their place. */
typedef MODEL_LIST(void) any_list;

struct list_kind {
	size_t offset; /* in struct policy_set */
	unsigned int contents;
	enum object_kind object; /* ENGINE_HAS_OBJECTS */
	bool rules; /* a compile of rules asks for it */
};

#define LIST(member) .offset = offsetof(struct policy_set, member)

static const struct list_kind kinds[] = {
	[ENGINE_KIND_WORKLOAD] = { LIST(workloads), ENGINE_HAS_WORKLOADS },
	[ENGINE_KIND_POLICY] = { LIST(policies), ENGINE_HAS_POLICIES, .rules = true },
	[ENGINE_KIND_REVOCATION] = { LIST(revocations), ENGINE_HAS_OTHERS, .rules = true },
	{ LIST(namespaces), ENGINE_HAS_OBJECTS, OBJECT_NAMESPACE },
	{ LIST(nodes), ENGINE_HAS_OBJECTS, OBJECT_NODE },
	{ LIST(services), ENGINE_HAS_OBJECTS, OBJECT_SERVICE },
	{ LIST(slices), ENGINE_HAS_OBJECTS, OBJECT_SLICE },
	{ LIST(tests), 0 },
};

static any_list *list_of(struct policy_set *set, size_t kind)
{
	return (any_list *)((char *)set + kinds[kind].offset);
}

/* ---- one document ---- */

int engine_take_objects(struct engine_document *document, struct policy_set *set)
{
	size_t n = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		n += list_of(set, k)->n;
	document->full =
		calloc(1, offsetof(struct engine_full, object) + n * sizeof(struct engine_object));
	if (!document->full)
		return -ENOMEM;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < list_of(set, k)->n; i++)
			document->full->object[document->full->n++] =
				(struct engine_object){ list_of(set, k)->item[i], (uint8_t)k };
	document->full->arena = set->arena;
	set->arena = (struct arena){ 0 };
	return 0;
}

bool engine_kind_of_object(const struct engine_object *object, enum object_kind *ret)
{
	*ret = kinds[object->kind].object;
	return kinds[object->kind].contents & ENGINE_HAS_OBJECTS;
}

unsigned int engine_contents(const struct engine_document *document)
{
	unsigned int contents = 0;

	if (document->brief)
		return ENGINE_HAS_WORKLOADS;
	for (uint32_t i = 0; i < document->full->n; i++)
		contents |= kinds[document->full->object[i].kind].contents;
	return contents;
}

size_t engine_n_workloads(const struct engine_document *document)
{
	size_t position = 0, n = 0;

	if (document->brief)
		return 1;
	while (engine_workload(document, &position))
		n++;
	return n;
}

const struct workload *engine_workload(const struct engine_document *document, size_t *position)
{
	if (document->brief || *position >= document->full->n ||
	    document->full->object[*position].kind != ENGINE_KIND_WORKLOAD)
		return NULL; /* workloads come first */
	return document->full->object[(*position)++].object;
}

void engine_objects(const struct engine_document *document, struct compile_object *ret, size_t *n)
{
	for (uint32_t i = 0; !document->brief && i < document->full->n; i++) {
		const struct engine_object *object = &document->full->object[i];

		if (!(kinds[object->kind].contents & ENGINE_HAS_OBJECTS))
			continue;
		if (ret)
			ret[*n] = (struct compile_object){ object->object,
							   kinds[object->kind].object };
		(*n)++;
	}
}

void engine_find_local(const struct policy_engine *engine, struct engine_document *document,
		       const struct policy_options *options)
{
	const struct workload *workload;
	struct workload expanded;
	size_t position = 0;

	document->local = false;
	if (document->brief) {
		engine_expand(engine, document, &expanded);
		document->local = workload_is_local(options, &expanded);
		return;
	}
	while (!document->local && (workload = engine_workload(document, &position)))
		document->local = workload_is_local(options, workload);
}

/* ---- all of them ---- */

/* What the view of a compile is made from, document by document. */
struct view {
	const struct policy_engine *engine;
	const struct policy_options *rules_only;
	struct policy_set *set;
	struct workload *expanded; /* of brief documents; NULL: it is only counted */
	size_t n_expanded;
};

static bool wants(const struct view *view, const struct engine_object *object)
{
	if (!view->rules_only || kinds[object->kind].rules)
		return true;
	return object->kind == ENGINE_KIND_WORKLOAD &&
	       workload_is_local(view->rules_only, object->object);
}

static void add_brief(struct view *view, const struct engine_document *document)
{
	any_list *list = list_of(view->set, ENGINE_KIND_WORKLOAD);
	struct workload workload;

	engine_expand(view->engine, document, &workload);
	if (view->rules_only && !workload_is_local(view->rules_only, &workload))
		return;
	if (view->expanded) {
		view->expanded[view->n_expanded] = workload;
		list->item[list->n] = &view->expanded[view->n_expanded];
	}
	view->n_expanded++;
	list->n++;
}

static void add_document(struct view *view, const struct engine_document *document)
{
	if (document->brief) {
		add_brief(view, document);
		return;
	}
	for (uint32_t i = 0; i < document->full->n; i++) {
		const struct engine_object *object = &document->full->object[i];
		any_list *list = list_of(view->set, object->kind);

		if (!wants(view, object))
			continue;
		if (view->expanded)
			list->item[list->n] = (void *)object->object;
		list->n++;
	}
}

static void add_documents(struct view *view)
{
	const struct policy_engine *engine = view->engine;
	struct order_at at = { 0 };
	uint32_t id;

	for (size_t i = 0; view->rules_only && i < engine->special.n; i++)
		if (!engine->special.item[i]->changed)
			add_document(view, engine->special.item[i]);
	while (!view->rules_only && order_next(&engine->order, &at, &id))
		if (!engine->document[id]->changed)
			add_document(view, engine->document[id]);
	for (size_t i = 0; i < engine->changes.n; i++)
		if (engine->changes.item[i].new)
			add_document(view, engine->changes.item[i].new);
}

/* Room for what was counted. */
static int alloc_lists(struct view *view)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		any_list *list = list_of(view->set, k);

		list->item = calloc(list->n + 1, sizeof(*list->item));
		if (!list->item)
			return -ENOMEM;
		list->n = 0;
	}
	view->expanded = calloc(view->n_expanded + 1, sizeof(*view->expanded));
	view->n_expanded = 0;
	return view->expanded ? 0 : -ENOMEM;
}

/* The set's arena is not used: that the expanded workloads lie in it would keep them. */
struct owned_view {
	struct policy_set set;
	struct workload *expanded;
};

void engine_view_forget_workloads(struct policy_set *set)
{
	struct owned_view *owned = (struct owned_view *)set;
	any_list *list = list_of(set, ENGINE_KIND_WORKLOAD); /* the type that free() looks by */

	free(owned->expanded);
	owned->expanded = NULL;
	free(list->item);
	list->item = NULL;
	list->n = 0;
}

struct policy_set *engine_view_free(struct policy_set *set)
{
	if (!set)
		return NULL;
	engine_view_forget_workloads(set);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		free(list_of(set, k)->item);
	free(set);
	return NULL;
}

/* In the order of names, so that it is the later one that is refused. */
static int check_claims(struct policy_engine *engine, struct policy_errors *errors)
{
	size_t before = errors->total, change = 0;
	struct order_at at = { 0 };
	uint32_t id = 0;
	bool more = order_next(&engine->order, &at, &id);
	int r = 0;

	engine_claims_done(&engine->next_claims);
	while ((more || change < engine->changes.n) && r == 0) {
		const struct engine_document *old = more ? engine->document[id] : NULL;
		const struct engine_document *new =
			change < engine->changes.n ? engine->changes.item[change].new : NULL;
		bool is_new = change < engine->changes.n &&
			      (!old || !new || strcmp(new->name, old->name) <= 0);

		if (is_new)
			change++;
		else
			more = order_next(&engine->order, &at, &id);
		if (is_new ? new != NULL : !old->changed)
			r = engine_claim(engine, &engine->next_claims, is_new ? new : old, errors);
		r = r == -EEXIST ? 0 : r;
	}
	engine->next_claims.valid = r == 0;
	return r == 0 && errors->total != before ? -EBADMSG : r;
}

int engine_view(struct policy_engine *engine, const struct policy_options *rules_only,
		struct policy_set **ret, struct policy_errors *errors)
{
	struct owned_view *owned = calloc(1, sizeof(*owned));
	struct view view = { .engine = engine, .rules_only = rules_only };
	int r = 0;

	if (!owned)
		return -ENOMEM;
	view.set = &owned->set;
	add_documents(&view);
	r = alloc_lists(&view);
	owned->expanded = view.expanded;
	if (r == 0 && !rules_only)
		r = check_claims(engine, errors);
	if (r < 0) {
		engine_view_free(view.set);
		return r;
	}
	add_documents(&view);
	*ret = view.set;
	return 0;
}
