/* SPDX-License-Identifier: Apache-2.0 */
/* The table of nodes: what the kernel is told when trust ends and when keys change. */
#include "test_node_fixture.h"

TestSuite(node_trust, .init = start, .fini = stop);

/* ---- the end of trust ---- */

struct end_case {
	enum node_flaw flaw;
	enum cs_reason reason;
	const char *detail;
};

static void expect_end(const struct end_case *c)
{
	static const struct cs_key none;

	cr_assert_eq(node_table_judge(f.table, &f.trust), 0);
	expect("7.json", c->flaw, c->detail, false);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.refusal, c->reason, "%u", f.told.refusal);
	cr_expect_eq(f.told.send_valid | f.told.receive_valid, 0);
	for (size_t i = 0; i < CS_PHASES; i++)
		cr_expect(memcmp(&f.told.send[i], &none, sizeof(none)) == 0 &&
			  memcmp(&f.told.receive[i], &none, sizeof(none)) == 0);
}

Test(node_trust, revoked_by_name_serial_and_id)
{
	char *name[] = { "host-a" }, *id[] = { "spiffe://example.org/countersign/node/host-a" };
	char *serial[] = { "ff01", "abc123" };
	const struct revocations lists[] = {
		{ .nodes = name, .n_nodes = 1 },
		{ .serials = serial, .n_serials = 2 },
		{ .spiffe_ids = id, .n_spiffe_ids = 1 },
	};
	static const char *const details[] = { "the node host-a", "abc123", "/node/host-a" };

	put_text("7.json", record_text("host-a", 7, NOON_MS,
				       &(struct node_svid_options){ .serial = 0xabc123 }));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		f.revocations = (struct revocations){ .n_nodes = 0 };
		read_all();
		expect("7.json", NODE_FLAW_NONE, "", true);
		cr_expect_eq(tell(false), 1);
		cr_expect_eq(f.told.receive_valid, 1);
		f.revocations = lists[i];
		expect_end(&(struct end_case){ NODE_FLAW_REVOKED, CS_REASON_REVOKED, details[i] });
	}
}

Test(node_trust, certificate_expires)
{
	const struct node_svid_options soon = { .not_after_s = NOON_MS / 1000 + 600 };
	int64_t due;

	put_text("7.json", record_text("host-a", 7, NOON_MS, &soon));
	read_all();
	tell(false);
	/* Whoever looks when it is due sees it in time, and is not asked without end. */
	for (due = NOON_MS; due < NOON_MS + 600000 + NODE_SKEW_MS - 2000; f.trust.now_ms = due) {
		int64_t next = node_table_due_ms(f.table, f.ring, due);

		cr_assert_geq(next, due + 500);
		due = next;
	}
	cr_assert_eq(node_table_judge(f.table, &f.trust), 0);
	expect("7.json", NODE_FLAW_NONE, "", true);
	for (unsigned int i = 0; i < 8 && entry("7.json")->in_force; i++) {
		f.trust.now_ms = node_table_due_ms(f.table, f.ring, f.trust.now_ms);
		cr_assert_eq(node_table_judge(f.table, &f.trust), 0);
	}
	cr_expect_leq(f.trust.now_ms, NOON_MS + 600000 + NODE_SKEW_MS + 2000);
	expect_end(&(struct end_case){ NODE_FLAW_EXPIRED, CS_REASON_NODE_EXPIRED, "expired" });
}

Test(node_trust, keys_expire)
{
	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	tell(false);
	f.trust.now_ms = NOON_MS + HOUR_MS + NODE_SKEW_MS - 1;
	cr_assert_eq(node_table_judge(f.table, &f.trust), 0);
	expect("7.json", NODE_FLAW_NONE, "", true);
	cr_expect_eq(node_table_due_ms(f.table, f.ring, f.trust.now_ms), f.trust.now_ms + 1);
	f.trust.now_ms++;
	/* Before anybody judges: no key, and the phase is over. */
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.receive_valid, 0);
	cr_expect_eq(f.told.receive_past, 1);
	cr_expect_eq(f.told.refusal, 0);
	expect_end(&(struct end_case){ NODE_FLAW_KEYS_EXPIRED, CS_REASON_KEY_EXPIRED,
				       "2026-11-25T13:00:00.000Z" });
}

/* Another bundle: judged again, chain and all, and back. */
Test(node_trust, bundle_changes)
{
	struct bundle *good = f.ca.bundle;
	struct node_ca other;

	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	tell(false);
	node_ca_make("example.org", &other);
	f.bundles.item[0] = other.bundle;
	expect_end(
		&(struct end_case){ NODE_FLAW_CERTIFICATE, CS_REASON_UNKNOWN_NODE, "UNTRUSTED" });
	f.bundles.item[0] = good;
	cr_assert_eq(node_table_judge(f.table, &f.trust), 0);
	expect("7.json", NODE_FLAW_NONE, "", true);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.receive_valid, 1);
	node_ca_done(&other);
}

/* ---- phases ---- */

/* Our key and theirs are replaced in turn; a phase whose time is over says so until a new
 * key takes it. */
Test(node_trust, phases)
{
	int64_t half = HOUR_MS / 2;
	struct cs_key first;

	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	tell(false);
	first = f.told.receive[0];
	f.trust.now_ms = NOON_MS + half;
	key_ring_tick(f.ring, f.trust.now_ms);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.receive_valid, 1 << 0 | 1 << 1, "0 to 0, 0 to 1");
	cr_expect_eq(f.told.send_valid, 1 << 0 | 1 << 2);
	cr_expect_eq(f.told.send_phase, 0);
	f.trust.now_ms += 60000;
	cr_expect_eq(tell(false), 1, "active");
	cr_expect_eq(f.told.send_phase, 2);
	cr_expect_eq(entry("7.json")->send_phase, 2);
	/* Theirs. */
	key_ring_tick(f.peers_ring, f.trust.now_ms);
	put("7.json", "host-a", 7, f.trust.now_ms);
	read_all();
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.receive_valid, 0xf);
	cr_expect_eq(f.told.send_phase, 3, "their newest, at once");
	/* Ours of parity 0 is over: nobody can send with it to us any more. */
	f.trust.now_ms = NOON_MS + HOUR_MS;
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.receive_valid, 1 << 1 | 1 << 3);
	cr_expect_eq(f.told.receive_past, 1 << 0 | 1 << 2);
	/* The next one takes its phases. */
	key_ring_tick(f.ring, f.trust.now_ms);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.receive_valid, 0xf);
	cr_expect_eq(f.told.receive_past, 0);
	cr_expect_neq(memcmp(&first, &f.told.receive[0], sizeof(first)), 0, "derived anew");
}

/* Nothing of the node that had the number before is said of the next. */
Test(node_trust, past_phases_are_one_node_s)
{
	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	tell(false);
	put("7.json", "host-b", 7, NOON_MS + 1);
	read_all();
	expect("7.json", NODE_FLAW_NUMBER_TAKEN, "host-b", true);
	f.trust.now_ms = NOON_MS + HOUR_MS + NODE_SKEW_MS;
	key_ring_tick(f.ring, f.trust.now_ms);
	key_ring_tick(f.peers_ring, f.trust.now_ms);
	put("7.json", "host-b", 7, f.trust.now_ms);
	read_all();
	expect("7.json", NODE_FLAW_NONE, "", true);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.receive_past, 0);
	cr_expect_neq(f.told.receive_valid, 0);
}
