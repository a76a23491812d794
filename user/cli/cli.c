/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/cli.h"

#include <ctype.h>
#include <stdarg.h>

const struct cli_verb *const cli_verbs[] = {
	&verb_flows,	      &verb_status,	     &verb_explain,	   &verb_reload,
	&verb_credentials,    &verb_nodes,	     &verb_policy_check,   &verb_policy_codes,
	&verb_policy_test,    &verb_policy_explain,  &verb_policy_diff,	   &verb_policy_suggest,
	&verb_policy_history, &verb_policy_rollback, &verb_policy_release, &verb_policy_unused,
	&verb_ca_init,	      &verb_ca_issue,	     &verb_ca_revoke,	   &verb_ca_bundle,
	&verb_bundle_show,    &verb_bundle_set,	     &verb_version,	   &verb_help,
};
const size_t cli_n_verbs = ARRAY_SIZE(cli_verbs);

const struct cli_verb *cli_find_verb(const char *name)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (streq(cli_verbs[i]->name, name))
			return cli_verbs[i];
	return NULL;
}

bool cli_is_group(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < cli_n_verbs; i++)
		if (startswith(cli_verbs[i]->name, word) && cli_verbs[i]->name[n] == ' ')
			return true;
	return false;
}

const struct cli_verb *cli_match_verb(char *const *words, int n, int *ret_n)
{
	char name[64];

	*ret_n = cli_is_group(words[0]) ? 2 : 1;
	if (n < *ret_n)
		return NULL;
	snprintf(name, sizeof(name), *ret_n == 2 ? "%s %s" : "%s", words[0], words[n > 1]);
	return cli_find_verb(name);
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

/* What was asked for is no verb: says so, or shows the group that it names. */
static int no_verb(const struct cli_args *common, FILE *out, FILE *err)
{
	char *const *words = common->rest;
	bool group = common->n_rest > 0 && cli_is_group(words[0]);
	int n = group ? 1 : 0;

	if (group && (common->n_rest == 1 || streq(words[1], "--help") || streq(words[1], "-h"))) {
		cli_print_group_help(words[0], common->n_rest == 1 ? err : out);
		return common->n_rest == 1 ? CLI_USAGE : CLI_OK;
	}
	fprintf(err, "countersign: there is no verb \"");
	for (int i = 0; i <= n; i++) {
		fputs(i ? " " : "", err);
		cli_put(err, words[i]);
	}
	fprintf(err, "\".\nTry `countersign help%s%s`.\n", n ? " " : "", n ? words[0] : "");
	return CLI_USAGE;
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
	struct cli_args common;
	const struct cli_verb *verb;
	int r, words;

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
	verb = cli_match_verb(common.rest, common.n_rest, &words);
	if (!verb)
		return no_verb(&common, out, err);
	/* getopt wants one word in front of the options: the last of the verb's name. */
	return run_verb(verb, &common, common.n_rest - (words - 1), common.rest + words - 1, out,
			err);
}
