/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>

#include "user/cli/cli.h"

#define COLUMN 32 /* where the help texts of options begin */

const struct cli_option cli_common_options[CLI_COMMON_MAX] = {
	[CLI_STATE] = { "state", 0, "DIR",
			"state directory of the agent (default: $COUNTERSIGN_STATE, else "
			"/run/countersign)" },
	[CLI_HELP] = { "help", 'h', NULL, "show this help" },
	[CLI_VERSION] = { "version", 0, NULL, "show the version" },
};

const struct cli_option cli_cluster_options[CLI_CLUSTER_MAX] = {
	[CLI_KUBECONFIG] = { "kubeconfig", 0, "FILE", "the cluster, as for kubectl" },
	[CLI_CONTEXT] = { "context", 0, "NAME", "the context in it" },
	[CLI_NODE] = { "node", 0, "NODE", "ask the agent on this node of the cluster" },
	[CLI_POD] = { "pod", 0, "[NS/]NAME", "ask the agent on this pod's node" },
	[CLI_ALL_NODES] = { "all-nodes", 0, NULL, "ask all agents of the cluster" },
	[CLI_NAMESPACE] = { "namespace", 'n', "NS",
			    "of --pod; flows: only those of its workloads" },
	[CLI_ALL_NAMESPACES] = { "all-namespaces", 'A', NULL, "flows of all namespaces" },
	[CLI_AGENT_NAMESPACE] = { "agent-namespace", 0, "NS",
				  "where the agents run (default: countersign-system)" },
	[CLI_TIMEOUT] = { "timeout", 0, "DURATION", "how long one node may take (default: 15s)" },
};

/* getopt's tables for one verb: its options first, then the common ones, then the cluster's. */
struct getopt_tables {
	struct option longs[CLI_OPTIONS_MAX + CLI_COMMON_MAX + CLI_CLUSTER_MAX + 1];
	char shorts[2 + 2 * (CLI_OPTIONS_MAX + CLI_COMMON_MAX + CLI_CLUSTER_MAX) + 1];
	size_t n_shorts;
};

/* Long options give LONG + their number, so that a letter cannot be mistaken for one. */
enum { LONG = 256 };

static void add_option(struct getopt_tables *tables, const struct cli_option *option, int number)
{
	tables->longs[number] = (struct option){
		.name = option->name,
		.has_arg = option->argument ? required_argument : no_argument,
		.val = LONG + number,
	};
	if (!option->letter)
		return;
	tables->shorts[tables->n_shorts++] = option->letter;
	if (option->argument)
		tables->shorts[tables->n_shorts++] = ':';
}

static size_t n_own(const struct cli_verb *verb)
{
	return verb ? MIN(verb->n_options, (size_t)CLI_OPTIONS_MAX) : 0;
}

static size_t n_options(const struct cli_verb *verb)
{
	return n_own(verb) + CLI_COMMON_MAX + (!verb || verb->asks_agent ? CLI_CLUSTER_MAX : 0);
}

static const struct cli_option *option_at(const struct cli_verb *verb, size_t number)
{
	size_t n = n_own(verb);

	if (number < n)
		return &verb->options[number];
	if (number < n + CLI_COMMON_MAX)
		return &cli_common_options[number - n];
	return &cli_cluster_options[number - n - CLI_COMMON_MAX];
}

static void fill_tables(struct getopt_tables *tables, const struct cli_verb *verb)
{
	*tables = (struct getopt_tables){ 0 };
	/* Before the verb, stop at the verb; after it, options and arguments may mix. */
	if (!verb)
		tables->shorts[tables->n_shorts++] = '+';
	tables->shorts[tables->n_shorts++] = ':';
	for (size_t i = 0; i < n_options(verb); i++)
		add_option(tables, option_at(verb, i), (int)i);
}

/* The number of the option that getopt found, or -1. */
static int number_of(const struct cli_verb *verb, int found)
{
	if (found >= LONG)
		return found - LONG;
	for (size_t i = 0; i < n_options(verb); i++)
		if (option_at(verb, i)->letter == found)
			return (int)i;
	return -1;
}

static void store(const struct cli_verb *verb, int number, const char *value, struct cli_args *args)
{
	int own = (int)n_own(verb);

	value = value ? value : "";
	if (number < own)
		args->value[number] = value;
	else if (number < own + CLI_COMMON_MAX)
		args->common[number - own] = value;
	else
		args->cluster[number - own - CLI_COMMON_MAX] = value;
}

