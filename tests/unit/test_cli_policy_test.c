/* SPDX-License-Identifier: Apache-2.0 */
/* `countersign policy test`: what passes, what fails, and how that is shown. */
#include "test_cli_files.h"

#define TEST_OF(cases)                                             \
	"apiVersion: countersign.dev/v1alpha1\nkind: PolicyTest\n" \
	"metadata: {name: shop, namespace: shop}\nspec:\n  cases:\n" cases

#define GOOD_CASE \
	"  - {name: pays, from: shop/checkout, to: shop/payments, port: 8080, want: allow}\n"
#define BAD_CASE \
	"  - {name: 'a<b>&\"c\"', from: shop/report, to: shop/payments, port: 8080, want: allow}\n"

/* Runs one PolicyTest with these cases against the shop. */
static struct outcome run_cases(const char *cases, const char *option, const char *value)
{
	_files_ files;
	_cleanup_free_ char *test = NULL;
	struct outcome o;

	files_init(&files);
	cr_assert(asprintf(&test, "%s%s", TEST_OF(""), cases) > 0);
	files_write(&files, "shop.yaml", FILES_SHOP, FILES_PAYMENTS);
	files_write(&files, "test.yaml", test);
	o = run_cli("policy", "test", files.path[0], files.path[1], option ?: "-v", value ?: "-v");
	files_hide(&files, o.out);
	files_hide(&files, o.err);
	return o;
}

struct one_case {
	char text[160];
	char result[8]; /* pass, fail, error */
	char message[80]; /* part of it */
};

