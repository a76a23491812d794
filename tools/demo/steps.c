/* SPDX-License-Identifier: Apache-2.0 */
/* What happens on the stage. Every step states what must be seen before it looks. */
#include "tools/demo/demo.h"

#include <signal.h>

#define CURL_DENIED "times out"
#define CUT_WITHIN_MS 1000
#define FORGERIES "2000"

static const char *run(struct demo *demo, struct lab_place place, const char *const *argv,
		       int *ret_code)
{
	struct lab_spawn spec = { .place = place, .argv = argv };
	struct lab_process *p = lab_spawn(demo->lab, &spec);
	const char *line = lab_read_text(p, LAB_WAIT_MS);

	*ret_code = lab_wait(p, LAB_WAIT_MS);
	return line ? line : "";
}

static const char *curl(struct demo *demo, struct lab_place place)
{
	int code;
	const char *text = run(demo, place,
			       LAB_ARGV("curl", "-s", "--max-time", "2", "http://" WEB ":8080/"),
			       &code);

	if (code == 28)
		return CURL_DENIED;
	return code == 0 ? text : lab_printf(demo->lab, "curl ends with %d", code);
}

static const char *redis_ping(struct demo *demo, struct lab_place place)
{
	int code;
	const char *text =
		run(demo, place, LAB_ARGV("timeout", "2", "redis-cli", "-h", CACHE, "PING"), &code);

	if (code == 124)
		return "times out";
	return code == 0 ? text : lab_printf(demo->lab, "redis-cli ends with %d", code);
}

/* What the agent reported: "verdict authentication", or that it reported nothing. */
static const char *verdict(struct demo *demo, const struct lab_expect *expect)
{
	json_t *flow = lab_flow(demo->lab, expect, 2000);

	if (!flow)
		return "no such verdict";
	return lab_printf(demo->lab, "%s, %s", lab_str(flow, "verdict"),
			  lab_str(flow, "extensions.countersign.authentication"));
}

#define VERDICT(demo, ...) verdict(demo, &(struct lab_expect){ __VA_ARGS__ })
#define ID(who) "spiffe://example.org/ns/" who

static void allowed(struct demo *demo)
{
	demo_say("checkout asks nginx; report asks redis: both are allowed");
	demo_step(demo, "curl, shop/checkout -> shop/web", "welcome to the shop",
		  curl(demo, demo->checkout));
	demo_step(demo, "  its verdict at nginx", "FORWARDED, verified",
		  VERDICT(demo, .direction = "INGRESS", .verdict = "FORWARDED",
			  .from = ID("shop/sa/checkout"), .to = ID("shop/sa/web"), .port = 8080));
	demo_step(demo, "redis-cli, ops/report -> shop/cache", "PONG",
		  redis_ping(demo, demo->report));
	demo_show_flows(demo);
}

static void denied(struct demo *demo)
{
	demo_say(
		"report asks nginx; then a program without identity does, from checkout's address");
	demo_step(demo, "curl, ops/report -> shop/web", CURL_DENIED, curl(demo, demo->report));
	demo_step(demo, "curl, no identity, checkout's IP", CURL_DENIED,
		  curl(demo, demo->stranger));
	demo_show_flows(demo);
}

/* A tag as the wire shows it, taken from a real connection of checkout's. */
static const json_t *captured(struct demo *demo, struct lab_process *capture, int flags)
{
	json_t *line;

	while ((line = lab_read(capture, 2000)))
		if (lab_int(line, "flags") == flags &&
		    startswith(lab_str(line, "src"), "10.77.0.1:"))
			return line;
	lab_fail(demo->lab, "no tagged segment was seen");
}

