/* SPDX-License-Identifier: Apache-2.0 */
/* Pods are known by their cgroups; who is in one of no known pod waits. */
#include "tests/lab/test_pods_common.h"

#include <sys/stat.h>

static struct pods_world w;

static void setup(void)
{
	pods_new(&w, "pods");
}

static void teardown(void)
{
	pods_done(&w);
}

TestSuite(pods, .init = setup, .fini = teardown, .timeout = 120);

#define SHORT "--timeout=1500"
#define LONG "--timeout=20000"
#define ADDRESS SERVER4 ":8080"

static struct lab_process *start_client(struct lab_place place)
{
	return lab_traffic(w.lab, place, "connect", LONG, ADDRESS);
}

static void must_go_on(struct lab_process *client)
{
	json_t *reply = lab_read(client, LAB_WAIT_MS);

	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("web"));
}

Test(pods, every_shape_of_cgroup_is_found)
{
	pods_start(&w, "--deny", "drop");
	for (int driver = 0; driver < DRIVERS; driver++)
		for (int qos = 0; qos < QOS_CLASSES; qos++) {
			const char *uid = lab_printf(w.lab, "cccccccc-0000-4000-8000-00000000000%d",
						     driver * QOS_CLASSES + qos);
			struct lab_place place = pod_container(&w, driver, qos, uid, w.client);
			json_t *reply;

			pod_known(&w, lab_printf(w.lab, "caller-%d-%d", driver, qos), uid);
			reply = lab_connect(w.lab, place, SHORT, ADDRESS);
			cr_assert(lab_bool(reply, "answered"), "%s", place.cgroup);
			must_know_peer(reply, "verified", SPIFFE("web"));
		}
}

static void waits_and_goes_on(const char *deny)
{
	struct lab_process *client;

	pods_start(&w, "--deny", deny);
	client = start_client(pod_container(&w, SYSTEMD, BEST_EFFORT, CALLER_UID, w.client));
	must_be_silent(client, 1500);
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "EGRESS", .reason = "POD_UNKNOWN");
	pod_known(&w, "caller", CALLER_UID);
	must_go_on(client);
}

Test(pods, an_unknown_pod_waits_and_goes_on)
{
	waits_and_goes_on("drop");
}

Test(pods, an_unknown_pod_is_never_rejected)
{
	waits_and_goes_on("reject");
}

/* What listens was made by an unknown pod; who calls knows nothing of that but silence. */
static void a_listener_waits(const char *deny)
{
	struct lab_place late = pod_container(&w, CGROUPFS, GUARANTEED, CALLER_UID, w.server);
	struct lab_process *client;

	pods_start(&w, "--deny", deny);
	lab_serve(w.lab, late, SERVER4 ":9090");
	client = lab_traffic(w.lab, w.web, "connect", LONG, SERVER4 ":9090");
	must_be_silent(client, 1500);
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "POD_UNKNOWN");
	pod_known(&w, "late", CALLER_UID);
	must_answer(lab_read(client, LAB_WAIT_MS));
	must_answer(lab_connect(w.lab, w.web, SHORT, SERVER4 ":9090"));
}

Test(pods, a_listener_of_an_unknown_pod_waits)
{
	a_listener_waits("drop");
}

Test(pods, a_caller_of_an_unknown_pod_is_never_rejected)
{
	a_listener_waits("reject");
}

Test(pods, datagrams_of_an_unknown_pod_are_lost)
{
	struct lab_place place = pod_container(&w, SYSTEMD, GUARANTEED, CALLER_UID, w.client);
	struct lab_host *free_host = lab_host(w.lab, "free", OTHER4, NULL);

	pods_start(&w, "--deny", "reject");
	lab_serve(w.lab, lab_place(NULL, free_host), "--udp", OTHER4 ":53");
	cr_assert_not(lab_bool(lab_connect(w.lab, place, "--udp", "--timeout=500", OTHER4 ":53"),
			       "answered"));
	pod_known(&w, "caller", CALLER_UID);
	must_answer(lab_connect(w.lab, place, "--udp", "--timeout=1000", OTHER4 ":53"));
}

/* The pod is known long before its cgroup is made: nothing waits for a second SYN. */
Test(pods, a_known_pod_connects_at_once)
{
	enum { PODS = 20 };
	int late = 0;

	for (int i = 0; i < PODS; i++)
		pod_declare(&w, lab_printf(w.lab, "caller-%d", i),
			    lab_printf(w.lab, "dddddddd-0000-4000-8000-0000000000%02d", i));
	pods_start(&w, "--deny", "drop");
	for (int i = 0; i < PODS; i++) {
		const char *uid = lab_printf(w.lab, "dddddddd-0000-4000-8000-0000000000%02d", i);
		json_t *reply = lab_connect(
			w.lab, pod_container(&w, i % DRIVERS, i % QOS_CLASSES, uid, w.client), LONG,
			ADDRESS);

		must_answer(reply);
		late += lab_real(reply, "ms") > 900;
	}
	cr_assert_leq(late, 1, "%d of %d connections were late", late, PODS);
}

Test(pods, a_kubepods_that_comes_later_is_guarded)
{
	struct lab_process *client;

	pods_start(&w, "--deny", "drop");
	lab_cgroup(w.lab, "kubelet/kubepods/besteffort");
	lab_sleep_ms(100);
	client = start_client(
		lab_place("kubelet/kubepods/besteffort/pod" CALLER_UID "/x", w.client));
	must_be_silent(client, 1500);
	pod_known(&w, "caller", CALLER_UID);
	must_go_on(client);
}

