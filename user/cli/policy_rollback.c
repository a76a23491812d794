/* SPDX-License-Identifier: Apache-2.0 */
/* `policy rollback` and `policy release`: there and back again. */
#include "user/cli/outcome.h"
#include "user/cli/parse.h"

#define REVISION_MAX 999999999
#define TITLE_MAX 64

enum { ROLLBACK_NOTE };

static const struct cli_option options[] = {
	[ROLLBACK_NOTE] = { "note", 0, "TEXT", OUTCOME_NOTE_HELP },
};

static int run_rollback(const struct cli *cli, const struct cli_args *args)
{
	const char *note = args->value[ROLLBACK_NOTE];
	unsigned long revision;
	char title[TITLE_MAX];
	int r;

	if (args->n_rest != 1 || parse_count(args->rest[0], REVISION_MAX, &revision) < 0 ||
	    !revision)
		return cli_usage_error(cli, &verb_policy_rollback,
				       "REV wants the number of a revision, see `countersign "
				       "policy history`");
	r = outcome_check_note(cli, &verb_policy_rollback, note);
	if (r != CLI_OK)
		return r;
	snprintf(title, sizeof(title), "pinned to revision %lu", revision);
	r = outcome_call(cli,
			 json_pack("{s:s, s:I, s:s*}", "verb", "rollback", "revision",
				   (json_int_t)revision, "note", note),
			 title);
	if (r == CLI_OK)
		fprintf(cli->out, "Changes of the manifests wait until `countersign policy "
				  "release`.\n");
	return r;
}

static int run_release(const struct cli *cli, const struct cli_args *args)
{
	const char *note = args->value[ROLLBACK_NOTE];
	int r = outcome_check_note(cli, &verb_policy_release, note);

	if (r != CLI_OK)
		return r;
	return outcome_call(cli, json_pack("{s:s, s:s*}", "verb", "release", "note", note),
			    "released, the manifests are in force");
}

const struct cli_verb verb_policy_rollback = {
	.name = "policy rollback",
	.arguments = "REV",
	.description = "pin an older policy set; changes of the manifests wait meanwhile",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.asks_agent = true,
	.run = run_rollback,
};

const struct cli_verb verb_policy_release = {
	.name = "policy release",
	.arguments = "",
	.description = "end a rollback: the manifests are in force again, at once",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run_release,
};
