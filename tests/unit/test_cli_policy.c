/* SPDX-License-Identifier: Apache-2.0 */
/* `policy history`, `rollback`, `release` and `unused`: the request and what is made of the answer. */
#include "test_cli_server.h"

static struct server server;

static void expect_request(const char *json)
{
	json_t *got = json_loads(server.request, 0, NULL), *want = json_loads(json, 0, NULL);

	cr_assert_not_null(want);
	cr_expect(json_equal(got, want), "got %swant %s", server.request, json);
	json_decref(got);
	json_decref(want);
}

#define REVISIONS                                                                            \
	"{\"revisions\":[{\"revision\":3,\"damaged\":\"the digest does not fit\"},"          \
	"{\"revision\":2,\"time\":\"2026-11-24T09:12:44.120Z\",\"author\":\"root (uid 0)\"," \
	"\"note\":\"why\",\"workloads\":7,\"policies\":8,\"rules\":9,\"in_force\":true,"     \
	"\"pinned\":true},{\"revision\":1,\"note\":\"\\u001b[31m\"}]}\n"

Test(cli_policy, history_list)
{
	struct outcome o = run_against(&server, REVISIONS, "policy", "history");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"history\"}");
	expect_in(o.out, "REVISION");
	expect_in(o.out,
		  "2         2026-11-24T09:12:44.120Z  7          8         9      in force, "
		  "pinned  root (uid 0)  why");
	expect_in(o.out, "damaged");
	expect_in(o.out, "the digest does not fit");
	expect_not_in(o.out, "\x1b");
	outcome_done(&o);
}

Test(cli_policy, history_list_json)
{
	struct outcome o = run_against(&server, REVISIONS, "policy", "history", "-o", "json");
	json_t *json = json_loads(o.out, 0, NULL);

	cr_expect_eq(json_array_size(json_object_get(json, "revisions")), 3);
	json_decref(json);
	outcome_done(&o);
}

#define DOCUMENTS                                                                \
	"{\"revision\":2,\"time\":\"T\",\"author\":\"root\",\"note\":\"why\"}\n" \
	"{\"file\":\"/m/a.yaml\",\"text\":\"kind: A\\n\"}\n"                     \
	"{\"file\":\"/m/a.yaml\",\"text\":\"x: \\u001b1\"}\n"                    \
	"{\"file\":\"/m/b.yaml\",\"text\":\"kind: B\\r\\n\"}\n"

Test(cli_policy, history_documents_are_one_stream)
{
	struct outcome o = run_against(&server, DOCUMENTS, "policy", "history", "2");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"history\",\"revision\":2}");
	cr_expect_str_eq(o.out, "# revision 2, T, root: why\n"
				"---\n# /m/a.yaml\nkind: A\nx: ?1\n"
				"---\n# /m/b.yaml\nkind: B\r\n");
	outcome_done(&o);
}

Test(cli_policy, history_documents_json)
{
	struct outcome o = run_against(&server, DOCUMENTS, "policy", "history", "-o", "json", "2");
	json_t *json = json_loads(o.out, 0, NULL);
	const json_t *documents = json_object_get(json, "documents");

	cr_assert_eq(json_array_size(documents), 2);
	cr_expect_str_eq(client_text(json_array_get(documents, 0), "text"), "kind: A\nx: \x1b"
									    "1");
	cr_expect_str_eq(client_text(json_array_get(documents, 1), "file"), "/m/b.yaml");
	json_decref(json);
	outcome_done(&o);
}

Test(cli_policy, history_of_none)
{
	struct outcome o = run_against(&server, "{\"error\":\"there is no such revision\"}\n",
				       "policy", "history", "9");

	cr_expect_eq(o.code, CLI_FAILED);
	cr_expect_str_empty(o.out);
	expect_in(o.err, "no such revision");
	outcome_done(&o);
}