ParameterizedTestParameters(cli_policy_test, cases)
{
	static struct one_case cases[] = {
		{ "from: shop/checkout, to: shop/payments, port: 8080, want: allow", "pass", "" },
		{ "from: shop/checkout, to: shop/payments, port: http, want: allow", "pass", "" },
		{ "from: shop/checkout, to: shop/payments, port: 8081, want: deny", "pass", "" },
		{ "from: shop/report, to: shop/payments, port: 8080, want: deny", "pass", "" },
		{ "from: shop/checkout, to: shop/payments, port: 8080, want: deny", "fail",
		  "want deny, got allow" },
		{ "from: shop/checkout, to: shop/payments, port: 8080, want: audit", "fail",
		  "want audit, got allow" },
		{ "from: World, to: shop/payments, port: 8080, want: deny", "pass", "" },
		{ "from: 192.0.2.1, to: shop/payments, port: 8080, want: deny", "pass", "" },
		{ "from: shop/payments, to: World, port: 443, want: allow", "pass", "" },
		{ "from: shop/checkout, to: shop/payments, port: 8080, protocol: UDP, want: deny",
		  "pass", "" },
		/* Without authentication the rule does not allow. */
		{ "from: shop/checkout, to: shop/payments, port: 8080, authenticated: false, "
		  "want: deny",
		  "pass", "" },
		/* One side alone. */
		{ "from: shop/report, to: shop/payments, port: 8080, direction: Egress, want: allow",
		  "pass", "" },
		{ "from: shop/report, to: shop/payments, port: 8080, direction: Ingress, want: deny",
		  "pass", "" },
		{ "from: World, to: shop/payments, port: 8080, direction: Egress, want: allow",
		  "error", "which is no workload" },
		/* The rule that decided. */
		{ "from: shop/checkout, to: shop/payments, port: 8080, want: allow, "
		  "rule: \"shop/payments#from-checkout\"",
		  "pass", "" },
		{ "from: shop/checkout, to: shop/payments, port: 8080, want: allow, "
		  "rule: \"shop/payments#from-check\"",
		  "fail", "want allow by shop/payments#from-check, got allow" },
		{ "from: shop/report, to: shop/payments, port: 8080, want: deny, "
		  "rule: \"shop/payments#\"",
		  "pass", "" },
		{ "from: shop/report, to: shop/checkout, port: 8080, want: allow, "
		  "rule: \"shop/payments#\"",
		  "fail", "got allow by no rule" },
		/* Families. */
		{ "from: shop/checkout, to: shop/payments, port: 8080, family: IPv6, want: allow",
		  "pass", "" },
		{ "from: shop/report, to: shop/payments, port: 8080, family: IPv6, want: deny",
		  "error", "no address of one family, as `family` wants it" },
		{ "from: \"fd00::9\", to: shop/report, port: 80, want: allow", "error",
		  "no address of one family" },
		/* Nobody. */
		{ "from: shop/nobody, to: shop/payments, port: 8080, want: deny", "error",
		  "from: \"shop/nobody\" is nobody" },
		{ "from: shop/report, to: shop/nobody, port: 8080, want: deny", "error",
		  "to: \"shop/nobody\" is nobody" },
		{ "from: shop/report, to: shop/payments, port: grpc, want: deny", "error",
		  "no port of that protocol called \"grpc\"" },
		{ "from: shop/report, to: shop/payments, port: http, protocol: UDP, want: deny",
		  "error", "no port of that protocol called \"http\"" },
		{ "from: shop/report, to: World, port: http, want: deny", "error",
		  "no port of that protocol" },
	};

	return cr_make_param_array(struct one_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct one_case *c, cli_policy_test, cases)
{
	char text[256];
	struct outcome o;
	json_t *json, *result;

	snprintf(text, sizeof(text), "  - {%s}\n", c->text);
	o = run_cases(text, "-o", "json");
	json = outcome_json(&o);
	result = json_array_get(
		json_object_get(json_array_get(json_object_get(json, "tests"), 0), "cases"), 0);
	cr_expect_eq(o.code, streq(c->result, "pass") ? CLI_OK : CLI_FAILED);
	cr_expect_str_eq(json_string_value(json_object_get(result, "result")), c->result, "%s",
			 o.out);
	expect_in(json_string_value(json_object_get(result, "message")) ?: "", c->message);
	cr_expect_eq(json_integer_value(json_object_get(result, "line")), 6);
	json_decref(json);
	outcome_done(&o);
}

Test(cli_policy_test, text)
{
	struct outcome o = run_cases(GOOD_CASE BAD_CASE, NULL, NULL);

	cr_expect_eq(o.code, CLI_FAILED);
	cr_expect_str_eq(
		o.out, "ok    shop/shop: pays (test.yaml:6)\n"
		       "FAIL  shop/shop: a<b>&\"c\" (test.yaml:7)\n"
		       "      shop/report -> shop/payments port 8080/TCP\n"
		       "      want allow, got deny\n"
		       "      got deny by shop/payments: isolated by policy and no rule allows it\n"
		       "      egress  [Default] Allow (no policy isolates this direction)\n"
		       "      ingress [IdentityPolicy] Deny (no rule allows it; isolated by "
		       "shop/payments)\n"
		       "2 cases: 1 passed, 1 failed, 0 could not be judged\n");
	outcome_done(&o);
}

Test(cli_policy_test, passing_cases_are_quiet)
{
	struct outcome o = run_cases(GOOD_CASE, "-o", "text");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	cr_expect_str_eq(o.out, "1 cases: 1 passed, 0 failed, 0 could not be judged\n");
	outcome_done(&o);
}

/* The tests' own check that XML is well-formed: python's parser, as CI systems have one. */
static void expect_xml(const char *xml, const char *program)
{
	FILE *python;

	if (system("command -v python3 >/dev/null") != 0)
		cr_skip_test("no python3 to parse the XML with");
	setenv("PROGRAM", program, 1);
	python = popen("python3 -c \"import os, sys, xml.etree.ElementTree as E\n"
		       "r = E.fromstring(sys.stdin.buffer.read())\n"
		       "exec(os.environ['PROGRAM'])\"",
		       "w");
	cr_assert_not_null(python);
	fputs(xml, python);
	cr_expect_eq(pclose(python), 0, "%s", xml);
}

Test(cli_policy_test, junit)
{
	struct outcome o =
		run_cases(GOOD_CASE BAD_CASE
			  "  - {from: shop/nobody, to: shop/payments, port: 1, want: deny}\n",
			  "-o", "junit");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_xml(o.out,
		   "c = r.findall('testsuite/testcase')\n"
		   "assert [r.get(k) for k in ('tests', 'failures', 'errors')] == ['3','1','1']\n"
		   "assert r.find('testsuite').get('name') == 'shop/shop'\n"
		   "assert [x.get('name') for x in c] == ['pays', 'a<b>&\\\"c\\\"', '#3']\n"
		   "assert all(x.get('classname') == 'shop/shop' for x in c)\n"
		   "assert [x.get('line') for x in c] == ['6', '7', '8']\n"
		   "assert all(x.get('file') == 'test.yaml' for x in c)\n"
		   "assert all(float(x.get('time')) >= 0 for x in c)\n"
		   "assert len(c[0]) == 0\n"
		   "assert c[1].find('failure').get('message') == 'want allow, got deny'\n"
		   "assert '[IdentityPolicy] Deny' in c[1].find('failure').text\n"
		   "assert 'is nobody' in c[2].find('error').get('message')\n");
	outcome_done(&o);
}

/* Rows of files and names of files may have bytes that XML and JSON do not. */
Test(cli_policy_test, junit_of_strange_file_names)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "t\xff\x01<&\xc3\xa9.yaml", FILES_SHOP, FILES_PAYMENTS,
		    TEST_OF(BAD_CASE));
	o = run_cli("policy", "test", files.path[0], "-o", "junit");
	expect_xml(o.out, "f = r.find('testsuite/testcase').get('file')\n"
			  "assert f.endswith('t' + 2 * '?' + '<&\\u00e9.yaml'), f\n");
	outcome_done(&o);
	o = run_cli("policy", "test", files.path[0], "-o", "json");
	json_decref(outcome_json(&o));
	outcome_done(&o);
}

