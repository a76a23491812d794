/* SPDX-License-Identifier: Apache-2.0 */
/* Why a flow passes or not: the evaluator's own walk, one rule at a time. */
#include <arpa/inet.h>

#include "user/identity/identity.h"
#include "user/policy/address.h"
#include "user/policy/policy.h"

/* One side of a flow. */
struct party {
	const struct image_workload *workload; /* on this node, or NULL */
	const struct image_identity *identity; /* or NULL */
	uint32_t class_index; /* as in struct image_endpoint */
	bool unmanaged; /* a socket of no workload */
};

static const struct image_identity *find_identity(const struct image *image, uint64_t number)
{
	for (size_t i = 0; i < image->n_identities; i++)
		if (image->identities[i].identity == number)
			return &image->identities[i];
	return NULL;
}

/* The class of the longest prefix; 1 + index, 0: none. */
static uint32_t find_class(const struct image *image, const struct cs_addr *addr)
{
	struct cs_cidr host = cidr_of(addr->word, ADDRESS_BITS);
	uint32_t best = 0;

	for (size_t i = 0; i < image->n_classes; i++) {
		const struct cs_cidr *prefix = &image->classes[i].prefix;

		if (cidr_covers(prefix, &host) &&
		    (!best || prefix->prefixlen > image->classes[best - 1].prefix.prefixlen))
			best = (uint32_t)i + 1;
	}
	return best;
}

/* An address: what can be inferred from it, as the kernel does. */
static int party_by_address(const struct image *image, const char *text, struct party *ret)
{
	uint64_t number = CS_ENTITY_WORLD;
	struct cs_addr addr;

	if (address_parse(text, &addr))
		return -ENOENT;
	if (address_is_loopback(&addr))
		number = 0; /* anybody on the host */
	ret->class_index = find_class(image, &addr);
	for (size_t i = 0; i < image->n_endpoints; i++) {
		const struct image_endpoint *endpoint = &image->endpoints[i];

		if (memcmp(&endpoint->addr, &addr, sizeof(addr)) != 0)
			continue;
		number = endpoint->identity;
		if (endpoint->flags & CS_ENDPOINT_SHARED)
			number = 0; /* nothing may be inferred */
		else if (endpoint->workload_index)
			ret->workload = &image->workloads[endpoint->workload_index - 1];
	}
	ret->identity = find_identity(image, number);
	return 0;
}

static int party_by_entity(const struct image *image, uint8_t entity, struct party *ret)
{
	ret->identity = find_identity(image, entity);
	ret->unmanaged = entity == CS_ENTITY_UNMANAGED;
	return 0;
}

/* Whether "ns/name" is @text. */
static bool is_named(const char *text, const char *namespace, const char *name)
{
	size_t n = strlen(namespace);

	return n && strncmp(text, namespace, n) == 0 && text[n] == '/' && streq(text + n + 1, name);
}

/* The class of an address of the workload: of any, as CIDRs are meant for networks. */
static uint32_t class_of_workload(const struct image *image, const struct party *party)
{
	for (size_t i = 0; i < image->n_endpoints; i++) {
		const struct image_endpoint *endpoint = &image->endpoints[i];
		bool own = party->workload
				   ? endpoint->workload_index &&
					     &image->workloads[endpoint->workload_index - 1] ==
						     party->workload
				   : endpoint->identity == party->identity->identity;

		if (own)
			return endpoint->class_index;
	}
	return 0;
}

/* A workload on this node, or one of another whose identity is known. */
static int party_by_name(const struct image *image, const char *text, struct party *ret)
{
	for (size_t i = 0; i < image->n_workloads && !ret->workload; i++)
		if (is_named(text, image->workloads[i].namespace, image->workloads[i].name))
			ret->workload = &image->workloads[i];
	if (ret->workload)
		ret->identity = find_identity(image, ret->workload->identity);
	for (size_t i = 0; i < image->n_identities && !ret->identity; i++)
		if (is_named(text, image->identities[i].namespace, image->identities[i].workload))
			ret->identity = &image->identities[i];
	if (!ret->identity)
		return -ENOENT;
	ret->class_index = class_of_workload(image, ret);
	return 0;
}

static int find_party(const struct image *image, const char *text, struct party *ret)
{
	uint8_t entity = entity_by_name(text);

	if (entity)
		return party_by_entity(image, entity, ret);
	return strchr(text, '/') ? party_by_name(image, text, ret)
				 : party_by_address(image, text, ret);
}

