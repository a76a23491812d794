/* SPDX-License-Identifier: Apache-2.0 */
/* `policy explain`: what `explain` says, from files instead of an agent. */
#include <limits.h>

#include "user/base/clock.h"
#include "user/cli/explain.h"
#include "user/cli/manifests.h"
#include "user/cli/policy_words.h"
#include "user/flow/flow.h"
#include "user/flow/text.h"
#include "user/policy/cases.h"
#include "user/policy/moment.h"
#include "user/policy/timeline.h"

enum {
	EXPLAIN_FROM,
	EXPLAIN_TO,
	EXPLAIN_PORT,
	EXPLAIN_AT,
	EXPLAIN_UNAUTHENTICATED,
	EXPLAIN_TRUST_DOMAIN,
	EXPLAIN_OUTPUT,
};

static const struct cli_option options[] = {
	[EXPLAIN_FROM] = { "from", 0, "WHO", "NS/NAME of a workload, an entity or an address" },
	[EXPLAIN_TO] = { "to", 0, "WHO", "the same, for the other side" },
	[EXPLAIN_PORT] = { "port", 0, "PORT/PROTO", "such as 8080/tcp, 53/udp; tcp when left out" },
	[EXPLAIN_AT] = { "at", 0, "TIME", "judge at this moment (RFC 3339); default: now" },
	[EXPLAIN_UNAUTHENTICATED] = { "unauthenticated", 0, NULL, "neither side is verified" },
	[EXPLAIN_TRUST_DOMAIN] = { "trust-domain", 0, "TD", "trust domain (default: example.org)" },
	[EXPLAIN_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

static int wrong(const struct cli *cli, const char *message)
{
	return cli_usage_error(cli, &verb_policy_explain, "%s", message);
}

static int read_question(const struct cli *cli, const struct cli_args *args,
			 struct explain_question *ret, struct moment *ret_at)
{
	const char *at = args->value[EXPLAIN_AT];

	for (int i = EXPLAIN_FROM; i <= EXPLAIN_PORT; i++)
		if (!args->value[i] || !*args->value[i])
			return cli_usage_error(cli, &verb_policy_explain, "--%s %s is needed",
					       options[i].name, options[i].argument);
	if (args->n_rest == 0)
		return wrong(cli, "files with policies are needed");
	ret->from = args->value[EXPLAIN_FROM];
	ret->to = args->value[EXPLAIN_TO];
	if (parse_port(args->value[EXPLAIN_PORT], &ret->port) < 0)
		return wrong(cli, "--port wants 1 to 65535 and tcp, udp or sctp: 8080/tcp");
	if (parse_format(args->value[EXPLAIN_OUTPUT], "text", &ret->json) < 0)
		return wrong(cli, "-o wants text or json");
	if (at && moment_parse(at, ret_at))
		return wrong(cli, "--at wants a time such as 2026-12-31T00:00:00Z");
	return CLI_OK;
}

static json_t *steps_json(const struct image *image, const struct policy_explanation *side)
{
	static const char *const actions[] = {
		[CS_ACTION_ALLOW] = "Allow",
		[CS_ACTION_DENY] = "Deny",
		[CS_ACTION_PASS] = "Pass",
	};
	json_t *steps = json_array();

	for (size_t i = 0; i < side->n_steps; i++) {
		const struct policy_step *step = &side->steps[i];
		const struct image_rule *rule = image_rule(image, step->rule);
		_cleanup_free_ char *name = case_rule_text(image, step->rule);
		const char *action =
			rule && rule->action < ARRAY_SIZE(actions) ? actions[rule->action] : NULL;

		json_array_append_new(steps, json_pack("{s:o, s:s, s:b, s:s}", "rule",
						       policy_json_text(name ?: ""), "action",
						       action ?: "", "covers", step->covers, "why",
						       step->why));
	}
	return steps;
}

static json_t *isolation_json(const struct image *image, const struct policy_explanation *side)
{
	const struct image_workload *workload =
		side->workload ? &image->workloads[side->workload - 1] : NULL;
	json_t *policies = json_array();

	for (size_t i = 0; workload && i < workload->n_isolated_by[side->direction]; i++) {
		_cleanup_free_ char *name =
			case_rule_text(image, workload->isolated_by[side->direction][i]);

		json_array_append_new(policies, policy_json_text(name ?: ""));
	}
	return policies;
}

static bool by_default(const struct cs_result *result)
{
	return result->reason == CS_REASON_NOT_ISOLATED ||
	       result->reason == CS_REASON_DEFAULT_DENY ||
	       result->reason == CS_REASON_DEFAULT_ACTION;
}

static json_t *side_json(const struct image *image, const struct policy_explanation *side)
{
	_cleanup_free_ char *rule = case_rule_text(image, side->result.rule);
	_cleanup_free_ char *trace = side->known ? policy_trace(image, side) : NULL;
	const struct text_reason *reason = text_reason(side->result.reason);

	return json_pack("{s:b, s:s, s:s, s:s, s:o, s:b, s:o, s:o, s:o}", "known", side->known,
			 "verdict", side->known ? case_verdict_word(side->result.verdict) : "allow",
			 "reason", reason->name, "reason_text", reason->text, "rule",
			 policy_json_text(rule ?: ""), "default", by_default(&side->result),
			 "trace", policy_json_text(trace ?: ""), "isolated_by",
			 isolation_json(image, side), "steps", steps_json(image, side));
}

/* What changes when the identities are only inferred; nothing is said when nothing does. */
static int set_inferred(json_t *answer, const struct image *image, const struct policy_flow *flow,
			const struct cs_result *verified)
{
	struct policy_flow inferred = *flow;
	struct policy_judgement judgement;
	int r;

	inferred.authenticated = false;
	r = policy_judge(image, &inferred, &judgement);
	if (r < 0 || judgement.result.verdict == verified->verdict)
		return r;
	json_object_set_new(answer, "if_inferred",
			    json_pack("{s:s}", "verdict",
				      case_verdict_word(judgement.result.verdict)));
	return 0;
}

static int answer_json(const struct image *image, const struct policy_flow *flow, json_t **ret)
{
	struct policy_explanation side[CS_DIRECTIONS];
	struct policy_judgement judgement;
	json_t *answer;
	int r;

	r = policy_judge(image, flow, &judgement);
	if (r == 0)
		r = policy_explain(image, flow, side);
	if (r < 0)
		return r;
	answer = json_pack("{s:o, s:o, s:i, s:s, s:b, s:s, s:s, s:o, s:o}", "from",
			   policy_json_text(flow->from), "to", policy_json_text(flow->to), "port",
			   flow->port, "protocol", policy_protocol_word(flow->protocol),
			   "authenticated", flow->authenticated, "assumes",
			   flow->authenticated ? "both sides are verified" : "no side is verified",
			   "verdict", case_verdict_word(judgement.result.verdict), "egress",
			   side_json(image, &side[CS_EGRESS]), "ingress",
			   side_json(image, &side[CS_INGRESS]));
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&side[d]);
	if (!answer)
		return -ENOMEM;
	if (flow->authenticated)
		r = set_inferred(answer, image, flow, &judgement.result);
	if (r < 0)
		json_decref(answer);
	else
		*ret = answer;
	return r;
}

static int explain(const struct cli *cli, const struct image *image, const struct policy_flow *flow,
		   const struct explain_question *question)
{
	json_t *answer;
	int r;

	r = answer_json(image, flow, &answer);
	if (r == -ENOENT) {
		fprintf(cli->err, "countersign policy explain: nobody is called so: --from and "
				  "--to want namespace/name of a Workload in FILES, an entity such "
				  "as World, or an address\n");
		return CLI_USAGE;
	}
	if (r < 0) {
		fprintf(cli->err, "countersign policy explain: %s\n", strerror(-r));
		return CLI_FAILED;
	}
	r = explain_print(cli, answer, question);
	json_decref(answer);
	return r;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct policy_options compile = manifests_options(args->value[EXPLAIN_TRUST_DOMAIN]);
	_cleanup_manifests_ struct manifests manifests = { 0 };
	struct explain_question question;
	struct moment at = { 0 };
	struct policy_flow flow;
	int r;

	r = read_question(cli, args, &question, &at);
	if (r != CLI_OK)
		return r;
	timeline_set(&compile);
	r = manifests_read(cli, args->rest, (size_t)args->n_rest, &manifests);
	if (r == CLI_OK)
		r = manifests_compile(&manifests, &compile);
	if (r == CLI_FAILED)
		manifests_complain(cli, &manifests);
	if (r != CLI_OK)
		return CLI_USAGE;
	flow = (struct policy_flow){
		.from = question.from,
		.to = question.to,
		.port = question.port.port,
		.protocol = policy_protocol_number(question.port.protocol),
		.authenticated = !args->value[EXPLAIN_UNAUTHENTICATED],
		.boottime_ns = timeline_at(&at, (uint64_t)clock_ns(CLOCK_REALTIME)),
	};
	return explain(cli, manifests.image, &flow, &question);
}

const struct cli_verb verb_policy_explain = {
	.name = "policy explain",
	.arguments = "FILES...",
	.description = "say what the policies in FILES do to a connection, tier by tier",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = INT_MAX,
	.run = run,
};
