/* SPDX-License-Identifier: Apache-2.0 */
/* The lab tested with plain traffic: no agent, so everything must get through. */
#include "tests/lab/lab_internal.h"
#include "tests/lab/test_common.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "self");
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(self, .init = setup, .fini = teardown, .timeout = 60);

Test(self, plain_tcp_over_ipv4_is_answered)
{
	json_t *reply;

	lab_serve(w.lab, w.server, "10.77.0.2:8080");
	reply = lab_connect(w.lab, w.client, "10.77.0.2:8080");
	cr_assert(lab_bool(reply, "answered"), "%s", lab_str(reply, "error"));
	cr_assert_eq(lab_int(reply, "peer_errno"), EOPNOTSUPP, "nobody guards this socket");
}

Test(self, plain_tcp_over_ipv6_is_answered)
{
	lab_serve(w.lab, w.server, "[fd77::2]:8080");
	cr_assert(lab_bool(lab_connect(w.lab, w.client, "[fd77::2]:8080"), "answered"));
}

Test(self, plain_udp_is_answered)
{
	lab_serve(w.lab, w.server, "--udp", "10.77.0.2:8080");
	cr_assert(lab_bool(lab_connect(w.lab, w.client, "--udp", "10.77.0.2:8080"), "answered"));
}

Test(self, mptcp_is_spoken_on_request)
{
	lab_serve(w.lab, w.server, "--mptcp", "10.77.0.2:8080");
	cr_assert(lab_bool(lab_connect(w.lab, w.client, "--mptcp", "10.77.0.2:8080"), "answered"));
}

Test(self, a_closed_port_refuses)
{
	json_t *reply = lab_connect(w.lab, w.client, "10.77.0.2:8081");

	cr_assert_eq(lab_int(reply, "errno"), ECONNREFUSED);
}

Test(self, a_given_listener_is_served_by_its_taker)
{
	const char *path = lab_path(w.lab, "listener");
	struct lab_process *giver;

	giver = lab_serve(w.lab, w.other, lab_printf(w.lab, "--give=%s", path), "10.77.0.3:8080");
	cr_assert(lab_read(giver, LAB_WAIT_MS), "the giver waits for a taker");
	lab_serve(w.lab, w.server, lab_printf(w.lab, "--take=%s", path));
	cr_assert(lab_bool(lab_connect(w.lab, w.client, "10.77.0.3:8080"), "answered"));
}

Test(self, a_held_connection_says_when_it_breaks)
{
	struct lab_process *server = lab_serve(w.lab, w.server, "10.77.0.2:8080");
	struct lab_process *hold = lab_traffic(w.lab, w.client, "hold", "10.77.0.2:8080");

	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	lab_kill(server);
	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "broken"));
}

Test(self, the_capture_sees_plain_segments_and_no_tags)
{
	struct lab_process *capture;
	json_t *totals;

	lab_serve(w.lab, w.server, "10.77.0.2:8080");
	capture = lab_traffic(w.lab, w.server, "capture", "--iface=eth0");
	cr_assert(lab_read(capture, LAB_WAIT_MS));
	lab_connect(w.lab, w.client, "10.77.0.2:8080");
	lab_signal(capture, SIGTERM);
	totals = lab_read(capture, LAB_WAIT_MS);
	cr_assert_gt(lab_int(totals, "segments"), 4);
	cr_assert_eq(lab_int(totals, "tagged"), 0);
}

/* Without an agent the forger does get in: the test of its own eyes. */
Test(self, the_forger_sees_when_it_is_accepted)
{
	struct lab_process *forge;
	json_t *totals;

	lab_serve(w.lab, w.server, "10.77.0.2:8080");
	lab_ip(w.lab, w.server.host,
	       lab_printf(w.lab, "neigh add 10.77.0.66 lladdr %s dev eth0\n",
			  lab_host_mac(w.other.host)));
	forge = lab_traffic(w.lab, w.other, "forge", "--iface=eth0", "--bind=10.77.0.66:0",
			    lab_printf(w.lab, "--mac=%s", lab_host_mac(w.server.host)),
			    "--mode=none", "--count=50", "10.77.0.2:8080");
	totals = lab_read(forge, LAB_WAIT_MS);
	cr_assert_eq(lab_int(totals, "tries"), 50);
	cr_assert_geq(lab_int(totals, "accepted"), 50);
}

/* An honest relay carries a connection between hosts that are off the bridge. */
Test(self, the_relay_is_a_wire)
{
	struct lab_host *hub = lab_hub(w.lab);
	struct lab_process *relay;

	lab_ip(w.lab, hub, "link set p-client nomaster\nlink set p-server nomaster\n");
	relay = lab_traffic(w.lab, lab_place(NULL, hub), "relay", "--iface=p-client",
			    "--other=p-server");
	cr_assert(lab_read(relay, LAB_WAIT_MS));
	lab_serve(w.lab, w.server, "10.77.0.2:8080");
	cr_assert(lab_bool(lab_connect(w.lab, w.client, "10.77.0.2:8080"), "answered"));
	lab_serve(w.lab, w.server, "[fd77::2]:8080");
	cr_assert(lab_bool(lab_connect(w.lab, w.client, "[fd77::2]:8080"), "answered"));
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

Test(self, freeing_a_lab_leaves_nothing_behind)
{
	char dir[4096], cgroup[4096];
	pid_t server;

	snprintf(dir, sizeof(dir), "%s", lab_path(w.lab, ""));
	snprintf(cgroup, sizeof(cgroup), "%s/..", lab_guarded(w.lab));
	server = lab_pid(lab_serve(w.lab, w.server, "10.77.0.2:8080"));
	cr_assert(exists(dir) && exists(cgroup));
	world_free(&w);
	cr_assert(!exists(dir), "%s is still there", dir);
	cr_assert(!exists(cgroup), "%s is still there", cgroup);
	cr_assert(kill(server, 0) < 0 && errno == ESRCH, "the server still runs");
}

/* A run in a process of its own that is killed; its pid. */
static pid_t crashed_run(bool with_janitor)
{
	struct world crashed;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		world_new(&crashed, "crash");
		lab_serve(crashed.lab, crashed.server, "10.77.0.2:8080");
		if (!with_janitor)
			kill(crashed.lab->janitor, SIGKILL);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, NULL, 0);
	return child;
}

/* The parent has made one lab before it forked, so the child's is the second. */
static bool run_left_something(pid_t pid)
{
	return exists(lab_printf(w.lab, "/tmp/" LAB_PREFIX "%d-1", pid)) ||
	       exists(lab_printf(w.lab, "%s/../../" LAB_PREFIX "%d-1", lab_guarded(w.lab), pid));
}

Test(self, a_killed_run_is_cleaned_up_by_its_janitor)
{
	pid_t pid = crashed_run(true);

	for (int i = 0; i < 500 && run_left_something(pid); i++)
		lab_sleep_ms(10);
	cr_assert(!run_left_something(pid));
}

Test(self, the_next_run_sweeps_up_behind_a_killed_janitor)
{
	pid_t pid = crashed_run(false);

	cr_assert(run_left_something(pid), "there is nothing to sweep up");
	lab_sweep_leftovers();
	cr_assert(!run_left_something(pid));
}
