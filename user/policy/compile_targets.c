/* SPDX-License-Identifier: Apache-2.0 */
/* A rule's ports and peers as ranges and selectors; where names of ports are resolved. */
#include "user/policy/compile.h"

static const struct port_match every_port = { .max = CS_PORT_MAX };

static int add_target(struct compile *c, struct targets *targets, const struct target *target)
{
	if (!GROW(c, targets))
		return -ENOMEM;
	targets->item[targets->n++] = *target;
	return 0;
}

/* The number of a port's name at an identity, 0: it has none of that protocol. */
static uint16_t port_of(const struct named_ports *ports, const struct port_match *match)
{
	struct named_port wanted = { .name = match->name, .protocol = match->protocol };
	const struct named_port *found;

	if (!ports->n)
		return 0;
	found = bsearch(&wanted, ports->item, ports->n, sizeof(wanted), named_port_compare);
	return found ? found->port : 0;
}

/* The rule's one selector, found when first needed. */
static int rule_selector(struct compile *c, const struct rule *rule, struct used_rule *used)
{
	int r = 0;

	if (!used->resolved && rule->n_peers)
		r = compile_selector(c, rule, &used->selector);
	if (!used->resolved && !rule->n_peers)
		used->selector = CS_SELECTOR_ANY;
	used->resolved = r == 0;
	return r;
}

/* Coming in, the name is one of the subject's own ports; another's names do not count. */
static int named_ingress(struct compile *c, const struct rule *rule, struct used_rule *used,
			 const struct port_match *match, struct targets *targets)
{
	uint16_t port = port_of(&c->subject->workload->ports, match);
	int r;

	if (!port)
		return 0;
	r = rule_selector(c, rule, used);
	if (r < 0)
		return r;
	return add_target(c, targets,
			  &(struct target){ used->selector, port, port, match->protocol });
}

static bool has_port(const struct targets *targets, size_t from, uint16_t port)
{
	for (size_t i = from; i < targets->n; i++)
		if (targets->item[i].min == port)
			return true;
	return false;
}

/*
 * Going out, each peer has its own idea of the name: one target per distinct number. More
 * numbers than a ruleset has room for are not worth finding: the caller reports.
 */
static int named_egress(struct compile *c, const struct rule *rule, const struct port_match *match,
			struct targets *targets)
{
	size_t from = targets->n;
	int r;

	r = compile_note_named(c, &(struct named_use){ rule, match, 0 });
	if (r == 0)
		r = compile_collect(c, rule);
	for (size_t i = 0; i < c->n_collected && r == 0; i++) {
		const struct workload *workload = c->identities[c->collected[i]].workload;
		uint16_t port = workload ? port_of(&workload->ports, match) : 0;

		if (port && !has_port(targets, from, port))
			r = add_target(c, targets,
				       &(struct target){ 0, port, port, match->protocol });
		if (targets->n > CS_RULES_MAX)
			return r;
	}
	for (size_t i = from; i < targets->n && r == 0; i++) {
		const struct named_use use = { rule, match, targets->item[i].min };

		r = compile_note_named(c, &use);
		if (r == 0)
			r = compile_named_selector(c, rule, match, use.port,
						   &targets->item[i].selector);
	}
	return r;
}

static int expand_port(struct compile *c, const struct rule *rule, enum cs_direction direction,
		       struct used_rule *used, const struct port_match *match)
{
	struct targets *targets = &used->targets;
	int r;

	if (match->name && direction == CS_EGRESS)
		return named_egress(c, rule, match, targets);
	if (match->name)
		return named_ingress(c, rule, used, match, targets);
	r = rule_selector(c, rule, used);
	if (r < 0)
		return r;
	return add_target(c, targets,
			  &(struct target){ used->selector, match->min, match->max,
					    match->protocol });
}

/* Whether what the rule means depends on who its subject is. */
static bool depends_on_subject(const struct rule *rule, enum cs_direction direction)
{
	for (size_t i = 0; i < rule->n_ports && direction == CS_INGRESS; i++)
		if (rule->ports[i].name)
			return true;
	return false;
}

int compile_targets(struct compile *c, const struct rule *rule, enum cs_direction direction,
		    struct used_rule *used, const struct targets **ret)
{
	int r = 0;

	*ret = &used->targets;
	if (used->expanded && !depends_on_subject(rule, direction))
		return 0;
	used->targets.n = 0;
	if (!rule->n_ports)
		r = expand_port(c, rule, direction, used, &every_port);
	for (size_t i = 0; i < rule->n_ports && r == 0; i++)
		r = expand_port(c, rule, direction, used, &rule->ports[i]);
	used->expanded = r == 0;
	return r;
}
