/* SPDX-License-Identifier: Apache-2.0 */
/* Ports in intervals between the borders of both sides' rules; each is judged once. */
#include <netinet/in.h>

#include "user/policy/diff_parts.h"
#include "user/policy/party.h"

#define BORDERS_MAX (2 * DIFF_SIDES * CS_RULES_MAX + 2)
#define PROTOCOL_OTHER 253 /* for experiments (RFC 3692): no rule names it */

struct borders {
	uint32_t port[BORDERS_MAX];
	size_t n;
};

static int border_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static const struct cs_ruleset *ruleset_of(const struct differ *d,
					   const struct diff_subject *subject, int s)
{
	return &d->side[s]->image->rulesets[subject->ruleset[s]];
}

static void add_borders(const struct cs_ruleset *rules, uint8_t protocol, struct borders *borders)
{
	for (uint32_t i = 0; i < MIN(rules->count, (uint32_t)CS_RULES_MAX); i++) {
		const struct cs_rule *rule = &rules->rules[i];

		if (rule->protocol && rule->protocol != protocol)
			continue;
		borders->port[borders->n++] = MAX(rule->port_min, 1);
		borders->port[borders->n++] = rule->port_max + 1U;
	}
}

/* Where the verdict may change: ascending, from 1 to 65536, the end of the last interval. */
static struct borders borders_of(const struct differ *d, const struct diff_subject *subject,
				 uint8_t protocol)
{
	struct borders borders = { .port = { 1, CS_PORT_MAX + 1 }, .n = 2 };
	size_t n = 0;

	for (int s = 0; s < DIFF_SIDES; s++)
		add_borders(ruleset_of(d, subject, s), protocol, &borders);
	qsort(borders.port, borders.n, sizeof(*borders.port), border_compare);
	for (size_t i = 0; i < borders.n; i++)
		if (!n || borders.port[n - 1] != borders.port[i])
			borders.port[n++] = borders.port[i];
	borders.n = n;
	return borders;
}

/* One question to one side. */
struct probe {
	const struct diff_subject *subject;
	const struct diff_peer *peer;
	uint8_t protocol;
	uint16_t port;
	bool verified;
};

static struct diff_outcome ask(const struct differ *d, const struct probe *probe, int s)
{
	const struct image *image = d->side[s]->image;
	const struct cs_query query = {
		.identity = &image->bitmaps[probe->peer->row[s]],
		.address = &image->bitmaps[probe->peer->class_row[s]],
		.now_ns = d->now_ns,
		.port = probe->port,
		.protocol = probe->protocol,
		.authenticated = probe->verified,
	};
	struct cs_result result;

	if (policy_revokes(probe->subject->revoked[s], probe->peer->revoked[s], &result))
		return (struct diff_outcome){ .verdict = result.verdict, .reason = result.reason };
	/* A node may always reach its own workloads, and they it. */
	if (probe->peer->host && !probe->subject->host_network[s])
		return (struct diff_outcome){ .verdict = CS_VERDICT_ALLOW,
					      .reason = CS_REASON_OWN_NODE };
	cs_evaluate(ruleset_of(d, probe->subject, s), &query, &result);
	return (struct diff_outcome){
		.rule = result.rule,
		.verdict = result.verdict,
		.reason = result.reason,
	};
}

static bool same_outcome(const struct diff_outcome *a, const struct diff_outcome *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool continues(const struct diff_span *span, const struct diff_span *next)
{
	return span->ports.protocol == next->ports.protocol &&
	       span->ports.max + 1U == next->ports.min &&
	       span->authentication == next->authentication &&
	       same_outcome(&span->before, &next->before) &&
	       same_outcome(&span->after, &next->after);
}

/* Adds a span, or makes one that ends before it longer: one of the last two, no others do. */
static int add_span(struct differ *d, const struct diff_span *span, struct diff_spans *ret)
{
	void *item;

	for (size_t i = ret->n; i > 0 && ret->n - i < 3; i--) {
		if (!continues(&ret->item[i - 1], span))
			continue;
		ret->item[i - 1].ports.max = span->ports.max;
		return 0;
	}
	item = arena_grow(&d->arena, ret->item, ret->n, &ret->capacity, sizeof(*span));
	if (!item)
		return -ENOMEM;
	ret->item = item;
	ret->item[ret->n++] = *span;
	return 0;
}

/* The outcomes of one interval, with or without a verified peer. */
static struct diff_span judge_as(const struct differ *d, struct probe *probe,
				 const struct diff_ports *ports, bool verified)
{
	struct diff_span span = { .ports = *ports };

	probe->verified = verified;
	span.before = ask(d, probe, 0);
	span.after = ask(d, probe, 1);
	span.authentication = verified ? DIFF_VERIFIED : DIFF_INFERRED;
	return span;
}

/* Judges one interval; once for either kind of peer when both fare the same. */
static int judge_ports(struct differ *d, struct probe *probe, const struct diff_ports *ports,
		       struct diff_spans *ret)
{
	size_t n = probe->peer->verifiable && probe->protocol == IPPROTO_TCP ? 2 : 1;
	struct diff_span span[2] = { 0 };
	int r = 0;

	for (size_t i = 0; i < n; i++)
		span[i] = judge_as(d, probe, ports, /* verified= */ i == 1);
	if (n == 1 || (same_outcome(&span[0].before, &span[1].before) &&
		       same_outcome(&span[0].after, &span[1].after))) {
		span[0].authentication = DIFF_EITHER;
		n = 1;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		if (span[i].before.verdict != span[i].after.verdict)
			r = add_span(d, &span[i], ret);
	return r;
}

static int judge_protocol(struct differ *d, struct probe *probe, struct diff_spans *ret)
{
	const struct borders borders = borders_of(d, probe->subject, probe->protocol);
	int r = 0;

	for (size_t i = 0; i + 1 < borders.n && r == 0; i++) {
		const struct diff_ports ports = {
			.min = (uint16_t)borders.port[i],
			.max = (uint16_t)(borders.port[i + 1] - 1),
			.protocol = probe->protocol,
		};

		probe->port = ports.min;
		r = judge_ports(d, probe, &ports, ret);
	}
	return r;
}

int diff_judge(struct differ *d, const struct diff_subject *subject, const struct diff_peer *peer,
	       struct diff_spans *ret)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	struct probe probe = { .subject = subject, .peer = peer };
	int r = 0;

	ret->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(protocols) && r == 0; i++) {
		probe.protocol = protocols[i];
		r = judge_protocol(d, &probe, ret);
	}
	if (r < 0)
		return r;
	probe.protocol = PROTOCOL_OTHER;
	probe.port = 0;
	return judge_ports(d, &probe, &(struct diff_ports){ 0 }, ret);
}
