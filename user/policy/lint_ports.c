/* SPDX-License-Identifier: Apache-2.0 */
/* Names of ports that no receiver has. */
#include "user/policy/lint_work.h"

static bool calls_port_so(const struct workload *workload, const void *arg)
{
	const struct port_match *match = arg;
	const struct named_port wanted = { .name = match->name, .protocol = match->protocol };

	return workload->ports.n && bsearch(&wanted, workload->ports.item, workload->ports.n,
					    sizeof(wanted), named_port_compare);
}

static bool some_peer(const struct lint *l, const struct peer *peers, size_t n, lint_match_fn fn,
		      const void *arg)
{
	for (size_t i = 0; i < n; i++)
		if (lint_any_match(l, &peers[i], fn, arg))
			return true;
	return false;
}

/* Coming in, the subjects have the ports; going out, the peers. */
static bool receiver_exists(const struct lint *l, const struct lint_rule *rule, lint_match_fn fn,
			    const void *arg)
{
	static const struct peer anybody = { .kind = PEER_SELECTOR };

	if (rule->direction == CS_INGRESS)
		return some_peer(l, rule->policy->subjects, rule->policy->n_subjects, fn, arg);
	if (!rule->rule->n_peers)
		return lint_any_match(l, &anybody, fn, arg);
	return some_peer(l, rule->rule->peers, rule->rule->n_peers, fn, arg);
}

/* A name for any protocol is an entry for each: one of them is enough. */
static bool name_exists(const struct lint *l, const struct lint_rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->rule->n_ports; i++) {
		const struct port_match *match = &rule->rule->ports[i];

		if (match->name && streq(match->name, name) &&
		    receiver_exists(l, rule, calls_port_so, match))
			return true;
	}
	return false;
}

static bool named_before(const struct rule *rule, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rule->ports[i].name && streq(rule->ports[i].name, rule->ports[n].name))
			return true;
	return false;
}

static int check_rule(struct lint *l, const struct lint_rule *rule)
{
	const struct about about = about_rule(LINT_NAMED_PORT_UNKNOWN, rule);
	int r = 0;

	/* Where nobody is, that is said already. */
	if (!rule->rule->n_ports || !receiver_exists(l, rule, NULL, NULL))
		return 0;
	for (size_t i = 0; i < rule->rule->n_ports && r == 0; i++) {
		const char *name = rule->rule->ports[i].name;

		if (!name || named_before(rule->rule, i) || name_exists(l, rule, name))
			continue;
		r = lint_add(l->findings, &about, "no %s has a port named \"%s\" of that protocol",
			     rule->direction == CS_INGRESS ? "subject" : "peer", name);
	}
	return r;
}

/* The API allows it in a NetworkPolicy; in kinds that do not, it is refused. */
static int check_addresses(struct lint *l, const struct lint_rule *rule)
{
	const struct about about = about_rule(LINT_NAMED_PORT_ADDRESS, rule);
	bool address = false;

	for (size_t i = 0; i < rule->rule->n_peers && rule->direction == CS_EGRESS; i++)
		address |= rule->rule->peers[i].kind == PEER_CIDR;
	for (size_t i = 0; i < rule->rule->n_ports && address; i++)
		if (rule->rule->ports[i].name)
			return lint_add(l->findings, &about,
					"port \"%s\" means nothing for the prefixes of the rule",
					rule->rule->ports[i].name);
	return 0;
}

int lint_ports(struct lint *l)
{
	int r = 0;

	for (size_t i = 0; i < l->n_rules && r == 0; i++)
		if (l->rules[i].rule) {
			r = check_rule(l, &l->rules[i]);
			if (r == 0)
				r = check_addresses(l, &l->rules[i]);
		}
	return r;
}
