/* SPDX-License-Identifier: Apache-2.0 */
/* What each verb asks the agent, and what it makes of the answer. */
#include "test_cli_server.h"

static struct server server;

/* Whether the request that came equals @json. */
static void expect_request(const char *json)
{
	json_t *got = json_loads(server.request, 0, NULL), *want = json_loads(json, 0, NULL);

	cr_assert_not_null(want);
	cr_expect(json_equal(got, want), "got %swant %s", server.request, json);
	json_decref(got);
	json_decref(want);
}

#define FLOW_A "{\"flow\":{\"verdict\":\"FORWARDED\",\"Summary\":\"UDP\"},\"node_name\":\"a\"}"
#define FLOW_B "{\"flow\":{\"verdict\":\"DROPPED\"},\"node_name\":\"b\"}"

Test(cli_flows, default_request)
{
	struct outcome o = run_against(&server, "", "flows");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	cr_expect_str_empty(o.out);
	expect_request("{\"verb\":\"flows\",\"last\":20,\"follow\":false}");
	outcome_done(&o);
}

Test(cli_flows, full_request)
{
	struct outcome o = run_against(&server, "", "flows", "--last", "7", "--verdict", "deny",
				       "--from-workload", "shop/checkout", "--to-workload=shop/db");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"flows\",\"last\":7,\"follow\":false,\"verdict\":\"DROPPED\","
		       "\"from_workload\":\"shop/checkout\",\"to_workload\":\"shop/db\"}");
	outcome_done(&o);
}

Test(cli_flows, json_lines_are_passed_on_whole)
{
	struct outcome o = run_against(&server, FLOW_A "\n" FLOW_B "\n", "flows", "-o", "json");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	cr_expect_str_eq(o.out, FLOW_A "\n" FLOW_B "\n");
	outcome_done(&o);
}

Test(cli_flows, compact_lines)
{
	struct outcome o = run_against(&server, FLOW_A "\n" FLOW_B "\n", "flows");

	expect_in(o.out, " FORWARDED (UDP)");
	expect_in(o.out, " DROPPED ");
	outcome_done(&o);
}

Test(cli_flows, follow_ends_with_the_agent)
{
	struct outcome o = run_against(&server, FLOW_A "\n", "flows", "-f");

	expect_request("{\"verb\":\"flows\",\"last\":20,\"follow\":true}");
	cr_expect_eq(o.code, CLI_FAILED, "the end of the agent is no success");
	expect_in(o.out, "FORWARDED");
	expect_in(o.err, "the agent closed the connection");
	outcome_done(&o);
}

Test(cli_flows, error_after_some_flows)
{
	struct outcome o = run_against(&server, FLOW_A "\n{\"error\":\"too slow\"}\n", "flows");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "FORWARDED");
	expect_in(o.err, "too slow");
	outcome_done(&o);
}

Test(cli_flows, full_disk)
{
	char *err_text;
	size_t length;
	FILE *out = fopen("/dev/full", "w"), *err = open_memstream(&err_text, &length);
	char *args[] = { "countersign", "--state", NULL, "flows", NULL };

	server_start(&server, FLOW_A "\n");
	args[2] = server.directory;
	cr_expect_eq(cli_main(4, args, out, err), CLI_FAILED);
	server_stop(&server);
	fclose(out);
	fclose(err);
	expect_in(err_text, "cannot write the output");
	free(err_text);
}

struct usage_case {
	char args[6][32];
	char message[48];
};

