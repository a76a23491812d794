/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/duration.h"
#include "user/cli/client.h"
#include "user/cli/parse.h"
#include "user/cli/table.h"

enum { UNUSED_SINCE, UNUSED_OUTPUT };

static const struct cli_option options[] = {
	[UNUSED_SINCE] = { "since", 0, "DURATION",
			   "only rules counted for at least that long, such as 7d, 12h or 30m" },
	[UNUSED_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

/* What has come of the answer. */
struct unused {
	json_t *head; /* how many there are: the first line */
	json_t *rules;
};

static void unused_done(struct unused *unused)
{
	json_decref(unused->head);
	json_decref(unused->rules);
}

static int take_line(const struct cli *cli, const json_t *line, void *arg)
{
	struct unused *unused = arg;

	(void)cli;
	if (!unused->head)
		unused->head = json_deep_copy(line);
	else
		json_array_append_new(unused->rules, json_deep_copy(line));
	return CLI_OK;
}

static void add_row(struct table *table, const json_t *item)
{
	_cleanup_free_ char *place = NULL;
	const char *file = client_text(item, "file");

	if (*file &&
	    asprintf(&place, "%s:%" JSON_INTEGER_FORMAT, file, client_number(item, "line")) < 0)
		place = NULL;
	table_row(table,
		  (const char *const[]){ client_text(item, "rule"), client_text(item, "action"),
					 client_text(item, "since"), place ? place : "" });
}

static int print_text(const struct cli *cli, const struct unused *unused)
{
	static const char *const titles[] = { "RULE", "ACTION", "SINCE", "FILE:LINE" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *item;
	size_t i;

	if (!table)
		return CLI_FAILED;
	json_array_foreach(unused->rules, i, item)
		add_row(table, item);
	if (json_array_size(unused->rules))
		table_print(table, cli->out);
	fprintf(cli->out, "%s%zu of %" JSON_INTEGER_FORMAT " rules were never hit.\n",
		json_array_size(unused->rules) ? "\n" : "", json_array_size(unused->rules),
		client_number(unused->head, "rules"));
	return CLI_OK;
}

static int print(const struct cli *cli, const struct unused *unused, bool json)
{
	_cleanup_free_ char *text = NULL;

	if (!json)
		return print_text(cli, unused);
	json_object_set(unused->head, "unused", unused->rules);
	text = json_dumps(unused->head, JSON_INDENT(2));
	if (!text)
		return CLI_FAILED;
	fprintf(cli->out, "%s\n", text);
	return CLI_OK;
}

static int ask(const struct cli *cli, json_int_t since_s, struct unused *ret)
{
	json_auto_t *body = json_pack("{s:s, s:I}", "verb", "unused", "since_s", since_s);
	struct client_request request = { .body = body, .reply = take_line, .arg = ret };
	int r = client_call(cli, &request);

	if (r != CLI_OK)
		return r;
	if (client_number(ret->head, "unused") != (json_int_t)json_array_size(ret->rules)) {
		fprintf(cli->err, "countersign: the answer breaks off\n");
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	_cleanup_(unused_done) struct unused unused = { .rules = json_array() };
	int64_t since_s = 0;
	bool json;
	int r;

	if (parse_format(args->value[UNUSED_OUTPUT], "text", &json) < 0)
		return cli_usage_error(cli, &verb_policy_unused, "-o wants text or json");
	if (args->value[UNUSED_SINCE] && duration_parse(args->value[UNUSED_SINCE], &since_s) < 0)
		return cli_usage_error(cli, &verb_policy_unused,
				       "--since wants " DURATION_EXPECTED);
	r = ask(cli, since_s, &unused);
	if (r == CLI_OK)
		r = print(cli, &unused, json);
	return r == CLI_OK && json_array_size(unused.rules) ? CLI_FAILED : r;
}

const struct cli_verb verb_policy_unused = {
	.name = "policy unused",
	.arguments = "",
	.description = "list the rules that were never hit; exit code 1 when there are some",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run,
};
