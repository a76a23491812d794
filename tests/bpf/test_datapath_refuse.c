/* SPDX-License-Identifier: Apache-2.0 */
/* Commits that are refused: limits, full maps, broken images. The old policy stays whole. */
#include "tests/bpf/test_datapath.h"

static void setup(void)
{
	datapath_test_setup();
	datapath_test_open();
}

TestSuite(datapath_refuse, .init = setup, .fini = datapath_test_teardown, .timeout = 120);

/* ---- limits ---- */

struct limit_case {
	const char *limit;
	size_t field; /* of struct image: the count */
	size_t most;
};

#define LIMIT(limit, field, most)                          \
	{                                                  \
		limit, offsetof(struct image, field), most \
	}

static const struct limit_case limit_cases[] = {
	LIMIT("CS_RULESETS_MAX", n_rulesets, CS_RULESETS_MAX),
	LIMIT("CS_BITMAPS_MAX", n_bitmaps, CS_BITMAPS_MAX),
	LIMIT("CS_NAMES_MAX", n_names, CS_NAMES_MAX),
	LIMIT("CS_WORKLOADS_MAX", n_workloads, CS_WORKLOADS_USABLE),
	LIMIT("CS_IDENTITIES_MAX", n_identities, CS_IDENTITIES_MAX - 1),
	LIMIT("CS_ENDPOINTS_MAX", n_endpoints, CS_ENDPOINTS_MAX - 1),
	LIMIT("CS_CLASSES_MAX", n_classes, CS_CLASSES_MAX - 1),
	LIMIT("CS_RULE_IDS_MAX", n_rules, CS_RULE_IDS_MAX),
};

Test(datapath_refuse, limits_are_named)
{
	commit_image(test_image());
	for (size_t i = 0; i < ARRAY_SIZE(limit_cases); i++) {
		struct image *image = test_image();
		size_t *n = (size_t *)((char *)image + limit_cases[i].field), before = *n;

		*n = limit_cases[i].most + 1; /* refused before anything is read */
		cr_expect_eq(datapath_commit(dt.dp, image), -ENOSPC, "%s", limit_cases[i].limit);
		cr_expect_not_null(strstr(datapath_error(dt.dp), limit_cases[i].limit), "%s: %s",
				   limit_cases[i].limit, datapath_error(dt.dp));
		*n = before;
		image_free(image);
	}
	cr_expect_eq(dt.dp->control->epoch, 1);
}

Test(datapath_refuse, full_tables_fit)
{
	struct image *image = test_image();

	for (int i = 1; i <= CS_WORKLOADS_USABLE; i++) {
		char name[32];

		snprintf(name, sizeof(name), "w%d", i);
		test_image_workload(image, name, 1000 + i, i % 2);
	}
	for (int i = 1; i < CS_CLASSES_MAX; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.%d.%d.0", i / 256, i % 256);
		test_image_class(image, address, 24, i % 2);
	}
	commit_image(image);
	cr_expect_eq(dt.dp->tables[TABLE_WORKLOADS].slots.bound, CS_WORKLOADS_USABLE);
	cr_expect_eq(dt.dp->tables[TABLE_CLASSES].slots.bound, CS_CLASSES_MAX - 1);
	/* Other workloads, all of them: those in force still need their slots. */
	image = test_image();
	for (int i = 0; i < 10; i++) {
		char name[32];

		snprintf(name, sizeof(name), "other%d", i);
		test_image_workload(image, name, 5000 + i, ALLOW);
	}
	cr_expect_eq(refuse_image(image), -ENOSPC);
	cr_expect_not_null(strstr(datapath_error(dt.dp), "CS_WORKLOADS_MAX"));
	commit_image(test_image());
}

/* ---- undoing ---- */

/* Fills the kernel's trie behind the agent's back; returns how many keys it took. */
static uint32_t fill_cidrs(int map)
{
	struct cs_cidr key = { .prefixlen = 128, .word = { 0x1234 } };
	const uint32_t slot = 1;
	uint32_t n = 0;

	for (; n < CS_CLASSES_MAX; n++) {
		key.word[3] = n;
		if (bpf_map_update_elem(map, &key, &slot, BPF_NOEXIST) < 0)
			break;
	}
	return n;
}

static void empty_cidrs(int map, uint32_t n)
{
	struct cs_cidr key = { .prefixlen = 128, .word = { 0x1234 } };

	for (uint32_t i = 0; i < n; i++) {
		key.word[3] = i;
		bpf_map_delete_elem(map, &key);
	}
}