Test(cli_policy, rollback)
{
	struct outcome o = run_against(&server, "{\"ok\":true,\"epoch\":5,\"cut\":2}\n", "policy",
				       "rollback", "12", "--note", "OPS-42");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"rollback\",\"revision\":12,\"note\":\"OPS-42\"}");
	expect_in(o.out, "pinned to revision 12: epoch 5, live connections cut: 2\n");
	expect_in(o.out, "policy release");
	outcome_done(&o);
}

Test(cli_policy, rollback_refused)
{
	struct outcome o = run_against(&server,
				       "{\"error\":\"no rollback\",\"errors\":[\"a.yaml:3: x\"]}\n",
				       "policy", "rollback", "12");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_request("{\"verb\":\"rollback\",\"revision\":12}");
	cr_expect_str_empty(o.out);
	expect_in(o.err, "a.yaml:3: x");
	outcome_done(&o);
}

Test(cli_policy, release)
{
	struct outcome o =
		run_against(&server, "{\"ok\":true,\"epoch\":6,\"cut\":0}\n", "policy", "release");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"release\"}");
	expect_in(o.out, "epoch 6");
	outcome_done(&o);
}

Test(cli_policy, reload_with_a_note)
{
	struct outcome o = run_against(&server, "{\"ok\":true,\"epoch\":6,\"cut\":0}\n", "reload",
				       "--note", "b\xc3\xa4r");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"reload\",\"note\":\"b\xc3\xa4r\"}");
	outcome_done(&o);
}

#define UNUSED                                                                                 \
	"{\"rules\":9,\"unused\":2}\n"                                                         \
	"{\"rule\":\"shop/a#x\",\"action\":\"Allow\",\"since\":\"T1\",\"file\":\"/m/a.yaml\"," \
	"\"line\":4}\n"                                                                        \
	"{\"rule\":\"shop/b#y\",\"action\":\"Deny\",\"since\":\"T2\"}\n"

Test(cli_policy, unused_some)
{
	struct outcome o = run_against(&server, UNUSED, "policy", "unused", "--since", "7d");

	cr_expect_eq(o.code, CLI_FAILED, "some: exit code 1");
	expect_request("{\"verb\":\"unused\",\"since_s\":604800}");
	cr_expect_str_eq(o.out, "RULE      ACTION  SINCE  FILE:LINE\n"
				"shop/a#x  Allow   T1     /m/a.yaml:4\n"
				"shop/b#y  Deny    T2     \n"
				"\n2 of 9 rules were never hit.\n");
	cr_expect_str_empty(o.err);
	outcome_done(&o);
}

Test(cli_policy, unused_json)
{
	struct outcome o = run_against(&server, UNUSED, "policy", "unused", "-o", "json");
	json_t *json = json_loads(o.out, 0, NULL);

	cr_expect_eq(o.code, CLI_FAILED);
	expect_request("{\"verb\":\"unused\",\"since_s\":0}");
	cr_expect_eq(json_array_size(json_object_get(json, "unused")), 2);
	cr_expect_eq(client_number(json, "rules"), 9);
	json_decref(json);
	outcome_done(&o);
}

Test(cli_policy, unused_none)
{
	struct outcome o = run_against(&server, "{\"rules\":9,\"unused\":0}\n", "policy", "unused");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	cr_expect_str_eq(o.out, "0 of 9 rules were never hit.\n");
	outcome_done(&o);
}

Test(cli_policy, unused_that_breaks_off)
{
	struct outcome o = run_against(&server, "{\"rules\":9,\"unused\":2}\n{\"rule\":\"a\"}\n",
				       "policy", "unused");

	cr_expect_eq(o.code, CLI_FAILED);
	cr_expect_str_empty(o.out);
	expect_in(o.err, "breaks off");
	outcome_done(&o);
}

