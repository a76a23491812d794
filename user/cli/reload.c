/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/outcome.h"

enum { RELOAD_NOTE };

static const struct cli_option options[] = {
	[RELOAD_NOTE] = { "note", 0, "TEXT", OUTCOME_NOTE_HELP },
};

static int run(const struct cli *cli, const struct cli_args *args)
{
	const char *note = args->value[RELOAD_NOTE];
	int r = outcome_check_note(cli, &verb_reload, note);

	if (r != CLI_OK)
		return r;
	return outcome_call(cli, json_pack("{s:s, s:s*}", "verb", "reload", "note", note),
			    "policy in force");
}

const struct cli_verb verb_reload = {
	.name = "reload",
	.arguments = "",
	.description = "read the manifests now; all or nothing, in force when it returns",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run,
};
