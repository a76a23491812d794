/* SPDX-License-Identifier: Apache-2.0 */
/* Tags go only where they are known, and only in answer to tags. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "leak");
	world_usual_policy(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(leak, .init = setup, .fini = teardown, .timeout = 60);

#define STRANGE4 "10.77.0.9"
#define STRANGE6 "fd77::9"

static struct lab_place strange; /* a host that no manifest names */

/* Tagged segments seen at @host while @from connects to @address. */
static json_int_t tagged(struct lab_host *host, struct lab_place from, const char *address)
{
	struct lab_process *capture;
	json_t *totals;

	capture = lab_traffic(w.lab, lab_place(NULL, host), "capture", "--iface=eth0", "--summary");
	cr_assert(lab_read(capture, LAB_WAIT_MS));
	must_answer(world_connect(&w, from, address));
	lab_sleep_ms(50);
	lab_signal(capture, SIGTERM);
	totals = lab_read(capture, LAB_WAIT_MS);
	cr_assert_gt(lab_int(totals, "segments"), 4);
	return lab_int(totals, "tagged");
}

static void start(const char *flag, const char *value)
{
	struct lab_host *host = lab_host(w.lab, "strange", STRANGE4, STRANGE6);

	strange = lab_place(NULL, host);
	lab_agent_start(w.lab, flag, value);
	lab_serve(w.lab, strange, STRANGE4 ":80");
	lab_serve(w.lab, strange, "[" STRANGE6 "]:80");
}

Test(leak, no_tag_towards_an_unknown_address)
{
	start(NULL, NULL);
	cr_assert_eq(tagged(strange.host, w.client, STRANGE4 ":80"), 0);
	cr_assert_eq(tagged(strange.host, w.client, "[" STRANGE6 "]:80"), 0);
}

Test(leak, tags_towards_a_known_workload)
{
	start(NULL, NULL);
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	cr_assert_geq(tagged(w.server.host, w.client, SERVER4 ":8080"), 3, "SYN, SYN-ACK, ACK");
}

Test(leak, no_tag_on_the_syn_ack_to_an_untagged_syn)
{
	start(NULL, NULL);
	lab_serve(w.lab, w.other, OTHER4 ":8080");
	cr_assert_eq(tagged(strange.host, strange, OTHER4 ":8080"), 0);
}

Test(leak, tags_towards_a_tag_network)
{
	start("--tag-networks", STRANGE4 "/32");
	cr_assert_geq(tagged(strange.host, w.client, STRANGE4 ":80"), 1);
	cr_assert_eq(tagged(strange.host, w.client, "[" STRANGE6 "]:80"), 0);
}

Test(leak, no_tag_on_data_once_the_server_has_spoken)
{
	struct lab_process *capture, *hold;
	json_t *totals;

	start(NULL, NULL);
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	hold = lab_traffic(w.lab, w.client, "hold", SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	lab_sleep_ms(100);
	capture = lab_traffic(w.lab, lab_place(NULL, w.server.host), "capture", "--iface=eth0",
			      "--summary");
	lab_read(capture, LAB_WAIT_MS);
	lab_sleep_ms(300);
	lab_signal(capture, SIGTERM);
	totals = lab_read(capture, LAB_WAIT_MS);
	cr_assert_gt(lab_int(totals, "segments"), 10);
	cr_assert_eq(lab_int(totals, "tagged"), 0);
}

Test(leak, datagrams_carry_no_tag)
{
	start(NULL, NULL);
	lab_serve(w.lab, strange, "--udp", STRANGE4 ":53");
	must_answer(lab_connect(w.lab, w.client, "--udp", STRANGE4 ":53"));
}
