/* SPDX-License-Identifier: Apache-2.0 */
/* The agent ends, dies, comes back: enforcement does not notice. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "restart");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(restart, .init = setup, .fini = teardown, .timeout = 120);

static struct lab_process *allowed, *denied;

static void load_starts(void)
{
	allowed = lab_traffic(w.lab, w.client, "connect", "--count=0", "--summary", "--reset",
			      "--timeout=3000", SERVER4 ":8080");
	denied = lab_traffic(w.lab, w.other, "connect", "--count=0", "--summary", "--timeout=20",
			     SERVER4 ":8080");
	lab_sleep_ms(300);
}

static void load_saw_nothing(void)
{
	json_t *tally;

	lab_sleep_ms(300);
	lab_signal(allowed, SIGTERM);
	lab_signal(denied, SIGTERM);
	tally = lab_read(allowed, LAB_WAIT_MS);
	cr_assert_gt(lab_int(tally, "answered"), 100);
	cr_assert_eq(lab_int(tally, "failed"), 0, "allowed connections failed: %s",
		     json_dumps(tally, 0));
	tally = lab_read(denied, LAB_WAIT_MS);
	cr_assert_gt(lab_int(tally, "attempts"), 10);
	cr_assert_eq(lab_int(tally, "connected"), 0, "denied connections passed");
}

Test(restart, kill_9_under_load)
{
	load_starts();
	lab_agent_kill9(w.lab);
	lab_sleep_ms(1000);
	lab_agent_restart(w.lab);
	load_saw_nothing();
}

Test(restart, kill_9_ten_times_under_load)
{
	load_starts();
	for (int i = 0; i < 10; i++) {
		lab_agent_kill9(w.lab);
		lab_agent_restart(w.lab);
	}
	load_saw_nothing();
}

Test(restart, sigterm_and_start_under_load)
{
	load_starts();
	lab_agent_stop(w.lab);
	lab_sleep_ms(500);
	lab_agent_restart(w.lab);
	load_saw_nothing();
}

/* A newer build: the same program at another path, so that nothing of the file is shared. */
Test(restart, the_binary_is_replaced_under_load)
{
	const char *copy = lab_path(w.lab, "newer");
	const char *command = lab_printf(w.lab, "mkdir %s && cp %s %s/countersignd", copy,
					 lab_program(w.lab, "countersignd"), copy);

	cr_assert_eq(system(command), 0);
	load_starts();
	lab_agent_stop(w.lab);
	lab_agent_program(w.lab, lab_printf(w.lab, "%s/countersignd", copy));
	lab_agent_restart(w.lab);
	load_saw_nothing();
}

Test(restart, a_held_connection_survives)
{
	struct lab_process *hold = lab_traffic(w.lab, w.client, "hold", SERVER4 ":8080");

	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	lab_agent_kill9(w.lab);
	lab_agent_restart(w.lab);
	cr_assert_null(lab_read(hold, 500));
	cr_assert(lab_alive(hold));
}

Test(restart, enforcement_goes_on_without_the_agent)
{
	json_t *reply;

	lab_agent_kill9(w.lab);
	reply = world_connect(&w, w.client, SERVER4 ":8080");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.stranger, SERVER4 ":8080"));
}

Test(restart, a_policy_changed_meanwhile_is_in_force_after_the_start)
{
	lab_agent_kill9(w.lab);
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress: []\n");
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	lab_agent_restart(w.lab);
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(restart, counters_survive)
{
	uint64_t before;

	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	before = lab_counter(w.lab, "deny", "DEFAULT_DENY");
	cr_assert_gt(before, 0);
	lab_agent_kill9(w.lab);
	lab_agent_restart(w.lab);
	cr_assert_geq(lab_counter(w.lab, "deny", "DEFAULT_DENY"), before);
}

Test(restart, wrong_manifests_at_the_start_leave_enforcement_in_place)
{
	lab_agent_stop(w.lab);
	lab_manifest(w.lab, "policy-payments.yaml", "kind: Nonsense\n");
	lab_agent_restart(w.lab);
	cr_assert(!lab_bool(lab_status(w.lab), "healthy"));
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
}

Test(restart, a_second_agent_is_refused)
{
	cr_assert_neq(lab_agent_start_fails(w.lab), 0);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(restart, uninstall_removes_everything)
{
	const char *bpffs = lab_path(w.lab, "bpffs");

	lab_agent_stop(w.lab);
	cr_assert_eq(lab_agent_uninstall(w.lab), 0);
	must_answer(world_connect(&w, w.other, SERVER4 ":8080"));
	must_answer(world_connect(&w, w.stranger, SERVER4 ":8080"));
	cr_assert_eq(system(lab_printf(w.lab, "test -z \"$(ls -A %s 2>/dev/null)\"", bpffs)), 0,
		     "pins are left");
	cr_assert_eq(lab_agent_uninstall(w.lab), 0, "a second time is fine");
}
