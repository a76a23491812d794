/* SPDX-License-Identifier: Apache-2.0 */
/* policy check and policy codes: what they print, and how they exit. */
#include "test_cli_server.h"
#include "user/policy/lint.h"

#define DIRECTORY_TEMPLATE "/tmp/countersign-check-XXXXXX"

#define HEAD "apiVersion: countersign.dev/v1alpha1\nkind: "
#define WORKLOAD                                                \
	HEAD "Workload\nmetadata: {name: a, namespace: shop}\n" \
	     "spec: {cgroup: a}\n---\n"
#define POLICY(rules)                                                 \
	HEAD "IdentityPolicy\nmetadata: {name: p, namespace: shop}\n" \
	     "spec:\n  subject: {}\n  ingress:\n" rules

static const char clean[] = WORKLOAD POLICY("  - ports: [{port: 80}]\n");
static const char warns[] = WORKLOAD POLICY("  - {}\n");
static const char malformed[] = WORKLOAD POLICY("  - {port: 80}\n");
static const char impossible[] = WORKLOAD POLICY(
	"  - from: [{selector: {matchExpressions: [{key: a, operator: Exists}, {key: a, operator: "
	"DoesNotExist}]}}]\n    ports: [{port: 80}]\n");

struct scratch {
	char directory[sizeof(DIRECTORY_TEMPLATE)];
	char file[sizeof(DIRECTORY_TEMPLATE) + 16];
};

