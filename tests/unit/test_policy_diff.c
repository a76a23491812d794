/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_diff() against the slow way: every pair, direction, protocol and interesting port
 * is judged by policy_explain() under both policies, and the diff must say just that.
 */
#include "test_policy.h"
#include "user/policy/diff.h"

#define ROUNDS 150
#define WORKLOADS 5
#define TEXT_BYTES (32 << 10)

static uint32_t random_state;

static uint32_t dice(uint32_t sides)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 16) % sides;
}

static const char *const peers[] = {
	"- {selector: {matchLabels: {app: a%u}}}",
	"- {serviceAccounts: [{name: a%u}]}",
	"- {namespaceSelector: {}}",
	"- {entities: [World, Host]}",
	"- {entities: [RemoteNode]}",
	"- {cidrs: [{cidr: 10.0.0.%u/32}]}",
	"- {cidrs: [{cidr: 10.0.0.0/8, except: [10.0.0.%u/32]}]}",
	"- {cidrs: [{cidr: \"fd00::%u/128\"}]}",
};

static const char *const ports[] = {
	"",
	"[{port: 80}]",
	"[{port: http}]",
	"[{port: 79, endPort: 443}]",
	"[{protocol: UDP}]",
	"[{port: 1, endPort: 65535, protocol: SCTP}]",
	"[{port: 65535}, {port: 1}]",
};

static void put_rule(FILE *out, const char *side)
{
	const char *port = ports[dice(ARRAY_SIZE(ports))];
	uint32_t peer = dice(ARRAY_SIZE(peers));
	bool deny = dice(4) == 0;

	/* Addresses have no named ports. */
	if (streq(side, "to") && peer >= 3 && strstr(port, "http"))
		port = "";
	fprintf(out, "  - action: %s\n", deny ? "Deny" : "Allow");
	if (!deny && dice(3) == 0)
		fprintf(out, "    authentication: Required\n");
	if (dice(5) == 0)
		fprintf(out, "    mode: Audit\n");
	fprintf(out, "    %s:\n    ", side);
	fprintf(out, peers[peer], dice(WORKLOADS));
	fputc('\n', out);
	if (*port)
		fprintf(out, "    ports: %s\n", port);
}

static void put_policy(FILE *out, unsigned int i)
{
	static const char *const sides[] = { "from", "to" };
	static const char *const fields[] = { "ingress", "egress" };
	uint32_t rules;

	fprintf(out,
		"---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
		"metadata: {name: p%u, namespace: shop}\nspec:\n  subject: {selector: ",
		i);
	if (dice(3))
		fprintf(out, "{matchLabels: {app: a%u}}}\n", dice(WORKLOADS));
	else
		fprintf(out, "{}}\n");
	fprintf(out, "  mode: %s\n", dice(5) ? "Enforce" : "Audit");
	for (size_t d = 0; d < 2; d++) {
		if (dice(2))
			continue;
		rules = dice(4);
		fprintf(out, "  %s:%s\n", fields[d], rules ? "" : " []");
		for (; rules > 0; rules--)
			put_rule(out, sides[d]);
	}
}

/* The same workloads on both sides, other policies. */
static void make(struct compiled *c)
{
	_cleanup_free_ char *text = calloc(1, TEXT_BYTES);
	FILE *out = fmemopen(text, TEXT_BYTES, "w");

	for (unsigned int i = 0; i < WORKLOADS; i++)
		fprintf(out,
			"---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
			"metadata: {name: w%u, namespace: shop, labels: {app: a%u}}\n"
			"spec: {serviceAccount: a%u, addresses: [10.0.0.%u%s]%s}\n",
			i, i, i, i + 1, i % 2 ? ", \"fd00::1\"" : "",
			i % 2 ? ", ports: [{name: http, port: 80}]" : "");
	for (unsigned int i = 0; i < 1 + dice(4); i++)
		put_policy(out, i);
	cr_assert_eq(fclose(out), 0);
	compiled_init(c);
	c->options.every_subject = true;
	compiled_must(c, text);
}

struct question {
	const char *subject;
	const char *peer;
	uint8_t direction;
	uint8_t protocol;
	uint16_t port;
	bool verified;
};

static struct cs_result ask(const struct compiled *c, const struct question *q)
{
	bool ingress = q->direction == CS_INGRESS;
	struct policy_explanation both[CS_DIRECTIONS];
	const struct policy_flow flow = {
		.from = ingress ? q->peer : q->subject,
		.to = ingress ? q->subject : q->peer,
		.port = q->port,
		.protocol = q->protocol,
		.family = 4,
		.authenticated = q->verified,
		.boottime_ns = 1,
	};
	struct cs_result result;

	cr_assert_eq(policy_explain(c->image, &flow, both), 0);
	result = both[q->direction].result;
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&both[d]);
	return result;
}

