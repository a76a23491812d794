/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: a table of verbs, each with a table of options. getopt, --help, the
 * man page's test and the shell completion's test all read these tables.
 */
#pragma once

#include "user/base/util.h"

#define CLI_OPTIONS_MAX 16 /* options of one verb */
#define CLI_STATE_DEFAULT "/run/countersign"
#define CLI_PLUGIN_PROGRAM "kubectl countersign"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* unhealthy, denied, or the agent answered with an error */
	CLI_USAGE = 2,
};

struct cluster;

struct cli {
	const char *program; /* "countersign", or "kubectl countersign" */
	const char *state; /* directory of the agent's socket */
	const struct cluster
		*cluster; /* whose agents are asked; NULL: this node's, by its socket */
	FILE *out;
	FILE *err;
};

struct cli_option {
	const char *name; /* long name without dashes */
	char letter; /* short name, 0: none */
	const char *argument; /* what its value is called in help; NULL: a flag */
	const char *help; /* NULL: hidden */
};

/* Options that every verb takes, and that may stand before the verb. */
enum { CLI_STATE, CLI_HELP, CLI_VERSION, CLI_COMMON_MAX };

/* The same, of verbs that ask an agent: which one, in a cluster. */
enum {
	CLI_KUBECONFIG,
	CLI_CONTEXT,
	CLI_NODE,
	CLI_POD,
	CLI_ALL_NODES,
	CLI_NAMESPACE,
	CLI_ALL_NAMESPACES,
	CLI_AGENT_NAMESPACE,
	CLI_TIMEOUT,
	CLI_CLUSTER_MAX
};

/* What was given. The value of option number i is value[i]: NULL when it was not. */
struct cli_args {
	const char *value[CLI_OPTIONS_MAX]; /* "" for a flag */
	const char *common[CLI_COMMON_MAX];
	const char *cluster[CLI_CLUSTER_MAX];
	char **rest; /* arguments that are no options */
	int n_rest;
};

struct cli_verb {
	const char *name; /* one word, or a group's and its own: "policy check" */
	const char *arguments; /* for the usage line, "" for none */
	const char *description;
	const struct cli_option *options;
	size_t n_options;
	int max_rest; /* arguments allowed beside options */
	bool asks_agent; /* and so may ask those of a cluster */
	int (*run)(const struct cli *cli, const struct cli_args *args); /* enum cli_exit */
};

extern const struct cli_verb verb_flows, verb_status, verb_explain, verb_reload, verb_version,
	verb_help, verb_policy_test, verb_policy_explain, verb_policy_diff, verb_policy_suggest,
	verb_policy_check, verb_policy_codes, verb_policy_history, verb_policy_rollback,
	verb_policy_release, verb_policy_unused, verb_credentials, verb_nodes, verb_ca_init,
	verb_ca_issue, verb_ca_revoke, verb_ca_bundle, verb_bundle_show, verb_bundle_set,
	verb_relay;
extern const struct cli_verb *const cli_verbs[];
extern const size_t cli_n_verbs;

extern const struct cli_option cli_common_options[CLI_COMMON_MAX];
extern const struct cli_option cli_cluster_options[CLI_CLUSTER_MAX];

/* The whole program but for main(); returns the exit code. */
int cli_main(int argc, char **argv, FILE *out, FILE *err);

/* The verb called @name or NULL. */
const struct cli_verb *cli_find_verb(const char *name);

/* The verb that @words begin with, or NULL; @ret_n is how many words are its name. */
const struct cli_verb *cli_match_verb(char *const *words, int n, int *ret_n);

/* Whether some verb's name is "@word ...": then its help is that of the group. */
bool cli_is_group(const char *word);

/*
 * Reads argv[1..] by @verb's table, or by the common options alone when @verb is NULL
 * (then it stops at the first argument that is no option). 0 or CLI_USAGE, said on cli->err.
 */
int cli_options_parse(const struct cli *cli, const struct cli_verb *verb, int argc, char **argv,
		      struct cli_args *ret);

/* Help for the program, for a group of verbs, or for one verb. */
void cli_print_help(const struct cli *cli, FILE *out);
void cli_print_group_help(const struct cli *cli, const char *group, FILE *out);
void cli_print_verb_help(const struct cli *cli, const struct cli_verb *verb, FILE *out);

/* Says on cli->err what is wrong with an argument; returns CLI_USAGE. */
int cli_usage_error(const struct cli *cli, const struct cli_verb *verb, const char *format, ...)
	_printf_(3, 4);

/* Prints text of foreign origin: control characters cannot reach the terminal. */
void cli_put(FILE *out, const char *text);
