/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"
#include "user/cli/cluster.h"
#include "user/cli/explain.h"
#include "user/cli/explain_nodes.h"
#include "user/flow/flow.h"
#include "user/flow/text.h"

enum { EXPLAIN_FROM, EXPLAIN_TO, EXPLAIN_PORT, EXPLAIN_OUTPUT };

static const struct cli_option options[] = {
	[EXPLAIN_FROM] = { "from", 0, "WHO", "NS/NAME of a workload, an entity or an address" },
	[EXPLAIN_TO] = { "to", 0, "WHO", "the same, for the other side" },
	[EXPLAIN_PORT] = { "port", 0, "PORT/PROTO", "such as 8080/tcp, 53/udp; tcp when left out" },
	[EXPLAIN_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

struct side {
	const char *key; /* in the answer */
	const char *subject;
	const json_t *explanation;
};

static int verdict_of(const json_t *object)
{
	return flow_verdict_from_name(client_text(object, "verdict"));
}

static const char *passes(int verdict)
{
	if (verdict == CS_VERDICT_ALLOW)
		return "passes";
	if (verdict == CS_VERDICT_AUDIT)
		return "passes, and is reported: without audit mode it would be denied";
	return verdict == CS_VERDICT_DENY ? "is denied" : "has no verdict";
}

static void put_step(const struct cli *cli, size_t number, const json_t *step)
{
	const char *rule = client_text(step, "rule"), *action = client_text(step, "action");

	fprintf(cli->out, "    %2zu. ", number);
	cli_put(cli->out, action);
	fputs(*action ? " " : "", cli->out);
	cli_put(cli->out, *rule ? rule : "(unnamed rule)");
	fprintf(cli->out, ": %s",
		json_is_true(json_object_get(step, "covers")) ? "covers it" : "does not cover it");
	if (*client_text(step, "why")) {
		fprintf(cli->out, ", ");
		cli_put(cli->out, client_text(step, "why"));
	}
	fputc('\n', cli->out);
}

static void put_steps(const struct cli *cli, const json_t *steps)
{
	const json_t *step;
	size_t i;

	if (json_array_size(steps) == 0) {
		fprintf(cli->out, "  No rule was walked.\n");
		return;
	}
	fprintf(cli->out, "  Rules walked, in order:\n");
	json_array_foreach(steps, i, step)
		put_step(cli, i + 1, step);
}

/* "Decided by shop/payments#from-checkout: a rule allows it." and what to do about a no. */
static void put_decider(const struct cli *cli, const json_t *explanation)
{
	const struct text_reason *reason = text_reason_by_name(client_text(explanation, "reason"));
	const char *rule = client_text(explanation, "rule");
	const char *why = client_text(explanation, "reason_text");

	if (!*why && reason)
		why = reason->text;
	fprintf(cli->out, "  Decided by %s",
		reason && streq(reason->name, "REVOKED")		? "a Revocation"
		: !*rule						? "the default"
		: json_is_true(json_object_get(explanation, "default")) ? "the default of "
									: "");
	cli_put(cli->out, rule);
	fprintf(cli->out, ": ");
	cli_put(cli->out, why);
	fprintf(cli->out, ".\n");
	if (verdict_of(explanation) == CS_VERDICT_DENY && reason && *reason->remedy)
		fprintf(cli->out, "  To change that: %s.\n", reason->remedy);
}

/* Which policies isolate, as a default deny is the work of all of them. */
static void put_isolation(const struct cli *cli, const json_t *policies)
{
	const json_t *policy;
	size_t i;

	if (json_array_size(policies) == 0)
		return;
	fprintf(cli->out, "  Isolated by ");
	json_array_foreach(policies, i, policy) {
		fputs(i ? ", " : "", cli->out);
		cli_put(cli->out, json_string_value(policy) ?: "");
	}
	fprintf(cli->out, ".\n");
}

/* The verdict in one line, tier by tier. */
static void put_trace(const struct cli *cli, const json_t *explanation)
{
	const char *trace = client_text(explanation, "trace");

	if (!*trace)
		return; /* an agent that does not tell */
	fputs("  ", cli->out);
	cli_put(cli->out, trace);
	fputc('\n', cli->out);
}

static void put_side(const struct cli *cli, const struct side *side)
{
	int verdict = verdict_of(side->explanation);

	fprintf(cli->out, "\n%s of ", side->key);
	cli_put(cli->out, side->subject);
	if (json_is_false(json_object_get(side->explanation, "known"))) {
		fprintf(cli->out, ": not a workload of this node, so nothing is decided here\n");
		return;
	}
	fprintf(cli->out, ": %s\n", verdict < 0 ? "UNKNOWN" : flow_verdict_name((uint8_t)verdict));
	put_trace(cli, side->explanation);
	put_decider(cli, side->explanation);
	put_isolation(cli, json_object_get(side->explanation, "isolated_by"));
	put_steps(cli, json_object_get(side->explanation, "steps"));
}

/* What is else when the peer's identity is only inferred; the agent says it when it is. */
static void put_inferred(const struct cli *cli, const json_t *answer)
{
	static const char *const keys[] = { "egress", "ingress" };
	const json_t *other = json_object_get(answer, "if_inferred");
	int verdict = verdict_of(other);

	if (*client_text(answer, "assumes")) {
		fprintf(cli->out, "\nAssumed: ");
		cli_put(cli->out, client_text(answer, "assumes"));
		fprintf(cli->out, ".\n");
	}
	if (!json_is_object(other))
		return;
	fprintf(cli->out, "With an identity that is only inferred from the address: %s\n",
		verdict < 0 ? "UNKNOWN" : flow_verdict_name((uint8_t)verdict));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *words = client_text(json_object_get(other, keys[i]), "in_words");

		fputs(*words ? "  " : "", cli->out);
		cli_put(cli->out, words);
		fputs(*words ? "\n" : "", cli->out);
	}
}

static void put_words(const struct cli *cli, const json_t *answer, const struct explain_question *q)
{
	const struct side sides[] = {
		{ "Egress", q->from, json_object_get(answer, "egress") },
		{ "Ingress", q->to, json_object_get(answer, "ingress") },
	};
	int verdict = verdict_of(answer);

	cli_put(cli->out, q->from);
	fprintf(cli->out, " -> ");
	cli_put(cli->out, q->to);
	fprintf(cli->out, ", port %u/%s: %s\nThe connection %s.\n", q->port.port, q->port.protocol,
		verdict < 0 ? "UNKNOWN" : flow_verdict_name((uint8_t)verdict), passes(verdict));
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		if (json_is_object(sides[i].explanation))
			put_side(cli, &sides[i]);
	put_inferred(cli, answer);
}

int explain_print(const struct cli *cli, const json_t *answer,
		  const struct explain_question *question)
{
	int verdict = verdict_of(answer);

	if (question->json) {
		_cleanup_free_ char *text = json_dumps(answer, JSON_INDENT(2));

		if (!text)
			return CLI_FAILED;
		fprintf(cli->out, "%s\n", text);
	} else {
		put_words(cli, answer, question);
	}
	return verdict == CS_VERDICT_ALLOW || verdict == CS_VERDICT_AUDIT ? CLI_OK : CLI_FAILED;
}

static int print_answer(const struct cli *cli, const json_t *answer, void *arg)
{
	return explain_print(cli, answer, arg);
}

static int read_options(const struct cli *cli, const struct cli_args *args,
			struct explain_question *ret)
{
	static const int required[] = { EXPLAIN_FROM, EXPLAIN_TO, EXPLAIN_PORT };

	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		const char *value = args->value[required[i]];

		if (!value || !*value)
			return cli_usage_error(cli, &verb_explain, "--%s %s is needed",
					       options[required[i]].name,
					       options[required[i]].argument);
	}
	ret->from = args->value[EXPLAIN_FROM];
	ret->to = args->value[EXPLAIN_TO];
	if (parse_port(args->value[EXPLAIN_PORT], &ret->port) < 0)
		return cli_usage_error(cli, &verb_explain,
				       "--port wants 1 to 65535 and tcp, udp or sctp: 8080/tcp");
	if (parse_format(args->value[EXPLAIN_OUTPUT], "text", &ret->json) < 0)
		return cli_usage_error(cli, &verb_explain, "-o wants text or json");
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct explain_question question;
	struct client_request request = { .reply = print_answer, .arg = &question };
	json_t *body;
	int r;

	r = read_options(cli, args, &question);
	if (r != CLI_OK)
		return r;
	body = json_pack("{s:s, s:s, s:s, s:i, s:s}", "verb", "explain", "from", question.from,
			 "to", question.to, "port", question.port.port, "protocol",
			 question.port.protocol);
	request.body = body;
	if (cli->cluster && !cli->cluster->node && !cli->cluster->pod)
		r = explain_nodes(cli, body, &question);
	else
		r = client_call(cli, &request);
	json_decref(body);
	return r;
}

const struct cli_verb verb_explain = {
	.name = "explain",
	.arguments = "",
	.description = "say why a connection passes or is denied, rule by rule",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run,
};
