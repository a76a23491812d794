/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `policy test`: do the policies say what their tests want? Each PolicyTest is judged with
 * the manifests of the command line and its own files, and with no other test's files.
 */
#include <fnmatch.h>
#include <limits.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/cli/paths.h"
#include "user/cli/policy_test.h"
#include "user/policy/timeline.h"

enum { TEST_OUTPUT, TEST_RUN, TEST_TRUST_DOMAIN, TEST_VERBOSE };

static const struct cli_option options[] = {
	[TEST_OUTPUT] = { "output", 'o', "FORMAT", "text (default), json or junit" },
	[TEST_RUN] = { "run", 0, "GLOB", "only cases of this name, or NS/TEST/CASE" },
	[TEST_TRUST_DOMAIN] = { "trust-domain", 0, "TD", "trust domain (default: example.org)" },
	[TEST_VERBOSE] = { "verbose", 'v', NULL, "show the cases that pass, too" },
};

struct format {
	const char *name;
	int (*print)(const struct cli *cli, const struct test_run *run);
};

static const struct format formats[] = {
	{ "text", test_report_text },
	{ "json", test_report_json },
	{ "junit", test_report_junit },
};

/* What a run is asked for. */
struct request {
	const struct cli *cli;
	const struct cli_args *args;
	const char *glob; /* or NULL */
	struct policy_options options;
	uint64_t now_ns;
};

static void run_done(struct test_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		for (size_t k = 0; k < run->reports[i].n; k++)
			case_result_done(&run->reports[i].results[k]);
		free(run->reports[i].results);
	}
	free(run->reports);
	manifests_done(&run->base);
}

char *test_report_name(const struct test_report *report)
{
	char *name;

	return asprintf(&name, "%s/%s", report->test->namespace, report->test->name) < 0 ? NULL
											 : name;
}

static bool is_wanted(const struct request *request, const struct policy_test *test,
		      const struct policy_case *c)
{
	_cleanup_free_ char *full = NULL;

	if (!request->glob || fnmatch(request->glob, c->name, 0) == 0)
		return true;
	if (asprintf(&full, "%s/%s/%s", test->namespace, test->name, c->name) < 0)
		full = NULL;
	return full && fnmatch(request->glob, full, 0) == 0;
}

/* The manifests of one test: those of the command line, and its own. */
static int read_files(const struct request *request, const struct policy_test *test,
		      struct manifests *ret, char **ret_problem)
{
	_cleanup_(paths_done) struct paths paths = { 0 };
	int r = 0;

	for (int i = 0; i < request->args->n_rest && r == 0; i++) {
		if (streq(request->args->rest[i], "-")) {
			*ret_problem = strdup("its `files` want the manifests read again, and "
					      "standard input cannot be: name files instead of -");
			return CLI_FAILED;
		}
		r = paths_add(&paths, request->args->rest[i]);
	}
	for (size_t i = 0; i < test->n_files && r == 0; i++)
		r = paths_add_beside(&paths, test->place.file, test->files[i]);
	if (r == 0)
		r = manifests_read(request->cli, paths.item, paths.n, ret);
	else if (asprintf(ret_problem, "%s: %s", paths.failed ?: "its `files`", strerror(-r)) < 0)
		*ret_problem = NULL;
	return r;
}

/* Every case of a test that could not begin. */
static int refuse_cases(const struct request *request, const char *problem,
			struct test_report *report)
{
	int r = 0;

	for (size_t i = 0; i < report->test->n_cases && r == 0; i++) {
		const struct policy_case *c = &report->test->cases[i];

		if (!is_wanted(request, report->test, c))
			continue;
		r = case_error(c, problem, &report->results[report->n]);
		report->n += r == 0;
	}
	return r;
}

static int run_cases(const struct request *request, const struct manifests *manifests,
		     struct test_report *report)
{
	const struct case_context context = { manifests->set, manifests->image, request->now_ns };
	int r = 0;

	for (size_t i = 0; i < report->test->n_cases && r == 0; i++) {
		const struct policy_case *c = &report->test->cases[i];

		if (!is_wanted(request, report->test, c))
			continue;
		r = case_run(&context, c, &report->results[report->n]);
		report->n += r == 0;
	}
	return r;
}

