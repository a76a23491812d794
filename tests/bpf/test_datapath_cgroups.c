/* SPDX-License-Identifier: Apache-2.0 */
/* Which cgroup is which workload's, across commits and restarts. */
#include "tests/bpf/test_datapath.h"

static void setup(void)
{
	datapath_test_setup();
	datapath_test_open();
}

TestSuite(datapath_cgroups, .init = setup, .fini = datapath_test_teardown, .timeout = 60);

/* Workloads a, b, c, ... with the identities given. */
static struct image *workloads(size_t n, const uint64_t *identities)
{
	struct image *image = test_image();
	char name[2] = "a";

	for (size_t i = 0; i < n; i++, name[0]++)
		test_image_workload(image, name, identities[i], ALLOW);
	return image;
}

#define WORKLOADS(...)                                                    \
	workloads(sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), \
		  (uint64_t[]){ __VA_ARGS__ })

static const struct cs_workload *workload(size_t i)
{
	return &dt.dp->view.workloads[dt.dp->workload_slot[i]];
}

static void set(size_t i, uint64_t id)
{
	cr_assert_eq(datapath_set_cgroup(dt.dp, i, id), 0, "%s", datapath_error(dt.dp));
}

/* The cgroup leads to the workload's slot, and back; the subject is that workload's. */
static void expect_cgroup(size_t i, uint64_t id)
{
	const struct cs_subject *subject;
	uint32_t slot = dt.dp->workload_slot[i];

	cr_expect_eq(datapath_test_slot("cs_cgroups", &id), slot, "cgroup of workload %zu", i);
	cr_expect_eq(workload(i)->cgroup_id, id);
	subject = &dt.dp->view.subjects[dt.dp->control->epoch % CS_BANKS * CS_WORKLOADS_MAX + slot];
	cr_expect_eq(subject->generation, workload(i)->generation);
	cr_expect_eq(subject->standing, CS_SUBJECT_VALID);
}

Test(datapath_cgroups, a_cgroup_comes_and_goes)
{
	uint64_t id = datapath_test_cgroup("a");
	uint32_t stamp, generation;

	commit_image(WORKLOADS(1000));
	stamp = dt.dp->control->stamp;
	generation = workload(0)->generation;
	set(0, id);
	expect_cgroup(0, id);
	cr_expect_gt(dt.dp->control->stamp, stamp, "sockets decide anew");
	stamp = dt.dp->control->stamp;
	set(0, 0);
	cr_expect_eq(datapath_test_slot("cs_cgroups", &id), -ENOENT);
	cr_expect_eq(workload(0)->cgroup_id, 0);
	cr_expect_gt(dt.dp->control->stamp, stamp);
	cr_expect_gt(workload(0)->generation, generation, "its sockets are nobody's now");
}

Test(datapath_cgroups, another_cgroup_takes_over)
{
	uint64_t first = datapath_test_cgroup("a"), second = datapath_test_cgroup("a2");

	commit_image(WORKLOADS(1000));
	set(0, first);
	set(0, second);
	expect_cgroup(0, second);
	cr_expect_eq(datapath_test_slot("cs_cgroups", &first), -ENOENT);
}

Test(datapath_cgroups, a_cgroup_changes_its_workload)
{
	uint64_t id = datapath_test_cgroup("a");
	uint32_t generation;

	commit_image(WORKLOADS(1000, 1001));
	set(0, id);
	generation = workload(0)->generation;
	set(1, id);
	expect_cgroup(1, id);
	cr_expect_eq(workload(0)->cgroup_id, 0);
	cr_expect_gt(workload(0)->generation, generation);
}

Test(datapath_cgroups, number_out_of_range)
{
	cr_expect_eq(datapath_set_cgroup(dt.dp, 0, 1), -EINVAL, "no policy yet");
	commit_image(WORKLOADS(1000));
	cr_expect_eq(datapath_set_cgroup(dt.dp, 1, 1), -EINVAL);
}

Test(datapath_cgroups, commits_keep_cgroups_by_name)
{
	uint64_t a = datapath_test_cgroup("a"), b = datapath_test_cgroup("b");
	uint32_t slot;
	struct image *image;

	commit_image(WORKLOADS(1000, 1001));
	set(0, a);
	set(1, b);
	slot = dt.dp->workload_slot[1];
	/* The other order: b is number 0 now. */
	image = test_image();
	test_image_workload(image, "b", 1001, ALLOW);
	test_image_workload(image, "a", 1000, ALLOW);
	commit_image(image);
	cr_expect_eq(dt.dp->workload_slot[0], slot);
	expect_cgroup(0, b);
	expect_cgroup(1, a);
}

Test(datapath_cgroups, another_identity_is_another_slot)
{
	uint64_t id = datapath_test_cgroup("a");
	uint32_t slot, generation;

	commit_image(WORKLOADS(1000));
	set(0, id);
	slot = dt.dp->workload_slot[0];
	generation = workload(0)->generation;
	commit_image(WORKLOADS(2000));
	cr_expect_neq(dt.dp->workload_slot[0], slot);
	cr_expect_eq(workload(0)->identity, 2000);
	expect_cgroup(0, id);
	cr_expect_gt(dt.dp->view.workloads[slot].generation, generation,
		     "sockets that remember the old slot look again");
	cr_expect_eq(dt.dp->tables[TABLE_WORKLOADS].slots.bound, 1);
}