ParameterizedTestParameters(cli_usage, wrong)
{
	static struct usage_case cases[] = {
		{ { "flows", "--last", "x" }, "--last wants a number" },
		{ { "flows", "--last", "-1" }, "--last wants a number" },
		{ { "flows", "--last", "65537" }, "--last wants a number" },
		{ { "flows", "--last", "" }, "--last wants a number" },
		{ { "flows", "--verdict", "maybe" }, "--verdict wants" },
		{ { "flows", "--from-workload", "checkout" }, "--from-workload wants" },
		{ { "flows", "--to-workload", "a/b/c" }, "--to-workload wants" },
		{ { "flows", "--to-workload", "/b" }, "--to-workload wants" },
		{ { "flows", "-o", "yaml" }, "-o wants compact or json" },
		{ { "flows", "-o", "text" }, "-o wants compact or json" },
		{ { "flows", "extra" }, "unexpected argument extra" },
		{ { "flows", "--nonsense" }, "there is no option --nonsense" },
		{ { "flows", "-fx" }, "there is no option -x" },
		{ { "flows", "--last" }, "a value is missing after --last" },
		{ { "flows", "--follow=yes" }, "no value is wanted in --follow=yes" },
		{ { "status", "-o", "compact" }, "-o wants text or json" },
		{ { "status", "shop" }, "unexpected argument shop" },
		{ { "explain" }, "--from WHO is needed" },
		{ { "explain", "--from", "a/b" }, "--to WHO is needed" },
		{ { "explain", "--from", "a/b", "--to", "c/d" }, "--port PORT/PROTO is needed" },
		{ { "explain", "--from", "", "--to", "c/d" }, "--from WHO is needed" },
		{ { "reload", "now" }, "unexpected argument now" },
		{ { "version", "now" }, "unexpected argument now" },
		{ { "help", "nonsense" }, "there is no such verb" },
		{ { "help", "flows", "status" }, "there is no such verb" },
		{ { "dance" }, "there is no verb \"dance\"" },
		{ { "da\033nce" }, "there is no verb \"da?nce\"" },
		{ { "--nonsense" }, "there is no option --nonsense" },
		{ { "--state" }, "a value is missing after --state" },
		{ { "" }, "there is no verb \"\"" },
	};

	return cr_make_param_array(struct usage_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct usage_case *c, cli_usage, wrong)
{
	/* an empty argument is given only where nothing follows it */
	const char *args[ARRAY_SIZE(c->args) + 1] = { 0 };
	size_t n = ARRAY_SIZE(c->args);
	struct outcome o;

	while (n > 1 && !*c->args[n - 1])
		n--;
	if (n == 2 && streq(c->args[1], "--last") && strstr(c->message, "wants"))
		n = 3;
	for (size_t i = 0; i < n; i++)
		args[i] = c->args[i];
	o = run_args(args);
	cr_expect_eq(o.code, CLI_USAGE, "%s", c->message);
	expect_in(o.err, c->message);
	expect_in(o.err, "Try `countersign");
	cr_expect_str_empty(o.out);
	outcome_done(&o);
}

Test(cli_usage, no_verb_prints_help_to_stderr)
{
	struct outcome o = run_args((const char *const[]){ NULL });

	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "Usage: countersign");
	cr_expect_str_empty(o.out);
	outcome_done(&o);
}

Test(cli_usage, wrong_port)
{
	struct outcome o = run_cli("explain", "--from", "a/b", "--to", "c/d", "--port", "http/tcp");

	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "8080/tcp");
	outcome_done(&o);
}

Test(cli_reload, done)
{
	struct outcome o = run_against(&server, "{\"ok\":true,\"epoch\":12,\"cut\":3}\n", "reload");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	cr_expect_str_eq(o.out, "policy in force: epoch 12, live connections cut: 3\n");
	expect_request("{\"verb\":\"reload\"}");
	outcome_done(&o);
}

Test(cli_reload, refused)
{
	struct outcome o = run_against(&server,
				       "{\"error\":\"refused\",\"errors\":"
				       "[\"a.yaml:3: spec.mode: expected Enforce or Audit\"]}\n",
				       "reload");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "countersign: refused\n  a.yaml:3: spec.mode: expected");
	outcome_done(&o);
}

Test(cli_reload, not_ok_is_a_failure)
{
	struct outcome o = run_against(&server, "{\"ok\":false}\n", "reload");

	cr_expect_eq(o.code, CLI_FAILED);
	outcome_done(&o);
}