static void forged(struct demo *demo)
{
	struct lab *lab = demo->lab;
	struct lab_process *capture, *forge;
	const json_t *syn, *ack, *totals;
	uint64_t before = lab_counter(lab, "deny", "BAD_MAC");

	demo_say("an attacker on the same wire records checkout's tags and forges " FORGERIES
		 " handshakes with them");
	capture = lab_traffic(lab, lab_place(NULL, lab_hub(lab)), "capture", "--iface=p-checkout");
	lab_read(capture, LAB_WAIT_MS);
	curl(demo, demo->checkout);
	syn = captured(demo, capture, 0x02);
	ack = captured(demo, capture, 0x10);
	lab_kill(capture);
	forge = lab_traffic(lab, demo->attacker, "forge", "--iface=eth0", "--bind=10.77.0.66:0",
			    lab_printf(lab, "--mac=%s", lab_host_mac(demo->web.host)),
			    lab_printf(lab, "--claim=%s", lab_str(syn, "tag")),
			    lab_printf(lab, "--tag=%s", lab_str(ack, "tag")), "--mode=guess",
			    "--count=" FORGERIES, WEB ":8080");
	totals = lab_read(forge, 3 * LAB_WAIT_MS);
	lab_check(lab, totals, "the forger says nothing");
	demo_step(demo, "forged tags accepted by nginx", "0 of " FORGERIES,
		  lab_printf(lab, "%lld of %lld", (long long)lab_int(totals, "accepted"),
			     (long long)lab_int(totals, "tries")));
	demo_step(demo, "  forgeries counted as BAD_MAC", "at least " FORGERIES,
		  lab_counter(lab, "deny", "BAD_MAC") - before >= strtoull(FORGERIES, NULL, 10)
			  ? "at least " FORGERIES
			  : lab_printf(lab, "%llu",
				       (unsigned long long)(lab_counter(lab, "deny", "BAD_MAC") -
							    before)));
	demo_show_flows(demo);
}

static void audited(struct demo *demo)
{
	demo_say("checkout asks redis: a policy in Audit mode would deny it");
	demo_step(demo, "redis-cli, shop/checkout -> shop/cache", "PONG",
		  redis_ping(demo, demo->checkout));
	demo_step(demo, "  its verdict at redis", "AUDIT, verified",
		  VERDICT(demo, .direction = "INGRESS", .verdict = "AUDIT",
			  .from = ID("shop/sa/checkout"), .to = ID("shop/sa/cache"), .port = 6379));
	demo_show_flows(demo);
}

static void who_is_my_peer(struct demo *demo)
{
	struct lab_process *server;
	json_t *line;

	demo_say("a server of shop/web asks the kernel who has connected");
	server = lab_serve(demo->lab, demo->web, "--report", WEB ":8081");
	lab_connect(demo->lab, demo->checkout, WEB ":8081");
	line = lab_read(server, 2000);
	demo_step(demo, "getsockopt(COUNTERSIGN_PEER)", ID("shop/sa/checkout") ", verified",
		  lab_printf(demo->lab, "%s, %s", lab_str(line, "peer.spiffe_id"),
			     lab_str(line, "peer.authentication")));
	lab_kill(server);
	demo_show_flows(demo);
}

static void cut(struct demo *demo)
{
	struct lab *lab = demo->lab;
	struct lab_process *live;
	uint64_t start;
	bool ended;
	json_t *reply;

	demo_say("report listens to redis; the policy changes; its live connection is cut");
	live = lab_spawn(lab, &(struct lab_spawn){ .place = demo->report,
						   .argv = LAB_ARGV("redis-cli", "-h", CACHE,
								    "SUBSCRIBE", "news") });
	lab_check(lab, lab_read_text(live, LAB_WAIT_MS), "redis-cli did not subscribe");
	demo_policy(demo, false);
	start = lab_now_ms();
	reply = lab_reload(lab);
	demo_say("reload: epoch %lld, %lld connections cut, %llu ms",
		 (long long)lab_int(reply, "epoch"), (long long)lab_int(reply, "cut"),
		 (unsigned long long)(lab_now_ms() - start));
	while (lab_alive(live) && lab_now_ms() < start + CUT_WITHIN_MS)
		lab_sleep_ms(5);
	ended = !lab_alive(live);
	demo_step(demo, "redis-cli's live connection", "broken within a second",
		  ended ? "broken within a second" : "lives on");
	lab_kill(live);
	demo_step(demo, "redis-cli, ops/report -> shop/cache", "times out",
		  redis_ping(demo, demo->report));
	demo_step(demo, "curl, shop/checkout -> shop/web", "welcome to the shop",
		  curl(demo, demo->checkout));
	demo_show_flows(demo);
}

void demo_steps(struct demo *demo)
{
	allowed(demo);
	denied(demo);
	forged(demo);
	audited(demo);
	who_is_my_peer(demo);
	cut(demo);
}
