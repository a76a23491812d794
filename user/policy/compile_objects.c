/* SPDX-License-Identifier: Apache-2.0 */
/* Services, EndpointSlices, Nodes and Namespaces, each found by what is asked of it. */
#include "user/policy/compile.h"

#define LIST_FIRST 16

/* ---- lists with places that are used again ---- */

static int list_reserve(struct object_list *list)
{
	size_t capacity = list->capacity ? list->capacity + list->capacity / 2 : LIST_FIRST;
	void *more;

	if (list->n < list->capacity)
		return 0;
	if (capacity > UINT32_MAX / 2)
		return -ENOSPC;
	more = reallocarray(list->item, capacity, sizeof(*list->item));
	if (!more)
		return -ENOMEM;
	list->item = more;
	more = reallocarray(list->free, capacity, sizeof(*list->free));
	if (!more)
		return -ENOMEM;
	list->free = more;
	more = reallocarray(list->mark, capacity, sizeof(*list->mark));
	if (!more)
		return -ENOMEM;
	list->mark = more;
	list->capacity = capacity;
	return 0;
}

static int list_add(struct object_list *list, const void *object, uint32_t *ret)
{
	int r = list->n_free ? 0 : list_reserve(list);

	if (r < 0)
		return r;
	*ret = list->n_free ? list->free[--list->n_free] : (uint32_t)list->n++;
	list->item[*ret] = object;
	list->mark[*ret] = 0;
	return 0;
}

static void list_remove(struct object_list *list, uint32_t i)
{
	list->item[i] = NULL;
	list->free[list->n_free++] = i;
}

/* ---- keys ---- */

/* Adds or removes an entry; the position of the object is its value. */
typedef int (*entry_fn)(struct hashindex *index, uint32_t hash, uint32_t i);

/* An object may have an address twice; a thousand times makes no difference. */
static int add_entry(struct hashindex *index, uint32_t hash, uint32_t i)
{
	size_t position = 0;
	uint32_t value;

	while (hashindex_next(index, hash, &position, &value))
		if (value == i)
			return 0;
	return hashindex_add(index, hash, i);
}

static int remove_entry(struct hashindex *index, uint32_t hash, uint32_t i)
{
	hashindex_remove(index, hash, i);
	return 0;
}

static int address_entries(struct hashindex *index, const struct cs_addr *addresses, size_t n,
			   uint32_t i, entry_fn fn)
{
	int r = 0;

	for (size_t a = 0; a < n && r == 0; a++)
		r = fn(index, hashindex_hash(&addresses[a], sizeof(addresses[a])), i);
	return r;
}

static uint32_t service_hash(const void *object)
{
	const struct service *service = object;

	return hashindex_hash_texts(service->namespace, service->name);
}

static int service_entries(struct compile_objects *objects, const void *object, uint32_t i,
			   entry_fn fn)
{
	const struct service *service = object;
	int r = fn(&objects->service_by_name, service_hash(object), i);

	for (size_t a = 0; a < service->n_addresses; a++) {
		for (size_t p = 0; p < service->n_ports && r == 0; p++) {
			const struct front front = front_of(service, a, p);

			r = fn(&objects->service_by_front, front_hash(&front), i);
		}
	}
	return r;
}

static bool service_same(const void *a, const void *b)
{
	const struct service *x = a, *y = b;

	return streq(x->namespace, y->namespace) && streq(x->name, y->name);
}

static uint32_t slice_hash(const void *object)
{
	const struct endpoint_slice *slice = object;

	return hashindex_hash_texts(slice->namespace, slice->name);
}

static bool slice_same(const void *a, const void *b)
{
	const struct endpoint_slice *x = a, *y = b;

	return streq(x->namespace, y->namespace) && streq(x->name, y->name);
}

static int slice_entries(struct compile_objects *objects, const void *object, uint32_t i,
			 entry_fn fn)
{
	const struct endpoint_slice *slice = object;
	int r = fn(&objects->slice_by_name, slice_hash(object), i);

	if (r == 0)
		r = fn(&objects->slice_by_service,
		       hashindex_hash_texts(slice->namespace, slice->service), i);
	for (size_t b = 0; b < slice->n_backends && r == 0; b++)
		r = address_entries(&objects->slice_by_address, slice->backends[b].addresses,
				    slice->backends[b].n_addresses, i, fn);
	return r;
}

static int node_entries(struct compile_objects *objects, const void *object, uint32_t i,
			entry_fn fn)
{
	const struct node_object *node = object;

	/* A Node without an address is found by its name, which is no address. */
	int r = fn(&objects->node_by_address, hashindex_hash(node->name, strlen(node->name)), i);

	return r < 0 ? r
		     : address_entries(&objects->node_by_address, node->addresses,
				       node->n_addresses, i, fn);
}

static uint32_t node_hash(const void *object)
{
	const struct node_object *node = object;

	return hashindex_hash(node->name, strlen(node->name));
}

