/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"verb":"explain", "from":"ns/name", "to":"ns/name", "port":8080, "protocol":"TCP"}:
 * what the policy in force says of such a flow, and which rule says so. It is judged as
 * if both sides were verified; "if_inferred" says what changes when they are not.
 */
#include <netinet/in.h>

#include "user/agent/json_text.h"
#include "user/agent/verbs.h"
#include "user/agent/words.h"
#include "user/base/clock.h"
#include "user/flow/text.h"

#define WORDS_MAX 1024

/* Both directions of one answer. */
struct answer {
	const struct image *image;
	const struct policy_flow *flow;
	struct policy_explanation direction[CS_DIRECTIONS];
};

static void answer_done(struct answer *answer)
{
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&answer->direction[d]);
}

static const char *subject(const struct answer *answer, int direction)
{
	return direction == CS_EGRESS ? answer->flow->from : answer->flow->to;
}

/* "ns/policy#rule", the policy alone when its default decided, or "". The caller's. */
static char *rule_name(const struct image *image, uint32_t id)
{
	const struct image_rule *rule = image_rule(image, id);

	return rule ? flow_rule_text(rule) : strdup("");
}

static const char *action_of(const struct image *image, uint32_t id)
{
	const struct image_rule *rule = image_rule(image, id);

	return rule && rule->action ? action_word(rule->action) : "";
}

static bool by_default(const struct cs_result *result)
{
	return result->reason == CS_REASON_NOT_ISOLATED ||
	       result->reason == CS_REASON_DEFAULT_DENY ||
	       result->reason == CS_REASON_DEFAULT_ACTION;
}

static json_t *steps(const struct answer *answer, int direction)
{
	const struct policy_explanation *e = &answer->direction[direction];
	json_t *list = json_array();

	for (size_t i = 0; i < e->n_steps; i++) {
		_cleanup_free_ char *name = rule_name(answer->image, e->steps[i].rule);

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:s}", "rule", name ?: "", "action",
					action_of(answer->image, e->steps[i].rule), "covers",
					e->steps[i].covers, "why", e->steps[i].why));
	}
	return list;
}

/* "ingress of shop/payments: denied by rule shop/payments#x: a rule denies it" */
static void in_words(const struct answer *answer, int direction, const char *name, char *ret,
		     size_t size)
{
	static const char *const verdicts[CS_VERDICT_MAX] = {
		[CS_VERDICT_NONE] = "undecided",
		[CS_VERDICT_ALLOW] = "allowed",
		[CS_VERDICT_DENY] = "denied",
		[CS_VERDICT_AUDIT] = "let through, but would be denied",
	};
	const struct policy_explanation *e = &answer->direction[direction];

	if (!e->known) {
		snprintf(ret, size, "%s of %s: not decided here, as it is no workload of this node",
			 direction_word(direction), subject(answer, direction));
		return;
	}
	snprintf(ret, size, "%s of %s: %s%s%s: %s", direction_word(direction),
		 subject(answer, direction), verdicts[e->result.verdict % CS_VERDICT_MAX],
		 !*name			  ? ""
		 : by_default(&e->result) ? " by the default of "
					  : " by rule ",
		 name, text_reason(e->result.reason)->text);
}

static json_t *direction_json(const struct answer *answer, int direction)
{
	const struct policy_explanation *e = &answer->direction[direction];
	_cleanup_free_ char *name = rule_name(answer->image, e->result.rule);
	_cleanup_free_ char *trace = policy_trace(answer->image, e);
	char words[WORDS_MAX];

	if (!name || !trace)
		return NULL;
	in_words(answer, direction, name, words, sizeof(words));
	return json_pack("{s:b, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o}", "known", e->known,
			 "verdict", e->known ? verdict_word(e->result.verdict) : "allow", "reason",
			 text_reason(e->result.reason)->name, "reason_text",
			 text_reason(e->result.reason)->text, "rule", name, "default",
			 by_default(&e->result), "trace", trace, "steps", steps(answer, direction),
			 "in_words", json_text(words));
}

