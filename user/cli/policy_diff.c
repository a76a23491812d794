/* SPDX-License-Identifier: Apache-2.0 */
/* `policy diff`: which verdicts does a change of policy change? */
#include "user/cli/policy_diff.h"

#include "user/base/clock.h"
#include "user/cli/parse.h"
#include "user/policy/moment.h"
#include "user/policy/timeline.h"

enum { DIFF_FLOWS, DIFF_AT, DIFF_EXIT_ZERO, DIFF_TRUST_DOMAIN, DIFF_OUTPUT };

static const struct cli_option options[] = {
	[DIFF_FLOWS] = { "flows", 0, "FILE",
			 "recorded flows (JSON lines, - for stdin) to judge again" },
	[DIFF_AT] = { "at", 0, "TIME", "judge at this moment (RFC 3339); default: now" },
	[DIFF_EXIT_ZERO] = { "exit-zero", 0, NULL, "exit with 0 also when something changes" },
	[DIFF_TRUST_DOMAIN] = { "trust-domain", 0, "TD", "trust domain (default: example.org)" },
	[DIFF_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

static void comparison_done(struct comparison *comparison)
{
	diff_done(&comparison->diff);
	replay_done(&comparison->replay);
	manifests_done(&comparison->before);
	manifests_done(&comparison->after);
}

static int wrong(const struct cli *cli, const char *message)
{
	return cli_usage_error(cli, &verb_policy_diff, "%s", message);
}

/* Trouble is 2, as with diff(1): 1 says that something changes. */
static int load(const struct cli *cli, char *path, const struct policy_options *compile,
		struct manifests *ret)
{
	int r;

	r = manifests_read(cli, &path, 1, ret);
	if (r == CLI_OK)
		r = manifests_compile(ret, compile);
	if (r == CLI_FAILED)
		manifests_complain(cli, ret);
	return r == CLI_OK ? CLI_OK : CLI_USAGE;
}

static int failed(const struct cli *cli, int r)
{
	fprintf(cli->err, "countersign policy diff: ");
	if (r == -ENOSPC)
		fprintf(cli->err, "more than %d different changes: compare smaller parts\n",
			DIFF_CHANGES_MAX);
	else
		fprintf(cli->err, "%s\n", strerror(-r));
	return CLI_USAGE;
}

static int compare(const struct cli *cli, const struct cli_args *args, struct comparison *c)
{
	struct diff_side before = { c->before.set, c->before.image };
	struct diff_side after = { c->after.set, c->after.image };
	int r;

	r = policy_diff(&before, &after, c->now_ns, &c->diff);
	if (r < 0)
		return failed(cli, r);
	if (!args->value[DIFF_FLOWS])
		return CLI_OK;
	r = recorded_read(cli, args->value[DIFF_FLOWS], &c->replay.recorded);
	if (r != CLI_OK)
		return r;
	c->replayed = true;
	r = replay_run(c);
	return r < 0 ? failed(cli, r) : CLI_OK;
}

static bool has_changes(const struct comparison *c)
{
	return c->diff.n || c->diff.added.n || c->diff.removed.n || c->replay.n;
}

static int check_arguments(const struct cli *cli, const struct cli_args *args)
{
	const char *flows = args->value[DIFF_FLOWS] ?: "";
	int inputs = streq(flows, "-");

	if (args->n_rest != 2)
		return wrong(cli, "OLD and NEW are needed: a file or a directory each");
	for (int i = 0; i < args->n_rest; i++)
		inputs += streq(args->rest[i], "-");
	if (inputs > 1)
		return wrong(cli, "standard input (-) can be read only once");
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct policy_options compile = manifests_options(args->value[DIFF_TRUST_DOMAIN]);
	_cleanup_(comparison_done) struct comparison c = { 0 };
	struct moment at = { 0 };
	bool json;
	int r;

	r = check_arguments(cli, args);
	if (r != CLI_OK)
		return r;
	if (parse_format(args->value[DIFF_OUTPUT], "text", &json) < 0)
		return wrong(cli, "-o wants text or json");
	if (args->value[DIFF_AT] && moment_parse(args->value[DIFF_AT], &at))
		return wrong(cli, "--at wants a time such as 2026-12-31T00:00:00Z");
	timeline_set(&compile);
	c.now_ns = timeline_at(&at, (uint64_t)clock_ns(CLOCK_REALTIME));
	r = load(cli, args->rest[0], &compile, &c.before);
	if (r == CLI_OK)
		r = load(cli, args->rest[1], &compile, &c.after);
	if (r == CLI_OK)
		r = compare(cli, args, &c);
	if (r != CLI_OK)
		return r;
	r = json ? diff_report_json(cli, &c) : diff_report_text(cli, &c);
	if (r != CLI_OK)
		return CLI_USAGE;
	return has_changes(&c) && !args->value[DIFF_EXIT_ZERO] ? CLI_FAILED : CLI_OK;
}

const struct cli_verb verb_policy_diff = {
	.name = "policy diff",
	.arguments = "OLD NEW",
	.description = "show which verdicts change between two sets of policies",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 2,
	.run = run,
};
