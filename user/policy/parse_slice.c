/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kind: EndpointSlice: who is behind a Service. Its fields lie beside metadata, there is
 * no spec. It comes from an API server, with many fields of no interest.
 */
#include <netinet/in.h>

#include "user/policy/names.h"
#include "user/policy/parse_service.h"

#define SERVICE_NAME_LABEL "kubernetes.io/service-name"

enum address_type {
	ADDRESS_NONE, /* not given */
	ADDRESS_IPV4,
	ADDRESS_IPV6,
	ADDRESS_FQDN, /* names: nothing that a packet could carry */
};

struct slice_entry {
	struct endpoint_slice slice;
	uint8_t type; /* enum address_type */
};

static const char *empty_or_label_problem(const char *text)
{
	return *text ? dns_label_problem(text) : NULL;
}

static int parse_any_port_name(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a port name", empty_or_label_problem };

	return parse_checked_text(p, node, &spec, target);
}

int parse_service_port(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "name", FIELD(struct service_port, name, parse_any_port_name) },
		{ "port", FIELD(struct service_port, port, parse_port_number) },
		{ "protocol", FIELD(struct service_port, protocol, parse_protocol) },
		{ 0 },
	};
	struct service_port *port = target;

	port->name = "";
	port->protocol = IPPROTO_TCP;
	return parse_fields(p, node, fields, port);
}

/* A port without a number says nothing about where packets go. */
static int parse_slice_ports(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_service_port,
		.size = sizeof(struct service_port),
		.max = MODEL_PORTS_MAX,
		.of = "ports",
	};
	struct endpoint_slice *slice = target;
	void *items = NULL;
	size_t n = 0;
	int r;

	r = parse_list(p, node, &spec, &items, &n);
	slice->ports = items;
	for (size_t i = 0; i < n; i++)
		if (slice->ports[i].port)
			slice->ports[slice->n_ports++] = slice->ports[i];
	return r;
}

/* Also when null: whether it is ready is not known then, and the API says to assume so. */
static int parse_conditions(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "ready", FIELD(struct backend, ready, parse_bool) },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

static int parse_backend_addresses(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_address,
		.size = sizeof(struct cs_addr),
		.max = MODEL_ADDRESSES_MAX,
		.min = 1,
		.of = "addresses",
	};
	struct backend *backend = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &backend->n_addresses);
	backend->addresses = items;
	return r;
}

static int parse_endpoint(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "addresses", .parse = parse_backend_addresses, .offset = 0, .required = true },
		{ "conditions", .parse = parse_conditions, .offset = 0 },
		{ 0 },
	};
	struct backend *backend = target;

	backend->ready = true;
	return parse_fields(p, node, fields, backend);
}

static bool is_of_type(const struct cs_addr *addr, uint8_t type)
{
	const struct cs_cidr cidr = cidr_of(addr->word, ADDRESS_BITS);

	return cidr_is_v4(&cidr) == (type == ADDRESS_IPV4);
}

static void check_types(struct parse *p, const struct node *list, const struct slice_entry *entry)
{
	for (size_t i = 0; i < entry->slice.n_backends; i++) {
		const struct backend *backend = &entry->slice.backends[i];
		size_t before = parse_enter_index(p, i);

		for (size_t a = 0; a < backend->n_addresses; a++)
			if (!is_of_type(&backend->addresses[a], entry->type))
				parse_error(
					p, list->item[i],
					"has an address that is not of the slice's addressType");
		parse_leave(p, before);
	}
}

static int parse_endpoints(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_endpoint,
		.size = sizeof(struct backend),
		.max = MODEL_ENDPOINTS_MAX,
		.of = "endpoints",
	};
	struct slice_entry *entry = target;
	size_t before = p->errors->total;
	void *items = NULL;
	int r;

	if (entry->type == ADDRESS_FQDN)
		return 0;
	r = parse_list(p, node, &spec, &items, &entry->slice.n_backends);
	entry->slice.backends = items;
	if (r == 0 && p->errors->total == before)
		check_types(p, node, entry);
	return r;
}

static int parse_address_type(struct parse *p, const struct node *node, void *target)
{
	static const struct choice types[] = {
		{ "IPv4", ADDRESS_IPV4 },
		{ "IPv6", ADDRESS_IPV6 },
		{ "FQDN", ADDRESS_FQDN },
		{ 0 },
	};

	return parse_choice(p, node, types, target);
}

int parse_slice(struct parse *p, const struct node *document, const struct meta *meta)
{
	/* The type comes first, wherever it is written: the endpoints are read by it. */
	static const struct field type_fields[] = {
		{ "addressType", FIELD(struct slice_entry, type, parse_address_type),
		  .required = true },
		{ 0 },
	};
	static const struct field fields[] = {
		{ "endpoints", .parse = parse_endpoints, .offset = 0 },
		{ "ports", FIELD(struct slice_entry, slice, parse_slice_ports) },
		{ 0 },
	};
	struct slice_entry *entry = arena_alloc(&p->set->arena, sizeof(*entry));
	const char *service = labels_get(&meta->labels, SERVICE_NAME_LABEL);
	size_t before = p->errors->total;
	int r;

	if (!entry)
		return -ENOMEM;
	entry->slice.place = meta->place;
	entry->slice.namespace = meta->namespace;
	entry->slice.name = meta->name;
	entry->slice.service = service ? service : "";
	r = parse_fields(p, document, type_fields, entry);
	if (r == 0 && p->errors->total == before)
		r = parse_fields(p, document, fields, entry);
	return r < 0 || p->errors->total != before ? r : set_add_slice(p, &entry->slice);
}
