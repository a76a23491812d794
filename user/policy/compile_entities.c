/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that documents give to entities: the API server's, and those of Nodes.
 *
 * A workload's claim on an address wins over both. An API server mostly runs on a node and
 * has its address: it is the more special of the two. Addresses of this node's own
 * are left to the class of their prefix, which says Host: what the node does to its own
 * workloads is never judged as somebody else's doing.
 */
#include "user/policy/compile.h"

#define APISERVER_NAMESPACE "default"
#define APISERVER_SERVICE "kubernetes"

bool slice_is_apiserver(const struct endpoint_slice *slice)
{
	return streq(slice->namespace, APISERVER_NAMESPACE) &&
	       streq(slice->service, APISERVER_SERVICE);
}

size_t compile_entities_max(const struct compile *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->set->nodes.n; i++)
		n += c->set->nodes.item[i]->n_addresses;
	for (size_t i = 0; i < c->set->slices.n; i++) {
		const struct endpoint_slice *slice = c->set->slices.item[i];

		for (size_t b = 0; b < slice->n_backends && slice_is_apiserver(slice); b++)
			n += slice->backends[b].n_addresses;
	}
	return n;
}

bool compile_is_host(const struct compile *c, const struct cs_addr *addr)
{
	uint32_t class_index = compile_class_of(c, addr);

	return class_index && c->image->classes[class_index - 1].flags & CS_CLASS_HOST;
}

static bool slice_has(const struct endpoint_slice *slice, const struct cs_addr *addr)
{
	for (size_t b = 0; b < slice->n_backends; b++)
		for (size_t a = 0; a < slice->backends[b].n_addresses; a++)
			if (memcmp(&slice->backends[b].addresses[a], addr, sizeof(*addr)) == 0)
				return true;
	return false;
}

static bool is_apiserver(const struct compile_objects *objects, const struct cs_addr *addr)
{
	uint32_t hash = hashindex_hash(addr, sizeof(*addr)), i;
	size_t position = 0;

	while (hashindex_next(&objects->slice_by_address, hash, &position, &i)) {
		const struct endpoint_slice *slice = objects->slices.item[i];

		if (slice_is_apiserver(slice) && slice_has(slice, addr))
			return true;
	}
	return false;
}

static bool is_node(const struct compile_objects *objects, const struct cs_addr *addr)
{
	uint32_t hash = hashindex_hash(addr, sizeof(*addr)), i;
	size_t position = 0;

	while (hashindex_next(&objects->node_by_address, hash, &position, &i)) {
		const struct node_object *node = objects->nodes.item[i];

		for (size_t a = 0; a < node->n_addresses; a++)
			if (memcmp(&node->addresses[a], addr, sizeof(*addr)) == 0)
				return true;
	}
	return false;
}

uint8_t compile_entity_at(const struct compile *c, const struct cs_addr *addr)
{
	uint8_t entity = 0;

	if (is_apiserver(c->objects, addr))
		entity = CS_ENTITY_KUBE_APISERVER;
	else if (is_node(c->objects, addr))
		entity = CS_ENTITY_REMOTE_NODE;
	return entity && !compile_is_host(c, addr) ? entity : 0;
}

/* Their endpoints; who has them is settled with all others. */
static int add_addresses(struct compile *c, const struct place *place,
			 const struct cs_addr *addresses, size_t n)
{
	uint32_t endpoint;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (!compile_is_host(c, &addresses[i]))
			r = compile_touch_endpoint(c, place, &addresses[i], NULL, &endpoint);
	return r;
}

static int add_apiserver(struct compile *c, const struct endpoint_slice *slice)
{
	int r = 0;

	for (size_t b = 0; b < slice->n_backends && r == 0; b++)
		r = add_addresses(c, &slice->place, slice->backends[b].addresses,
				  slice->backends[b].n_addresses);
	return r;
}

int compile_entities(struct compile *c)
{
	int r = 0;

	for (size_t i = 0; i < c->set->slices.n && r == 0; i++)
		if (slice_is_apiserver(c->set->slices.item[i]))
			r = add_apiserver(c, c->set->slices.item[i]);
	for (size_t i = 0; i < c->set->nodes.n && r == 0; i++)
		r = add_addresses(c, &c->set->nodes.item[i]->place,
				  c->set->nodes.item[i]->addresses,
				  c->set->nodes.item[i]->n_addresses);
	return r;
}
