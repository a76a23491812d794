/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets with a past: older than the agent, passed on, on loopback. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "sockets");
	world_usual_policy(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(sockets, .init = setup, .fini = teardown, .timeout = 90);

Test(sockets, a_listener_older_than_the_agent_is_guarded)
{
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	lab_agent_start(w.lab);
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.outside, SERVER4 ":8080"));
}

/* Where the kernel lets us adopt it, its clients are verified; else it is listed. */
Test(sockets, a_listener_older_than_the_agent_is_adopted_or_listed)
{
	struct lab_process *server = lab_serve(w.lab, w.server, "--report", SERVER4 ":8080");
	json_t *reply;

	lab_agent_start(w.lab);
	if (lab_int(lab_status(w.lab), "not_adopted") > 0)
		cr_skip("this kernel cannot adopt listeners; status lists it");
	reply = world_connect(&w, w.client, SERVER4 ":8080");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
	must_know_peer(lab_read(server, LAB_WAIT_MS), "verified", SPIFFE("checkout"));
}

Test(sockets, a_connection_older_than_the_agent_lives_when_allowed)
{
	struct lab_process *hold;

	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	hold = lab_traffic(w.lab, w.client, "hold", SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	lab_agent_start(w.lab);
	cr_assert_null(lab_read(hold, 1500), "the connection goes on without a stall");
	cr_assert(lab_alive(hold));
}

Test(sockets, a_connection_older_than_the_agent_ends_when_denied)
{
	struct lab_process *hold;
	json_t *line;

	lab_serve(w.lab, w.server, SERVER4 ":8080");
	hold = lab_traffic(w.lab, w.other, "hold", SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	lab_agent_start(w.lab);
	line = lab_read(hold, 3000);
	cr_assert(line, "the connection goes on");
	cr_assert(lab_bool(line, "broken") || lab_bool(line, "stalled"));
}

/* The socket belongs to the cgroup that made it; whoever accepts on it. */
Test(sockets, a_listener_passed_to_another_cgroup_keeps_its_makers_identity)
{
	const char *path = lab_path(w.lab, "listener");
	struct lab_process *giver;
	json_t *reply;

	lab_agent_start(w.lab);
	giver = lab_serve(w.lab, w.server, lab_printf(w.lab, "--give=%s", path), SERVER4 ":8080");
	cr_assert(lab_read(giver, LAB_WAIT_MS));
	lab_serve(w.lab, w.other, lab_printf(w.lab, "--take=%s", path));
	reply = world_connect(&w, w.client, SERVER4 ":8080");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
}

Test(sockets, a_workload_reaches_itself_by_loopback)
{
	struct lab_place self = w.server;

	lab_agent_start(w.lab);
	lab_serve(w.lab, self, "127.0.0.1:9000");
	lab_serve(w.lab, self, "[::1]:9000");
	must_answer(world_connect(&w, self, "127.0.0.1:9000"));
	must_answer(world_connect(&w, self, "[::1]:9000"));
}

Test(sockets, a_workload_reaches_itself_by_its_own_address)
{
	lab_agent_start(w.lab);
	lab_serve(w.lab, w.server, SERVER4 ":9000");
	lab_serve(w.lab, w.server, "--udp", SERVER4 ":9000");
	must_answer(world_connect(&w, w.server, SERVER4 ":9000"));
	must_answer(lab_connect(w.lab, w.server, "--udp", SERVER4 ":9000"));
}

Test(sockets, loopback_is_no_way_around_policy)
{
	struct lab_place neighbour = { "shop/other", w.server.host };
	struct lab_place nobody = { "nobody", w.server.host };

	lab_agent_start(w.lab);
	lab_serve(w.lab, w.server, "127.0.0.1:8080");
	lab_serve(w.lab, w.server, "[::1]:8080");
	must_time_out(world_connect(&w, neighbour, "127.0.0.1:8080"));
	must_time_out(world_connect(&w, nobody, "127.0.0.1:8080"));
	must_time_out(world_connect(&w, neighbour, "[::1]:8080"));
}

Test(sockets, loopback_to_an_allowed_neighbour_is_verified)
{
	struct lab_place neighbour = { "shop/checkout", w.server.host };
	json_t *reply;

	lab_agent_start(w.lab);
	lab_serve(w.lab, w.server, "127.0.0.1:8080");
	reply = world_connect(&w, neighbour, "127.0.0.1:8080");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(sockets, a_child_cgroup_belongs_to_its_workload)
{
	struct lab_place child = { "shop/checkout/worker/1", w.client.host };
	json_t *reply;

	lab_agent_start(w.lab);
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	reply = world_connect(&w, child, SERVER4 ":8080");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(sockets, an_ipv4_client_of_a_dual_stack_listener_is_verified)
{
	json_t *reply;

	lab_agent_start(w.lab);
	lab_serve(w.lab, w.server, "[::]:8080");
	reply = world_connect(&w, w.client, SERVER4 ":8080");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
}
