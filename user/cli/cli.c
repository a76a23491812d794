/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/cli.h"

#include <ctype.h>
#include <stdarg.h>

#include "user/cli/cluster.h"

/* As kubectl looks for plugins by their names: https://kubernetes.io/docs/tasks/extend-kubectl/ */
#define PLUGIN "kubectl-countersign"

const struct cli_verb *const cli_verbs[] = {
	&verb_flows,	      &verb_status,	     &verb_explain,	   &verb_reload,
	&verb_credentials,    &verb_nodes,	     &verb_policy_check,   &verb_policy_codes,
	&verb_policy_test,    &verb_policy_explain,  &verb_policy_diff,	   &verb_policy_suggest,
	&verb_policy_history, &verb_policy_rollback, &verb_policy_release, &verb_policy_unused,
	&verb_ca_init,	      &verb_ca_issue,	     &verb_ca_revoke,	   &verb_ca_bundle,
	&verb_bundle_show,    &verb_bundle_set,	     &verb_relay,	   &verb_version,
	&verb_help,
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

	fprintf(cli->err, "%s %s: ", cli->program, verb->name);
	va_start(args, format);
	vfprintf(cli->err, format, args);
	va_end(args);
	fprintf(cli->err, "\nTry `%s %s --help`.\n", cli->program, verb->name);
	return CLI_USAGE;
}

void cli_put(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static const char *state_directory(const struct cli_args *args)
{
	const char *environment = getenv("COUNTERSIGN_STATE");

	if (args->common[CLI_STATE])
		return args->common[CLI_STATE];
	return environment && *environment ? environment : CLI_STATE_DEFAULT;
}

/* What stands before the verb holds unless it is said again behind it. */
static void inherit(const struct cli_args *before, struct cli_args *args)
{
	for (size_t i = 0; i < CLI_COMMON_MAX; i++)
		if (!args->common[i])
			args->common[i] = before->common[i];
	for (size_t i = 0; i < CLI_CLUSTER_MAX; i++)
		if (!args->cluster[i])
			args->cluster[i] = before->cluster[i];
}

/*
 * Whose agents are asked: the plugin always asks a cluster, the program when an option says
 * so. A namespace alone does not: it filters flows of this node, too.
 */
static int choose_cluster(struct cli *cli, const struct cli_verb *verb, const struct cli_args *args,
			  struct cluster *cluster)
{
	static const int turn_on[] = { CLI_KUBECONFIG, CLI_CONTEXT, CLI_NODE, CLI_POD,
				       CLI_ALL_NODES };
	bool on = streq(cli->program, CLI_PLUGIN_PROGRAM);
	int r;

	for (size_t i = 0; i < CLI_CLUSTER_MAX && !verb->asks_agent; i++)
		if (args->cluster[i])
			return cli_usage_error(cli, verb, "asks no agent: --%s means nothing here",
					       cli_cluster_options[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(turn_on); i++)
		on |= args->cluster[turn_on[i]] != NULL;
	if (!on || !verb->asks_agent)
		return CLI_OK;
	if (args->common[CLI_STATE])
		return cli_usage_error(cli, verb,
				       "--state is for the agent of this node, not of a cluster");
	r = cluster_options(cli, verb, args->cluster, cluster);
	if (r == CLI_OK)
		cli->cluster = cluster;
	return r;
}

static int run_verb(struct cli *cli, const struct cli_verb *verb, const struct cli_args *before,
		    int argc, char **argv)
{
	struct cluster cluster;
	struct cli_args args;
	int r;

	r = cli_options_parse(cli, verb, argc, argv, &args);
	if (r != 0)
		return r;
	if (args.common[CLI_HELP]) {
		cli_print_verb_help(cli, verb, cli->out);
		return CLI_OK;
	}
	if (args.common[CLI_VERSION])
		verb = &verb_version;
	inherit(before, &args);
	cli->state = state_directory(&args);
	r = choose_cluster(cli, verb, &args, &cluster);
	if (r == CLI_OK)
		r = verb->run(cli, &args);
	/* A full disk or a closed pipe must not look like an empty answer. */
	if ((fflush(cli->out) != 0 || ferror(cli->out)) && r == CLI_OK) {
		fprintf(cli->err, "countersign: cannot write the output: %m\n");
		return CLI_FAILED;
	}
	return r;
}

/* What was asked for is no verb: says so, or shows the group that it names. */
static int no_verb(const struct cli *cli, const struct cli_args *common)
{
	char *const *words = common->rest;
	bool group = common->n_rest > 0 && cli_is_group(words[0]);
	int n = group ? 1 : 0;

	if (group && (common->n_rest == 1 || streq(words[1], "--help") || streq(words[1], "-h"))) {
		cli_print_group_help(cli, words[0], common->n_rest == 1 ? cli->err : cli->out);
		return common->n_rest == 1 ? CLI_USAGE : CLI_OK;
	}
	fprintf(cli->err, "%s: there is no verb \"", cli->program);
	for (int i = 0; i <= n; i++) {
		fputs(i ? " " : "", cli->err);
		cli_put(cli->err, words[i]);
	}
	fprintf(cli->err, "\".\nTry `%s help%s%s`.\n", cli->program, n ? " " : "",
		n ? words[0] : "");
	return CLI_USAGE;
}

static const char *program_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	path = slash ? slash + 1 : path;
	return path && streq(path, PLUGIN) ? CLI_PLUGIN_PROGRAM : "countersign";
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
	struct cli cli = { .program = program_of(argv[0]), .out = out, .err = err };
	struct cli_args common;
	const struct cli_verb *verb;
	int r, words;

	r = cli_options_parse(&cli, NULL, argc, argv, &common);
	if (r != 0)
		return r;
	if (common.common[CLI_HELP]) {
		cli_print_help(&cli, out);
		return CLI_OK;
	}
	if (common.common[CLI_VERSION])
		return verb_version.run(&cli, &common);
	if (common.n_rest == 0) {
		cli_print_help(&cli, err);
		return CLI_USAGE;
	}
	verb = cli_match_verb(common.rest, common.n_rest, &words);
	if (!verb)
		return no_verb(&cli, &common);
	/* getopt wants one word in front of the options: the last of the verb's name. */
	return run_verb(&cli, verb, &common, common.n_rest - (words - 1), common.rest + words - 1);
}
