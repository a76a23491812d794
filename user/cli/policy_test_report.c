/* SPDX-License-Identifier: Apache-2.0 */
/* Test results for people, and as JSON. */
#include "user/cli/policy_test.h"
#include "user/cli/policy_words.h"

static const char *const outcome_words[] = {
	[CASE_PASSED] = "pass",
	[CASE_FAILED] = "fail",
	[CASE_ERROR] = "error",
};

static void put_flow(const struct cli *cli, const struct case_result *result)
{
	const struct policy_case *c = result->wanted;

	fprintf(cli->out, "      ");
	cli_put(cli->out, c->from);
	fprintf(cli->out, " -> ");
	cli_put(cli->out, c->to);
	if (c->port_name) {
		fprintf(cli->out, " port ");
		cli_put(cli->out, c->port_name);
		if (result->port)
			fprintf(cli->out, " = %u", result->port);
		fprintf(cli->out, "/%s", policy_protocol_word(c->protocol));
	} else if (result->port) {
		fprintf(cli->out, " port %u/%s", result->port, policy_protocol_word(c->protocol));
	} else {
		fprintf(cli->out, " %s", policy_protocol_word(c->protocol));
	}
	fprintf(cli->out, "%s\n", c->authenticated ? "" : ", not authenticated");
}

static void put_traces(const struct cli *cli, const struct case_result *result)
{
	static const uint8_t order[] = { CS_EGRESS, CS_INGRESS };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!result->trace[order[i]])
			continue;
		fprintf(cli->out, "      %-7s ", policy_direction_word(order[i]));
		cli_put(cli->out, result->trace[order[i]]);
		fputc('\n', cli->out);
	}
}

static void put_result(const struct cli *cli, const struct test_report *report,
		       const struct case_result *result)
{
	static const char *const labels[] = {
		[CASE_PASSED] = "ok    ",
		[CASE_FAILED] = "FAIL  ",
		[CASE_ERROR] = "ERROR ",
	};
	const struct policy_case *c = result->wanted;
	_cleanup_free_ char *name = test_report_name(report), *by = NULL;

	fputs(labels[result->outcome], cli->out);
	cli_put(cli->out, name ?: "?");
	fprintf(cli->out, ": ");
	cli_put(cli->out, c->name);
	fprintf(cli->out, " (");
	cli_put(cli->out, c->place.file);
	fprintf(cli->out, ":%u)\n", c->place.line);
	if (result->outcome == CASE_PASSED)
		return;
	put_flow(cli, result);
	fprintf(cli->out, "      ");
	cli_put(cli->out, result->message);
	fputc('\n', cli->out);
	if (result->outcome == CASE_ERROR)
		return;
	by = policy_decider_text(result->rule, result->reason);
	fprintf(cli->out, "      got %s ", case_verdict_word(result->verdict));
	cli_put(cli->out, by ?: "");
	fputc('\n', cli->out);
	put_traces(cli, result);
}

int test_report_text(const struct cli *cli, const struct test_run *run)
{
	size_t total = 0;

	for (size_t i = 0; i < run->n; i++) {
		for (size_t k = 0; k < run->reports[i].n; k++) {
			const struct case_result *result = &run->reports[i].results[k];

			total++;
			if (run->verbose || result->outcome != CASE_PASSED)
				put_result(cli, &run->reports[i], result);
		}
	}
	fprintf(cli->out, "%zu cases: %zu passed, %zu failed, %zu could not be judged\n", total,
		run->count[CASE_PASSED], run->count[CASE_FAILED], run->count[CASE_ERROR]);
	return CLI_OK;
}

static json_t *place_json(const struct place *place)
{
	return json_pack("{s:o, s:i}", "file", policy_json_text(place->file), "line",
			 (int)place->line);
}

/* Only what is there: a case that could not be judged has no verdict. */
static void set_judged(json_t *object, const struct case_result *result)
{
	json_t *trace = json_object();

	json_object_set_new(object, "got", json_string(case_verdict_word(result->verdict)));
	json_object_set_new(object, "rule", policy_json_text(result->rule));
	for (int d = 0; d < CS_DIRECTIONS; d++)
		if (result->trace[d])
			json_object_set_new(trace, policy_direction_word((unsigned int)d),
					    policy_json_text(result->trace[d]));
	json_object_set_new(object, "trace", trace);
}

static json_t *result_json(const struct case_result *result)
{
	const struct policy_case *c = result->wanted;
	json_t *object = place_json(&c->place);

	json_object_set_new(object, "name", policy_json_text(c->name));
	json_object_set_new(object, "result", json_string(outcome_words[result->outcome]));
	json_object_set_new(object, "from", policy_json_text(c->from));
	json_object_set_new(object, "to", policy_json_text(c->to));
	json_object_set_new(object, "port", json_integer(result->port));
	if (c->port_name)
		json_object_set_new(object, "port_name", policy_json_text(c->port_name));
	json_object_set_new(object, "protocol", json_string(policy_protocol_word(c->protocol)));
	json_object_set_new(object, "authenticated", json_boolean(c->authenticated));
	json_object_set_new(object, "want", json_string(case_verdict_word(c->want)));
	if (c->rule)
		json_object_set_new(object, "want_rule", policy_json_text(c->rule));
	if (result->outcome != CASE_ERROR)
		set_judged(object, result);
	if (*result->message)
		json_object_set_new(object, "message", policy_json_text(result->message));
	return object;
}

int test_report_json(const struct cli *cli, const struct test_run *run)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < run->n; i++) {
		const struct test_report *report = &run->reports[i];
		json_t *test = place_json(&report->test->place), *cases = json_array();

		for (size_t k = 0; k < report->n; k++)
			json_array_append_new(cases, result_json(&report->results[k]));
		json_object_set_new(test, "namespace", policy_json_text(report->test->namespace));
		json_object_set_new(test, "name", policy_json_text(report->test->name));
		json_object_set_new(test, "cases", cases);
		json_array_append_new(tests, test);
	}
	return policy_print_json(cli->out,
				 json_pack("{s:I, s:I, s:I, s:o}", "passed",
					   (json_int_t)run->count[CASE_PASSED], "failed",
					   (json_int_t)run->count[CASE_FAILED], "errors",
					   (json_int_t)run->count[CASE_ERROR], "tests", tests));
}
