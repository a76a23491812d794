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

static bool is_apiserver(const struct endpoint_slice *slice)
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

		for (size_t b = 0; b < slice->n_backends && is_apiserver(slice); b++)
			n += slice->backends[b].n_addresses;
	}
	return n;
}

bool compile_is_host(const struct compile *c, const struct cs_addr *addr)
{
	uint32_t class_index = compile_class_of(c, addr);

	return class_index && c->image->classes[class_index - 1].flags & CS_CLASS_HOST;
}

static int add_addresses(struct compile *c, const struct place *place,
			 const struct cs_addr *addresses, size_t n, uint8_t entity)
{
	const struct image_endpoint from = { .identity = entity };
	uint32_t claimed;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (!keymap_get(&c->by_address, &addresses[i], sizeof(addresses[i]), &claimed) &&
		    !compile_is_host(c, &addresses[i]))
			r = compile_endpoint(c, place, &addresses[i], &from);
	return r;
}

static int add_apiserver(struct compile *c, const struct endpoint_slice *slice)
{
	int r = 0;

	for (size_t b = 0; b < slice->n_backends && r == 0; b++)
		r = add_addresses(c, &slice->place, slice->backends[b].addresses,
				  slice->backends[b].n_addresses, CS_ENTITY_KUBE_APISERVER);
	return r;
}

int compile_entities(struct compile *c)
{
	int r = 0;

	for (size_t i = 0; i < c->set->slices.n && r == 0; i++)
		if (is_apiserver(c->set->slices.item[i]))
			r = add_apiserver(c, c->set->slices.item[i]);
	for (size_t i = 0; i < c->set->nodes.n && r == 0; i++)
		r = add_addresses(c, &c->set->nodes.item[i]->place,
				  c->set->nodes.item[i]->addresses,
				  c->set->nodes.item[i]->n_addresses, CS_ENTITY_REMOTE_NODE);
	return r;
}
