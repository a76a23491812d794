/* SPDX-License-Identifier: Apache-2.0 */
/* Node numbers: which ones a node asks for, and when one that is gone loses its own. */
#include <criterion/criterion.h>

#include "test_node.h"
#include "user/agent/collector_judge.h"
#include "user/agent/node_numbers.h"
#include "user/base/clock.h"

Test(agent_numbers, are_spread_and_always_the_same)
{
	static uint8_t seen[UINT16_MAX + 1];
	unsigned int twice = 0;
	char name[32];

	for (unsigned int i = 0; i < 5000; i++) {
		uint16_t number;

		snprintf(name, sizeof(name), "node-%u", i);
		number = node_numbers_try(name, 0);
		cr_assert_neq(number, 0);
		cr_assert_eq(number, node_numbers_try(name, 0));
		twice += seen[number]++ > 0;
	}
	/* By chance about 186 of 5000 find theirs taken. */
	cr_expect_lt(twice, 260u, "%u", twice);
	memset(seen, 0, sizeof(seen));
	for (unsigned int i = twice = 0; i < NODE_NUMBERS_TRIES_MAX; i++)
		twice += seen[node_numbers_try("node-1", i)]++ > 0;
	cr_expect_lt(twice, 10u, "one node asks for other numbers each time: %u", twice);
}

Test(agent_numbers, claims_name_the_node)
{
	_cleanup_free_ char *text = node_numbers_claim(65535, "example.org", "host-a");
	json_auto_t *object = json_loads(text, 0, NULL);
	char path[NODE_NUMBERS_PATH_MAX];

	cr_assert_not_null(object);
	cr_expect(node_numbers_is_of(object, "example.org", "host-a"));
	cr_expect(!node_numbers_is_of(object, "example.org", "host-b"));
	cr_expect(!node_numbers_is_of(object, "example.com", "host-a"));
	cr_expect(!node_numbers_is_of(NULL, "example.org", "host-a"));
	cr_expect_str_eq(node_numbers_path(65535, path), NODE_NUMBERS_PATH "/65535");
}

Test(agent_numbers, what_was_kept)
{
	static const struct {
		const char *text;
		uint16_t number;
	} texts[] = {
		{ "7 host-a\n", 7 },
		{ "65535 host-a\n", 65535 },
		{ "7 host-b\n", 0 },
		{ "7 host-a", 0 },
		{ "7 host-ab\n", 0 },
		{ "7 host-\n", 0 },
		{ "65536 host-a\n", 0 },
		{ "0 host-a\n", 0 },
		{ "-7 host-a\n", 0 },
		{ "+7 host-a\n", 0 },
		{ " 7 host-a\n", 0 },
		{ "7host-a\n", 0 },
		{ "", 0 },
		{ "7", 0 },
		{ "7 host-a\n\n", 0 },
		{ "99999999999999999999 host-a\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_eq(node_numbers_kept(texts[i].text, "host-a"), texts[i].number, "\"%s\"",
			     texts[i].text);
}

/* ---- collecting ---- */

#define LIFE_MS HOUR_MS
#define SKEW_MS 120000

/* Times are relative to now; 0: there is none. */
struct gone_case {
	const char *name;
	bool exists, replaced, labelled;
	int64_t marked_ms, key_ms;
	const char *mark; /* instead of a time */
	enum collector_action action;
};

static const struct gone_case gone_cases[] = {
	{ "new", true, .action = COLLECTOR_LABEL },
	{ "usual", true, .labelled = true, .action = COLLECTOR_KEEP },
	{ "came back", true, .labelled = true, .marked_ms = -10 * HOUR_MS,
	  .action = COLLECTOR_UNMARK },
	{ "came back, odd mark", true, .labelled = true, .mark = "x", .action = COLLECTOR_UNMARK },
	{ "outside of the cluster", .action = COLLECTOR_KEEP },
	{ "outside, marked by somebody", .marked_ms = -10 * HOUR_MS, .action = COLLECTOR_KEEP },
	{ "gone", .labelled = true, .action = COLLECTOR_MARK },
	{ "gone, odd mark", .labelled = true, .mark = "yesterday", .action = COLLECTOR_MARK },
	{ "gone, mark of the future", .labelled = true, .marked_ms = HOUR_MS,
	  .action = COLLECTOR_MARK },
	{ "just marked", .labelled = true, .marked_ms = -1000, .action = COLLECTOR_KEEP },
	{ "almost", .labelled = true, .marked_ms = -(LIFE_MS + SKEW_MS) + 1000,
	  .action = COLLECTOR_KEEP },
	{ "long enough", .labelled = true, .marked_ms = -(LIFE_MS + SKEW_MS) - 1000,
	  .action = COLLECTOR_DELETE },
	{ "a key lives longer", .labelled = true, .marked_ms = -10 * HOUR_MS, .key_ms = HOUR_MS,
	  .action = COLLECTOR_KEEP },
	{ "a key has just ended", .labelled = true, .marked_ms = -10 * HOUR_MS, .key_ms = -1000,
	  .action = COLLECTOR_KEEP },
	{ "the key is over", .labelled = true, .marked_ms = -10 * HOUR_MS,
	  .key_ms = -SKEW_MS - 1000, .action = COLLECTOR_DELETE },
	{ "has another number", true, true, true, .action = COLLECTOR_MARK },
	{ "has another number, never seen", true, true, .action = COLLECTOR_MARK },
	{ "had another number", true, true, true, .marked_ms = -10 * HOUR_MS,
	  .action = COLLECTOR_DELETE },
};

static void put_time(json_t *object, const char *map, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_text(ms * 1000000, text);
	json_object_set_new(json_object_get(object, map), key, json_string(text));
}

Test(agent_numbers, of_nodes_that_are_gone)
{
	for (size_t i = 0; i < ARRAY_SIZE(gone_cases); i++) {
		const struct gone_case *c = &gone_cases[i];
		json_auto_t *object = json_pack("{s:{s:{}, s:{}}, s:{s:[{}]}}", "metadata",
						"labels", "annotations", "spec", "keys");
		json_t *metadata = json_object_get(object, "metadata");
		json_t *key =
			json_array_get(json_object_get(json_object_get(object, "spec"), "keys"), 0);
		const struct collector_case one = {
			object, c->exists, c->replaced, NOON_MS, LIFE_MS,
		};

		if (c->labelled)
			json_object_set_new(json_object_get(metadata, "labels"), NODE_NUMBERS_LABEL,
					    json_string(NODE_NUMBERS_KUBERNETES));
		if (c->marked_ms)
			put_time(metadata, "annotations", NODE_NUMBERS_GONE,
				 NOON_MS + c->marked_ms);
		if (c->mark)
			json_object_set_new(json_object_get(metadata, "annotations"),
					    NODE_NUMBERS_GONE, json_string(c->mark));
		if (c->key_ms) {
			char text[CLOCK_TEXT_MAX];

			clock_text((NOON_MS + c->key_ms) * 1000000, text);
			json_object_set_new(key, "notAfter", json_string(text));
		}
		cr_expect_eq(collector_judge(&one), c->action, "%s: %d", c->name,
			     collector_judge(&one));
	}
}
