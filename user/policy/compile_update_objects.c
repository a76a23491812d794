/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services, EndpointSlices, Nodes and Namespaces that change. Services are made anew, but
 * only those that the change is about; a Node's addresses are settled as any; what rules say
 * of Nodes and of namespaces' labels takes a compile of the rules.
 */
#include "user/policy/compile.h"

/* ---- equality ---- */

static bool same_node(const struct node_object *a, const struct node_object *b)
{
	return streq(a->name, b->name) && labels_equal(&a->labels, &b->labels) &&
	       a->n_addresses == b->n_addresses &&
	       (!a->n_addresses ||
		memcmp(a->addresses, b->addresses, a->n_addresses * sizeof(*a->addresses)) == 0);
}

static bool same_pod_cidrs(const struct node_object *a, const struct node_object *b)
{
	return streq(a->name, b->name) && a->n_pod_cidrs == b->n_pod_cidrs &&
	       memcmp(a->pod_cidrs, b->pod_cidrs, a->n_pod_cidrs * sizeof(*a->pod_cidrs)) == 0;
}

typedef bool (*same_node_fn)(const struct node_object *a, const struct node_object *b);

/* Whether the Node is among @others as it is. */
static bool has_node(const struct compile_object *others, size_t n, const struct node_object *node,
		     same_node_fn same)
{
	if (same == same_pod_cidrs && !node->n_pod_cidrs)
		return true; /* such a one may come and go */
	for (size_t i = 0; i < n; i++)
		if (others[i].kind == OBJECT_NODE && same(others[i].object, node))
			return true;
	return false;
}

/* ---- Nodes and API servers: addresses that are to be settled ---- */

static int touch_addresses(struct compile *c, const struct place *place,
			   const struct cs_addr *addresses, size_t n, struct image_delta *delta)
{
	uint32_t endpoint;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = compile_touch_endpoint(c, place, &addresses[i], delta, &endpoint);
	return r;
}

static int touch_slice(struct compile *c, const struct endpoint_slice *slice,
		       struct image_delta *delta)
{
	int r = 0;

	for (size_t b = 0; b < slice->n_backends && r == 0; b++)
		r = touch_addresses(c, &slice->place, slice->backends[b].addresses,
				    slice->backends[b].n_addresses, delta);
	return r;
}

/* ---- Namespaces ---- */

/* A namespace that nobody is in is asked when somebody is. */
static int namespace_changes(struct compile *c, const char *name, bool *ret_rules)
{
	struct peer_namespace *namespace;
	struct labels labels;
	uint32_t i;
	int r;

	if (!keymap_get(&c->by_namespace, name, strlen(name), &i))
		return 0;
	namespace = &c->namespaces.item[i];
	r = compile_label_namespace(c, namespace->name, &labels);
	if (r < 0 || labels_equal(&labels, &namespace->labels))
		return r;
	namespace->labels = labels;
	*ret_rules = true;
	return 0;
}

/* ---- all kinds ---- */

/* What of it can be said before all objects are in their places, or after. */
static int follow_object(struct compile *c, const struct compile_object *object,
			 struct image_delta *delta, bool *ret_rules)
{
	const struct node_object *node = object->object;
	const struct namespace *namespace = object->object;
	const struct endpoint_slice *slice = object->object;

	switch (object->kind) {
	case OBJECT_NODE:
		return touch_addresses(c, &node->place, node->addresses, node->n_addresses, delta);
	case OBJECT_NAMESPACE:
		return namespace_changes(c, namespace->name, ret_rules);
	case OBJECT_SLICE:
		return slice_is_apiserver(slice) ? touch_slice(c, slice, delta) : 0;
	case OBJECT_SERVICE:
		break;
	}
	return 0;
}

/* Rules that speak of Nodes mean others now, if a Node is not what it was. */
static bool nodes_differ(const struct compile_changes *changes, same_node_fn same)
{
	const struct compile_object *gone = changes->gone_objects, *come = changes->come_objects;

	for (size_t i = 0; i < changes->n_gone_objects; i++)
		if (gone[i].kind == OBJECT_NODE &&
		    !has_node(come, changes->n_come_objects, gone[i].object, same))
			return true;
	for (size_t i = 0; i < changes->n_come_objects; i++)
		if (come[i].kind == OBJECT_NODE &&
		    !has_node(gone, changes->n_gone_objects, come[i].object, same))
			return true;
	return false;
}

int compile_update_objects(struct compile *c, const struct compile_changes *changes,
			   struct image_delta *delta, bool *ret_rules)
{
	int r = 0;

	/* The tagged networks are others then. */
	if (nodes_differ(changes, same_pod_cidrs))
		return -ESTALE;
	for (size_t i = 0; i < changes->n_gone_objects && r == 0; i++)
		r = compile_object_goes(c->objects, &changes->gone_objects[i]);
	for (size_t i = 0; i < changes->n_come_objects && r == 0; i++)
		r = compile_object_comes(c->objects, &changes->come_objects[i]);
	for (size_t i = 0; i < changes->n_gone_objects && r == 0; i++)
		r = follow_object(c, &changes->gone_objects[i], delta, ret_rules);
	for (size_t i = 0; i < changes->n_come_objects && r == 0; i++)
		r = follow_object(c, &changes->come_objects[i], delta, ret_rules);
	if (c->asks_nodes && nodes_differ(changes, same_node))
		*ret_rules = true;
	return r;
}

static int follow_service(struct compile *c, const struct compile_object *object,
			  struct image_delta *delta)
{
	if (object->kind == OBJECT_SERVICE)
		return compile_touch_service(c, object->object, delta);
	return object->kind == OBJECT_SLICE ? compile_touch_slice(c, object->object, delta) : 0;
}

int compile_update_services(struct compile *c, const struct compile_changes *changes,
			    struct image_delta *delta)
{
	int r = 0;

	for (size_t i = 0; i < changes->n_gone_objects && r == 0; i++)
		r = follow_service(c, &changes->gone_objects[i], delta);
	for (size_t i = 0; i < changes->n_come_objects && r == 0; i++)
		r = follow_service(c, &changes->come_objects[i], delta);
	return r;
}