#define STATUS_PINNED                                                                        \
	"{\"healthy\":true,\"revision\":1,\"pinned\":{\"revision\":1,\"time\":\"T\","        \
	"\"author\":\"root (uid 0, pid 7)\",\"note\":\"why\",\"changes_wait\":true},"        \
	"\"exceptions\":[{\"rule\":\"shop/a#x\",\"expires\":\"E\",\"remaining_s\":93784,"    \
	"\"reason\":\"outage\",\"ticket\":\"OPS-42\",\"approver\":\"ada\"},"                 \
	"{\"rule\":\"shop/a#y\",\"ended\":true},"                                            \
	"{\"rule\":\"shop/a#z\",\"remaining_s\":3700},{\"rule\":\"w\",\"remaining_s\":61}]," \
	"\"exceptions_total\":7}\n"

Test(cli_policy, status_says_that_a_revision_is_pinned)
{
	struct outcome o = run_against(&server, STATUS_PINNED, "status");

	cr_expect_eq(o.code, CLI_OK, "a pin is no illness");
	expect_in(o.out, "Pinned       to revision 1 since T by root (uid 0, pid 7): why; newer "
			 "changes wait\n");
	expect_in(o.out, "shop/a#x   E        1d 02h     OPS-42  ada       outage");
	expect_in(o.out, "shop/a#y            ended");
	expect_in(o.out, "1h 01m");
	expect_in(o.out, "1m 01s");
	expect_in(o.out, "(and 3 more)");
	outcome_done(&o);
}

Test(cli_policy, status_says_that_the_last_good_one_is_in_force)
{
	struct outcome o = run_against(
		&server, "{\"healthy\":false,\"revision\":4,\"last_good\":true}\n", "status");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "Revision     4, the last good one: the manifests are refused\n");
	expect_not_in(o.out, "Pinned");
	outcome_done(&o);
}

struct usage_case {
	char args[5][32];
	char message[48];
};

ParameterizedTestParameters(cli_policy, wrong_usage)
{
	static struct usage_case cases[] = {
		{ { "history", "x" }, "REV wants the number" },
		{ { "history", "0" }, "REV wants the number" },
		{ { "history", "-1" }, "no option" },
		{ { "history", "1", "2" }, "unexpected argument 2" },
		{ { "history", "-o", "yaml" }, "-o wants text or json" },
		{ { "rollback" }, "REV wants the number" },
		{ { "rollback", "latest" }, "REV wants the number" },
		{ { "rollback", "0" }, "REV wants the number" },
		{ { "rollback", "4294967296" }, "REV wants the number" },
		{ { "rollback", "1", "--note", "a\nb" }, "--note wants" },
		{ { "rollback", "1", "2" }, "unexpected argument 2" },
		{ { "release", "--note", "\x1b[0m" }, "--note wants" },
		{ { "release", "1" }, "unexpected argument 1" },
		{ { "unused", "--since", "7" }, "--since wants" },
		{ { "unused", "--since", "d" }, "--since wants" },
		{ { "unused", "--since", "7y" }, "--since wants" },
		{ { "unused", "--since", "-7d" }, "--since wants" },
		{ { "unused", "--since", "1000000d" }, "--since wants" },
		{ { "unused", "-o", "yaml" }, "-o wants text or json" },
		{ { "unused", "now" }, "unexpected argument now" },
	};

	return cr_make_param_array(struct usage_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct usage_case *c, cli_policy, wrong_usage)
{
	const char *args[RUN_ARGS_MAX] = { "policy" };
	struct outcome o;

	for (size_t i = 0; i < ARRAY_SIZE(c->args) && *c->args[i]; i++)
		args[i + 1] = c->args[i];
	o = run_args(args);
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, c->message);
	outcome_done(&o);
}

Test(cli_policy, a_note_that_is_too_long)
{
	char note[300];
	struct outcome o;

	memset(note, 'x', sizeof(note));
	note[sizeof(note) - 1] = '\0';
	o = run_cli("reload", "--note", note);
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "at most 256 bytes");
	outcome_done(&o);
}
