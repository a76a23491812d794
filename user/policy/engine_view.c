/* SPDX-License-Identifier: Apache-2.0 */
/* The documents' objects as one set, and what two documents may not both have. */
#include "user/policy/engine_internal.h"

/* Every MODEL_LIST looks like this one, and its objects begin with their place. */
struct any_object {
	struct place place;
};
typedef MODEL_LIST(struct any_object) any_list;

struct list_kind {
	size_t offset; /* in struct policy_set */
	const char *what; /* for messages */
	unsigned int contents;
};

#define LIST(member) .offset = offsetof(struct policy_set, member)

static const struct list_kind kinds[] = {
	{ LIST(workloads), "this Workload", ENGINE_HAS_WORKLOADS },
	{ LIST(policies), "this policy", ENGINE_HAS_POLICIES },
	{ LIST(namespaces), "this Namespace", ENGINE_HAS_OTHERS },
	{ LIST(nodes), "this Node", ENGINE_HAS_OTHERS },
	{ LIST(services), "this Service", ENGINE_HAS_OTHERS },
	{ LIST(slices), "this EndpointSlice", ENGINE_HAS_OTHERS },
	{ LIST(tests), "this PolicyTest", 0 },
	{ LIST(revocations), "this Revocation", ENGINE_HAS_OTHERS },
};

static any_list *list_of(struct policy_set *set, const struct list_kind *kind)
{
	return (any_list *)((char *)set + kind->offset);
}

unsigned int engine_contents(const struct engine_document *document)
{
	unsigned int contents = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (list_of(document->set, &kinds[i])->n)
			contents |= kinds[i].contents;
	return contents;
}

/* Something that objects of one list claim, and how to say so. */
struct view_claim {
	struct keymap *all;
	const struct keymap *own; /* of one document */
	const any_list *list; /* of all */
	const char *field;
	const char *what;
	size_t base; /* index in @list of the document's first object */
	size_t n; /* its objects */
};

/* A map's own order is another every time. */
struct keymap_item *engine_in_order(const struct keymap *own, size_t n)
{
	struct keymap_item *items = calloc(n + 1, sizeof(*items)), item;
	size_t position = 0;

	while (items && keymap_next(own, &position, &item))
		if (item.value < n)
			items[item.value] = item;
	return items;
}

static int add_claim(const struct view_claim *claim, const struct keymap_item *item,
		     struct policy_errors *errors)
{
	uint32_t index = (uint32_t)claim->base + item->value, first;
	const struct place *place;
	int r;

	r = keymap_put(claim->all, item->key, item->length, index);
	if (r != -EEXIST)
		return r;
	keymap_get(claim->all, item->key, item->length, &first);
	place = &claim->list->item[first]->place;
	policy_errors_add(errors, &claim->list->item[index]->place, claim->field,
			  "%s is given twice, first at %s:%u: remove or rename one", claim->what,
			  place->file, place->line);
	return 0;
}

static int add_claims(const struct view_claim *claim, struct policy_errors *errors)
{
	_cleanup_free_ struct keymap_item *items = engine_in_order(claim->own, claim->n);
	int r = items ? 0 : -ENOMEM;

	for (size_t i = 0; i < claim->n && r == 0; i++)
		if (items[i].key)
			r = add_claim(claim, &items[i], errors);
	return r;
}

static int add_list(struct policy_set *view, struct policy_set *set, const struct list_kind *kind,
		    struct policy_errors *errors)
{
	any_list *all = list_of(view, kind), *own = list_of(set, kind);
	const struct view_claim claim = { &all->names, &own->names, all,   "metadata.name",
					  kind->what,  all->n,	    own->n };

	if (!own->n)
		return 0;
	memcpy(all->item + all->n, own->item, own->n * sizeof(*own->item));
	all->n += own->n;
	return add_claims(&claim, errors);
}

/* What else workloads claim; after their list. */
static int add_places(struct policy_set *view, struct policy_set *set, struct policy_errors *errors)
{
	const any_list *all = list_of(view, &kinds[0]);
	size_t base = all->n - set->workloads.n;
	const struct view_claim cgroups = { &view->cgroups,  &set->cgroups, all,
					    "spec.cgroup",   "this cgroup", base,
					    set->workloads.n };
	const struct view_claim units = { &view->units,	      &set->units, all,
					  "spec.systemdUnit", "this unit", base,
					  set->workloads.n };
	int r = 0;

	if (set->cgroups.n)
		r = add_claims(&cgroups, errors);
	return r < 0 || !set->units.n ? r : add_claims(&units, errors);
}

static void add_local(struct policy_set *view, const struct engine_document *document,
		      const struct policy_options *options)
{
	for (size_t i = 0; i < document->set->workloads.n && document->n_placed; i++)
		if (workload_is_local(options, document->set->workloads.item[i]))
			view->workloads.item[view->workloads.n++] =
				document->set->workloads.item[i];
}

/* Room for all that the documents have. */
static int alloc_lists(const struct engine_documents *documents, struct policy_set *view)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		any_list *all = list_of(view, &kinds[k]);
		size_t n = 0;

		for (size_t i = 0; i < documents->n; i++)
			n += list_of(documents->item[i]->set, &kinds[k])->n;
		all->item = arena_alloc(&view->arena, n * sizeof(*all->item));
		if (!all->item)
			return -ENOMEM;
		all->capacity = n;
	}
	return 0;
}

struct policy_set *engine_view_free(struct policy_set *view)
{
	if (!view)
		return NULL;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		keymap_done(&list_of(view, &kinds[k])->names);
	keymap_done(&view->cgroups);
	keymap_done(&view->units);
	arena_done(&view->arena);
	free(view);
	return NULL;
}

static void engine_view_freep(struct policy_set **view)
{
	engine_view_free(*view);
}

int engine_view(const struct engine_documents *documents, const struct policy_options *rules_only,
		struct policy_set **ret, struct policy_errors *errors)
{
	_cleanup_(engine_view_freep) struct policy_set *view = calloc(1, sizeof(*view));
	size_t before = errors->total;
	int r = view ? alloc_lists(documents, view) : -ENOMEM;

	for (size_t i = 0; i < documents->n && r == 0; i++) {
		const struct engine_document *document = documents->item[i];

		for (size_t k = rules_only ? 1 : 0; k < ARRAY_SIZE(kinds) && r == 0; k++)
			r = add_list(view, document->set, &kinds[k], errors);
		if (r == 0 && !rules_only)
			r = add_places(view, document->set, errors);
		if (rules_only)
			add_local(view, document, rules_only);
	}
	if (r == 0 && errors->total != before)
		r = -EBADMSG;
	if (r == 0)
		*ret = TAKE_PTR(view);
	return r;
}
