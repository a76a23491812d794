/* SPDX-License-Identifier: Apache-2.0 */
/* Who matches what: for one identity what compile_collect() says for all. */
#include "user/identity/spiffe.h"
#include "user/policy/compile.h"

static bool is_account(const struct compile *c, const struct peer *peer, const char *name)
{
	char id[CS_SPIFFE_ID_MAX];

	return spiffe_build(c->options->trust_domain, peer->namespace, peer->name, id) == 0 &&
	       streq(id, name);
}

static bool in_namespaces(const struct compile *c, const struct peer *peer, const char *namespace)
{
	uint32_t i;

	if (peer->namespace)
		return streq(peer->namespace, namespace);
	return keymap_get(&c->by_namespace, namespace, strlen(namespace), &i) &&
	       selector_matches(&peer->namespaces, &c->namespaces.item[i].labels);
}

/* Whether @peer means identity @i, a workload's. */
static bool peer_matches(const struct compile *c, const struct peer *peer, uint32_t i)
{
	const struct peer_identity *identity = &c->identities[i];
	const char *name = c->image->names[c->image->identities[i].name_index];

	switch ((enum peer_kind)peer->kind) {
	case PEER_SERVICE_ACCOUNT:
		return is_account(c, peer, name);
	case PEER_SPIFFE:
		return spiffe_matches(peer->name, name);
	case PEER_SELECTOR:
		return !identity->foreign && !identity->host_unit &&
		       !(peer->pods_only && identity->workload->host_network) &&
		       in_namespaces(c, peer, identity->workload->namespace) &&
		       selector_matches(&peer->labels, &identity->labels);
	case PEER_CIDR:
	case PEER_ENTITY:
	case PEER_NODES:
		break; /* addresses, and identities that are no workload's */
	}
	return false;
}

static bool rule_matches(const struct compile *c, const struct rule *rule, uint32_t i)
{
	for (size_t k = 0; k < rule->n_peers; k++)
		if (peer_matches(c, &rule->peers[k], i))
			return true;
	return !rule->n_peers;
}

/* The number by which the identity calls a port of that name, 0: none. */
static uint16_t port_called(const struct workload *workload, const struct port_match *match)
{
	for (size_t i = 0; i < workload->ports.n; i++) {
		const struct named_port *port = &workload->ports.item[i];

		if (port->protocol == match->protocol && streq(port->name, match->name))
			return port->port;
	}
	return 0;
}

bool compile_selector_has(const struct compile *c, const struct used_selector *selector, uint32_t i)
{
	const struct workload *workload = c->identities[i].workload;

	if (selector->match && port_called(workload, selector->match) != selector->port)
		return false;
	return rule_matches(c, selector->rule, i);
}

static bool has_target(const struct compile *c, const struct named_use *use, uint16_t port)
{
	for (size_t i = 0; i < c->named.n; i++)
		if (c->named.item[i].rule == use->rule && c->named.item[i].match == use->match &&
		    c->named.item[i].port == port)
			return true;
	return false;
}

/* Whether some rule needs a port that it does not have yet, for the sake of identity @i. */
bool compile_needs_target(const struct compile *c, uint32_t i)
{
	const struct workload *workload = c->identities[i].workload;

	for (size_t k = 0; k < c->named.n && workload->ports.n; k++) {
		const struct named_use *use = &c->named.item[k];
		uint16_t port = use->port ? 0 : port_called(workload, use->match);

		if (port && rule_matches(c, use->rule, i) && !has_target(c, use, port))
			return true;
	}
	return false;
}