Test(datapath_refuse, a_full_map_undoes_the_whole_commit)
{
	const uint64_t added = 2000, kept = 1000;
	int map = datapath_test_map("cs_cidrs");
	struct image *image = test_image_of(1000, 1000);
	struct cs_addr addr = test_addr("10.0.0.1");
	int64_t slot, address;
	uint32_t n;

	test_image_workload(image, "a", 1000, ALLOW);
	test_image_endpoint(image, "10.0.0.1", 1000, 0);
	commit_image(image);
	slot = datapath_test_slot("cs_identities", &kept);
	address = datapath_test_slot("cs_addresses", &addr);
	cr_assert_gt(address, 0);
	n = fill_cidrs(map);
	cr_assert_gt(n, 0);

	for (int round = 0; round < 2; round++) {
		image = test_image_of(2000, 2100);
		test_image_workload(image, "a", 2000, DENY);
		test_image_workload(image, "b", 2001, DENY);
		test_image_endpoint(image, "10.0.0.1", 2000,
				    test_image_class(image, "10.0.0.0", 8, 1));
		cr_expect_eq(refuse_image(image), -ENOSPC);
		cr_expect_not_null(strstr(datapath_error(dt.dp), "CS_CLASSES_MAX"), "%s",
				   datapath_error(dt.dp));
		cr_expect_eq(datapath_test_slot("cs_identities", &added), -ENOENT);
		cr_expect_eq(datapath_test_slot("cs_identities", &kept), slot);
		cr_expect_eq(datapath_test_slot("cs_addresses", &addr), address);
		cr_expect_eq(dt.dp->tables[TABLE_PEERS].slots.bound, 1);
		cr_expect_eq(dt.dp->tables[TABLE_CLASSES].slots.bound, 0);
		cr_expect_eq(dt.dp->tables[TABLE_WORKLOADS].slots.bound, 1);
		cr_expect_eq(dt.dp->view.workloads[dt.dp->workload_slot[0]].identity, 1000);
		cr_expect_eq(dt.dp->view.subjects[CS_WORKLOADS_MAX + dt.dp->workload_slot[0]]
				     .ruleset[CS_INGRESS],
			     ALLOW);
	}
	empty_cidrs(map, n);
	close(map);
	image = test_image_of(2000, 2100);
	test_image_class(image, "10.0.0.0", 8, 1);
	commit_image(image);
	cr_expect_gt(datapath_test_slot("cs_identities", &added), 0);
}

struct bad_image {
	const char *name;
	void (*spoil)(struct image *image);
};

static void spoil_row(struct image *image)
{
	image->identities[0].row = 2;
}

static void spoil_ruleset(struct image *image)
{
	image->workloads[0].ruleset[CS_EGRESS] = 2;
}

static void spoil_unmanaged(struct image *image)
{
	image->unmanaged_ruleset[CS_INGRESS] = 2;
}

static void spoil_class(struct image *image)
{
	image->endpoints[0].class_index = 2;
}

static void spoil_workload(struct image *image)
{
	image->endpoints[0].workload_index = 2;
}

static void spoil_count(struct image *image)
{
	image->rulesets[0].count = CS_RULES_MAX + 1;
}

static void spoil_name(struct image *image)
{
	image->workloads[0].name_index = image->n_names;
}

static void spoil_twice(struct image *image)
{
	test_image_identity(image, 1000, 0);
}

static void spoil_twice_address(struct image *image)
{
	test_image_endpoint(image, "10.0.0.1", 1000, 0);
}

static void spoil_twice_class(struct image *image)
{
	test_image_class(image, "10.0.0.0", 8, 0);
}

static void spoil_twice_workload(struct image *image)
{
	test_image_workload(image, "a", 1001, ALLOW);
}

static const struct bad_image bad_images[] = {
	{ "row", spoil_row },
	{ "ruleset", spoil_ruleset },
	{ "unmanaged", spoil_unmanaged },
	{ "class", spoil_class },
	{ "workload", spoil_workload },
	{ "count", spoil_count },
	{ "name", spoil_name },
	{ "identity twice", spoil_twice },
	{ "address twice", spoil_twice_address },
	{ "class twice", spoil_twice_class },
	{ "workload twice", spoil_twice_workload },
};

Test(datapath_refuse, broken_images_are_refused)
{
	commit_image(test_image());
	for (size_t i = 0; i < ARRAY_SIZE(bad_images); i++) {
		struct image *image = test_image_of(1000, 1000);

		test_image_workload(image, "a", 1000, ALLOW);
		test_image_endpoint(image, "10.0.0.1", 1000,
				    test_image_class(image, "10.0.0.0", 8, 1));
		bad_images[i].spoil(image);
		cr_expect_eq(refuse_image(image), -EINVAL, "%s", bad_images[i].name);
		cr_expect_eq(dt.dp->tables[TABLE_PEERS].slots.bound, 0, "%s", bad_images[i].name);
	}
}