Test(cli_policy_test, run_filters_by_name)
{
	struct outcome o = run_cases(GOOD_CASE BAD_CASE, "--run", "pa*");

	cr_expect_eq(o.code, CLI_OK, "%s", o.out);
	outcome_done(&o);
	o = run_cases(GOOD_CASE BAD_CASE, "--run", "shop/shop/a*");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "1 cases: 0 passed, 1 failed");
	outcome_done(&o);
	o = run_cases(GOOD_CASE, "--run", "nothing*");
	cr_expect_eq(o.code, CLI_FAILED, "no case is no success");
	expect_in(o.err, "no case has a name that --run matches");
	outcome_done(&o);
}

Test(cli_policy_test, no_test_is_a_failure)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "shop.yaml", FILES_SHOP);
	o = run_cli("policy", "test", files.path[0]);
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "nothing was tested");
	outcome_done(&o);
}

#define TEST_WITH(files, want)                                     \
	"apiVersion: countersign.dev/v1alpha1\nkind: PolicyTest\n" \
	"metadata: {name: " want ", namespace: shop}\nspec:\n"     \
	"  files: [" files "]\n  cases:\n"                         \
	"  - {from: shop/report, to: shop/payments, port: 8080, want: " want "}\n"

/* Each test has its own files beside those of the command line, and nobody else's. */
Test(cli_policy_test, files_of_each_test_are_its_own)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_directory(&files, "more");
	files_write(&files, "shop.yaml", FILES_SHOP);
	files_write(&files, "more/payments.yaml", FILES_PAYMENTS);
	files_write(&files, "test.yaml", TEST_WITH("more, more/payments.yaml, ./shop.yaml", "deny"),
		    TEST_WITH("shop.yaml", "allow"));
	o = run_cli("policy", "test", files.path[3]);
	cr_expect_eq(o.code, CLI_OK, "%s%s", o.out, o.err);
	expect_in(o.out, "2 cases: 2 passed");
	outcome_done(&o);
	/* What is given and is in `files` as well counts once. */
	o = run_cli("policy", "test", files.path[1], files.path[3]);
	cr_expect_eq(o.code, CLI_OK, "%s%s", o.out, o.err);
	outcome_done(&o);
}

Test(cli_policy_test, files_that_are_wrong_or_missing)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "broken.yaml", "kind: Nothing\n");
	files_write(&files, "test.yaml", TEST_WITH("broken.yaml", "deny"),
		    TEST_WITH("missing.yaml", "allow"));
	o = run_cli("policy", "test", files.path[1]);
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "broken.yaml:1:");
	expect_in(o.out, "missing.yaml: No such file or directory");
	expect_in(o.out, "2 cases: 0 passed, 0 failed, 2 could not be judged");
	outcome_done(&o);
}

/* A rule that expires is judged at the case's moment, be it past or to come. */
Test(cli_policy_test, at_a_moment)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "shop.yaml", FILES_SHOP,
		    FILES_POLICY("payments", "payments",
				 "  ingress:\n  - from: [{serviceAccounts: [{name: report}]}]\n"
				 "    expires: \"2020-06-01T00:00:00Z\"\n    reason: audit\n"),
		    TEST_OF("  - {from: shop/report, to: shop/payments, port: 1, want: allow, "
			    "at: \"2020-05-31T23:59:59Z\"}\n"
			    "  - {from: shop/report, to: shop/payments, port: 1, want: deny, "
			    "at: \"2020-06-01T00:00:00Z\"}\n"
			    "  - {from: shop/report, to: shop/payments, port: 1, want: deny}\n"));
	o = run_cli("policy", "test", files.path[0]);
	cr_expect_eq(o.code, CLI_OK, "%s%s", o.out, o.err);
	outcome_done(&o);
}

/* A CIDR of one family alone: the case that does not say which one means both. */
Test(cli_policy_test, families_that_differ)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "shop.yaml", FILES_SHOP,
		    FILES_POLICY("payments", "payments",
				 "  ingress:\n  - from: [{cidrs: [{cidr: 10.0.0.0/8}]}]\n"),
		    TEST_OF("  - {from: shop/checkout, to: shop/payments, port: 1, want: allow}\n"
			    "  - {from: shop/checkout, to: shop/payments, port: 1, want: allow, "
			    "family: IPv4}\n"
			    "  - {from: shop/checkout, to: shop/payments, port: 1, want: deny, "
			    "family: IPv6}\n"));
	o = run_cli("policy", "test", files.path[0]);
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "the families differ: over IPv4 allow by shop/payments#1, over IPv6 deny");
	expect_in(o.out, "3 cases: 2 passed, 1 failed");
	outcome_done(&o);
}

Test(cli_policy_test, usage)
{
	struct outcome o = run_cli("policy", "test");

	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "files with PolicyTests are needed");
	outcome_done(&o);
	o = run_cli("policy", "test", "x.yaml", "-o", "xml");
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "-o wants text, json or junit");
	outcome_done(&o);
	o = run_cli("policy", "test", "/nonexistent.yaml");
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "/nonexistent.yaml: No such file");
	outcome_done(&o);
}
