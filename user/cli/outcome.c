/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/outcome.h"

#include "user/base/note.h"

int outcome_check_note(const struct cli *cli, const struct cli_verb *verb, const char *note)
{
	if (note && !note_is_fine(note))
		return cli_usage_error(cli, verb, "--note wants " NOTE_EXPECTED);
	return CLI_OK;
}

static int print_outcome(const struct cli *cli, const json_t *line, void *arg)
{
	const char *title = arg;

	if (!json_is_true(json_object_get(line, "ok"))) {
		fprintf(cli->err, "countersign: the agent did not say that it worked\n");
		return CLI_FAILED;
	}
	fprintf(cli->out,
		"%s: epoch %" JSON_INTEGER_FORMAT ", live connections cut: %" JSON_INTEGER_FORMAT
		"\n",
		title, client_number(line, "epoch"), client_number(line, "cut"));
	return CLI_OK;
}

int outcome_call(const struct cli *cli, json_t *body, const char *title)
{
	struct client_request request = {
		.body = body,
		.reply = print_outcome,
		.arg = (void *)title,
	};
	int r = client_call(cli, &request);

	json_decref(body);
	return r;
}
