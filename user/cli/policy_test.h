/* SPDX-License-Identifier: Apache-2.0 */
/* What `policy test` ran, and the forms in which it is shown. */
#pragma once

#include "user/cli/manifests.h"
#include "user/policy/cases.h"

/* One PolicyTest document, run. */
struct test_report {
	const struct policy_test *test;
	struct case_result *results;
	size_t n;
};

struct test_run {
	struct manifests base; /* what the command line names; owns the tests */
	struct test_report *reports;
	size_t n;
	size_t count[CASE_ERROR + 1]; /* cases by outcome */
	bool verbose; /* text: show cases that passed, too */
};

/* "ns/name" of the document; the caller's. */
char *test_report_name(const struct test_report *report);

/* The results, in three forms. CLI_OK, or CLI_FAILED without memory. */
int test_report_text(const struct cli *cli, const struct test_run *run);
int test_report_json(const struct cli *cli, const struct test_run *run);
int test_report_junit(const struct cli *cli, const struct test_run *run);
