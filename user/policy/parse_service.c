/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kind: Service: which addresses and ports stand for its backends. Who they are is in
 * EndpointSlices. It comes from an API server, with many fields of no interest.
 */
#include "user/policy/parse_service.h"

#define CLUSTER_IP_NONE "None" /* headless: it has no address of its own */
#define IP_MODE_PROXY "Proxy" /* nothing on the way turns the address into a backend's */

struct service_entry {
	struct service service;
	size_t capacity; /* of its addresses */
};

static bool has_address(const struct service *service, const struct cs_addr *addr)
{
	for (size_t i = 0; i < service->n_addresses; i++)
		if (memcmp(&service->addresses[i], addr, sizeof(*addr)) == 0)
			return true;
	return false;
}

/* One more address; clusterIP is also the first of clusterIPs. */
static int parse_service_address(struct parse *p, const struct node *node, void *target)
{
	struct service_entry *entry = target;
	struct service *service = &entry->service;
	size_t before = p->errors->total;
	struct cs_addr addr;
	void *items;
	int r;

	if (node->type == NODE_TEXT && (!*node->text || streq(node->text, CLUSTER_IP_NONE)))
		return 0;
	r = parse_address(p, node, &addr);
	if (r < 0 || p->errors->total != before || has_address(service, &addr))
		return r;
	if (service->n_addresses == MODEL_ADDRESSES_MAX) {
		parse_error(p, node, "more than %u addresses of one Service", MODEL_ADDRESSES_MAX);
		return 0;
	}
	items = arena_grow(&p->set->arena, service->addresses, service->n_addresses,
			   &entry->capacity, sizeof(addr));
	if (!items)
		return -ENOMEM;
	service->addresses = items;
	service->addresses[service->n_addresses++] = addr;
	return 0;
}

/* Each element in its turn into the same @target. */
static int parse_each(struct parse *p, const struct node *node, field_fn parse, void *target)
{
	int r = 0;

	if (node->type != NODE_LIST)
		parse_wrong_type(p, node, "a list");
	for (size_t i = 0; node->type == NODE_LIST && i < node->n && r == 0; i++) {
		size_t before = parse_enter_index(p, i);

		r = parse(p, node->item[i], target);
		parse_leave(p, before);
	}
	return r;
}

static int parse_service_addresses(struct parse *p, const struct node *node, void *target)
{
	return parse_each(p, node, parse_service_address, target);
}

/* A load balancer's address, unless packets to it really go there. */
static int parse_balancer(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "ip", .parse = parse_service_address, .offset = 0 },
		{ 0 },
	};
	const struct node *mode = parse_given(p, node, "ipMode");

	if (mode && mode->type == NODE_TEXT && streq(mode->text, IP_MODE_PROXY))
		return 0;
	return parse_fields(p, node, fields, target);
}

static int parse_balancers(struct parse *p, const struct node *node, void *target)
{
	return parse_each(p, node, parse_balancer, target);
}

static int parse_load_balancer(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "ingress", .parse = parse_balancers, .offset = 0 },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

static int parse_status(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "loadBalancer", .parse = parse_load_balancer, .offset = 0 },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

static int parse_own_port(struct parse *p, const struct node *node, void *target)
{
	struct service_port *port = target;
	size_t before = p->errors->total;
	int r;

	r = parse_service_port(p, node, port);
	if (r == 0 && p->errors->total == before && !port->port)
		parse_error(p, node, "has no port");
	return r;
}

static int parse_own_ports(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_own_port,
		.size = sizeof(struct service_port),
		.max = MODEL_PORTS_MAX,
		.of = "ports",
	};
	struct service_entry *entry = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &entry->service.n_ports);
	entry->service.ports = items;
	return r;
}

static int parse_spec(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "clusterIP", .parse = parse_service_address, .offset = 0 },
		{ "clusterIPs", .parse = parse_service_addresses, .offset = 0 },
		{ "externalIPs", .parse = parse_service_addresses, .offset = 0 },
		{ "ports", .parse = parse_own_ports, .offset = 0 },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

int parse_service(struct parse *p, const struct node *document, const struct meta *meta)
{
	static const struct field fields[] = {
		{ "spec", .parse = parse_spec, .offset = 0 },
		{ "status", .parse = parse_status, .offset = 0 },
		{ 0 },
	};
	struct service_entry *entry = arena_alloc(&p->set->arena, sizeof(*entry));
	size_t before = p->errors->total;
	int r;

	if (!entry)
		return -ENOMEM;
	entry->service.place = meta->place;
	entry->service.namespace = meta->namespace;
	entry->service.name = meta->name;
	r = parse_fields(p, document, fields, entry);
	return r < 0 || p->errors->total != before ? r : set_add_service(p, &entry->service);
}
