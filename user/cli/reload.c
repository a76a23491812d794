/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"

static int print_result(const struct cli *cli, const json_t *line, void *arg)
{
	(void)arg;
	if (!json_is_true(json_object_get(line, "ok"))) {
		fprintf(cli->err, "countersign: the agent did not say that the reload worked\n");
		return CLI_FAILED;
	}
	fprintf(cli->out,
		"policy in force: epoch %" JSON_INTEGER_FORMAT
		", live connections cut: %" JSON_INTEGER_FORMAT "\n",
		client_number(line, "epoch"), client_number(line, "cut"));
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	json_t *body = json_pack("{s:s}", "verb", "reload");
	struct client_request request = { .body = body, .reply = print_result };
	int r = client_call(cli, &request);

	(void)args;
	json_decref(body);
	return r;
}

const struct cli_verb verb_reload = {
	.name = "reload",
	.arguments = "",
	.description = "read the manifests now; all or nothing, in force when it returns",
	.run = run,
};
