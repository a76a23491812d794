/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/cases.h"

#include <stdarg.h>

#include "user/base/clock.h"
#include "user/policy/timeline.h"

static const char *const direction_names[] = { [CS_INGRESS] = "ingress", [CS_EGRESS] = "egress" };

const char *case_verdict_word(uint8_t verdict)
{
	static const char *const words[CS_VERDICT_MAX] = {
		[CS_VERDICT_NONE] = "nothing",
		[CS_VERDICT_ALLOW] = "allow",
		[CS_VERDICT_DENY] = "deny",
		[CS_VERDICT_AUDIT] = "audit",
	};

	return words[verdict % CS_VERDICT_MAX];
}

char *case_rule_text(const struct image *image, uint32_t id)
{
	const struct image_rule *rule = image_rule(image, id);
	const char *namespace, *name;
	char *text;

	if (!rule)
		return strdup("");
	namespace = rule->namespace ?: "";
	name = rule->rule ?: "";
	if (asprintf(&text, "%s%s%s%s%s", namespace, *namespace ? "/" : "", rule->policy ?: "",
		     *name && *name != '#' ? "#" : "", name) < 0)
		return NULL;
	return text;
}

const struct workload *case_workload(const struct policy_set *set, const char *name)
{
	uint32_t i;

	if (!keymap_get(&set->workloads.names, name, strlen(name), &i))
		return NULL;
	return set->workloads.item[i];
}

static unsigned int family_of(const struct cs_addr *addr)
{
	struct cs_cidr host = cidr_of(addr->word, ADDRESS_BITS);

	return cidr_is_v4(&host) ? 1 << 4 : 1 << 6;
}

unsigned int case_families(const struct policy_set *set, const char *who)
{
	const struct workload *workload = case_workload(set, who);
	unsigned int families = 0;
	struct cs_addr addr;

	if (!workload)
		return address_parse(who, &addr) ? 0 : family_of(&addr);
	for (size_t i = 0; i < workload->n_addresses; i++)
		families |= family_of(&workload->addresses[i]);
	return families;
}

void case_result_done(struct case_result *result)
{
	free(result->message);
	free(result->rule);
	for (int d = 0; d < CS_DIRECTIONS; d++)
		free(result->trace[d]);
	*result = (struct case_result){ 0 };
}

_printf_(3, 4) static int say(struct case_result *ret, enum case_outcome outcome,
			      const char *format, ...)
{
	char *message;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&message, format, args);
	va_end(args);
	if (r < 0)
		return -ENOMEM;
	free(ret->message);
	ret->message = message;
	ret->outcome = outcome;
	return 0;
}

int case_error(const struct policy_case *wanted, const char *message, struct case_result *ret)
{
	*ret = (struct case_result){ .wanted = wanted, .port = wanted->port };
	ret->rule = strdup("");
	return ret->rule ? say(ret, CASE_ERROR, "%s", message) : -ENOMEM;
}

/* One judgement: both sides explained, and what they come to. */
struct judged {
	struct policy_explanation side[CS_DIRECTIONS];
	struct cs_result result;
};

static void judged_done(struct judged *judged)
{
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&judged->side[d]);
}

/* Whether the side takes part: the case may ask for one direction alone. */
static bool is_asked(const struct policy_case *wanted, int direction)
{
	return wanted->direction >= CS_DIRECTIONS || wanted->direction == direction;
}

/* Of two sides that allow, the one that has a rule for it says more. */
static void prefer_rule(struct judged *judged)
{
	const struct policy_explanation *ingress = &judged->side[CS_INGRESS];

	if (judged->result.rule == CS_RULE_ID_NONE && ingress->known &&
	    ingress->result.verdict == judged->result.verdict)
		judged->result = ingress->result;
}

static int judge(const struct case_context *context, const struct policy_case *wanted,
		 const struct policy_flow *flow, struct judged *ret)
{
	struct policy_judgement both;
	int r;

	r = policy_explain(context->image, flow, ret->side);
	if (r < 0)
		return r;
	if (wanted->direction < CS_DIRECTIONS) {
		ret->result = ret->side[wanted->direction].result;
		return 0;
	}
	r = policy_judge(context->image, flow, &both);
	if (r < 0)
		return r;
	ret->result = both.result;
	prefer_rule(ret);
	return 0;
}

