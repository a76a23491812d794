/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/cli.h"

#include <ctype.h>
#include <stdarg.h>

const struct cli_verb *const cli_verbs[] = {
	&verb_flows, &verb_status, &verb_explain, &verb_reload, &verb_version, &verb_help,
};
const size_t cli_n_verbs = ARRAY_SIZE(cli_verbs);

const struct cli_verb *cli_find_verb(const char *name)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (streq(cli_verbs[i]->name, name))
			return cli_verbs[i];
	return NULL;
}

int cli_usage_error(const struct cli *cli, const struct cli_verb *verb, const char *format, ...)
{
	va_list args;

	fprintf(cli->err, "countersign %s: ", verb->name);
	va_start(args, format);
	vfprintf(cli->err, format, args);
	va_end(args);
	fprintf(cli->err, "\nTry `countersign %s --help`.\n", verb->name);
	return CLI_USAGE;
}

void cli_put(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static const char *state_directory(const struct cli_args *common, const struct cli_args *args)
{
	const char *environment = getenv("COUNTERSIGN_STATE");

	if (args->state)
		return args->state;
	if (common->state)
		return common->state;
	return environment && *environment ? environment : CLI_STATE_DEFAULT;
}

static int run_verb(const struct cli_verb *verb, const struct cli_args *common, int argc,
		    char **argv, FILE *out, FILE *err)
{
	struct cli cli = { .out = out, .err = err };
	struct cli_args args;
	int r;

	r = cli_options_parse(verb, argc, argv, err, &args);
	if (r != 0)
		return r;
	if (args.help) {
		cli_print_verb_help(verb, out);
		return CLI_OK;
	}
	cli.state = state_directory(common, &args);
	if (args.version)
		verb = &verb_version;
	r = verb->run(&cli, &args);
	/* A full disk or a closed pipe must not look like an empty answer. */
	if ((fflush(out) != 0 || ferror(out)) && r == CLI_OK) {
		fprintf(err, "countersign: cannot write the output: %m\n");
		return CLI_FAILED;
	}
	return r;
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
	struct cli_args common;
	const struct cli_verb *verb;
	int r;

	r = cli_options_parse(NULL, argc, argv, err, &common);
	if (r != 0)
		return r;
	if (common.help) {
		cli_print_help(out);
		return CLI_OK;
	}
	if (common.version)
		return verb_version.run(&(struct cli){ .out = out, .err = err }, &common);
	if (common.n_rest == 0) {
		cli_print_help(err);
		return CLI_USAGE;
	}
	verb = cli_find_verb(common.rest[0]);
	if (!verb) {
		fprintf(err, "countersign: there is no verb \"");
		cli_put(err, common.rest[0]);
		fprintf(err, "\".\nTry `countersign help`.\n");
		return CLI_USAGE;
	}
	return run_verb(verb, &common, common.n_rest, common.rest, out, err);
}