#define STATUS(healthy)                                                                            \
	"{\"healthy\":" healthy ",\"problems\":[\"a thing is broken\"],\"warnings\":[\"beware\"]," \
	"\"version\":\"1.2.3\",\"node\":\"node-a\",\"node_number\":5,\"epoch\":7,"                 \
	"\"default_action\":\"allow\",\"deny\":\"drop\","                                          \
	"\"programs\":{\"attached\":9,\"expected\":10},\"workloads\":[{\"namespace\":\"shop\","    \
	"\"name\":\"checkout\",\"identity\":70368744177663,\"spiffe_id\":\"spiffe://e/x\","        \
	"\"cgroup\":\"shop/checkout\",\"cgroup_id\":4711,\"state\":\"active\"}],"                  \
	"\"policies\":3,\"rules\":4,\"selectors\":5,\"identities\":6,\"not_adopted\":2,"           \
	"\"counters\":[{\"verdict\":\"deny\",\"direction\":\"ingress\",\"reason\":\"BAD_MAC\","    \
	"\"count\":10000}],\"stats\":{\"events_lost\":8},"                                         \
	"\"rule_hits\":[{\"rule\":\"shop/payments#a\",\"hits\":42}],"                              \
	"\"limits\":{\"nodes\":{\"used\":1,"                                                       \
	"\"max\":8192}},\"last_reload\":{\"time\":\"2026-01-02T03:04:05.000Z\",\"ok\":false,"      \
	"\"errors\":[\"x.yaml:1: bad\"]}}\n"

Test(cli_status, healthy)
{
	struct outcome o = run_against(&server, STATUS("true"), "status");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"status\"}");
	expect_in(o.out, "Health       healthy\n");
	expect_in(o.out, "Node         node-a (number 5)\n");
	expect_in(o.out, "9 of 10 attached");
	expect_in(o.out, "epoch 7: 3 policies, 4 rules, 5 selectors");
	expect_in(o.out, "default action allow, the denied get drop");
	expect_in(o.out, "6 known, 2 sockets older than the agent");
	expect_in(o.out, "  - beware\n");
	outcome_done(&o);
}

Test(cli_status, unhealthy)
{
	struct outcome o = run_against(&server, STATUS("false"), "status");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "UNHEALTHY");
	expect_in(o.out, "  - a thing is broken\n");
	expect_in(o.out, "REFUSED: the policy before it stays in force\n  - x.yaml:1: bad\n");
	outcome_done(&o);
}

Test(cli_status, tables)
{
	struct outcome o = run_against(&server, STATUS("true"), "status");

	expect_in(o.out, "WORKLOAD       STATE   IDENTITY        SPIFFE ID     CGROUP ID  CGROUP\n"
			 "shop/checkout  active  70368744177663  spiffe://e/x  4711       "
			 "shop/checkout\n");
	expect_in(o.out, "deny     ingress    BAD_MAC  10000  the tag's MAC is wrong");
	expect_in(o.out, "events_lost  8      verdict events that did not fit the ring\n");
	expect_in(o.out, "nodes  1     8192\n");
	expect_in(o.out, "shop/payments#a  42\n");
	outcome_done(&o);
}

Test(cli_status, json)
{
	struct outcome o = run_against(&server, STATUS("false"), "status", "-o", "json");
	json_t *out = json_loads(o.out, 0, NULL), *want = json_loads(STATUS("false"), 0, NULL);

	cr_expect_eq(o.code, CLI_FAILED, "unhealthy in JSON, too");
	cr_expect(json_equal(out, want));
	json_decref(out);
	json_decref(want);
	outcome_done(&o);
}

Test(cli_status, what_does_not_say_healthy_is_not)
{
	struct outcome o = run_against(&server, "{}\n", "status");

	cr_expect_eq(o.code, CLI_FAILED);
	outcome_done(&o);
}

Test(cli_status, names_cannot_steer_the_terminal)
{
	struct outcome o = run_against(
		&server, "{\"healthy\":true,\"workloads\":[{\"name\":\"a\\u001b[2J\"}]}\n",
		"status");

	expect_in(o.out, "a?[2J");
	outcome_done(&o);
}

