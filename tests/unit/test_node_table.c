/* SPDX-License-Identifier: Apache-2.0 */
/* The table of nodes: who has which number, and who is refused it. */
#include "test_node_fixture.h"

TestSuite(node_table, .init = start, .fini = stop);

Test(node_table, accepts_and_tells_once)
{
	put("dir/7.json", "host-a", 7, NOON_MS);
	put("dir/8.json", "host-b", 8, NOON_MS);
	read_all();
	expect("dir/7.json", NODE_FLAW_NONE, "", true);
	cr_expect_eq(node_table_number(f.table, "example.org", "host-a"), 7);
	cr_expect_eq(node_table_number(f.table, "example.org", "host-c"), 0);
	cr_expect_eq(node_table_number(f.table, "example.com", "host-a"), 0);
	cr_expect_str_eq(node_table_name(f.table, 8), "host-b");
	cr_expect_null(node_table_name(f.table, 9));
	cr_expect_eq(entry("dir/7.json")->accepted_ms, NOON_MS);
	cr_expect_eq(tell(false), 2);
	cr_expect_eq(f.told.node, 8);
	cr_expect_eq(f.told.refusal, 0);
	cr_expect_eq(f.told.send_valid, 1);
	cr_expect_eq(f.told.receive_valid, 1);
	cr_expect_eq(f.told.receive_past, 0);
	cr_expect_eq(tell(false), 0);
	cr_expect_eq(tell(true), 2);
}

static int refuse_all(void *arg, const struct cs_node_keys *keys)
{
	(void)keys;
	++*(unsigned int *)arg;
	return -EBUSY;
}

/* What could not be told is told again. */
Test(node_table, tells_again_after_a_failure)
{
	unsigned int n = 0;

	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	cr_expect_eq(node_table_keys(f.table, f.ring, NOON_MS, false, refuse_all, &n), -EBUSY);
	cr_expect_eq(n, 1);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(tell(false), 0);
}

Test(node_table, own_record_has_no_keys)
{
	put("1.json", "me", OWN, NOON_MS);
	read_all();
	expect("1.json", NODE_FLAW_NONE, "", true);
	cr_expect_eq(tell(true), 0);
	put("1.json", "thief", OWN, NOON_MS + 1);
	read_all();
	expect("1.json", NODE_FLAW_OWN_NUMBER, "thief", true);
	cr_expect_eq(tell(true), 0);
}

Test(node_table, own_number_of_another_and_own_name_elsewhere)
{
	put("1.json", "thief", OWN, NOON_MS);
	put("9.json", "me", 9, NOON_MS);
	read_all();
	expect("1.json", NODE_FLAW_OWN_NUMBER, "thief", false);
	expect("9.json", NODE_FLAW_STALE, "number is 1 now", false);
	cr_expect_eq(tell(true), 1);
	cr_expect_eq(f.told.refusal, CS_REASON_UNKNOWN_NODE);
}