/* In a kubepods, but not where pods are: nobody will ever know it. */
Test(pods, what_is_no_pods_cgroup_waits_for_ever)
{
	pods_start(&w, "--deny", "drop");
	pod_known(&w, "caller", CALLER_UID);
	must_time_out(lab_connect(w.lab, lab_place("kubepods.slice/pod" CALLER_UID, w.client),
				  SHORT, ADDRESS));
	must_time_out(lab_connect(w.lab, lab_place("kubepods/x/pod" CALLER_UID, w.client), SHORT,
				  ADDRESS));
}

Test(pods, a_pod_cannot_name_a_cgroup_like_another_pods)
{
	const char *inner =
		lab_printf(w.lab, "%s/kubepods/burstable/pod" CALLER_UID "/x", w.web.cgroup);
	struct lab_process *unknown;

	pods_start(&w, "--deny", "drop");
	pod_known(&w, "caller", CALLER_UID);
	/* It is still the pod web, whom the policy does not let in. */
	must_time_out(lab_connect(w.lab, lab_place(inner, w.client), SHORT, ADDRESS));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .from = SPIFFE("web"), .to = SPIFFE("web"));
	inner = lab_printf(w.lab, "%s/x/kubepods/pod" CALLER_UID,
			   pod_path(&w, CGROUPFS, BURSTABLE, "eeeeeeee-0"));
	unknown = start_client(lab_place(inner, w.client));
	must_be_silent(unknown, 1500);
}

/* As in a subtree that systemd has given to a user. */
Test(pods, a_cgroup_that_is_not_roots_is_no_pods)
{
	struct lab_place place = lab_place("user/kubepods/pod" CALLER_UID, w.client);
	const char *path = lab_cgroup(w.lab, "user");

	cr_assert_eq(chown(path, 1000, 1000), 0);
	pods_start(&w, "--deny", "drop");
	pod_known(&w, "caller", CALLER_UID);
	must_time_out(lab_connect(w.lab, place, SHORT, ADDRESS));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY");
}

Test(pods, a_pod_made_again_is_found_again)
{
	struct lab_place place = pod_container(&w, SYSTEMD, BURSTABLE, CALLER_UID, w.client);

	pods_start(&w, "--deny", "drop");
	pod_known(&w, "caller", CALLER_UID);
	for (int i = 0; i < 3; i++) {
		must_answer(lab_connect(w.lab, place, SHORT, ADDRESS));
		lab_cgroup_remove(w.lab, pod_path(&w, SYSTEMD, BURSTABLE, CALLER_UID));
	}
}

/* A name that stays while the pod behind it is another one, as a StatefulSet does it. */
Test(pods, another_pod_of_the_same_name_is_another_pod)
{
	static const char second[] = "bbbbbbbb-0000-4000-8000-000000000003";
	struct lab_place old = pod_container(&w, SYSTEMD, BURSTABLE, CALLER_UID, w.client);
	struct lab_process *left;

	pods_start(&w, "--deny", "drop");
	pod_known(&w, "caller", CALLER_UID);
	must_answer(lab_connect(w.lab, old, SHORT, ADDRESS));
	pod_known(&w, "caller", second);
	left = start_client(old);
	must_be_silent(left, 1000);
	must_answer(lab_connect(w.lab, pod_container(&w, SYSTEMD, BURSTABLE, second, w.client),
				LONG, ADDRESS));
}

/* The node's own: its API server may be one, and nobody could tell the agent of it. */
Test(pods, a_static_pod_does_not_wait)
{
	static const char hash[] = "0123456789abcdef0123456789abcdef";
	struct lab_host *free_host = lab_host(w.lab, "free", OTHER4, NULL);
	struct lab_place place = pod_container(&w, SYSTEMD, BURSTABLE, hash, w.client);

	lab_serve(w.lab, lab_place(NULL, free_host), OTHER4 ":6443");
	pods_start(&w, "--deny", "drop");
	must_answer(lab_connect(w.lab, place, "--timeout=5000", OTHER4 ":6443"));
	must_time_out(lab_connect(w.lab, place, SHORT, ADDRESS));
	pod_known(&w, "caller", hash);
	must_answer(lab_connect(w.lab, place, SHORT, ADDRESS));
	lab_manifest_remove(w.lab, "pod-caller.yaml");
	lab_reload(w.lab);
	must_answer(lab_connect(w.lab, place, "--timeout=5000", OTHER4 ":6443"));
	must_time_out(lab_connect(w.lab, place, SHORT, ADDRESS));
}

Test(pods, without_the_option_nobody_waits)
{
	struct lab_host *free_host = lab_host(w.lab, "free", OTHER4, NULL);
	struct lab_place place = pod_container(&w, SYSTEMD, BURSTABLE, CALLER_UID, w.client);

	lab_serve(w.lab, lab_place(NULL, free_host), OTHER4 ":6443");
	lab_agent_start(w.lab);
	lab_serve(w.lab, w.web, ADDRESS);
	must_answer(lab_connect(w.lab, place, SHORT, OTHER4 ":6443"));
	must_time_out(lab_connect(w.lab, place, SHORT, ADDRESS));
	pod_known(&w, "caller", CALLER_UID);
	must_answer(lab_connect(w.lab, place, SHORT, ADDRESS));
}
