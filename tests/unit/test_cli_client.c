/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation with the agent, and what people see when it goes wrong. */
#include "test_cli_server.h"

static struct server server;

Test(cli_client, no_socket)
{
	struct outcome o = run_cli("--state", "/nonexistent/state", "status");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "/nonexistent/state/agent.sock: No such file or directory");
	expect_in(o.err, "is countersignd running?");
	expect_in(o.err, "try --state");
	cr_expect_str_empty(o.out);
	outcome_done(&o);
}

Test(cli_client, nobody_listens)
{
	struct outcome o;

	server_start(&server, "");
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	o = run_cli("--state", server.directory, "status");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "Connection refused");
	expect_in(o.err, "is countersignd running?");
	unlink(server.path);
	rmdir(server.directory);
	outcome_done(&o);
}

Test(cli_client, state_path_too_long)
{
	char path[300];
	struct outcome o;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	o = run_cli("--state", path, "reload");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "too long for a Unix socket");
	outcome_done(&o);
}

Test(cli_client, state_from_the_environment)
{
	struct outcome o;

	server_start(&server, "{\"ok\":true,\"epoch\":3,\"cut\":0}\n");
	setenv("COUNTERSIGN_STATE", server.directory, 1);
	o = run_cli("reload");
	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	server_stop(&server);
	outcome_done(&o);
}

Test(cli_client, option_beats_the_environment)
{
	struct outcome o;

	setenv("COUNTERSIGN_STATE", "/nonexistent/environment", 1);
	o = run_cli("--state", "/nonexistent/option", "reload");
	expect_in(o.err, "/nonexistent/option/agent.sock");
	outcome_done(&o);
	o = run_cli("reload", "--state", "/nonexistent/behind");
	expect_in(o.err, "/nonexistent/behind/agent.sock");
	outcome_done(&o);
}

Test(cli_client, default_state)
{
	struct outcome o;

	setenv("COUNTERSIGN_STATE", "", 1);
	o = run_cli("help");
	expect_in(o.out, "/run/countersign");
	outcome_done(&o);
}

Test(cli_client, agent_error)
{
	struct outcome o = run_against(&server, "{\"error\":\"no such verb\"}\n", "status");

	cr_expect_eq(o.code, CLI_FAILED);
	cr_expect_str_eq(o.err, "countersign: no such verb\n");
	cr_expect_str_empty(o.out);
	outcome_done(&o);
}

Test(cli_client, agent_errors_with_control_characters)
{
	struct outcome o = run_against(
		&server, "{\"error\":\"refused\",\"errors\":[\"a.yaml:3: \\u001b[31mbad\", 7]}\n",
		"reload");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "  a.yaml:3: ?[31mbad\n");
	expect_in(o.err, "(not a text)");
	outcome_done(&o);
}

Test(cli_client, no_answer)
{
	struct outcome o = run_against(&server, "", "status");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "closed the connection without an answer");
	outcome_done(&o);
}

Test(cli_client, half_a_line)
{
	struct outcome o = run_against(&server, "{\"ok\":true", "reload");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "breaks off");
	cr_expect_str_empty(o.out);
	outcome_done(&o);
}

struct junk_case {
	char answer[48];
};

ParameterizedTestParameters(cli_client, junk)
{
	static struct junk_case cases[] = {
		{ "hello\n" },	    { "\n" },	     { "[]\n" },       { "7\n" },
		{ "{\"a\":1}x\n" }, { "{\"a\":\n" }, { "\xff\xfe\n" }, { "{\"ok\":1,\"ok\":1}\n" },
	};

	return cr_make_param_array(struct junk_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct junk_case *c, cli_client, junk)
{
	struct outcome o = run_against(&server, c->answer, "reload");

	cr_expect_eq(o.code, CLI_FAILED, "%s", c->answer);
	expect_in(o.err, "the answer is not JSON");
	outcome_done(&o);
}

Test(cli_client, nul_bytes_are_junk)
{
	static const char answer[] = "{\"ok\":true}\0\n";
	struct outcome o;

	server_start_bytes(&server, answer, sizeof(answer) - 1);
	o = run_cli("--state", server.directory, "reload");
	server_stop(&server);
	cr_expect_eq(o.code, CLI_FAILED);
	outcome_done(&o);
}

Test(cli_client, endless_line)
{
	size_t length = CLIENT_LINE_MAX + 1;
	char *answer = malloc(length);
	struct outcome o;

	cr_assert_not_null(answer);
	memset(answer, ' ', length);
	server_start_bytes(&server, answer, length);
	o = run_cli("--state", server.directory, "status");
	server_stop(&server);
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "longer than 16 MiB");
	outcome_done(&o);
	free(answer);
}

Test(cli_client, long_line_in_many_pieces)
{
	enum { PROBLEMS = 20000 };
	char *answer = NULL;
	size_t length;
	FILE *out = open_memstream(&answer, &length);
	struct outcome o;

	fprintf(out, "{\"healthy\":true,\"problems\":[");
	for (int i = 0; i < PROBLEMS; i++)
		fprintf(out, "%s\"problem number %d\"", i ? "," : "", i);
	fprintf(out, "]}\n");
	fclose(out);
	o = run_against(&server, answer, "status");
	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_in(o.out, "problem number 0\n");
	expect_in(o.out, "problem number 19999\n");
	outcome_done(&o);
	free(answer);
}

Test(cli_client, arguments_that_are_not_utf8)
{
	struct outcome o = run_cli("--state", "/nonexistent", "explain", "--from", "\xff", "--to",
				   "a/b", "--port", "1");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "UTF-8");
	outcome_done(&o);
}
