/* SPDX-License-Identifier: Apache-2.0 */
/* Protocols and ports of cluster-wide policies, in the spellings of both API versions. */
#include <netinet/in.h>

#include "user/policy/names.h"
#include "user/policy/parse_cluster.h"

#define MATCHES_MAX 3 /* a name is one for each of TCP, UDP and SCTP */

/* One entry of protocols or ports. */
struct protocol_entry {
	struct port_match match[MATCHES_MAX];
	size_t n;
};

/* The API has no port 0, so it stands for one that is not given. */
struct port_range {
	uint32_t start;
	uint32_t end;
	uint8_t protocol;
};

static int parse_number_to(struct parse *p, const struct node *node, void *target)
{
	parse_number(p, node, 1, CS_PORT_MAX, target);
	return 0;
}

static void one_match(struct protocol_entry *entry, const struct port_range *range)
{
	entry->n = 1;
	entry->match[0] = (struct port_match){
		.min = (uint16_t)range->start,
		.max = (uint16_t)range->end,
		.protocol = range->protocol,
	};
}

static void check_range(struct parse *p, const struct node *node, const struct port_range *range)
{
	if (range->start >= range->end)
		parse_error(p, node, "the start %u is not below the end %u: a single port is %s",
			    range->start, range->end, "written as a number");
}

static int parse_range(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "start", FIELD(struct port_range, start, parse_number_to), .required = true },
		{ "end", FIELD(struct port_range, end, parse_number_to), .required = true },
		{ 0 },
	};
	size_t before = p->errors->total;
	int r;

	r = parse_fields(p, node, fields, target);
	if (r == 0 && p->errors->total == before)
		check_range(p, node, target);
	return r;
}

static int parse_single(struct parse *p, const struct node *node, void *target)
{
	struct port_range *range = target;

	if (parse_number(p, node, 1, CS_PORT_MAX, &range->start))
		range->end = range->start;
	return 0;
}

static int parse_destination_port(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "number", .parse = parse_single, .offset = 0 },
		{ "range", .parse = parse_range, .offset = 0 },
		{ 0 },
	};

	return parse_one_of(p, node, fields, target);
}

/* Without a port: all of the protocol. */
static int parse_protocol_entry(struct parse *p, const struct node *node, void *target,
				uint8_t protocol)
{
	static const struct field fields[] = {
		{ "destinationPort", .parse = parse_destination_port, .offset = 0 },
		{ 0 },
	};
	struct port_range range = { .end = CS_PORT_MAX, .protocol = protocol };
	int r;

	r = parse_fields(p, node, fields, &range);
	one_match(target, &range);
	return r;
}

static int parse_tcp(struct parse *p, const struct node *node, void *target)
{
	return parse_protocol_entry(p, node, target, IPPROTO_TCP);
}

static int parse_udp(struct parse *p, const struct node *node, void *target)
{
	return parse_protocol_entry(p, node, target, IPPROTO_UDP);
}

static int parse_sctp(struct parse *p, const struct node *node, void *target)
{
	return parse_protocol_entry(p, node, target, IPPROTO_SCTP);
}

/* A name is of whatever protocol the destination's port is. */
static int parse_name(struct parse *p, const struct node *node, void *target)
{
	static const uint8_t protocols[MATCHES_MAX] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	static const struct text_spec spec = { "a port name", port_name_problem };
	struct protocol_entry *entry = target;
	const char *name = NULL;
	int r;

	r = parse_checked_text(p, node, &spec, &name);
	for (entry->n = 0; name && entry->n < MATCHES_MAX; entry->n++)
		entry->match[entry->n] =
			(struct port_match){ .name = name, .protocol = protocols[entry->n] };
	return r;
}

static int parse_admin_number(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "port", .parse = parse_single, .offset = 0, .required = true },
		{ "protocol", FIELD(struct port_range, protocol, parse_protocol) },
		{ 0 },
	};
	struct port_range range = { .protocol = IPPROTO_TCP };
	int r;

	r = parse_fields(p, node, fields, &range);
	one_match(target, &range);
	return r;
}

static int parse_port_range(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "start", FIELD(struct port_range, start, parse_number_to), .required = true },
		{ "end", FIELD(struct port_range, end, parse_number_to), .required = true },
		{ "protocol", FIELD(struct port_range, protocol, parse_protocol) },
		{ 0 },
	};
	struct port_range range = { .protocol = IPPROTO_TCP };
	size_t before = p->errors->total;
	int r;

	r = parse_fields(p, node, fields, &range);
	if (r == 0 && p->errors->total == before)
		check_range(p, node, &range);
	one_match(target, &range);
	return r;
}

static int parse_protocols_entry(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "tcp", .parse = parse_tcp, .offset = 0 },
		{ "udp", .parse = parse_udp, .offset = 0 },
		{ "sctp", .parse = parse_sctp, .offset = 0 },
		{ "destinationNamedPort", .parse = parse_name, .offset = 0 },
		{ 0 },
	};

	return parse_one_of(p, node, fields, target);
}

static int parse_ports_entry(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "portNumber", .parse = parse_admin_number, .offset = 0 },
		{ "portRange", .parse = parse_port_range, .offset = 0 },
		{ "namedPort", .parse = parse_name, .offset = 0 },
		{ 0 },
	};

	return parse_one_of(p, node, fields, target);
}

static int parse_matches(struct parse *p, const struct node *node, struct rule *rule,
			 const struct list_spec *spec)
{
	struct protocol_entry *entries;
	void *items = NULL;
	size_t n = 0;
	int r;

	r = parse_list(p, node, spec, &items, &n);
	if (r < 0)
		return r;
	entries = items;
	rule->ports = arena_alloc(&p->set->arena, n * MATCHES_MAX * sizeof(*rule->ports));
	if (!rule->ports)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t m = 0; m < entries[i].n; m++)
			rule->ports[rule->n_ports++] = entries[i].match[m];
	return 0;
}

int parse_protocols(struct parse *p, const struct node *node, void *target)
{
	const struct list_spec spec = {
		.parse = parse_protocols_entry,
		.size = sizeof(struct protocol_entry),
		.max = p->language->max,
		.min = 1,
		.of = "protocols",
	};

	return parse_matches(p, node, target, &spec);
}

int parse_admin_ports(struct parse *p, const struct node *node, void *target)
{
	const struct list_spec spec = {
		.parse = parse_ports_entry,
		.size = sizeof(struct protocol_entry),
		.max = p->language->max,
		.min = 1,
		.of = "ports",
	};

	return parse_matches(p, node, target, &spec);
}