Test(node_table, file_names)
{
	static const char *const bad[] = { "8.json", "07.json", "7.yaml", "x7.json",
					   "7.json.json" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		put(bad[i], "host-a", 7, NOON_MS);
	read_all();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect(bad[i], NODE_FLAW_FILE_NAME, "its number is 7", false);
	cr_expect_eq(tell(true), 0);
}

/* Whoever has a number keeps it, also when the other's document takes the place of its own. */
Test(node_table, number_taken)
{
	put("a/7.json", "host-a", 7, NOON_MS);
	read_all();
	put("b/7.json", "host-b", 7, NOON_MS + 1000);
	read_all();
	expect("a/7.json", NODE_FLAW_NONE, "", true);
	expect("b/7.json", NODE_FLAW_NUMBER_TAKEN, "host-a has it, by a/7.json", false);
	put("a/7.json", "host-c", 7, NOON_MS + 2000);
	read_all();
	expect("a/7.json", NODE_FLAW_NUMBER_TAKEN, "host-c does not get it", true);
	cr_expect_str_eq(node_table_name(f.table, 7), "host-a");
	cr_expect_str_eq(entry("a/7.json")->record->name, "host-a", "the one in force is shown");
	/* Gone at last: the next one, in the order of the files. */
	drop("a/7.json");
	read_all();
	expect("b/7.json", NODE_FLAW_NONE, "", true);
}

Test(node_table, the_holder_is_no_longer_good)
{
	char *revoked[] = { "host-a" };

	put("a/7.json", "host-a", 7, NOON_MS);
	read_all();
	tell(false);
	put("b/7.json", "host-b", 7, NOON_MS);
	read_all();
	expect("b/7.json", NODE_FLAW_NUMBER_TAKEN, "", false);
	f.revocations = (struct revocations){ .nodes = revoked, .n_nodes = 1 };
	cr_assert_eq(node_table_judge(f.table, &f.trust), 0);
	expect("a/7.json", NODE_FLAW_REVOKED, "host-a", false);
	expect("b/7.json", NODE_FLAW_NONE, "", true);
	cr_expect_str_eq(node_table_name(f.table, 7), "host-b");
	f.revocations.n_nodes = 0;
	cr_assert_eq(node_table_judge(f.table, &f.trust), 0);
	expect("a/7.json", NODE_FLAW_NUMBER_TAKEN, "host-b has it", false);
}

Test(node_table, an_older_copy_does_not_win)
{
	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	put("7.json", "host-a", 7, NOON_MS - 1);
	read_all();
	expect("7.json", NODE_FLAW_STALE,
	       "issued 2026-11-25T11:59:59.999Z, the one in force "
	       "2026-11-25T12:00:00.000Z",
	       true);
	cr_expect_eq(entry("7.json")->record->issued_ms, NOON_MS);
	put("7.json", "host-a", 7, NOON_MS + 1);
	read_all();
	expect("7.json", NODE_FLAW_NONE, "", true);
	cr_expect_eq(entry("7.json")->record->issued_ms, NOON_MS + 1);
	cr_expect_eq(entry("7.json")->accepted_ms, NOON_MS, "the name has it as long as before");
}

/* A node with another number: its old record ends, in whatever order they come. */
Test(node_table, another_number)
{
	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	tell(false);
	put("3.json", "host-a", 3, NOON_MS + 1);
	read_all();
	expect("3.json", NODE_FLAW_NONE, "", true);
	expect("7.json", NODE_FLAW_STALE, "the one in force, in 3.json", false);
	cr_expect_eq(node_table_number(f.table, "example.org", "host-a"), 3);
	cr_expect_eq(tell(false), 2);
	cr_expect_eq(f.told.node, 7);
	cr_expect_eq(f.told.refusal, CS_REASON_UNKNOWN_NODE);
	cr_expect_eq(f.told.receive_valid | f.told.send_valid, 0);
}

/* The number that it would like to have is another's: the old one stays. */
Test(node_table, another_number_that_is_taken)
{
	put("7.json", "host-a", 7, NOON_MS);
	put("8.json", "host-b", 8, NOON_MS);
	read_all();
	put("x/8.json", "host-a", 8, NOON_MS + 1);
	read_all();
	expect("x/8.json", NODE_FLAW_NUMBER_TAKEN, "host-b has it", false);
	expect("7.json", NODE_FLAW_NONE, "", true);
}

Test(node_table, the_same_record_twice)
{
	char *text = record_text("host-a", 7, NOON_MS, NULL);

	put_text("b/7.json", strdup(text));
	put_text("a/7.json", text);
	read_all();
	expect("a/7.json", NODE_FLAW_NONE, "", true);
	expect("b/7.json", NODE_FLAW_STALE, "in a/7.json", false);
}

/* A document that cannot be read or believed changes nothing; one that is gone ends all. */
Test(node_table, refused_documents_do_not_push_out)
{
	char *forged;

	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	tell(false);
	put_text("7.json", strdup("{"));
	read_all();
	expect("7.json", NODE_FLAW_MALFORMED, "no JSON", true);
	cr_expect_eq(entry("7.json")->number, 7);
	forged = record_text("host-a", 7, NOON_MS + 5, NULL);
	memcpy(strstr(forged, "12:00:00.005Z"), "12:00:00.006Z", 13);
	put_text("7.json", forged);
	read_all();
	expect("7.json", NODE_FLAW_SIGNATURE, "", true);
	cr_expect_eq(tell(false), 0, "nothing changed for the kernel");
	drop("7.json");
	read_all();
	cr_expect_eq(node_table_size(f.table), 0);
	cr_expect_eq(tell(false), 1);
	cr_expect_eq(f.told.refusal, CS_REASON_UNKNOWN_NODE);
	cr_expect_eq(f.told.send_valid | f.told.receive_valid, 0);
	cr_expect_eq(tell(true), 0, "forgotten");
}

Test(node_table, limit)
{
	static struct node_document many[NODE_TABLE_MAX + 1];

	put("7.json", "host-a", 7, NOON_MS);
	read_all();
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = f.document[0];
	cr_expect_eq(node_table_read(f.table, many, ARRAY_SIZE(many), &f.trust), -ENOSPC);
	expect("7.json", NODE_FLAW_NONE, "", true);
}