#define SIDE(verdict, reason, rule)                                                              \
	"{\"known\":true,\"verdict\":\"" verdict "\",\"reason\":\"" reason "\",\"rule\":\"" rule \
	"\",\"trace\":\"[Admin] Pass (ops#1) -> [NetworkPolicy] Allow (shop/db#second)\","       \
	"\"steps\":["                                                                            \
	"{\"rule\":\"shop/db#first\",\"covers\":false,\"why\":\"port does not match\"},"         \
	"{\"rule\":\"shop/db#second\",\"covers\":true,\"why\":\"decides\"}]}"

#define EXPLAIN "explain", "--from", "shop/checkout", "--to", "shop/db", "--port", "5432/tcp"

Test(cli_explain, allowed)
{
	struct outcome o =
		run_against(&server,
			    "{\"verdict\":\"FORWARDED\",\"egress\":{\"known\":true,"
			    "\"verdict\":\"FORWARDED\",\"reason\":\"NOT_ISOLATED\"},"
			    "\"ingress\":" SIDE("FORWARDED", "RULE", "shop/db#second") "}\n",
			    EXPLAIN);

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"explain\",\"from\":\"shop/checkout\",\"to\":\"shop/db\","
		       "\"port\":5432,\"protocol\":\"TCP\"}");
	expect_in(o.out, "shop/checkout -> shop/db, port 5432/TCP: FORWARDED\n");
	expect_in(o.out, "The connection passes.\n");
	expect_in(o.out, "Egress of shop/checkout: FORWARDED\n");
	expect_in(o.out, "Decided by the default: no policy isolates this direction.\n");
	expect_in(o.out, "No rule was walked.\n");
	expect_in(o.out, "Ingress of shop/db: FORWARDED\n  [Admin] Pass (ops#1) -> "
			 "[NetworkPolicy] Allow (shop/db#second)\n");
	expect_in(o.out, "Decided by shop/db#second: a rule allows it.\n");
	expect_in(o.out, "1. shop/db#first: does not cover it, port does not match\n");
	expect_in(o.out, "2. shop/db#second: covers it, decides\n");
	outcome_done(&o);
}

Test(cli_explain, denied_says_what_to_do)
{
	struct outcome o = run_against(&server,
				       "{\"verdict\":\"DROPPED\",\"ingress\":" SIDE(
					       "DROPPED", "DEFAULT_DENY", "shop/db") "}\n",
				       EXPLAIN);

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "The connection is denied.\n");
	expect_in(o.out, "To change that: add an allow rule");
	expect_not_in(o.out, "Egress");
	outcome_done(&o);
}

Test(cli_explain, audited)
{
	struct outcome o = run_against(&server,
				       "{\"verdict\":\"AUDIT\",\"ingress\":" SIDE(
					       "AUDIT", "POLICY_DENY", "shop/db#second") "}\n",
				       EXPLAIN);

	cr_expect_eq(o.code, CLI_OK);
	expect_in(o.out, "without audit mode it would be denied");
	outcome_done(&o);
}

Test(cli_explain, other_side_is_elsewhere)
{
	struct outcome o = run_against(
		&server, "{\"verdict\":\"FORWARDED\",\"ingress\":{\"known\":false}}\n", EXPLAIN);

	expect_in(o.out, "Ingress of shop/db: not a workload of this node");
	outcome_done(&o);
}

Test(cli_explain, the_agents_own_words)
{
	struct outcome o = run_against(
		&server,
		"{\"verdict\":\"allow\",\"assumes\":\"both sides are verified\",\"ingress\":{"
		"\"known\":true,\"verdict\":\"allow\",\"reason\":\"DEFAULT_DENY\",\"rule\":"
		"\"shop/db\",\"default\":true,\"steps\":[{\"rule\":\"shop/db#a\",\"action\":"
		"\"Allow\",\"covers\":false,\"why\":\"expired\"}]},\"if_inferred\":{\"verdict\":"
		"\"deny\",\"egress\":{\"in_words\":\"egress: the same\"},\"ingress\":{"
		"\"in_words\":\"ingress: needs a verified peer\"}}}\n",
		EXPLAIN);

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_in(o.out, "Decided by the default of shop/db: ");
	expect_in(o.out, "1. Allow shop/db#a: does not cover it, expired\n");
	expect_in(o.out, "\nAssumed: both sides are verified.\n");
	expect_in(o.out, "only inferred from the address: DROPPED\n  egress: the same\n"
			 "  ingress: needs a verified peer\n");
	outcome_done(&o);
}