static void scratch_write(struct scratch *scratch, const char *text)
{
	FILE *f;

	strcpy(scratch->directory, DIRECTORY_TEMPLATE);
	cr_assert_not_null(mkdtemp(scratch->directory));
	snprintf(scratch->file, sizeof(scratch->file), "%s/a b.yaml", scratch->directory);
	f = fopen(scratch->file, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static void scratch_done(struct scratch *scratch)
{
	unlink(scratch->file);
	rmdir(scratch->directory);
}

/* The exit code of a check of @text with one more option and value. */
static struct outcome check(const char *text, const char *option, const char *value)
{
	struct scratch scratch;
	struct outcome o;

	scratch_write(&scratch, text);
	o = option ? run_cli("policy", "check", scratch.file, option, value)
		   : run_cli("policy", "check", scratch.file);
	scratch_done(&scratch);
	return o;
}

Test(cli_check, exit_codes)
{
	static const struct {
		const char *text;
		const char *option;
		const char *value;
		int code;
	} cases[] = {
		{ clean, NULL, NULL, CLI_OK },
		{ clean, "--fail-on", "info", CLI_OK },
		{ warns, NULL, NULL, CLI_OK },
		{ warns, "--fail-on", "warning", CLI_FAILED },
		{ warns, "--fail-on", "info", CLI_FAILED },
		{ warns, "--ignore", "CSP301", CLI_OK },
		{ impossible, NULL, NULL, CLI_FAILED },
		{ impossible, "--ignore", "CSP301,CSP104", CLI_OK },
		{ malformed, NULL, NULL, CLI_FAILED },
		{ malformed, "--ignore", "CSP001", CLI_USAGE },
		{ clean, "--ignore", "CSP", CLI_USAGE },
		{ clean, "--fail-on", "never", CLI_USAGE },
		{ clean, "--output", "xml", CLI_USAGE },
		{ clean, "--warn-audit-days", "-1", CLI_USAGE },
		{ clean, "--warn-expiry-days", "x", CLI_USAGE },
		{ clean, "--trust-domain", "No!", CLI_FAILED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct outcome o = check(cases[i].text, cases[i].option, cases[i].value);

		cr_expect_eq(o.code, cases[i].code, "case %zu: %d: %s%s", i, o.code, o.out, o.err);
		outcome_done(&o);
	}
}

Test(cli_check, needs_files_that_can_be_read)
{
	struct outcome none = run_cli("policy", "check");
	struct outcome missing = run_cli("policy", "check", "/nowhere.yaml");

	cr_expect_eq(none.code, CLI_USAGE);
	cr_expect_eq(missing.code, CLI_USAGE);
	expect_in(missing.err, "/nowhere.yaml");
	outcome_done(&none);
	outcome_done(&missing);
}

Test(cli_check, text)
{
	struct outcome o = check(warns, NULL, NULL);

	expect_in(o.out, "a b.yaml:12: warning CSP301: IdentityPolicy shop/p#1: allows everybody "
			 "on all ports\n    ");
	expect_in(o.out, "To do: name the ports, or the peers.\n");
	expect_in(o.out, "\n0 errors, 1 warning, 0 info\n");
	outcome_done(&o);
	o = check(malformed, NULL, NULL);
	expect_in(o.out, "a b.yaml:12: error CSP001: spec.ingress[0].port: unknown field");
	expect_in(o.out, "\n1 error, 0 warnings, 0 info\n");
	outcome_done(&o);
	o = check(clean, NULL, NULL);
	cr_expect_str_eq(o.out, "0 errors, 0 warnings, 0 info\n");
	outcome_done(&o);
}

Test(cli_check, a_bad_trust_domain_cannot_be_compiled)
{
	struct outcome o = check(clean, "--trust-domain", "No!");

	expect_in(o.out, "--trust-domain: error CSP003: ");
	outcome_done(&o);
}

static json_t *check_json(const char *text, const char *format)
{
	struct outcome o = check(text, "-o", format);
	json_t *json = json_loads(o.out, 0, NULL);

	cr_assert_not_null(json, "%s", o.out);
	outcome_done(&o);
	return json;
}

Test(cli_check, json)
{
	json_t *json = check_json(warns, "json"), *finding;
	const char *file, *object, *code, *severity, *remedy;
	int line, warnings;

	cr_assert_eq(json_unpack(json, "{s:[o], s:{s:i}}", "findings", &finding, "counts",
				 "warning", &warnings),
		     0);
	cr_assert_eq(json_unpack(finding, "{s:s, s:i, s:s, s:s, s:s, s:s}", "file", &file, "line",
				 &line, "object", &object, "code", &code, "severity", &severity,
				 "remedy", &remedy),
		     0);
	cr_expect_eq(warnings, 1);
	cr_expect_eq(line, 12);
	cr_expect_str_eq(code, "CSP301");
	cr_expect_str_eq(severity, "warning");
	cr_expect_str_eq(object, "IdentityPolicy shop/p#1");
	json_decref(json);
}

/* What SARIF 2.1.0 requires of a log, a driver and its rules. */
Test(cli_check, sarif_has_what_its_schema_requires)
{
	json_t *log = check_json(warns, "sarif"), *rules, *rule;
	const char *schema, *version, *name;
	size_t i;

	cr_assert_eq(json_unpack(log, "{s:s, s:s, s:[{s:{s:{s:s, s:o}}}]}", "$schema", &schema,
				 "version", &version, "runs", "tool", "driver", "name", &name,
				 "rules", &rules),
		     0);
	cr_expect_str_eq(version, "2.1.0");
	expect_in(schema, "sarif-2.1.0");
	cr_expect_str_eq(name, "countersign");
	cr_expect_eq(json_array_size(rules), LINT_CODES_MAX);
	json_array_foreach(rules, i, rule) {
		const char *id, *uri, *text, *full, *help, *level;

		cr_assert_eq(json_unpack(rule, "{s:s, s:s, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}",
					 "id", &id, "helpUri", &uri, "shortDescription", "text",
					 &text, "fullDescription", "text", &full, "help", "text",
					 &help, "defaultConfiguration", "level", &level),
			     0);
		cr_expect_str_eq(id, lint_infos[i].code);
		expect_in(uri, id);
		cr_expect(streq(level, "note") || streq(level, "warning") || streq(level, "error"),
			  "%s", level);
	}
	json_decref(log);
}

struct sarif_result {
	const char *rule, *level, *text, *uri, *print;
	int index, line;
};

static struct sarif_result unpack_result(json_t *log)
{
	struct sarif_result r;

	cr_assert_eq(json_unpack(log,
				 "{s:[{s:[{s:s, s:i, s:s, s:{s:s}, s:{s:s}, s:[{s:{s:{s:s}, "
				 "s:{s:i}}}]}]}]}",
				 "runs", "results", "ruleId", &r.rule, "ruleIndex", &r.index,
				 "level", &r.level, "message", "text", &r.text,
				 "partialFingerprints", "countersign/v1", &r.print, "locations",
				 "physicalLocation", "artifactLocation", "uri", &r.uri, "region",
				 "startLine", &r.line),
		     0);
	return r;
}

Test(cli_check, sarif_results_have_places)
{
	json_t *log = check_json(warns, "sarif");
	struct sarif_result r = unpack_result(log);

	cr_expect_str_eq(r.rule, "CSP301");
	cr_expect_eq(r.index, LINT_WORLD_IN);
	cr_expect_str_eq(r.level, "warning");
	expect_in(r.text, "shop/p#1");
	expect_in(r.uri, "/a%20b.yaml");
	cr_expect_eq(r.line, 12);
	json_decref(log);
}

/* The same finding some lines below has the same fingerprint; another one has not. */
Test(cli_check, sarif_fingerprints_outlive_moved_lines)
{
	static const char second[] = WORKLOAD POLICY("  - ports: [{port: 1}]\n  - {}\n");
	static const struct {
		const char *before;
		const char *text;
		bool same;
	} cases[] = { { "", warns, true },
		      { "# one\n# two\n", warns, true },
		      { "", second, false } };
	char print[64] = "", text[1024], name[] = DIRECTORY_TEMPLATE, path[64];

	cr_assert_not_null(mkdtemp(name));
	snprintf(path, sizeof(path), "%s/p.yaml", name);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		FILE *f = fopen(path, "w");
		struct outcome o;
		json_t *log;

		cr_assert_not_null(f);
		snprintf(text, sizeof(text), "%s%s", cases[i].before, cases[i].text);
		fputs(text, f);
		fclose(f);
		o = run_cli("policy", "check", "-o", "sarif", path, "--ignore", "CSP202");
		log = json_loads(o.out, 0, NULL);
		cr_assert_not_null(log);
		if (!*print)
			snprintf(print, sizeof(print), "%s", unpack_result(log).print);
		cr_expect_eq(streq(print, unpack_result(log).print), cases[i].same, "case %zu", i);
		json_decref(log);
		outcome_done(&o);
	}
	unlink(path);
	rmdir(name);
}

Test(cli_check, codes)
{
	struct outcome text = run_cli("policy", "codes"),
		       json = run_cli("policy", "codes", "-ojson");
	json_t *list = json_loads(json.out, 0, NULL);

	cr_expect_eq(text.code, CLI_OK);
	cr_expect_eq(json_array_size(list), LINT_CODES_MAX);
	for (size_t i = 0; i < LINT_CODES_MAX; i++) {
		expect_in(text.out, lint_infos[i].code);
		expect_in(text.out, lint_infos[i].remedy);
		cr_expect_str_eq(
			json_string_value(json_object_get(json_array_get(list, i), "code")),
			lint_infos[i].code);
	}
	json_decref(list);
	outcome_done(&text);
	outcome_done(&json);
}