static bool node_same(const void *a, const void *b)
{
	return streq(((const struct node_object *)a)->name, ((const struct node_object *)b)->name);
}

static uint32_t namespace_hash(const void *object)
{
	const struct namespace *namespace = object;

	return hashindex_hash(namespace->name, strlen(namespace->name));
}

static bool namespace_same(const void *a, const void *b)
{
	return streq(((const struct namespace *)a)->name, ((const struct namespace *)b)->name);
}

static int namespace_entries(struct compile_objects *objects, const void *object, uint32_t i,
			     entry_fn fn)
{
	return fn(&objects->namespace_by_name, namespace_hash(object), i);
}

/* ---- kinds ---- */

struct kind_of_object {
	size_t list; /* offset in struct compile_objects */
	size_t index; /* in which @hash leads to it */
	uint32_t (*hash)(const void *object);
	bool (*same)(const void *a, const void *b); /* name */
	int (*entries)(struct compile_objects *objects, const void *object, uint32_t i,
		       entry_fn fn);
};

#define AT(member) offsetof(struct compile_objects, member)

static const struct kind_of_object kinds[] = {
	[OBJECT_SERVICE] = { AT(services), AT(service_by_name), service_hash, service_same,
			     service_entries },
	[OBJECT_SLICE] = { AT(slices), AT(slice_by_name), slice_hash, slice_same, slice_entries },
	[OBJECT_NODE] = { AT(nodes), AT(node_by_address), node_hash, node_same, node_entries },
	[OBJECT_NAMESPACE] = { AT(namespaces), AT(namespace_by_name), namespace_hash,
			       namespace_same, namespace_entries },
};

int compile_object_comes(struct compile_objects *objects, const struct compile_object *object)
{
	const struct kind_of_object *kind = &kinds[object->kind];
	struct object_list *list = (void *)((char *)objects + kind->list);
	const struct hashindex *index = (const void *)((char *)objects + kind->index);
	size_t position = 0;
	uint32_t i;
	int r;

	while (hashindex_next(index, kind->hash(object->object), &position, &i))
		if (kind->same(list->item[i], object->object))
			return -ESTALE; /* a whole compile says it better */
	r = list_add(list, object->object, &i);
	return r < 0 ? r : kind->entries(objects, object->object, i, add_entry);
}

int compile_object_goes(struct compile_objects *objects, const struct compile_object *object)
{
	const struct kind_of_object *kind = &kinds[object->kind];
	struct object_list *list = (void *)((char *)objects + kind->list);
	const struct hashindex *index = (const void *)((char *)objects + kind->index);
	size_t position = 0;
	uint32_t i;
	int r;

	do {
		if (!hashindex_next(index, kind->hash(object->object), &position, &i))
			return -ESTALE;
	} while (list->item[i] != object->object);
	r = kind->entries(objects, object->object, i, remove_entry);
	list_remove(list, i);
	return r;
}

/* ---- all of them ---- */

static int add_all(struct compile_objects *objects, enum object_kind kind, const void *items,
		   size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct compile_object object = { ((const void *const *)items)[i], kind };

		r = compile_object_comes(objects, &object);
	}
	return r;
}

int compile_objects_make(struct compile *c)
{
	struct compile_objects *objects = calloc(1, sizeof(*objects));
	const struct policy_set *set = c->set;
	int r;

	c->objects = objects;
	if (!objects)
		return -ENOMEM;
	r = add_all(objects, OBJECT_SERVICE, set->services.item, set->services.n);
	if (r == 0)
		r = add_all(objects, OBJECT_SLICE, set->slices.item, set->slices.n);
	if (r == 0)
		r = add_all(objects, OBJECT_NODE, set->nodes.item, set->nodes.n);
	if (r == 0)
		r = add_all(objects, OBJECT_NAMESPACE, set->namespaces.item, set->namespaces.n);
	return r;
}

struct compile_objects *compile_objects_free(struct compile_objects *objects)
{
	if (!objects)
		return NULL;
	struct object_list *lists[] = { &objects->services, &objects->slices, &objects->nodes,
					&objects->namespaces };
	struct hashindex *indexes[] = { &objects->service_by_name,   &objects->service_by_front,
					&objects->slice_by_name,     &objects->slice_by_service,
					&objects->slice_by_address,  &objects->node_by_address,
					&objects->namespace_by_name, &objects->front };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		free(lists[i]->item);
		free(lists[i]->free);
		free(lists[i]->mark);
	}
	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++)
		hashindex_done(indexes[i]);
	free(objects);
	return NULL;
}

const struct labels *compile_namespace_labels(const struct compile *c, const char *name)
{
	uint32_t hash = hashindex_hash(name, strlen(name)), i;
	size_t position = 0;

	while (hashindex_next(&c->objects->namespace_by_name, hash, &position, &i)) {
		const struct namespace *namespace = c->objects->namespaces.item[i];

		if (streq(namespace->name, name))
			return &namespace->labels;
	}
	return NULL;
}