static const struct cs_ruleset *ruleset_of(const struct image *image, const struct party *subject,
					   enum cs_direction direction)
{
	if (subject->workload)
		return &image->rulesets[subject->workload->ruleset[direction]];
	if (subject->unmanaged)
		return &image->rulesets[image->unmanaged_ruleset[direction]];
	return NULL;
}

/* Why the rule did not cover; asked in the evaluator's own order. */
static const char *why_not(const struct cs_walk *walk, const struct cs_rule *rule)
{
	const struct cs_query *query = walk->query;

	if (walk->pass_tier == rule->tier + 1)
		return "skipped: an earlier rule passed to the next tier";
	if (rule->protocol && rule->protocol != query->protocol)
		return "protocol does not match";
	if (!cs_port_matches(rule, query))
		return "port does not match";
	if (!cs_peer_matches(rule, query))
		return "peer does not match";
	return "has expired";
}

static const char *why_covers(const struct cs_walk *walk, const struct cs_rule *rule)
{
	if (walk->result.verdict != CS_VERDICT_NONE)
		return "decides";
	if (rule->action == CS_ACTION_PASS)
		return "passes to the next tier";
	if (rule->action == CS_ACTION_ALLOW && (rule->flags & CS_RULE_AUTH))
		return "would allow, but the peer is not verified";
	return "would deny, but is in Audit mode";
}

static int walk_rules(const struct cs_ruleset *rules, const struct cs_query *query,
		      struct policy_explanation *ret)
{
	struct cs_walk walk = { .rules = rules, .query = query };

	ret->steps = calloc(rules->count + 1, sizeof(*ret->steps));
	if (!ret->steps)
		return -ENOMEM;
	for (uint32_t i = 0; i < rules->count && walk.result.verdict == CS_VERDICT_NONE; i++) {
		const struct cs_rule *rule = &rules->rules[i];
		struct policy_step *step = &ret->steps[ret->n_steps];
		const char *why;

		step->rule = rule->id;
		step->covers = walk.pass_tier != rule->tier + 1 && cs_rule_covers(rule, query);
		why = step->covers ? NULL : why_not(&walk, rule);
		cs_walk_rule(&walk, i);
		step->why = strdup(why ? why : why_covers(&walk, rule));
		if (!step->why)
			return -ENOMEM;
		ret->n_steps++;
	}
	cs_evaluate(rules, query, &ret->result);
	return 0;
}

static int explain_direction(const struct image *image, const struct policy_flow *flow,
			     const struct party *subject, const struct party *peer,
			     struct policy_explanation *ret)
{
	const struct cs_ruleset *rules = ruleset_of(image, subject, ret->direction);
	uint32_t class_row = peer->class_index ? image->classes[peer->class_index - 1].row : 0;
	const struct cs_query query = {
		.identity = &image->bitmaps[peer->identity ? peer->identity->row : 0],
		.address = &image->bitmaps[class_row],
		.now_ns = flow->boottime_ns,
		.port = flow->port,
		.protocol = flow->protocol,
		/* Entities have no tag: only a workload can be verified. */
		.authenticated = flow->authenticated && peer->identity &&
				 peer->identity->identity >= CS_IDENTITY_FIRST,
	};

	if (!rules)
		return 0;
	ret->known = true;
	if (subject->workload && subject->workload == peer->workload) {
		ret->result.verdict = CS_VERDICT_ALLOW;
		ret->result.reason = CS_REASON_SELF;
		return 0;
	}
	return walk_rules(rules, &query, ret);
}

void policy_explanation_done(struct policy_explanation *explanation)
{
	for (size_t i = 0; i < explanation->n_steps; i++)
		free(explanation->steps[i].why);
	free(explanation->steps);
	*explanation = (struct policy_explanation){ 0 };
}

int policy_explain(const struct image *image, const struct policy_flow *flow,
		   struct policy_explanation ret[static CS_DIRECTIONS])
{
	struct policy_explanation both[CS_DIRECTIONS] = {
		[CS_INGRESS] = { .direction = CS_INGRESS },
		[CS_EGRESS] = { .direction = CS_EGRESS },
	};
	struct party from = { 0 }, to = { 0 };
	int r;

	r = find_party(image, flow->from, &from);
	if (r == 0)
		r = find_party(image, flow->to, &to);
	if (r == 0)
		r = explain_direction(image, flow, &from, &to, &both[CS_EGRESS]);
	if (r == 0)
		r = explain_direction(image, flow, &to, &from, &both[CS_INGRESS]);
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		if (r == 0)
			ret[d] = both[d];
		else
			policy_explanation_done(&both[d]);
	}
	return r;
}
