/* SPDX-License-Identifier: Apache-2.0 */
/* Services: an address and port, and the kinds of backends behind it. */
#include "user/datapath/commit.h"

static struct cs_service_key service_key(const struct image_service *service)
{
	return (struct cs_service_key){
		.addr = service->addr,
		.port = service->port,
		.protocol = service->protocol,
	};
}

/* A commit knows where it has put each class; a change asks, as classes stay. */
static uint32_t class_slot(const struct commit *c, uint32_t class_index)
{
	if (c->classes)
		return c->classes[class_index];
	return class_index ? slots_find(&commit_table(c, TABLE_CLASSES)->slots,
					&c->image->classes[class_index - 1].prefix)
			   : 0;
}

/* What the kernel is to have of the Service; the backends' classes have their slots already. */
static void fill_service(const struct commit *c, const struct image_service *from,
			 struct cs_service *ret)
{
	const struct image_backend *backends = c->image->backends + from->first;

	*ret = (struct cs_service){ .key = service_key(from), .n = from->n };
	ret->identity = from->n ? backends[0].identity : 0;
	for (uint32_t i = 0; i < from->n; i++) {
		ret->backend[i] = (struct cs_backend){
			.identity = backends[i].identity,
			.class_ = class_slot(c, backends[i].class_index),
			.port = backends[i].port,
		};
		if (backends[i].identity != ret->identity)
			ret->identity = 0;
	}
}

/*
 * A slot is never rewritten while a program may read it: what has changed gets another
 * one. A Service that was there changes after the epoch, for its backends may be in
 * classes that mean less to the policy in force.
 */
static int place_service(struct commit *c, const struct cs_service *service, uint32_t from,
			 bool late)
{
	struct change change = { .table = commit_table(c, TABLE_SERVICES), .from = from };
	int r = table_take(c->dp, change.table, &change.to);

	if (r < 0)
		return r;
	c->dp->view.services[change.to] = *service;
	return late ? commit_defer(c, change, &service->key)
		    : commit_change(c, change, &service->key);
}

static int commit_service(struct commit *c, const struct image_service *wanted)
{
	struct table *table = commit_table(c, TABLE_SERVICES);
	struct cs_service service;
	uint32_t slot;

	fill_service(c, wanted, &service);
	slot = slots_find(&table->slots, &service.key);
	if (slot && commit_wants(c, table, slot))
		return datapath_fail(-EINVAL, "service %s/%s: address and port are there twice",
				     wanted->namespace, wanted->name);
	if (!slot || memcmp(&c->dp->view.services[slot], &service, sizeof(service)) != 0)
		return place_service(c, &service, slot, /* late= */ slot);
	commit_want(c, table, slot);
	return 0;
}

int commit_services(struct commit *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->image->n_services; i++)
		if (!c->image->services[i].gone)
			r = commit_service(c, &c->image->services[i]);
	return r;
}

int commit_change_service(struct commit *c, const struct image_service *wanted)
{
	struct table *table = commit_table(c, TABLE_SERVICES);
	struct cs_service service;
	uint32_t slot;

	fill_service(c, wanted, &service);
	slot = slots_find(&table->slots, &service.key);
	if (!slot || memcmp(&c->dp->view.services[slot], &service, sizeof(service)) != 0)
		return place_service(c, &service, slot, /* late= */ false);
	commit_want(c, table, slot);
	return 0;
}
