/* SPDX-License-Identifier: Apache-2.0 */
/* What is more open than it should be. */
#include "user/policy/lint_work.h"

static bool is_world(const struct peer *peer)
{
	if (peer->kind == PEER_ENTITY)
		return peer->entity == CS_ENTITY_WORLD;
	return peer->kind == PEER_CIDR &&
	       peer->cidr.prefixlen == (cidr_is_v4(&peer->cidr) ? ADDRESS_V4_BITS : 0u);
}

/* No peers are all peers, unless they must prove who they are. */
static bool has_world(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_peers; i++)
		if (is_world(&rule->peers[i]))
			return true;
	return !rule->n_peers;
}

/* All ports of one protocol count. */
static bool has_all_ports(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_ports; i++)
		if (!rule->ports[i].name && rule->ports[i].min <= 1 &&
		    rule->ports[i].max == CS_PORT_MAX)
			return true;
	return !rule->n_ports;
}

static int check_world(struct lint *l, const struct lint_rule *rule)
{
	const bool in = rule->direction == CS_INGRESS;
	const struct about about = about_rule(in ? LINT_WORLD_IN : LINT_WORLD_OUT, rule);

	if (rule->rule->authenticated || rule->rule->nobody || !has_world(rule->rule) ||
	    !has_all_ports(rule->rule))
		return 0;
	return lint_add(l->findings, &about, "allows %s%s on all ports", in ? "" : "to go to ",
			!rule->rule->n_peers ? "everybody"
			: in		     ? "the whole world to come in"
					     : "the whole world");
}

/* Only where authentication could have been asked for. */
static int check_admin(struct lint *l, const struct lint_rule *rule)
{
	const struct about about = about_rule(LINT_ADMIN_UNVERIFIED, rule);

	if (rule->policy->tier != TIER_ADMIN || rule->rule->authenticated ||
	    !strstr(rule->policy->kind, "IdentityPolicy"))
		return 0;
	for (size_t i = 0; i < rule->rule->n_peers; i++)
		if (rule->rule->peers[i].kind <= PEER_SELECTOR)
			return lint_add(l->findings, &about,
					"takes %s without proof: authentication is IfAvailable",
					lint_peer_text(l, &rule->rule->peers[i]));
	return 0;
}

static bool covers_address(const struct peer *peer, const struct cs_addr *addr)
{
	struct cs_cidr host = cidr_of(addr->word, ADDRESS_BITS);

	for (size_t i = 0; i < peer->n_except; i++)
		if (cidr_covers(&peer->except[i], &host))
			return false;
	return cidr_covers(&peer->cidr, &host);
}

static const struct workload *covered_workload(const struct lint *l, const struct peer *peer)
{
	for (size_t i = 0; i < l->set->workloads.n; i++) {
		const struct workload *workload = l->set->workloads.item[i];

		for (size_t a = 0; a < workload->n_addresses && !workload->host_network; a++)
			if (covers_address(peer, &workload->addresses[a]))
				return workload;
	}
	return NULL;
}

static int check_prefix(struct lint *l, const struct lint_rule *rule, const struct peer *peer)
{
	struct about about = about_rule(LINT_CIDR_COVERS_WORKLOADS, rule);
	const struct workload *workload;

	if (peer->kind != PEER_CIDR || is_world(peer))
		return 0;
	workload = covered_workload(l, peer);
	if (!workload)
		return 0;
	about.related = &workload->place;
	return lint_add(l->findings, &about, "%s covers the address of workload %s/%s",
			lint_peer_text(l, peer), workload->namespace, workload->name);
}

int lint_open(struct lint *l)
{
	int r = 0;

	for (size_t i = 0; i < l->n_rules && r == 0; i++) {
		const struct lint_rule *rule = &l->rules[i];

		if (!rule->rule)
			continue;
		if (rule->rule->action == CS_ACTION_ALLOW)
			r = check_world(l, rule);
		if (rule->rule->action == CS_ACTION_ALLOW && r == 0)
			r = check_admin(l, rule);
		for (size_t p = 0; p < rule->rule->n_peers && r == 0; p++)
			r = check_prefix(l, rule, &rule->rule->peers[p]);
	}
	return r;
}
