/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>

#include "user/cli/cli.h"

#define COLUMN 32 /* where the help texts of options begin */

enum { COMMON_STATE, COMMON_HELP, COMMON_VERSION, COMMON_MAX };

const struct cli_option cli_common_options[] = {
	[COMMON_STATE] = { "state", 0, "DIR",
			   "state directory of the agent (default: $COUNTERSIGN_STATE, else "
			   "/run/countersign)" },
	[COMMON_HELP] = { "help", 'h', NULL, "show this help" },
	[COMMON_VERSION] = { "version", 0, NULL, "show the version" },
};
const size_t cli_n_common_options = ARRAY_SIZE(cli_common_options);

/* getopt's tables for one verb: its options first, then the common ones. */
struct getopt_tables {
	struct option longs[CLI_OPTIONS_MAX + COMMON_MAX + 1];
	char shorts[2 + 2 * (CLI_OPTIONS_MAX + COMMON_MAX) + 1];
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

static size_t n_options(const struct cli_verb *verb)
{
	return verb ? MIN(verb->n_options, (size_t)CLI_OPTIONS_MAX) : 0;
}

static const struct cli_option *option_at(const struct cli_verb *verb, size_t number)
{
	size_t n = n_options(verb);

	return number < n ? &verb->options[number] : &cli_common_options[number - n];
}

static void fill_tables(struct getopt_tables *tables, const struct cli_verb *verb)
{
	*tables = (struct getopt_tables){ 0 };
	/* Before the verb, stop at the verb; after it, options and arguments may mix. */
	if (!verb)
		tables->shorts[tables->n_shorts++] = '+';
	tables->shorts[tables->n_shorts++] = ':';
	for (size_t i = 0; i < n_options(verb) + COMMON_MAX; i++)
		add_option(tables, option_at(verb, i), (int)i);
}

/* The number of the option that getopt found, or -1. */
static int number_of(const struct cli_verb *verb, int found)
{
	if (found >= LONG)
		return found - LONG;
	for (size_t i = 0; i < n_options(verb) + COMMON_MAX; i++)
		if (option_at(verb, i)->letter == found)
			return (int)i;
	return -1;
}

static void store(const struct cli_verb *verb, int number, const char *value, struct cli_args *args)
{
	int own = (int)n_options(verb);

	if (number < own)
		args->value[number] = value ? value : "";
	else if (number - own == COMMON_STATE)
		args->state = value;
	else if (number - own == COMMON_HELP)
		args->help = true;
	else
		args->version = true;
}

static int refuse(const struct cli_verb *verb, const char *what, const char *argument, FILE *err)
{
	const char *space = verb ? " " : "", *name = verb ? verb->name : "";

	fprintf(err, "countersign%s%s: %s ", space, name, what);
	cli_put(err, argument);
	fprintf(err, "\nTry `countersign%s%s --help`.\n", space, name);
	return CLI_USAGE;
}

/* getopt leaves optind alone in the middle of "-xf": there, only optopt knows the letter. */
static int refuse_unknown(const struct cli_verb *verb, const char *argument, FILE *err)
{
	char letter[] = { '-', (char)optopt, '\0' };

	if (optopt >= LONG)
		return refuse(verb, "no value is wanted in", argument, err);
	return refuse(verb, "there is no option", optopt ? letter : argument, err);
}

int cli_options_parse(const struct cli_verb *verb, int argc, char **argv, FILE *err,
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
			return refuse(verb, "a value is missing after", argv[optind - 1], err);
		if (found == '?')
			return refuse_unknown(verb, argv[optind - 1], err);
		store(verb, number_of(verb, found), optarg, &args);
	}
	args.rest = argv + optind;
	args.n_rest = argc - optind;
	if (verb && !args.help && args.n_rest > verb->max_rest)
		return refuse(verb, "unexpected argument", args.rest[verb->max_rest], err);
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
	fprintf(out, "\nOptions:\n");
	for (size_t i = 0; i < n_options(verb) + COMMON_MAX; i++)
		print_option(option_at(verb, i), out);
}

/* The verbs whose names begin so. */
static void print_verbs(const char *start, FILE *out)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (startswith(cli_verbs[i]->name, start))
			fprintf(out, "  %-17s %s\n", cli_verbs[i]->name, cli_verbs[i]->description);
}

void cli_print_group_help(const char *group, FILE *out)
{
	char start[64];

	snprintf(start, sizeof(start), "%s ", group);
	fprintf(out, "Usage: countersign %s VERB [OPTIONS]\n\nVerbs:\n", group);
	print_verbs(start, out);
	fprintf(out, "\n`countersign %s VERB --help` tells more; so does countersign(1).\n", group);
}

void cli_print_help(FILE *out)
{
	fprintf(out,
		"Usage: countersign [--state DIR] VERB [OPTIONS]\n\n"
		"Asks the agent on this node what it sees and why it decides as it does; checks\n"
		"and tests policies from files, without an agent.\n\n"
		"Verbs:\n");
	print_verbs("", out);
	print_options(NULL, out);
	fprintf(out,
		"\nExit codes: 0 all is well; 1 unhealthy, denied or an error; 2 wrong usage.\n"
		"`countersign help VERB` tells more; so does countersign(1).\n");
}

void cli_print_verb_help(const struct cli_verb *verb, FILE *out)
{
	fprintf(out, "Usage: countersign %s [OPTIONS]%s%s\n\n%s\n", verb->name,
		*verb->arguments ? " " : "", verb->arguments, verb->description);
	print_options(verb, out);
}