static bool has_name(const struct diff_names *names, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < names->n; i++)
		if (streq(names->item[i], name) || (strncmp(names->item[i], name, n) == 0 &&
						    startswith(names->item[i] + n, " (10.")))
			return true;
	return false;
}

static bool has_port(const struct diff_change *change, const struct question *q)
{
	for (size_t i = 0; i < change->n_ports; i++)
		if (change->ports[i].protocol == q->protocol && change->ports[i].min <= q->port &&
		    change->ports[i].max >= q->port)
			return true;
	return false;
}

/* The one change that speaks of the question, or NULL; two would be one too many. */
static const struct diff_change *find(const struct diff *diff, const struct question *q)
{
	bool verified = q->verified && q->protocol == IPPROTO_TCP && strchr(q->peer, '/');
	const struct diff_change *found = NULL;

	for (size_t i = 0; i < diff->n; i++) {
		const struct diff_change *change = &diff->changes[i];

		if (change->direction != q->direction || !has_name(&change->subjects, q->subject) ||
		    !has_name(&change->peers, q->peer) || !has_port(change, q) ||
		    !(change->authentication & (verified ? DIFF_VERIFIED : DIFF_INFERRED)))
			continue;
		cr_expect_null(found, "%s and %s: said twice", q->subject, q->peer);
		found = change;
	}
	return found;
}

static void compare(const struct compiled *c, const struct diff *diff, const struct question *q)
{
	struct cs_result before = ask(&c[0], q), after = ask(&c[1], q);
	const struct diff_change *change = find(diff, q);
	bool changes = before.verdict != after.verdict;

	cr_expect_eq(changes, change != NULL, "%s, peer %s, %s, port %u/%u: %u -> %u, %ssaid",
		     q->subject, q->peer, q->direction ? "egress" : "ingress", q->port, q->protocol,
		     before.verdict, after.verdict, change ? "" : "not ");
	if (!changes || !change)
		return;
	cr_expect_eq(change->before.verdict, before.verdict);
	cr_expect_eq(change->after.verdict, after.verdict);
	cr_expect_eq(change->before.rule, before.rule);
	cr_expect_eq(change->after.rule, after.rule);
	cr_expect_eq(change->after.reason, after.reason);
}

static size_t compare_pair(const struct compiled *c, const struct diff *diff, struct question q)
{
	static const uint16_t numbers[] = { 1, 2, 78, 79, 80, 81, 443, 444, 65534, 65535 };
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(numbers) * ARRAY_SIZE(protocols) * 4; i++, n++) {
		q.port = numbers[i % ARRAY_SIZE(numbers)];
		q.protocol = protocols[i / ARRAY_SIZE(numbers) % ARRAY_SIZE(protocols)];
		q.direction = i / (ARRAY_SIZE(numbers) * ARRAY_SIZE(protocols)) % 2;
		q.verified = i / (ARRAY_SIZE(numbers) * ARRAY_SIZE(protocols)) / 2;
		/* Datagrams are never verified, so nobody asks for that. */
		if (!q.verified || q.protocol == IPPROTO_TCP)
			compare(c, diff, &q);
	}
	return n;
}

Test(policy_diff, says_just_what_judging_every_pair_says)
{
	static const char *const names[] = { "shop/w0", "shop/w1",    "shop/w2", "shop/w3",
					     "shop/w4", "RemoteNode", "World",	 "Host" };
	size_t questions = 0, changes = 0;

	random_state = 20261;
	for (int round = 0; round < ROUNDS; round++) {
		struct compiled c[2] = { 0 };
		struct diff diff;

		make(&c[0]);
		make(&c[1]);
		cr_assert_eq(policy_diff(&(struct diff_side){ c[0].set, c[0].image },
					 &(struct diff_side){ c[1].set, c[1].image }, 1, &diff),
			     0);
		for (size_t s = 0; s < WORKLOADS; s++)
			for (size_t p = 0; p < ARRAY_SIZE(names); p++)
				questions += p == s ? 0
						    : compare_pair(c, &diff,
								   (struct question){
									   .subject = names[s],
									   .peer = names[p] });
		changes += diff.n;
		diff_done(&diff);
		compiled_done(&c[0]);
		compiled_done(&c[1]);
	}
	cr_expect_gt(questions, 500000);
	cr_expect_gt(changes, ROUNDS, "there was something to find");
}

Test(policy_diff, of_itself_is_empty)
{
	_compiled_ c = { 0 };
	struct diff_side side;
	struct diff diff;

	random_state = 7;
	make(&c);
	side = (struct diff_side){ c.set, c.image };
	cr_assert_eq(policy_diff(&side, &side, 1, &diff), 0);
	cr_expect_eq(diff.n + diff.added.n + diff.removed.n, 0);
	diff_done(&diff);
}