/* Both directions must allow. What is not decided here does not forbid. */
static unsigned int verdict_of(const struct answer *answer)
{
	unsigned int verdict = CS_VERDICT_ALLOW;

	for (int d = 0; d < CS_DIRECTIONS; d++) {
		const struct policy_explanation *e = &answer->direction[d];

		if (!e->known || e->result.verdict == CS_VERDICT_ALLOW)
			continue;
		if (e->result.verdict != CS_VERDICT_AUDIT)
			return CS_VERDICT_DENY;
		verdict = CS_VERDICT_AUDIT;
	}
	return verdict;
}

static json_t *answer_json(const struct answer *answer)
{
	return json_pack("{s:s, s:o, s:o}", "verdict", verdict_word(verdict_of(answer)), "egress",
			 direction_json(answer, CS_EGRESS), "ingress",
			 direction_json(answer, CS_INGRESS));
}

static bool same_answer(const struct answer *a, const struct answer *b)
{
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		const struct cs_result *x = &a->direction[d].result, *y = &b->direction[d].result;

		if (x->verdict != y->verdict || x->reason != y->reason || x->rule != y->rule)
			return false;
	}
	return true;
}

/* Adds "if_inferred" to @reply when that makes a difference. */
static int add_inferred(json_t *reply, const struct answer *verified)
{
	_cleanup_(answer_done) struct answer inferred = { .image = verified->image };
	struct policy_flow flow = *verified->flow;
	int r;

	flow.authenticated = false;
	inferred.flow = &flow;
	r = policy_explain(inferred.image, &flow, inferred.direction);
	if (r == 0 && !same_answer(verified, &inferred))
		json_object_set_new(reply, "if_inferred", answer_json(&inferred));
	return r;
}

static int explain(const struct image *image, const struct policy_flow *flow, json_t **ret)
{
	_cleanup_(answer_done) struct answer answer = { .image = image, .flow = flow };
	json_t *reply;
	int r;

	r = policy_explain(image, flow, answer.direction);
	if (r < 0)
		return r;
	reply = answer_json(&answer);
	if (!reply)
		return -ENOMEM;
	json_object_set_new(reply, "from", json_string(flow->from));
	json_object_set_new(reply, "to", json_string(flow->to));
	json_object_set_new(reply, "port", json_integer(flow->port));
	json_object_set_new(reply, "protocol", json_string(protocol_word(flow->protocol)));
	json_object_set_new(reply, "authenticated", json_boolean(flow->authenticated));
	json_object_set_new(reply, "assumes", json_string("both sides are verified"));
	r = add_inferred(reply, &answer);
	if (r < 0) {
		json_decref(reply);
		return r;
	}
	*ret = reply;
	return 0;
}

static int take_flow(const json_t *request, struct policy_flow *ret)
{
	const char *protocol = json_string_value(json_object_get(request, "protocol")) ?: "TCP";
	json_int_t port = json_integer_value(json_object_get(request, "port"));

	*ret = (struct policy_flow){
		.from = json_string_value(json_object_get(request, "from")),
		.to = json_string_value(json_object_get(request, "to")),
		.port = port,
		.protocol = MAX(protocol_from_word(protocol), 0),
		.authenticated = true,
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
	};
	return ret->from && ret->to && ret->protocol && port > 0 && port <= CS_PORT_MAX ? 0
											: -EINVAL;
}

void serve_explain(struct agent *agent, struct client *client, const json_t *request)
{
	const struct image *image = epochs_current(&agent->epochs);
	struct policy_flow flow;
	json_t *reply;
	int r;

	if (take_flow(request, &flow) < 0)
		client_error(client,
			     "expected \"from\" and \"to\": ns/name, an entity or an address, "
			     "\"port\": 1 to 65535, \"protocol\": TCP, UDP or SCTP");
	else if (!image)
		client_error(client, "this agent has read no manifests yet: see the last reload's "
				     "errors in status");
	else if ((r = explain(image, &flow, &reply)) == 0)
		client_line(client, reply);
	else if (r == -ENOENT)
		client_error(client, "no such workload: see status for those that are known");
	else
		client_error(client, strerror(-r));
}