/* A policy's default may be asked for as "ns/policy" or "ns/policy#". */
static bool same_rule(const char *wanted, const char *got)
{
	size_t n = strlen(got);

	return n && strncmp(wanted, got, n) == 0 &&
	       (wanted[n] == '\0' || (streq(wanted + n, "#") && !strchr(got, '#')));
}

/*
 * Whether the wanted rule decided. When both sides allow, either's rule will do: nobody
 * decides alone then. 1, 0, or -ENOMEM.
 */
static int is_decided_by(const struct case_context *context, const struct policy_case *wanted,
			 const struct judged *judged)
{
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		const struct policy_explanation *side = &judged->side[d];
		_cleanup_free_ char *rule = NULL;

		if (!is_asked(wanted, d) || !side->known ||
		    side->result.verdict != judged->result.verdict)
			continue;
		rule = case_rule_text(context->image, side->result.rule);
		if (!rule)
			return -ENOMEM;
		if (same_rule(wanted->rule, rule))
			return 1;
	}
	return 0;
}

static int take_traces(const struct case_context *context, const struct judged *judged,
		       struct case_result *ret)
{
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		if (!judged->side[d].known || !is_asked(ret->wanted, d))
			continue;
		free(ret->trace[d]);
		ret->trace[d] = policy_trace(context->image, &judged->side[d]);
		if (!ret->trace[d])
			return -ENOMEM;
	}
	free(ret->rule);
	ret->rule = case_rule_text(context->image, judged->result.rule);
	ret->verdict = judged->result.verdict;
	ret->reason = judged->result.reason;
	return ret->rule ? 0 : -ENOMEM;
}

/* Compares what was judged with what is wanted. */
static int compare(const struct case_context *context, const struct judged *judged,
		   struct case_result *ret)
{
	const struct policy_case *wanted = ret->wanted;
	const char *got = case_verdict_word(judged->result.verdict);
	int r;

	r = take_traces(context, judged, ret);
	if (r < 0)
		return r;
	if (judged->result.verdict != wanted->want)
		return say(ret, CASE_FAILED, "want %s, got %s", case_verdict_word(wanted->want),
			   got);
	r = wanted->rule ? is_decided_by(context, wanted, judged) : 1;
	if (r == 0)
		return say(ret, CASE_FAILED, "want %s by %s, got %s by %s", got, wanted->rule, got,
			   *ret->rule ? ret->rule : "no rule");
	return r < 0 ? r : say(ret, CASE_PASSED, "%s", "");
}

/* Which part of the case names nobody. */
static int unknown_party(const struct case_context *context, const struct policy_case *wanted,
			 struct case_result *ret)
{
	struct policy_explanation sides[CS_DIRECTIONS];
	const struct policy_flow flow = { .from = wanted->from,
					  .to = "World",
					  .protocol = wanted->protocol };
	int r = policy_explain(context->image, &flow, sides);
	const char *field = r < 0 ? "from" : "to", *who = r < 0 ? wanted->from : wanted->to;

	if (r == 0)
		for (int d = 0; d < CS_DIRECTIONS; d++)
			policy_explanation_done(&sides[d]);
	return say(ret, CASE_ERROR,
		   "%s: \"%.256s\" is nobody: expected namespace/name of a Workload in the files, "
		   "an entity such as World, or an address",
		   field, who);
}

static int run_family(const struct case_context *context, struct case_result *ret)
{
	const struct policy_case *wanted = ret->wanted;
	_cleanup_(judged_done) struct judged judged = { 0 };
	const struct policy_flow flow = {
		.from = wanted->from,
		.to = wanted->to,
		.port = ret->port,
		.protocol = wanted->protocol,
		.family = ret->family,
		.authenticated = wanted->authenticated,
		.boottime_ns = timeline_at(&wanted->at, context->now_ns),
	};
	int r;

	r = judge(context, wanted, &flow, &judged);
	if (r == -ENOENT)
		return unknown_party(context, wanted, ret);
	if (r < 0)
		return r;
	if (wanted->direction < CS_DIRECTIONS && !judged.side[wanted->direction].known)
		return say(ret, CASE_ERROR,
			   "direction: %s is decided at \"%.256s\", which is no workload",
			   direction_names[wanted->direction],
			   wanted->direction == CS_EGRESS ? wanted->from : wanted->to);
	return compare(context, &judged, ret);
}

