/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "user/cli/client.h"
#include "user/cli/parse.h"
#include "user/cli/table.h"

#define NUMBER_TEXT_MAX sizeof("-9223372036854775808")
#define REVISION_DIGITS_MAX 999999999

enum { HISTORY_OUTPUT };

static const struct cli_option options[] = {
	[HISTORY_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

/* One revision's documents as they come in, piece by piece. */
struct documents {
	bool json;
	json_t *head; /* description of the revision: the first line */
	json_t *list; /* with -o json: the documents so far */
	char *file; /* of the piece before */
	bool line_open; /* the last piece did not end its line */
};

static void documents_done(struct documents *d)
{
	json_decref(d->head);
	json_decref(d->list);
	free(d->file);
}

static const char *number(const json_t *object, const char *key, char ret[static NUMBER_TEXT_MAX])
{
	snprintf(ret, NUMBER_TEXT_MAX, "%" JSON_INTEGER_FORMAT, client_number(object, key));
	return ret;
}

static const char *state_of(const json_t *revision)
{
	bool in_force = json_is_true(json_object_get(revision, "in_force"));

	if (json_is_true(json_object_get(revision, "pinned")))
		return in_force ? "in force, pinned" : "pinned";
	return in_force ? "in force" : "";
}

static void add_row(struct table *table, const json_t *item)
{
	char revision[NUMBER_TEXT_MAX], workloads[NUMBER_TEXT_MAX], policies[NUMBER_TEXT_MAX],
		rules[NUMBER_TEXT_MAX];
	const char *damage = client_text(item, "damaged");

	table_row(table, (const char *const[]){
				 number(item, "revision", revision), client_text(item, "time"),
				 number(item, "workloads", workloads),
				 number(item, "policies", policies), number(item, "rules", rules),
				 *damage ? "damaged" : state_of(item), client_text(item, "author"),
				 *damage ? damage : client_text(item, "note") });
}

static int print_json(const struct cli *cli, const json_t *json)
{
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

	if (!text) {
		fprintf(cli->err, "countersign: out of memory\n");
		return CLI_FAILED;
	}
	fprintf(cli->out, "%s\n", text);
	return CLI_OK;
}

static int print_list(const struct cli *cli, const json_t *line, void *arg)
{
	static const char *const titles[] = { "REVISION", "TIME",  "WORKLOADS", "POLICIES",
					      "RULES",	  "STATE", "AUTHOR",	"NOTE" };
	_cleanup_(table_freep) struct table *table = NULL;
	const json_t *item;
	const bool *json = arg;
	size_t i;

	if (*json)
		return print_json(cli, line);
	table = table_new(titles, ARRAY_SIZE(titles));
	if (!table)
		return CLI_FAILED;
	json_array_foreach(json_object_get(line, "revisions"), i, item)
		add_row(table, item);
	table_print(table, cli->out);
	return CLI_OK;
}

/* Lines and tabs are part of a document, other control characters reach no terminal. */
static void put_document(FILE *out, const char *text)
{
	for (; *text; text++) {
		bool fine = *text == '\n' || *text == '\t' || (text[0] == '\r' && text[1] == '\n');

		fputc(iscntrl((unsigned char)*text) && !fine ? '?' : *text, out);
	}
}

static void end_line(const struct cli *cli, struct documents *d)
{
	if (d->line_open)
		fputc('\n', cli->out);
	d->line_open = false;
}

/* The next document begins: whose it is, as a comment, so that all is one YAML stream. */
static int begin_file(const struct cli *cli, struct documents *d, const char *file)
{
	free(d->file);
	d->file = strdup(file);
	if (!d->file)
		return CLI_FAILED;
	if (d->json)
		return json_array_append_new(d->list,
					     json_pack("{s:s, s:s}", "file", file, "text", "")) < 0
			       ? CLI_FAILED
			       : CLI_OK;
	end_line(cli, d);
	fprintf(cli->out, "---\n# ");
	cli_put(cli->out, file);
	fputc('\n', cli->out);
	return CLI_OK;
}

static int add_text(struct documents *d, const char *text)
{
	json_t *last = json_array_get(d->list, json_array_size(d->list) - 1);

	return json_object_set_new(last, "text",
				   json_sprintf("%s%s", client_text(last, "text"), text)) < 0
		       ? CLI_FAILED
		       : CLI_OK;
}

static int take_piece(const struct cli *cli, const json_t *line, struct documents *d)
{
	const char *file = client_text(line, "file"), *text = client_text(line, "text");
	size_t length = strlen(text);
	int r = CLI_OK;

	if (!d->file || !streq(d->file, file))
		r = begin_file(cli, d, file);
	if (r != CLI_OK || d->json)
		return r == CLI_OK ? add_text(d, text) : r;
	put_document(cli->out, text);
	d->line_open = length ? text[length - 1] != '\n' : d->line_open;
	return CLI_OK;
}

static int print_documents(const struct cli *cli, const json_t *line, void *arg)
{
	struct documents *d = arg;

	if (d->head)
		return take_piece(cli, line, d);
	d->head = json_deep_copy(line);
	d->list = json_array();
	if (d->json)
		return CLI_OK;
	fprintf(cli->out, "# revision %" JSON_INTEGER_FORMAT ", ", client_number(line, "revision"));
	cli_put(cli->out, client_text(line, "time"));
	fprintf(cli->out, ", ");
	cli_put(cli->out, client_text(line, "author"));
	fprintf(cli->out, "%s", *client_text(line, "note") ? ": " : "");
	cli_put(cli->out, client_text(line, "note"));
	fputc('\n', cli->out);
	return CLI_OK;
}

static int show(const struct cli *cli, unsigned long revision, bool json)
{
	_cleanup_(documents_done) struct documents d = { .json = json };
	json_auto_t *body =
		json_pack("{s:s, s:I}", "verb", "history", "revision", (json_int_t)revision);
	struct client_request request = { .body = body, .reply = print_documents, .arg = &d };
	int r = client_call(cli, &request);

	if (r != CLI_OK)
		return r;
	end_line(cli, &d);
	if (!json)
		return CLI_OK;
	json_object_set(d.head, "documents", d.list);
	return print_json(cli, d.head);
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	json_auto_t *body = json_pack("{s:s}", "verb", "history");
	struct client_request request = { .body = body, .reply = print_list };
	unsigned long revision = 0;
	bool json;

	if (parse_format(args->value[HISTORY_OUTPUT], "text", &json) < 0)
		return cli_usage_error(cli, &verb_policy_history, "-o wants text or json");
	if (args->n_rest &&
	    (parse_count(args->rest[0], REVISION_DIGITS_MAX, &revision) < 0 || !revision))
		return cli_usage_error(cli, &verb_policy_history,
				       "REV wants the number of a revision");
	if (revision)
		return show(cli, revision, json);
	request.arg = &json;
	return client_call(cli, &request);
}

const struct cli_verb verb_policy_history = {
	.name = "policy history",
	.arguments = "[REV]",
	.description = "list the accepted policy sets, or show the documents of one",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.asks_agent = true,
	.run = run,
};