/* Says what is wrong with the manifests; the first of it stands for all in the report. */
static char *complain(const struct request *request, const struct manifests *manifests)
{
	const struct policy_errors *errors = &manifests->errors;

	if (!errors->n)
		return strdup("its manifests cannot be used");
	manifests_complain(request->cli, manifests);
	return policy_error_text(&errors->item[0]);
}

/* Makes the test's image; else a text about why there is none. */
static char *prepare(const struct request *request, const struct policy_test *test,
		     struct manifests *manifests)
{
	char *problem = NULL;

	if (test->n_files && read_files(request, test, manifests, &problem) != CLI_OK)
		return problem ?: complain(request, manifests);
	if (manifests->image || manifests_compile(manifests, &request->options) == CLI_OK)
		return NULL;
	return complain(request, manifests);
}

static int run_test(const struct request *request, struct test_run *run, struct test_report *report)
{
	_cleanup_manifests_ struct manifests own = { 0 };
	struct manifests *manifests = report->test->n_files ? &own : &run->base;
	_cleanup_free_ char *problem = NULL;

	report->results = calloc(report->test->n_cases + 1, sizeof(*report->results));
	if (!report->results)
		return -ENOMEM;
	problem = prepare(request, report->test, manifests);
	if (!manifests->image)
		return refuse_cases(request, problem ?: "out of memory", report);
	return run_cases(request, manifests, report);
}

static int run_all(const struct request *request, struct test_run *run)
{
	const struct policy_set *set = run->base.set;
	int r = 0;

	run->reports = calloc(set->tests.n + 1, sizeof(*run->reports));
	if (!run->reports)
		return -ENOMEM;
	for (size_t i = 0; i < set->tests.n && r == 0; i++) {
		struct test_report *report = &run->reports[run->n++];

		report->test = set->tests.item[i];
		r = run_test(request, run, report);
		for (size_t k = 0; k < report->n; k++)
			run->count[report->results[k].outcome]++;
	}
	return r;
}

/* CLI_OK when there were cases and all passed. */
static int judge_run(const struct request *request, const struct test_run *run)
{
	size_t bad = run->count[CASE_FAILED] + run->count[CASE_ERROR];

	if (run->count[CASE_PASSED] + bad == 0) {
		fprintf(request->cli->err, "countersign policy test: %s\n",
			request->glob
				? "no case has a name that --run matches"
				: "no PolicyTest with cases in these files: nothing was tested");
		return CLI_FAILED;
	}
	return bad ? CLI_FAILED : CLI_OK;
}

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (streq(formats[i].name, name ?: "text"))
			return &formats[i];
	return NULL;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	const struct format *format = find_format(args->value[TEST_OUTPUT]);
	struct request request = {
		.cli = cli,
		.args = args,
		.glob = args->value[TEST_RUN],
		.options = manifests_options(args->value[TEST_TRUST_DOMAIN]),
		.now_ns = (uint64_t)clock_ns(CLOCK_REALTIME),
	};
	_cleanup_(run_done) struct test_run test_run = { .verbose = args->value[TEST_VERBOSE] };
	int r;

	if (!format)
		return cli_usage_error(cli, &verb_policy_test, "-o wants text, json or junit");
	if (args->n_rest == 0)
		return cli_usage_error(cli, &verb_policy_test, "files with PolicyTests are needed");
	timeline_set(&request.options);
	r = manifests_read(cli, args->rest, (size_t)args->n_rest, &test_run.base);
	if (r == CLI_FAILED)
		return manifests_complain(cli, &test_run.base);
	if (r != CLI_OK)
		return r;
	r = run_all(&request, &test_run);
	if (r < 0) {
		fprintf(cli->err, "countersign policy test: %s\n", strerror(-r));
		return CLI_FAILED;
	}
	r = format->print(cli, &test_run);
	return r == CLI_OK ? judge_run(&request, &test_run) : r;
}

const struct cli_verb verb_policy_test = {
	.name = "policy test",
	.arguments = "FILES...",
	.description = "run the cases of PolicyTest documents against the policies in FILES",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = INT_MAX,
	.run = run,
};