Test(cli_explain, json)
{
	struct outcome o = run_against(&server, "{\"verdict\":\"DROPPED\",\"extra\":1}\n", EXPLAIN,
				       "-o", "json");
	json_t *out = json_loads(o.out, 0, NULL);

	cr_expect_eq(o.code, CLI_FAILED);
	cr_expect_eq(json_integer_value(json_object_get(out, "extra")), 1);
	json_decref(out);
	outcome_done(&o);
}

Test(cli_explain, no_verdict_is_a_failure)
{
	struct outcome o = run_against(&server, "{\"ingress\":{}}\n", EXPLAIN);

	cr_expect_eq(o.code, CLI_FAILED);
	outcome_done(&o);
}

Test(cli_version, shows_it)
{
	struct outcome o = run_cli("version");

	cr_expect_eq(o.code, CLI_OK);
	cr_expect(startswith(o.out, "countersign "), "%s", o.out);
	cr_expect_gt(strlen(o.out), strlen("countersign \n"));
	outcome_done(&o);
}

Test(cli_version, as_an_option)
{
	struct outcome verb = run_cli("version"), before = run_cli("--version"),
		       behind = run_cli("flows", "--version");

	cr_expect_str_eq(before.out, verb.out);
	cr_expect_str_eq(behind.out, verb.out);
	outcome_done(&verb);
	outcome_done(&before);
	outcome_done(&behind);
}

#define PROBED(programs, epoch, reload)                                                              \
	"{\"healthy\":false,\"problems\":[\"a table is full\"],\"programs\":{\"attached\":" programs \
	",\"expected\":9},\"epoch\":" epoch ",\"last_reload\":{\"ok\":" reload "}}\n"

Test(cli_status, probes)
{
	static const struct {
		const char *check, *answer, *out;
		int code;
	} cases[] = {
		{ "live", "{}\n", "live\n", CLI_OK },
		{ "ready", PROBED("9", "1", "true"), "ready\n", CLI_OK },
		{ "ready", PROBED("8", "1", "true"), "not all programs are attached\n",
		  CLI_FAILED },
		{ "ready", PROBED("9", "0", "true"), "no policy is in force yet\n", CLI_FAILED },
		{ "ready", PROBED("9", "1", "false"), "this agent has put no policy in force yet\n",
		  CLI_FAILED },
		{ "ready", "{}\n", "not all programs are attached\n", CLI_FAILED },
		{ "healthy", PROBED("9", "1", "true"), "a table is full\n", CLI_FAILED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct outcome o =
			run_against(&server, cases[i].answer, "status", "--check", cases[i].check);

		cr_expect_eq(o.code, cases[i].code, "%zu: %s", i, o.err);
		cr_expect_str_eq(o.out, cases[i].out);
		expect_request("{\"verb\":\"status\",\"brief\":true}");
		outcome_done(&o);
	}
}

Test(cli_status, probe_of_nothing)
{
	struct outcome o = run_cli("--state", "/nonexistent", "status", "--check", "live");

	cr_expect_eq(o.code, CLI_FAILED);
	outcome_done(&o);
	o = run_cli("status", "--check", "alive");
	cr_expect_eq(o.code, CLI_USAGE);
	outcome_done(&o);
}

Test(cli_flows, of_a_namespace_or_workload)
{
	struct outcome o = run_against(&server, "", "flows", "-n", "shop", "--workload", "a/b");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_request("{\"verb\":\"flows\",\"last\":20,\"follow\":false,\"namespace\":\"shop\","
		       "\"workload\":\"a/b\"}");
	outcome_done(&o);
}
