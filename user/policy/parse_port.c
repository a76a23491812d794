/* SPDX-License-Identifier: Apache-2.0 */
/* The ports of a rule: a number, a range, a name, or all of a protocol. */
#include <netinet/in.h>

#include "user/policy/names.h"
#include "user/policy/parse.h"

/* An entry as written. */
struct port_entry {
	const char *name;
	uint32_t port; /* 0: none given */
	uint32_t end; /* 0: none given */
	uint8_t protocol;
};

/* A number, or a name. Digits in quotes would be a name that no port can have. */
static int parse_port(struct parse *p, const struct node *node, void *target)
{
	struct port_entry *entry = target;
	const char *problem;

	if (node->type != NODE_TEXT || node_is_null(node)) {
		parse_wrong_type(p, node, "a port number from 1 to 65535 or a port name");
		return 0;
	}
	if (node_is_typed(node)) {
		parse_number(p, node, 1, CS_PORT_MAX, &entry->port);
		return 0;
	}
	problem = port_name_problem(node->text);
	if (problem) {
		parse_error(p, node, "\"%.64s\" %s%s", node->text, problem,
			    node->quoted ? "; a number is written without quotes" : "");
		return 0;
	}
	entry->name = arena_strdup(&p->set->arena, node->text);
	return entry->name ? 0 : -ENOMEM;
}

static int parse_end_port(struct parse *p, const struct node *node, void *target)
{
	struct port_entry *entry = target;

	parse_number(p, node, 1, CS_PORT_MAX, &entry->end);
	return 0;
}

static const struct field port_fields[] = {
	{ "port", .parse = parse_port, .offset = 0 },
	{ "endPort", .parse = parse_end_port, .offset = 0 },
	{ "protocol", FIELD(struct port_entry, protocol, parse_protocol) },
	{ 0 },
};

/* The end of the range, 0 after an error. */
static uint32_t port_end(struct parse *p, const struct node *node, const struct port_entry *entry)
{
	size_t before = parse_enter(p, "endPort");
	uint32_t end = 0;

	if (!entry->end)
		end = entry->port;
	else if (!entry->port)
		parse_error(p, node, "needs a port number as the range's start in \"port\"");
	else if (entry->end < entry->port)
		parse_error(p, node, "%u is below the port %u: expected %u to 65535", entry->end,
			    entry->port, entry->port);
	else
		end = entry->end;
	parse_leave(p, before);
	return end;
}

static int parse_port_match(struct parse *p, const struct node *node, void *target)
{
	struct port_entry entry = { .protocol = IPPROTO_TCP };
	struct port_match *match = target;
	size_t before = p->errors->total;
	int r;

	r = parse_fields(p, node, port_fields, &entry);
	if (r < 0 || p->errors->total != before)
		return r;
	match->name = entry.name;
	match->protocol = entry.protocol;
	match->min = (uint16_t)entry.port;
	match->max = (uint16_t)port_end(p, node, &entry);
	if (!entry.port && !entry.name)
		match->max = CS_PORT_MAX;
	return 0;
}

int parse_ports(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_port_match,
		.size = sizeof(struct port_match),
		.max = MODEL_PORTS_MAX,
		.of = "ports",
	};
	struct rule *rule = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &rule->n_ports);
	rule->ports = items;
	return r;
}
