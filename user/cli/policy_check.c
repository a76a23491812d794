/* SPDX-License-Identifier: Apache-2.0 */
/* policy check: what is wrong with manifests, and what is probably not meant. */
#include "user/cli/policy_check.h"

#include "user/cli/manifests.h"
#include "user/cli/parse.h"

#define AUDIT_DAYS_DEFAULT 30
#define EXPIRY_DAYS_DEFAULT 14
#define DAYS_MAX 36500

enum {
	CHECK_OUTPUT,
	CHECK_FAIL_ON,
	CHECK_IGNORE,
	CHECK_AUDIT_DAYS,
	CHECK_EXPIRY_DAYS,
	CHECK_ISOLATION,
	CHECK_TRUST_DOMAIN,
};

static const struct cli_option options[] = {
	[CHECK_OUTPUT] = { "output", 'o', "FORMAT", "text (default), json or sarif" },
	[CHECK_FAIL_ON] = { "fail-on", 0, "SEVERITY",
			    "exit with 1 from here up: error (default), warning or info" },
	[CHECK_IGNORE] = { "ignore", 0, "CODES", "leave these out, such as CSP202,CSP304" },
	[CHECK_AUDIT_DAYS] = { "warn-audit-days", 0, "N",
			       "warn of Audit mode for more than N days (default: 30)" },
	[CHECK_EXPIRY_DAYS] = { "warn-expiry-days", 0, "N",
				"warn of rules that expire within N days (default: 14)" },
	[CHECK_ISOLATION] = { "isolation", 0, NULL, "tell workloads that no policy isolates" },
	[CHECK_TRUST_DOMAIN] = { "trust-domain", 0, "TD",
				 "of the SPIFFE IDs (default: example.org)" },
};

static const char *const formats[] = { "text", "json", "sarif" };
enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF };

struct check {
	size_t format;
	enum lint_severity fail_on;
	struct policy_options compile;
	struct lint_options lint;
	struct findings findings;
};

static int read_format(const struct cli *cli, const char *text, size_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (text && !streq(text, formats[i]))
			continue;
		*ret = i;
		return CLI_OK;
	}
	return cli_usage_error(cli, &verb_policy_check, "-o wants text, json or sarif");
}

/* What an agent would refuse is never ignored. */
static int read_ignored(const struct cli *cli, const char *text, struct findings *findings)
{
	while (text && *text) {
		size_t n = strcspn(text, ",");
		enum lint_code code = lint_code_by_text(text, n);

		if (code == LINT_CODES_MAX)
			return cli_usage_error(cli, &verb_policy_check,
					       "--ignore wants codes of `policy codes`, with "
					       "commas between");
		if (code <= LINT_CONFLICT)
			return cli_usage_error(cli, &verb_policy_check,
					       "%s cannot be ignored: an agent would refuse it",
					       lint_infos[code].code);
		findings->ignored[code] = true;
		text += n + (text[n] == ',');
	}
	return CLI_OK;
}

static int read_days(const struct cli *cli, const struct cli_args *args, int option,
		     unsigned int otherwise, unsigned int *ret)
{
	const char *text = args->value[option];
	unsigned long days = otherwise;

	if (text && parse_count(text, DAYS_MAX, &days) < 0)
		return cli_usage_error(cli, &verb_policy_check, "--%s wants 0 to %u days",
				       options[option].name, DAYS_MAX);
	*ret = (unsigned int)days;
	return CLI_OK;
}

static int read_options(const struct cli *cli, const struct cli_args *args, struct check *ret)
{
	const char *fail_on = args->value[CHECK_FAIL_ON] ?: "error";
	int r;

	if (args->n_rest == 0)
		return cli_usage_error(cli, &verb_policy_check,
				       "files or directories are needed, or - for standard input");
	if (lint_severity_by_name(fail_on, &ret->fail_on) < 0)
		return cli_usage_error(cli, &verb_policy_check,
				       "--fail-on wants error, warning or info");
	r = read_format(cli, args->value[CHECK_OUTPUT], &ret->format);
	if (r == CLI_OK)
		r = read_ignored(cli, args->value[CHECK_IGNORE], &ret->findings);
	if (r == CLI_OK)
		r = read_days(cli, args, CHECK_AUDIT_DAYS, AUDIT_DAYS_DEFAULT,
			      &ret->lint.audit_days);
	if (r == CLI_OK)
		r = read_days(cli, args, CHECK_EXPIRY_DAYS, EXPIRY_DAYS_DEFAULT,
			      &ret->lint.expiry_days);
	ret->lint.isolation = args->value[CHECK_ISOLATION];
	ret->compile = manifests_options(args->value[CHECK_TRUST_DOMAIN]);
	ret->lint.compile = &ret->compile;
	return r;
}

static enum lint_code code_of_failure(int r)
{
	return r == -ENOSPC ? LINT_LIMIT : LINT_CONFLICT;
}

/* Compiles and lints; what is malformed can only be reported. 0 or -ENOMEM. */
static int look(struct check *check, struct manifests *manifests)
{
	int r;

	if (manifests->errors.total)
		return findings_add_errors(&check->findings, LINT_MALFORMED, &manifests->errors);
	r = policy_compile(manifests->set, &check->compile, manifests->ids, &manifests->image,
			   &manifests->errors);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return findings_add_errors(&check->findings, code_of_failure(r),
					   &manifests->errors);
	check->lint.ids = manifests->ids;
	return lint_policies(manifests->set, manifests->image, &check->lint, &check->findings);
}

static int show(const struct cli *cli, const struct check *check)
{
	switch (check->format) {
	case FORMAT_JSON:
		return put_json(cli, findings_json(&check->findings));
	case FORMAT_SARIF:
		return put_json(cli, findings_sarif(&check->findings));
	default:
		findings_put_text(cli, &check->findings);
		return CLI_OK;
	}
}

static int verdict(const struct check *check)
{
	for (size_t s = check->fail_on; s < LINT_SEVERITIES; s++)
		if (check->findings.count[s])
			return CLI_FAILED;
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	_cleanup_manifests_ struct manifests manifests = { 0 };
	struct check check = { 0 };
	int r;

	r = read_options(cli, args, &check);
	if (r != CLI_OK)
		return r;
	r = manifests_read(cli, args->rest, (size_t)args->n_rest, &manifests);
	if (r == CLI_USAGE)
		return r;
	if (look(&check, &manifests) < 0) {
		fprintf(cli->err, "countersign policy check: out of memory\n");
		findings_done(&check.findings);
		return CLI_FAILED;
	}
	findings_sort(&check.findings);
	r = show(cli, &check);
	if (r == CLI_OK)
		r = verdict(&check);
	findings_done(&check.findings);
	return r;
}

const struct cli_verb verb_policy_check = {
	.name = "policy check",
	.arguments = "FILE...",
	.description = "look for errors and slips in manifests, without an agent",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 4096,
	.run = run,
};
