/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's options on its history. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <getopt.h>

#include "user/agent/options.h"

struct history_case {
	char value[16];
	unsigned int want; /* 0: refused */
};

ParameterizedTestParameters(agent_options, history)
{
	static struct history_case cases[] = {
		{ "1", 1 },   { "100", 100 }, { "0", 0 },
		{ "101", 0 }, { "-1", 0 },    { "", 0 },
		{ "ten", 0 }, { "10x", 0 },   { "99999999999999", 0 },
		{ " 5", 0 },
	};

	return cr_make_param_array(struct history_case, cases, ARRAY_SIZE(cases));
}

static int parse(const char *name, const char *value, struct agent_options *ret)
{
	char *argv[] = { (char *)"countersignd", (char *)"--manifests", (char *)"/m",
			 (char *)name,		 (char *)value,		NULL };

	optind = 0; /* glibc: start anew */
	return options_parse(value ? 5 : 3, argv, ret);
}

ParameterizedTest(struct history_case *c, agent_options, history)
{
	struct agent_options options = { 0 };

	cr_expect_eq(parse("--history", c->value, &options), c->want ? 0 : -EINVAL, "%s", c->value);
	cr_expect_eq(options.history, c->want, "%s", c->value);
	options_done(&options);
}

Test(agent_options, history_directory)
{
	struct agent_options options = { 0 };

	cr_assert_eq(parse("--history", NULL, &options), 0);
	cr_expect_eq(options.history, 10);
	cr_expect_null(options.history_dir, "in the state directory");
	cr_assert_eq(parse("--history-dir", "/var/lib/x", &options), 0);
	cr_expect_str_eq(options.history_dir, "/var/lib/x");
	cr_expect_eq(parse("--history-dir", "", &options), -EINVAL);
}