Test(datapath_cgroups, a_workload_that_goes_loses_its_cgroup)
{
	uint64_t id = datapath_test_cgroup("a");
	uint32_t slot, generation, stamp;

	commit_image(WORKLOADS(1000));
	set(0, id);
	slot = dt.dp->workload_slot[0];
	generation = workload(0)->generation;
	stamp = dt.dp->control->stamp;
	commit_image(test_image());
	cr_expect_eq(datapath_test_slot("cs_cgroups", &id), -ENOENT);
	cr_expect_eq(dt.dp->view.workloads[slot].cgroup_id, 0);
	cr_expect_gt(dt.dp->view.workloads[slot].generation, generation);
	cr_expect_geq(dt.dp->control->stamp, stamp + 2, "for the policy and for the workload");
}

Test(datapath_cgroups, generations_only_grow)
{
	uint32_t last[CS_WORKLOADS_MAX] = { 0 };

	for (int i = 0; i < 12; i++) {
		commit_image(WORKLOADS(1000 + i));
		cr_expect_gt(workload(0)->generation, last[dt.dp->workload_slot[0]]);
		last[dt.dp->workload_slot[0]] = workload(0)->generation;
		if (i == 6)
			datapath_test_reopen();
	}
}

Test(datapath_cgroups, an_undone_commit_puts_the_cgroup_back)
{
	uint64_t id = datapath_test_cgroup("a");
	struct image *image;
	uint32_t slot;

	commit_image(WORKLOADS(1000));
	set(0, id);
	slot = dt.dp->workload_slot[0];
	image = WORKLOADS(2000);
	test_image_identity(image, 1, 0);
	test_image_identity(image, 1, 0); /* twice: refused after the workloads */
	cr_expect_eq(refuse_image(image), -EINVAL);
	cr_expect_eq(dt.dp->workload_slot[0], slot);
	expect_cgroup(0, id);
	commit_image(WORKLOADS(1000));
	cr_expect_eq(dt.dp->workload_slot[0], slot);
	expect_cgroup(0, id);
}

/* ---- restarts ---- */

Test(datapath_cgroups, a_restart_matches_by_cgroup_and_identity)
{
	uint64_t a = datapath_test_cgroup("a"), b = datapath_test_cgroup("b");
	struct image *image;

	/* One identity for both: only the cgroups tell them apart. */
	commit_image(WORKLOADS(1000, 1000));
	set(0, a);
	set(1, b);
	datapath_test_reopen();
	image = test_image();
	test_image_workload(image, "b", 1000, ALLOW);
	test_image_workload(image, "a", 1000, ALLOW);
	commit_image(image);
	expect_cgroup(0, b);
	expect_cgroup(1, a);
}

Test(datapath_cgroups, a_restart_matches_units_by_identity)
{
	uint64_t a = datapath_test_cgroup("elsewhere");
	struct image *image;
	uint32_t slot;

	commit_image(WORKLOADS(1000, 1001));
	set(1, a);
	slot = dt.dp->workload_slot[1];
	datapath_test_reopen();
	image = test_image();
	test_image_workload(image, "b", 1001, ALLOW);
	free(image->workloads[0].cgroup);
	image->workloads[0].cgroup = NULL;
	commit_image(image);
	cr_expect_eq(dt.dp->workload_slot[0], slot);
	expect_cgroup(0, a);
	cr_expect_eq(dt.dp->tables[TABLE_WORKLOADS].slots.bound, 1, "the other one is gone");
}

Test(datapath_cgroups, swapped_twins_are_never_without_policy)
{
	uint64_t a = datapath_test_cgroup("x"), b = datapath_test_cgroup("y");
	struct image *image;

	commit_image(WORKLOADS(1000, 1000));
	set(0, a);
	set(1, b);
	datapath_test_reopen();
	image = test_image();
	test_image_workload(image, "second", 1000, ALLOW);
	test_image_workload(image, "first", 1000, ALLOW);
	commit_image(image);
	cr_expect_gt(datapath_test_slot("cs_cgroups", &a), 0);
	cr_expect_gt(datapath_test_slot("cs_cgroups", &b), 0);
	set(0, b);
	cr_expect_gt(datapath_test_slot("cs_cgroups", &a), 0, "a is a workload all the time");
	set(1, a);
	expect_cgroup(0, b);
	expect_cgroup(1, a);
}

Test(datapath_cgroups, a_refused_policy_after_a_restart_loses_no_match)
{
	uint64_t id = datapath_test_cgroup("a");
	struct image *image;

	commit_image(WORKLOADS(1000));
	set(0, id);
	datapath_test_reopen();
	image = WORKLOADS(1000);
	image->unmanaged_ruleset[0] = 9;
	refuse_image(image);
	image = WORKLOADS(1000);
	test_image_identity(image, 1, 0);
	test_image_identity(image, 1, 0);
	refuse_image(image);
	cr_expect_gt(datapath_test_slot("cs_cgroups", &id), 0);
	commit_image(WORKLOADS(1000));
	expect_cgroup(0, id);
}

Test(datapath_cgroups, a_workload_without_a_cgroup_is_no_cgroups)
{
	uint64_t id = datapath_test_cgroup("a");
	int map = datapath_test_map("cs_cgroups");
	uint32_t slot;

	commit_image(WORKLOADS(1000));
	set(0, id);
	/* As if the agent had died between two steps: the slot says a cgroup, no key leads. */
	cr_assert_eq(bpf_map_delete_elem(map, &id), 0);
	close(map);
	slot = dt.dp->workload_slot[0];
	datapath_test_reopen();
	cr_expect_eq(dt.dp->view.workloads[slot].cgroup_id, 0);
	commit_image(WORKLOADS(1000));
	set(0, id);
	expect_cgroup(0, id);
}
