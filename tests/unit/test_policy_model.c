/* SPDX-License-Identifier: Apache-2.0 */
#include "test_policy_model.h"

#include <arpa/inet.h>
#include <stdarg.h>

static _printf_(2, 3) void add(char *text, const char *format, ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, MODEL_TEXT_MAX - n, format, args);
	va_end(args);
}

static void add_requirement(char *text, const struct requirement *req)
{
	static const char *const names[] = { "In", "NotIn", "Exists", "Missing" };

	add(text, "%s %s", req->key, names[req->op]);
	for (size_t i = 0; i < req->n_values; i++)
		add(text, "%s%s", i ? "|" : " ", req->values[i]);
}

static void add_selector(char *text, const struct selector *selector)
{
	add(text, "{");
	for (size_t i = 0; i < selector->n; i++) {
		add(text, "%s", i ? ", " : "");
		add_requirement(text, &selector->item[i]);
	}
	add(text, "%s}", selector->n ? "" : "*");
}

static void add_cidr(char *text, const struct peer *peer)
{
	char cidr[CIDR_TEXT_MAX];

	cidr_text(&peer->cidr, cidr);
	add(text, "%s", cidr);
	for (size_t i = 0; i < peer->n_except; i++) {
		cidr_text(&peer->except[i], cidr);
		add(text, "%s%s", i ? "|" : " but ", cidr);
	}
}

static void add_peer(char *text, const struct peer *peer)
{
	switch (peer->kind) {
	case PEER_SERVICE_ACCOUNT:
		add(text, "sa %s/%s", peer->namespace, peer->name);
		break;
	case PEER_SPIFFE:
		add(text, "%s", peer->name);
		break;
	case PEER_SELECTOR:
		add(text, "%s", peer->pods_only ? "pods " : "");
		if (peer->namespace)
			add(text, "%s", peer->namespace);
		else
			add_selector(text, &peer->namespaces);
		add(text, ":");
		add_selector(text, &peer->labels);
		break;
	case PEER_CIDR:
		add_cidr(text, peer);
		break;
	case PEER_ENTITY:
		add(text, "%s", entity_name(peer->entity));
		break;
	default:
		add(text, "nodes ");
		add_selector(text, &peer->labels);
	}
}

static const char *protocol_text(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "TCP" : protocol == IPPROTO_UDP ? "UDP" : "SCTP";
}

static void add_port(char *text, const struct port_match *port)
{
	add(text, "%s ", protocol_text(port->protocol));
	if (port->name)
		add(text, "%s", port->name);
	else if (port->min == 0 && port->max == CS_PORT_MAX)
		add(text, "*");
	else if (port->min == port->max)
		add(text, "%u", port->min);
	else
		add(text, "%u-%u", port->min, port->max);
}

static void add_rule(char *text, const struct rule *rule)
{
	static const char *const actions[] = { "?", "Allow", "Deny", "Pass" };

	add(text, " %s %s", rule->name, actions[rule->action]);
	add(text, "%s", rule->n_peers ? "" : " any");
	for (size_t i = 0; i < rule->n_peers; i++) {
		add(text, "%s", i ? ", " : " ");
		add_peer(text, &rule->peers[i]);
	}
	for (size_t i = 0; i < rule->n_ports; i++) {
		add(text, "%s", i ? ", " : " at ");
		add_port(text, &rule->ports[i]);
	}
	add(text, "%s%s%s%s", rule->authenticated ? " authenticated" : "",
	    rule->audit ? " audit" : "", rule->nobody ? " nobody" : "",
	    rule->unknown_peer ? " unknown" : "");
	if (rule->expires.set)
		add(text, " until %lld", (long long)rule->expires.seconds);
	if (rule->reason)
		add(text, " reason=%s", rule->reason);
	if (rule->ticket)
		add(text, " ticket=%s", rule->ticket);
	if (rule->approver)
		add(text, " approver=%s", rule->approver);
}

static void add_direction(char *text, const char *name, const struct direction *direction)
{
	add(text, "; %s", name);
	if (!direction->present)
		add(text, " -");
	else if (!direction->n_rules)
		add(text, " none");
	for (size_t i = 0; i < direction->n_rules; i++) {
		add(text, "%s", i ? " |" : "");
		add_rule(text, &direction->rules[i]);
	}
}

void policy_text(const struct policy *policy, char ret[static MODEL_TEXT_MAX])
{
	static const char *const tiers[] = { "Admin", "Default", "Baseline" };

	*ret = 0;
	add(ret, "%s %u", tiers[policy->tier], policy->priority);
	for (size_t i = 0; i < policy->n_subjects; i++) {
		add(ret, "%s", i ? ", " : " ");
		add_peer(ret, &policy->subjects[i]);
	}
	if (policy->audit)
		add(ret, " audit");
	if (policy->rollout != 100)
		add(ret, " rollout %u", policy->rollout);
	add_direction(ret, "ingress", &policy->direction[CS_INGRESS]);
	add_direction(ret, "egress", &policy->direction[CS_EGRESS]);
}

void only_policy_text(const struct compiled *c, char ret[static MODEL_TEXT_MAX])
{
	cr_assert_eq(c->set->policies.n, 1);
	policy_text(c->set->policies.item[0], ret);
}

void addresses_text(const struct cs_addr *addr, size_t n, char ret[static MODEL_TEXT_MAX])
{
	char text[CIDR_TEXT_MAX];

	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		struct cs_cidr cidr = cidr_of(addr[i].word, ADDRESS_BITS);

		cidr_text(&cidr, text);
		*strchr(text, '/') = 0;
		add(ret, "%s%s", i ? " " : "", text);
	}
}

void service_ports_text(const struct service_port *ports, size_t n, char ret[static MODEL_TEXT_MAX])
{
	*ret = 0;
	for (size_t i = 0; i < n; i++)
		add(ret, "%s%s=%s %u", i ? ", " : "", ports[i].name,
		    protocol_text(ports[i].protocol), ports[i].port);
}

static char *first_error(const struct compiled *c)
{
	return c->errors.n ? policy_error_text(&c->errors.item[0]) : NULL;
}

void model_must(struct compiled *c, const char *text)
{
	_cleanup_free_ char *error = NULL;

	compiled_parse(c, "test.yaml", text);
	error = first_error(c);
	cr_assert_eq(c->r, 0, "%s for:\n%s", error ? error : strerror(-c->r), text);
}

void model_case_holds(const struct model_case *c)
{
	char text[MODEL_TEXT_MAX];
	_compiled_ compiled;

	compiled_init(&compiled);
	model_must(&compiled, c->manifest);
	only_policy_text(&compiled, text);
	cr_expect_str_eq(text, c->model, "%s:\n  is       %s\n  expected %s", c->about, text,
			 c->model);
}

void refused_case_holds(const struct refused_case *c)
{
	_cleanup_free_ char *error = NULL;
	_compiled_ compiled;

	compiled_init(&compiled);
	compiled_parse(&compiled, "test.yaml", c->manifest);
	error = first_error(&compiled);
	cr_assert_eq(compiled.r, -EBADMSG, "accepted:\n%s", c->manifest);
	cr_assert_not_null(error);
	cr_assert_gt(strlen(error), strlen("test.yaml:"));
	cr_expect_str_eq(error + strlen("test.yaml:"), c->error, "for:\n%s\n  is       %s",
			 c->manifest, error + strlen("test.yaml:"));
}