/* Both families, when nobody says which; a difference between them is worth knowing. */
static int run_both(const struct case_context *context, struct case_result *ret)
{
	struct case_result v6 = { .wanted = ret->wanted, .port = ret->port, .family = 6 };
	int r;

	ret->family = 4;
	r = run_family(context, ret);
	if (r == 0)
		r = run_family(context, &v6);
	if (r == 0 && ret->outcome != CASE_ERROR && v6.outcome != CASE_ERROR &&
	    (ret->verdict != v6.verdict || ret->outcome != v6.outcome)) {
		r = say(ret, CASE_FAILED,
			"the families differ: over IPv4 %s by %s, over IPv6 %s by %s; say which "
			"with `family`",
			case_verdict_word(ret->verdict), *ret->rule ? ret->rule : "no rule",
			case_verdict_word(v6.verdict), *v6.rule ? v6.rule : "no rule");
	}
	case_result_done(&v6);
	return r;
}

/* The number of the case's port; a name is one of the receiver's. */
static int find_port(const struct case_context *context, struct case_result *ret)
{
	const struct policy_case *wanted = ret->wanted;
	const struct workload *to = case_workload(context->set, wanted->to);
	struct named_port name = { .name = wanted->port_name, .protocol = wanted->protocol };
	const struct named_port *found = NULL;

	ret->port = wanted->port;
	if (!wanted->port_name)
		return 0;
	if (to && to->ports.n)
		found = bsearch(&name, to->ports.item, to->ports.n, sizeof(name),
				named_port_compare);
	if (!found)
		return say(ret, CASE_ERROR,
			   "port: \"%.256s\" has no port of that protocol called \"%.64s\"",
			   wanted->to, wanted->port_name);
	ret->port = found->port;
	return 0;
}

/* The families to judge for: the one that is asked for, or those that both sides have. */
static int find_families(const struct case_context *context, struct case_result *ret,
			 unsigned int *ret_families)
{
	const struct policy_case *wanted = ret->wanted;
	const char *const who[] = { wanted->from, wanted->to };
	unsigned int families = wanted->family ? 1U << wanted->family : 1 << 4 | 1 << 6;
	bool limited = false;

	for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
		unsigned int has = case_families(context->set, who[i]);

		if (has)
			families &= has;
		limited |= has != 0;
	}
	if (!families)
		return say(ret, CASE_ERROR,
			   "\"%.128s\" and \"%.128s\" have no address of one family%s", who[0],
			   who[1], wanted->family ? ", as `family` wants it" : "");
	*ret_families = limited || wanted->family ? families : 0;
	return 0;
}

static int run_case(const struct case_context *context, struct case_result *ret)
{
	unsigned int families = 0;
	int r;

	r = find_port(context, ret);
	if (r == 0 && !ret->message)
		r = find_families(context, ret, &families);
	if (r < 0 || ret->message)
		return r;
	if (families == (1 << 4 | 1 << 6))
		return run_both(context, ret);
	ret->family = families ? (families == 1 << 4 ? 4 : 6) : 0;
	return run_family(context, ret);
}

int case_run(const struct case_context *context, const struct policy_case *wanted,
	     struct case_result *ret)
{
	struct case_result result = { .wanted = wanted };
	uint64_t start = (uint64_t)clock_ns(CLOCK_MONOTONIC);
	int r;

	r = run_case(context, &result);
	if (r == 0 && !result.rule) {
		result.rule = strdup("");
		r = result.rule ? 0 : -ENOMEM;
	}
	if (r < 0) {
		case_result_done(&result);
		return r;
	}
	result.took_ns = (uint64_t)clock_ns(CLOCK_MONOTONIC) - start;
	*ret = result;
	return 0;
}
