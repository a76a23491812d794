/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/status_nodes.h"

#include "user/cli/client.h"
#include "user/cli/fleet.h"
#include "user/cli/table.h"

#define NUMBER_TEXT_MAX sizeof("-9223372036854775808")
#define DETAIL_MAX 256

enum state { HEALTHY, UNHEALTHY, UNREACHABLE, ABSENT, STATES };

static const char *const states[STATES] = {
	[HEALTHY] = "healthy",
	[UNHEALTHY] = "unhealthy",
	[UNREACHABLE] = "unreachable",
	[ABSENT] = "no agent",
};

/* What is known of a node, in the order of the nodes. */
struct report {
	json_t *status; /* its answer, or NULL */
	char error[DETAIL_MAX];
	bool answered;
};

struct reports {
	const struct cluster_nodes *nodes;
	struct report *item;
};

static struct report *report_of(struct reports *reports, const struct cluster_node *node)
{
	return &reports->item[node - reports->nodes->item];
}

static int take_status(void *arg, const struct cluster_node *node, const json_t *line)
{
	struct report *report = report_of(arg, node);

	if (json_object_get(line, "error")) {
		snprintf(report->error, sizeof(report->error), "%s", client_text(line, "error"));
		return CLI_OK;
	}
	json_decref(report->status);
	report->status = json_incref((json_t *)line);
	return CLI_OK;
}

static int take_end(void *arg, const struct cluster_node *node, const char *error)
{
	struct report *report = report_of(arg, node);

	if (error)
		snprintf(report->error, sizeof(report->error), "%s", error);
	report->answered = !error && report->status;
	if (!error && !report->status && !*report->error)
		strcpy(report->error, "the agent closed the connection without an answer");
	return CLI_OK;
}

static enum state state_of(const struct cluster_node *node, const struct report *report)
{
	if (!node->pod)
		return ABSENT;
	if (!report->answered)
		return UNREACHABLE;
	/* What is missing is not healthy. */
	return json_is_true(json_object_get(report->status, "healthy")) ? HEALTHY : UNHEALTHY;
}

/* What to look at: why there is no answer, else the first problem, else the first warning. */
static void detail_of(const struct report *report, char ret[static DETAIL_MAX])
{
	static const char *const lists[] = { "problems", "warnings" };

	snprintf(ret, DETAIL_MAX, "%s", report->error);
	for (size_t i = 0; i < ARRAY_SIZE(lists) && report->answered && !*ret; i++) {
		const json_t *list = json_object_get(report->status, lists[i]);
		size_t n = json_array_size(list);
		char more[32] = "";

		if (n > 1)
			snprintf(more, sizeof(more), " (and %zu more)", n - 1);
		if (n > 0)
			snprintf(ret, DETAIL_MAX, "%.200s%s",
				 json_string_value(json_array_get(list, 0)) ?: "", more);
	}
}

static void put_table(const struct cli *cli, const struct reports *reports)
{
	static const char *const titles[] = { "NODE",  "STATE",	  "EPOCH", "POLICIES",
					      "RULES", "VERSION", "DETAIL" };
	static const char *const numbers[] = { "epoch", "policies", "rules" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));

	for (size_t i = 0; table && i < reports->nodes->n; i++) {
		const struct cluster_node *node = &reports->nodes->item[i];
		const struct report *report = &reports->item[i];
		char number[ARRAY_SIZE(numbers)][NUMBER_TEXT_MAX] = { "" }, detail[DETAIL_MAX];

		for (size_t n = 0; n < ARRAY_SIZE(numbers) && report->answered; n++)
			snprintf(number[n], NUMBER_TEXT_MAX, "%" JSON_INTEGER_FORMAT,
				 client_number(report->status, numbers[n]));
		detail_of(report, detail);
		table_row(table,
			  (const char *const[]){ node->name, states[state_of(node, report)],
						 number[0], number[1], number[2],
						 client_text(report->status, "version"), detail });
	}
	if (table)
		table_print(table, cli->out);
}

static void count(const struct reports *reports, size_t ret[static STATES])
{
	for (size_t i = 0; i < reports->nodes->n; i++)
		ret[state_of(&reports->nodes->item[i], &reports->item[i])]++;
}

static int put_json(const struct cli *cli, const struct reports *reports,
		    const size_t counts[static STATES])
{
	json_t *list = json_array(), *summary = json_object(), *answer;
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < reports->nodes->n; i++) {
		const struct cluster_node *node = &reports->nodes->item[i];
		const struct report *report = &reports->item[i];

		json_array_append_new(list, json_pack("{s:s, s:s*, s:s, s:s*, s:O*}", "node",
						      node->name, "pod", node->pod, "state",
						      states[state_of(node, report)], "error",
						      *report->error ? report->error : NULL,
						      "status", report->status));
	}
	for (size_t i = 0; i < STATES; i++)
		json_object_set_new(summary, states[i], json_integer((json_int_t)counts[i]));
	answer = json_pack("{s:o, s:o}", "nodes", list, "summary", summary);
	text = answer ? json_dumps(answer, JSON_INDENT(2)) : NULL;
	json_decref(answer);
	if (!text)
		return CLI_FAILED;
	fprintf(cli->out, "%s\n", text);
	return CLI_OK;
}

static int put_reports(const struct cli *cli, const struct reports *reports, bool json)
{
	size_t counts[STATES] = { 0 };
	int r = CLI_OK;

	count(reports, counts);
	if (json) {
		r = put_json(cli, reports, counts);
	} else {
		put_table(cli, reports);
		fprintf(cli->out, "\n%zu nodes:", reports->nodes->n);
		for (size_t i = 0; i < STATES; i++)
			fprintf(cli->out, "%s %zu %s", i ? "," : "", counts[i], states[i]);
		fputc('\n', cli->out);
	}
	return r == CLI_OK && reports->nodes->n && counts[HEALTHY] == reports->nodes->n
		       ? CLI_OK
		       : CLI_FAILED;
}

int status_nodes(const struct cli *cli, bool json)
{
	_cleanup_(cluster_nodes_done) struct cluster_nodes nodes = { 0 };
	struct reports reports = { .nodes = &nodes };
	struct fleet_request request = {
		.at_once = FLEET_AT_ONCE,
		.line = take_status,
		.end = take_end,
		.arg = &reports,
	};
	json_t *body = json_pack("{s:s, s:b}", "verb", "status", "brief", 1);
	int r;

	r = cluster_all_nodes(cli, &nodes);
	reports.item = r == CLI_OK ? calloc(nodes.n + 1, sizeof(*reports.item)) : NULL;
	request.body = body;
	if (reports.item)
		r = fleet_ask(cli, &nodes, &request);
	if (reports.item && r == CLI_OK)
		r = put_reports(cli, &reports, json);
	for (size_t i = 0; reports.item && i < nodes.n; i++)
		json_decref(reports.item[i].status);
	free(reports.item);
	json_decref(body);
	return r;
}
