/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"
#include "user/cli/parse.h"
#include "user/cli/table.h"

enum { NODES_OUTPUT };

static const struct cli_option options[] = {
	[NODES_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

/* What has come of the answer: the first line, then one a node. */
struct nodes {
	json_t *head;
	json_t *list;
};

static void nodes_done(struct nodes *nodes)
{
	json_decref(nodes->head);
	json_decref(nodes->list);
}

static int take_line(const struct cli *cli, const json_t *line, void *arg)
{
	struct nodes *nodes = arg;

	(void)cli;
	if (!nodes->head)
		nodes->head = json_deep_copy(line);
	else
		json_array_append_new(nodes->list, json_deep_copy(line));
	return CLI_OK;
}

static void add_row(struct table *table, const json_t *node)
{
	const json_t *key = json_array_get(json_object_get(node, "keys"), 0);
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)client_number(node, "number"));
	table_row(table, (const char *const[]){ number, client_text(node, "name"),
						client_text(node, "trust_domain"),
						client_text(node, "state"),
						key ? client_text(key, "not_after") : "",
						client_text(node, "certificate_not_after"),
						client_text(node, "reason") });
}

/* Why, and what to do, below the table: too long for a column. */
static void explain_refused(const struct cli *cli, const json_t *node)
{
	if (!*client_text(node, "reason"))
		return;
	fputc('\n', cli->out);
	cli_put(cli->out, client_text(node, "file"));
	fprintf(cli->out, ": ");
	cli_put(cli->out, client_text(node, "reason_text"));
	if (*client_text(node, "detail")) {
		fprintf(cli->out, ": ");
		cli_put(cli->out, client_text(node, "detail"));
	}
	fprintf(cli->out, "\n    To do: ");
	cli_put(cli->out, client_text(node, "remedy"));
	fputc('\n', cli->out);
}

static int print_text(const struct cli *cli, const struct nodes *nodes)
{
	static const char *const titles[] = { "NUMBER", "NAME",	     "TRUST DOMAIN",
					      "STATE",	"KEY UNTIL", "CERTIFICATE UNTIL",
					      "REASON" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *node;
	size_t i;

	if (!table)
		return CLI_FAILED;
	json_array_foreach(nodes->list, i, node)
		add_row(table, node);
	table_print(table, cli->out);
	json_array_foreach(nodes->list, i, node)
		explain_refused(cli, node);
	return CLI_OK;
}

static int print_json(const struct cli *cli, const struct nodes *nodes)
{
	_cleanup_free_ char *text = NULL;

	json_object_set(nodes->head, "nodes", nodes->list);
	text = json_dumps(nodes->head, JSON_INDENT(2));
	if (!text)
		return CLI_FAILED;
	fprintf(cli->out, "%s\n", text);
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	_cleanup_(nodes_done) struct nodes nodes = { .list = json_array() };
	json_auto_t *body = json_pack("{s:s}", "verb", "nodes");
	struct client_request request = { .body = body, .reply = take_line, .arg = &nodes };
	bool json;
	int r;

	if (parse_format(args->value[NODES_OUTPUT], "text", &json) < 0)
		return cli_usage_error(cli, &verb_nodes, "-o wants text or json");
	r = client_call(cli, &request);
	if (r != CLI_OK)
		return r;
	if (client_number(nodes.head, "nodes") != (json_int_t)json_array_size(nodes.list)) {
		fprintf(cli->err, "countersign: the answer breaks off\n");
		return CLI_FAILED;
	}
	return json ? print_json(cli, &nodes) : print_text(cli, &nodes);
}

const struct cli_verb verb_nodes = {
	.name = "nodes",
	.arguments = "",
	.description =
		"show the nodes that this one knows, their keys, and why a record is refused",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run,
};