static int refuse(const struct cli *cli, const struct cli_verb *verb, const char *what,
		  const char *argument)
{
	const char *space = verb ? " " : "", *name = verb ? verb->name : "";

	fprintf(cli->err, "%s%s%s: %s ", cli->program, space, name, what);
	cli_put(cli->err, argument);
	fprintf(cli->err, "\nTry `%s%s%s --help`.\n", cli->program, space, name);
	return CLI_USAGE;
}

/* getopt leaves optind alone in the middle of "-xf": there, only optopt knows the letter. */
static int refuse_unknown(const struct cli *cli, const struct cli_verb *verb, const char *argument)
{
	char letter[] = { '-', (char)optopt, '\0' };

	if (optopt >= LONG)
		return refuse(cli, verb, "no value is wanted in", argument);
	return refuse(cli, verb, "there is no option", optopt ? letter : argument);
}

int cli_options_parse(const struct cli *cli, const struct cli_verb *verb, int argc, char **argv,
		      struct cli_args *ret)
{
	struct getopt_tables tables;
	struct cli_args args = { 0 };
	int found;

	fill_tables(&tables, verb);
	opterr = 0;
	optind = 0; /* glibc: start anew */
	while ((found = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		if (found == ':')
			return refuse(cli, verb, "a value is missing after", argv[optind - 1]);
		if (found == '?')
			return refuse_unknown(cli, verb, argv[optind - 1]);
		store(verb, number_of(verb, found), optarg, &args);
	}
	args.rest = argv + optind;
	args.n_rest = argc - optind;
	if (verb && !args.common[CLI_HELP] && args.n_rest > verb->max_rest)
		return refuse(cli, verb, "unexpected argument", args.rest[verb->max_rest]);
	*ret = args;
	return 0;
}

static void print_option(const struct cli_option *option, FILE *out)
{
	int width;

	if (!option->help)
		return;
	if (option->letter)
		width = fprintf(out, "  -%c, --%s", option->letter, option->name);
	else
		width = fprintf(out, "      --%s", option->name);
	if (option->argument)
		width += fprintf(out, " %s", option->argument);
	fprintf(out, "%*s  %s\n", MAX(COLUMN - width, 0), "", option->help);
}

static void print_options(const struct cli_verb *verb, FILE *out)
{
	size_t cluster = n_own(verb) + CLI_COMMON_MAX;

	for (size_t i = 0; i < n_options(verb); i++) {
		if (i == 0)
			fprintf(out, "\nOptions:\n");
		if (i == cluster)
			fprintf(out, "\nOf a cluster:\n");
		print_option(option_at(verb, i), out);
	}
}

/* The verbs whose names begin so. */
static void print_verbs(const char *start, FILE *out)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (startswith(cli_verbs[i]->name, start))
			fprintf(out, "  %-17s %s\n", cli_verbs[i]->name, cli_verbs[i]->description);
}

void cli_print_group_help(const struct cli *cli, const char *group, FILE *out)
{
	char start[64];

	snprintf(start, sizeof(start), "%s ", group);
	fprintf(out, "Usage: %s %s VERB [OPTIONS]\n\nVerbs:\n", cli->program, group);
	print_verbs(start, out);
	fprintf(out, "\n`%s %s VERB --help` tells more; so does countersign(1).\n", cli->program,
		group);
}

void cli_print_help(const struct cli *cli, FILE *out)
{
	fprintf(out,
		"Usage: %s [OPTIONS] VERB [OPTIONS]\n\n"
		"Asks the agents of a cluster, or the one on this node, what they see and why they\n"
		"decide as they do; checks and tests policies from files, without an agent.\n\n"
		"Verbs:\n",
		cli->program);
	print_verbs("", out);
	print_options(NULL, out);
	fprintf(out,
		"\nExit codes: 0 all is well; 1 unhealthy, denied or an error; 2 wrong usage.\n"
		"`%s help VERB` tells more; so does countersign(1).\n",
		cli->program);
}

void cli_print_verb_help(const struct cli *cli, const struct cli_verb *verb, FILE *out)
{
	fprintf(out, "Usage: %s %s [OPTIONS]%s%s\n\n%s\n", cli->program, verb->name,
		*verb->arguments ? " " : "", verb->arguments, verb->description);
	print_options(verb, out);
}
