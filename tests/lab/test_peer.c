/* SPDX-License-Identifier: Apache-2.0 */
/* Who is my peer: getsockopt() on a connection, in every state. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "peer");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(peer, .init = setup, .fini = teardown, .timeout = 90);

Test(peer, the_client_learns_the_verified_server)
{
	json_t *reply = world_connect(&w, w.client, SERVER4 ":8080");

	must_know_peer(reply, "verified", SPIFFE("payments"));
	cr_assert_gt(lab_int(reply, "peer.identity"), 255);
	cr_assert_eq(lab_int(reply, "peer.node"), 1);
}

Test(peer, the_identity_number_is_the_one_in_status)
{
	json_t *workload, *workloads = json_object_get(lab_status(w.lab), "workloads");
	json_int_t number = 0;
	size_t i;

	json_array_foreach(workloads, i, workload)
		if (streq(lab_str(workload, "name"), "payments"))
			number = lab_int(workload, "identity");
	cr_assert_gt(number, 255);
	cr_assert_eq(lab_int(world_connect(&w, w.client, SERVER4 ":8080"), "peer.identity"),
		     number);
}

Test(peer, the_server_learns_the_verified_client_at_accept)
{
	struct lab_process *server = lab_serve(w.lab, w.server, "--report", SERVER4 ":8081");
	json_t *line;

	must_answer(world_connect(&w, w.client, SERVER4 ":8081"));
	line = lab_read(server, LAB_WAIT_MS);
	cr_assert_neq(lab_str(line, "accepted")[0], 0);
	must_know_peer(line, "verified", SPIFFE("checkout"));
	line = lab_read(server, LAB_WAIT_MS);
	cr_assert_neq(lab_str(line, "received")[0], 0);
	must_know_peer(line, "verified", SPIFFE("checkout"));
}

Test(peer, an_unguarded_client_is_not_verified)
{
	struct lab_process *server = lab_serve(w.lab, w.other, "--report", OTHER4 ":8081");
	json_t *line;

	must_answer(world_connect(&w, w.outside, OTHER4 ":8081"));
	line = lab_read(server, LAB_WAIT_MS);
	cr_assert_str_neq(lab_str(line, "peer.authentication"), "verified");
	cr_assert_str_eq(lab_str(line, "peer.spiffe_id"), "");
}

Test(peer, a_socket_without_connection_has_no_peer)
{
	json_t *reply = lab_connect(w.lab, w.other, "--timeout=300", SERVER4 ":8080");

	must_time_out(reply);
	cr_assert_eq(lab_int(reply, "peer_errno"), ENOTCONN);
}

Test(peer, an_unguarded_program_learns_nothing)
{
	lab_serve(w.lab, w.other, OTHER4 ":8081");
	cr_assert_neq(lab_int(world_connect(&w, w.outside, OTHER4 ":8081"), "peer_errno"), 0);
}

Test(peer, the_peer_stays_known_after_a_reload)
{
	struct lab_process *hold = lab_traffic(w.lab, w.client, "hold", SERVER4 ":8080");
	json_t *first = lab_read(hold, LAB_WAIT_MS);

	must_know_peer(first, "verified", SPIFFE("payments"));
	lab_reload(w.lab);
	cr_assert_null(lab_read(hold, 300), "the connection goes on");
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

/* docs/examples/peer_server.py, as a reader would run it. */
Test(peer, the_python_example_welcomes_a_verified_client)
{
	const char *script =
		lab_printf(w.lab, "%s/../docs/examples/peer_server.py", lab_program(w.lab, ""));
	struct lab_process *server;
	const char *line = NULL;

	if (access(script, R_OK) < 0 || system("python3 -c '' 2>/dev/null") != 0)
		cr_skip("needs python3 and the source tree");
	server = lab_spawn(w.lab,
			   &(struct lab_spawn){ .place = w.server,
						.argv = LAB_ARGV("python3", script, "8085") });
	for (int i = 0; i < 50 && !line; i++) {
		lab_connect(w.lab, w.client, "--banner", "--timeout=500", SERVER4 ":8085");
		line = lab_read_text(server, 100);
	}
	cr_assert(line, "the example said nothing");
	cr_assert(startswith(line, "verified " SPIFFE("checkout")), "%s", line);
}
