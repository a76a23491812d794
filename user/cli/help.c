/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/cli.h"

enum { HELP_DUMP };

static const struct cli_option options[] = {
	[HELP_DUMP] = { "dump", 0, NULL, NULL },
};

static void dump_option(const char *verb, const struct cli_option *option, FILE *out)
{
	if (!option->help)
		return;
	fprintf(out, "option\t%s\t--%s\t", verb, option->name);
	if (option->letter)
		fprintf(out, "-%c", option->letter);
	fprintf(out, "\t%s\n", option->argument ? option->argument : "");
}

/* For the tests of man page and completion: verb, option, letter and value, by tabs. */
static void dump(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(cli_common_options); i++)
		dump_option("", &cli_common_options[i], out);
	for (size_t i = 0; i < ARRAY_SIZE(cli_cluster_options); i++)
		dump_option("(cluster)", &cli_cluster_options[i], out);
	for (size_t i = 0; i < cli_n_verbs; i++) {
		const struct cli_verb *verb = cli_verbs[i];

		fprintf(out, "verb\t%s\t%s\n", verb->name, verb->description);
		for (size_t n = 0; n < verb->n_options; n++)
			dump_option(verb->name, &verb->options[n], out);
	}
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	const struct cli_verb *verb;
	int words;

	if (args->value[HELP_DUMP]) {
		dump(cli->out);
		return CLI_OK;
	}
	if (args->n_rest == 0) {
		cli_print_help(cli, cli->out);
		return CLI_OK;
	}
	if (args->n_rest == 1 && cli_is_group(args->rest[0])) {
		cli_print_group_help(cli, args->rest[0], cli->out);
		return CLI_OK;
	}
	verb = cli_match_verb(args->rest, args->n_rest, &words);
	if (!verb || args->n_rest > words)
		return cli_usage_error(cli, &verb_help, "there is no such verb");
	cli_print_verb_help(cli, verb, cli->out);
	return CLI_OK;
}

const struct cli_verb verb_help = {
	.name = "help",
	.arguments = "[VERB]",
	.description = "show help for the program or for one verb",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 2,
	.run = run,
};
