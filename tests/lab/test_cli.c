/* SPDX-License-Identifier: Apache-2.0 */
/* countersign(1) against a live agent. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "cli");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(cli, .init = setup, .fini = teardown, .timeout = 60);

Test(cli, status_of_a_healthy_agent)
{
	const char *text;
	int code;

	text = lab_cli(w.lab, &code, "status");
	cr_assert_eq(code, 0, "%s", text);
	cr_assert(strstr(text, "shop/payments"), "%s", text);
	cr_assert(strstr(text, "shop/checkout"), "%s", text);
}

Test(cli, status_finds_the_agent_by_option)
{
	int code;

	lab_cli(w.lab, &code, "status", "--state", lab_path(w.lab, "state"));
	cr_assert_eq(code, 0);
}

Test(cli, status_fails_without_an_agent)
{
	int code;

	lab_agent_stop(w.lab);
	lab_cli(w.lab, &code, "status");
	cr_assert_neq(code, 0);
}

Test(cli, status_fails_when_the_agent_is_unhealthy)
{
	int code;

	lab_manifest(w.lab, "wrong.yaml", "kind: Nonsense\n");
	lab_try_reload(w.lab);
	lab_cli(w.lab, &code, "status");
	cr_assert_neq(code, 0);
}

Test(cli, flows_as_json_lines)
{
	const char *text;
	json_t *first;
	int code;

	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .direction = "INGRESS", .from = SPIFFE("checkout"), .port = 8080);
	text = lab_cli(w.lab, &code, "flows", "-o", "json");
	cr_assert_eq(code, 0);
	first = lab_keep(w.lab, json_loads(text, JSON_DISABLE_EOF_CHECK, NULL));
	cr_assert_str_eq(lab_str(first, "flow.verdict"), "FORWARDED");
	cr_assert_str_eq(lab_str(first, "flow.Type"), "L3_L4");
}

Test(cli, flows_by_verdict)
{
	const char *text;
	int code;

	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .from = SPIFFE("other"));
	text = lab_cli(w.lab, &code, "flows", "--verdict", "DROPPED", "-o", "json");
	cr_assert_eq(code, 0);
	cr_assert(strstr(text, "\"DROPPED\""), "%s", text);
	cr_assert_null(strstr(text, "\"FORWARDED\""), "%s", text);
}

Test(cli, flows_from_a_workload)
{
	const char *text;
	int code;

	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .from = SPIFFE("other"));
	text = lab_cli(w.lab, &code, "flows", "--from-workload", "shop/other");
	cr_assert_eq(code, 0);
	cr_assert(strstr(text, "shop/other"), "%s", text);
	cr_assert_null(strstr(text, "shop/checkout"), "%s", text);
}

Test(cli, flows_follow_live)
{
	const char *argv[] = {
		lab_program(w.lab, "countersign"), "flows", "-f", "-o", "json", "--state",
		lab_path(w.lab, "state"),	   NULL
	};
	struct lab_process *p = lab_spawn(w.lab, &(struct lab_spawn){ .argv = argv });
	json_t *line;

	lab_sleep_ms(300);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	line = lab_read(p, 3000);
	cr_assert(line, "nothing was followed");
	cr_assert_str_eq(lab_str(line, "flow.verdict"), "FORWARDED");
}

Test(cli, explain_says_who_and_why)
{
	const char *text;
	int code;

	text = lab_cli(w.lab, &code, "explain", "--from", "shop/checkout", "--to", "shop/payments",
		       "--port", "8080/tcp");
	cr_assert(strstr(text, "from-checkout"), "%s", text);
	text = lab_cli(w.lab, &code, "explain", "--from", "shop/other", "--to", "shop/payments",
		       "--port", "8080/tcp", "-o", "json");
	cr_assert(lab_keep(w.lab, json_loads(text, 0, NULL)), "not JSON: %s", text);
}

/* What explain says is what the kernel does. */
Test(cli, explain_agrees_with_the_kernel)
{
	static const struct {
		const char *from;
		bool allowed;
	} cases[] = { { "shop/checkout", true }, { "shop/other", false } };
	const char *text;
	json_t *answer;
	int code;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *reply =
			world_connect(&w, cases[i].allowed ? w.client : w.other, SERVER4 ":8080");

		text = lab_cli(w.lab, &code, "explain", "--from", cases[i].from, "--to",
			       "shop/payments", "--port", "8080/tcp", "-o", "json");
		answer = lab_keep(w.lab, json_loads(text, 0, NULL));
		cr_assert_eq(lab_bool(reply, "answered"), cases[i].allowed);
		cr_assert_str_eq(lab_str(answer, "verdict"), cases[i].allowed ? "allow" : "deny",
				 "%s", text);
	}
}
