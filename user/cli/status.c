/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"
#include "user/cli/cluster.h"
#include "user/cli/parse.h"
#include "user/cli/status_check.h"
#include "user/cli/status_exceptions.h"
#include "user/cli/status_nodes.h"
#include "user/cli/table.h"
#include "user/flow/text.h"

#define NUMBER_TEXT_MAX sizeof("-9223372036854775808")

enum { STATUS_OUTPUT, STATUS_CHECK };

static const struct cli_option options[] = {
	[STATUS_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
	[STATUS_CHECK] = { "check", 0, "WORD",
			   "only ask whether it is live, ready or healthy: for probes" },
};

/* What the options say. */
struct question {
	bool json;
	enum status_check check;
};

static const char *number_text(const json_t *number, char ret[static NUMBER_TEXT_MAX])
{
	snprintf(ret, NUMBER_TEXT_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
	return ret;
}

static void put_line(FILE *out, const char *title, const char *text)
{
	fprintf(out, "%-12s ", title);
	cli_put(out, text);
	fputc('\n', out);
}

static void put_head(FILE *out, const json_t *status, bool healthy)
{
	const json_t *programs = json_object_get(status, "programs");

	put_line(out, "Health", healthy ? "healthy" : "UNHEALTHY");
	fprintf(out, "%-12s ", "Node");
	cli_put(out, client_text(status, "node"));
	fprintf(out, " (number %" JSON_INTEGER_FORMAT ")\n", client_number(status, "node_number"));
	put_line(out, "Version", client_text(status, "version"));
	fprintf(out, "%-12s %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " attached\n",
		"Programs", client_number(programs, "attached"),
		client_number(programs, "expected"));
}

static void put_policy(FILE *out, const json_t *status)
{
	fprintf(out,
		"%-12s epoch %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT
		" policies, %" JSON_INTEGER_FORMAT " rules, %" JSON_INTEGER_FORMAT " selectors\n",
		"Policy", client_number(status, "epoch"), client_number(status, "policies"),
		client_number(status, "rules"), client_number(status, "selectors"));
	fprintf(out, "%-12s default action ", "Modes");
	cli_put(out, client_text(status, "default_action"));
	fprintf(out, ", the denied get ");
	cli_put(out, client_text(status, "deny"));
	fprintf(out,
		"\n%-12s %" JSON_INTEGER_FORMAT " known, %" JSON_INTEGER_FORMAT
		" sockets older than the agent that could not be adopted\n",
		"Identities", client_number(status, "identities"),
		client_number(status, "not_adopted"));
}

/* Which policy set of the history it is, when that needs saying. */
static void put_revision(FILE *out, const json_t *status)
{
	const json_t *pinned = json_object_get(status, "pinned");
	json_int_t revision = client_number(status, "revision");

	if (revision)
		fprintf(out, "%-12s %" JSON_INTEGER_FORMAT "%s\n", "Revision", revision,
			json_is_true(json_object_get(status, "last_good"))
				? ", the last good one: the manifests are refused"
				: "");
	if (!json_is_object(pinned))
		return;
	fprintf(out, "%-12s to revision %" JSON_INTEGER_FORMAT " since ", "Pinned",
		client_number(pinned, "revision"));
	cli_put(out, client_text(pinned, "time"));
	fprintf(out, " by ");
	cli_put(out, client_text(pinned, "author"));
	fprintf(out, "%s", *client_text(pinned, "note") ? ": " : "");
	cli_put(out, client_text(pinned, "note"));
	fprintf(out, "%s\n",
		json_is_true(json_object_get(pinned, "changes_wait")) ? "; newer changes wait"
								      : "");
}

static void put_texts(FILE *out, const json_t *array)
{
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item) {
		const char *text = json_string_value(item);

		fprintf(out, "  - ");
		cli_put(out, text ? text : "(not a text)");
		fputc('\n', out);
	}
}

static void put_reload(FILE *out, const json_t *status)
{
	const json_t *reload = json_object_get(status, "last_reload");

	if (!json_is_object(reload))
		return;
	fprintf(out, "%-12s ", "Last reload");
	cli_put(out, client_text(reload, "time"));
	fprintf(out, " %s\n",
		json_is_true(json_object_get(reload, "ok"))
			? "ok"
			: "REFUSED: the policy before it stays in force");
	put_texts(out, json_object_get(reload, "errors"));
}

/* A title and a list below it, nothing when there is nothing to list. */
static void put_list(FILE *out, const char *title, const json_t *array)
{
	if (json_array_size(array) == 0)
		return;
	fprintf(out, "\n%s\n", title);
	put_texts(out, array);
}

static void put_workloads(FILE *out, const json_t *status)
{
	static const char *const titles[] = { "WORKLOAD",  "STATE",	"IDENTITY",
					      "SPIFFE ID", "CGROUP ID", "CGROUP" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *workloads = json_object_get(status, "workloads"), *item;
	size_t i;

	if (!table || json_array_size(workloads) == 0)
		return;
	json_array_foreach(workloads, i, item) {
		char identity[NUMBER_TEXT_MAX], cgroup_id[NUMBER_TEXT_MAX];
		_cleanup_free_ char *name = NULL;

		if (asprintf(&name, "%s/%s", client_text(item, "namespace"),
			     client_text(item, "name")) < 0)
			name = NULL;
		table_row(table, (const char *const[]){
					 name, client_text(item, "state"),
					 number_text(json_object_get(item, "identity"), identity),
					 client_text(item, "spiffe_id"),
					 number_text(json_object_get(item, "cgroup_id"), cgroup_id),
					 client_text(item, "cgroup") });
	}
	fputc('\n', out);
	table_print(table, out);
}

static void put_counters(FILE *out, const json_t *status)
{
	static const char *const titles[] = { "VERDICT", "DIRECTION", "REASON", "COUNT",
					      "MEANING" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *counters = json_object_get(status, "counters"), *item;
	size_t i;

	if (!table || json_array_size(counters) == 0)
		return;
	json_array_foreach(counters, i, item) {
		const struct text_reason *reason = text_reason_by_name(client_text(item, "reason"));
		char count[NUMBER_TEXT_MAX];

		table_row(table,
			  (const char *const[]){ client_text(item, "verdict"),
						 client_text(item, "direction"),
						 client_text(item, "reason"),
						 number_text(json_object_get(item, "count"), count),
						 reason ? reason->text : "" });
	}
	fputc('\n', out);
	table_print(table, out);
}

static void put_rule_hits(FILE *out, const json_t *status)
{
	static const char *const titles[] = { "RULE", "HITS" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *hits = json_object_get(status, "rule_hits"), *item;
	size_t i;

	if (!table || json_array_size(hits) == 0)
		return;
	json_array_foreach(hits, i, item) {
		char count[NUMBER_TEXT_MAX];

		table_row(table, (const char *const[]){
					 client_text(item, "rule"),
					 number_text(json_object_get(item, "hits"), count) });
	}
	fputc('\n', out);
	table_print(table, out);
}

static void put_stats(FILE *out, const json_t *status)
{
	static const char *const titles[] = { "STATISTIC", "COUNT", "MEANING" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	json_t *stats = json_object_get(status, "stats"), *item;
	const char *key;

	if (!table || json_object_size(stats) == 0)
		return;
	json_object_foreach(stats, key, item) {
		char count[NUMBER_TEXT_MAX];

		table_row(table, (const char *const[]){ key, number_text(item, count),
							text_stat_by_name(key) });
	}
	fputc('\n', out);
	table_print(table, out);
}

static void put_limits(FILE *out, const json_t *status)
{
	static const char *const titles[] = { "TABLE", "USED", "MAX" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	json_t *limits = json_object_get(status, "limits"), *item;
	const char *key;

	if (!table || json_object_size(limits) == 0)
		return;
	json_object_foreach(limits, key, item) {
		char used[NUMBER_TEXT_MAX], max[NUMBER_TEXT_MAX];

		table_row(table, (const char *const[]){
					 key, number_text(json_object_get(item, "used"), used),
					 number_text(json_object_get(item, "max"), max) });
	}
	fputc('\n', out);
	table_print(table, out);
}

static int print_status(const struct cli *cli, const json_t *status, void *arg)
{
	const struct question *question = arg;
	/* What is missing is not healthy. */
	bool healthy = json_is_true(json_object_get(status, "healthy"));

	if (question->check)
		return status_check_print(cli, question->check, status);
	if (question->json) {
		_cleanup_free_ char *text = json_dumps(status, JSON_INDENT(2));

		if (!text)
			return CLI_FAILED;
		fprintf(cli->out, "%s\n", text);
		return healthy ? CLI_OK : CLI_FAILED;
	}
	put_head(cli->out, status, healthy);
	put_policy(cli->out, status);
	put_revision(cli->out, status);
	put_reload(cli->out, status);
	put_list(cli->out, "Problems", json_object_get(status, "problems"));
	put_list(cli->out, "Warnings", json_object_get(status, "warnings"));
	status_exceptions(cli->out, status);
	put_workloads(cli->out, status);
	put_counters(cli->out, status);
	put_rule_hits(cli->out, status);
	put_stats(cli->out, status);
	put_limits(cli->out, status);
	return healthy ? CLI_OK : CLI_FAILED;
}

static int read_options(const struct cli *cli, const struct cli_args *args, struct question *ret)
{
	const char *check = args->value[STATUS_CHECK];
	int r = check ? status_check_from_word(check) : STATUS_CHECK_NONE;

	if (r < 0)
		return cli_usage_error(cli, &verb_status, "--check wants live, ready or healthy");
	if (parse_format(args->value[STATUS_OUTPUT], "text", &ret->json) < 0)
		return cli_usage_error(cli, &verb_status, "-o wants text or json");
	ret->check = r;
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct question question;
	struct client_request request = { .reply = print_status, .arg = &question };
	const struct cluster *cluster = cli->cluster;
	json_t *body;
	int r;

	r = read_options(cli, args, &question);
	if (r != CLI_OK)
		return r;
	if (cluster && !cluster->node && !cluster->pod && question.check)
		return cli_usage_error(cli, &verb_status, "--check is about one node");
	if (cluster && !cluster->node && !cluster->pod)
		return status_nodes(cli, question.json);
	body = json_pack("{s:s, s:b}", "verb", "status", "brief", question.check != 0);
	if (!question.check)
		json_object_del(body, "brief");
	request.body = body;
	r = client_call(cli, &request);
	json_decref(body);
	return r;
}

const struct cli_verb verb_status = {
	.name = "status",
	.arguments = "",
	.description = "show what is attached, workloads, policy and counters",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run,
};
