/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, adopting what an earlier agent left, uninstalling. */
#include "tests/bpf/test_datapath.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(datapath_open, .init = datapath_test_setup, .fini = datapath_test_teardown,
	  .timeout = 60);

static struct datapath_status status(void)
{
	struct datapath_status s;

	cr_assert_eq(datapath_status(dt.dp, &s), 0, "%s", datapath_error(dt.dp));
	return s;
}

/* How many programs the kernel runs at the root for the ingress hook. */
static uint32_t attached_at_ingress(void)
{
	uint32_t ids[16], n = ARRAY_SIZE(ids);
	int fd = open(dt.cgroup, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(bpf_prog_query(fd, BPF_CGROUP_INET_INGRESS, 0, NULL, ids, &n), 0);
	close(fd);
	return n;
}

static uint32_t ingress_program(void)
{
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = datapath_test_map("link_cs_ingress");

	cr_assert_eq(bpf_obj_get_info_by_fd(fd, &info, &length), 0);
	close(fd);
	return info.prog_id;
}

static struct image *image_with_workload(void)
{
	struct image *image = test_image();

	test_image_workload(image, "a", 1000, ALLOW);
	test_image_identity(image, CS_ENTITY_WORLD, 1);
	test_image_identity(image, 1000, 1);
	test_image_identity(image, 2000, 0);
	test_image_class(image, "10.0.0.0", 8, 1);
	test_image_endpoint(image, "10.0.0.1", 1000, 1);
	return image;
}

/* Opening must fail with @error, the text must help, and enforcement must go on. */
static void refuse_open(int error, const char *text)
{
	struct datapath *dp = NULL;
	int r;

	datapath_close(dt.dp);
	dt.dp = NULL;
	r = datapath_open(&dt.options, &dp);
	cr_assert_eq(r, error, "%d: %s", r, datapath_error(NULL));
	cr_assert_null(dp);
	cr_assert_not_null(strstr(datapath_error(NULL), text), "\"%s\" says \"%s\"",
			   datapath_error(NULL), text);
}

Test(datapath_open, fresh_start_attaches_with_the_first_policy)
{
	struct datapath_status s;

	datapath_test_open();
	s = status();
	cr_expect_eq(s.epoch, 0);
	cr_expect_eq(s.node, 7);
	cr_expect_eq(s.programs_attached, 0, "no traffic is judged without a policy");
	cr_expect_eq(s.programs_expected, 9);
	cr_expect_eq(attached_at_ingress(), 0);
	commit_image(image_with_workload());
	s = status();
	cr_expect_eq(s.epoch, 1);
	cr_expect_eq(s.programs_attached, 9);
	cr_expect_eq(s.workloads, 1);
	cr_expect_eq(s.identities, 3);
	cr_expect_eq(s.endpoints, 1);
	cr_expect_eq(s.classes, 1);
	cr_expect_eq(attached_at_ingress(), 1);
}

Test(datapath_open, fresh_start_makes_the_node_key)
{
	const struct cs_node_keys *own;
	uint32_t slot;

	datapath_test_open();
	slot = dt.dp->view.node_index[7].slot;
	cr_assert_gt(slot, 0);
	own = &dt.dp->view.nodes[slot];
	cr_expect_eq(own->node, 7);
	cr_expect_eq(own->send_valid, 1);
	cr_expect_eq(own->receive_valid, 1);
	cr_expect(own->send[0].k0 && own->send[0].k1);
	cr_expect_arr_eq(&own->send[0], &own->receive[0], sizeof(own->send[0]));
	cr_expect(dt.dp->control->secret.k0 && dt.dp->control->secret.k1);
	cr_expect_neq(dt.dp->control->secret.k0, own->send[0].k0);
	cr_expect_eq(dt.dp->control->deny_mode, CS_DENY_REJECT);
}

Test(datapath_open, node_zero_is_refused)
{
	dt.options.node = 0;
	refuse_open(-EINVAL, "node");
}

Test(datapath_open, a_second_agent_is_refused)
{
	struct datapath *dp = NULL;

	datapath_test_open();
	commit_image(image_with_workload());
	cr_assert_eq(datapath_open(&dt.options, &dp), -EBUSY);
	cr_expect_not_null(strstr(datapath_error(NULL), "another agent"));
	cr_expect_eq(status().programs_attached, 9, "the first one is not disturbed");
}

Test(datapath_open, restart_adopts_maps_and_updates_links)
{
	const uint64_t identity = 2000;
	struct cs_control before;
	uint32_t program;
	int64_t slot;

	datapath_test_open();
	commit_image(image_with_workload());
	before = *dt.dp->control;
	program = ingress_program();
	slot = datapath_test_slot("cs_identities", &identity);
	cr_assert_gt(slot, 0);
	dt.options.deny_mode = CS_DENY_DROP;
	datapath_test_reopen();
	cr_expect_eq(dt.dp->control->epoch, before.epoch, "the policy stays in force");
	cr_expect_eq(dt.dp->control->secret.k0, before.secret.k0);
	cr_expect_eq(dt.dp->control->deny_mode, CS_DENY_DROP);
	cr_expect_neq(ingress_program(), program, "the link has the new program");
	cr_expect_eq(attached_at_ingress(), 1, "and the old one is gone");
	cr_expect_eq(status().programs_attached, 9);
	cr_expect_eq(status().identities, 3);
	commit_image(image_with_workload());
	cr_expect_eq(dt.dp->control->epoch, 2);
	cr_expect_eq(datapath_test_slot("cs_identities", &identity), slot);
}

Test(datapath_open, restart_keeps_the_node_key)
{
	struct cs_node_keys before;

	datapath_test_open();
	commit_image(image_with_workload());
	before = dt.dp->view.nodes[1];
	datapath_test_reopen();
	cr_expect_arr_eq(&dt.dp->view.nodes[1], &before, sizeof(before));
}

Test(datapath_open, killed_agent_is_adopted)
{
	int child_status;
	pid_t child = fork();

	if (child == 0) {
		if (datapath_open(&dt.options, &dt.dp) < 0 ||
		    datapath_commit(dt.dp, image_with_workload()) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(child, &child_status, 0), child);
	cr_assert(WIFSIGNALED(child_status) && WTERMSIG(child_status) == SIGKILL);
	cr_expect_eq(attached_at_ingress(), 1, "enforcement goes on without the agent");
	datapath_test_open();
	cr_expect_eq(status().epoch, 1);
	cr_expect_eq(status().programs_attached, 9);
	commit_image(image_with_workload());
}

/* Commits without end, each time other identities, addresses, prefixes and workloads. */
static void commit_forever(int first)
{
	for (uint64_t i = 0;; i++) {
		struct image *image = test_image_of(1000 + i % 50, 1100 + i % 70);
		char address[32];

		for (int j = 0; j < 40; j++) {
			snprintf(address, sizeof(address), "10.%d.0.0", (int)(i + j) % 100);
			test_image_endpoint(image, address, 1060 + j % (1 + i % 3),
					    test_image_class(image, address, 16, j % 2));
			snprintf(address, sizeof(address), "w%d", (int)(i + j) % 60);
			test_image_workload(image, address, 1060 + j + i % 2, ALLOW);
		}
		if (datapath_commit(dt.dp, image) < 0)
			_exit(1);
		if (i == 0 && write(first, "", 1) != 1)
			_exit(3);
		image_free(image);
	}
}

Test(datapath_open, killed_in_the_middle_of_a_commit)
{
	for (int round = 0; round < 12; round++) {
		uint32_t epoch;
		int child_status;
		int first[2];
		pid_t child;
		char byte;

		cr_assert_eq(pipe2(first, O_CLOEXEC), 0);
		child = fork();
		if (child == 0) {
			if (datapath_open(&dt.options, &dt.dp) < 0)
				_exit(2);
			commit_forever(first[1]);
		}
		close(first[1]);
		cr_assert_eq(read(first[0], &byte, 1), 1);
		close(first[0]);
		usleep(10000 + round * 1700); /* a commit takes about 10 ms */
		kill(child, SIGKILL);
		cr_assert_eq(waitpid(child, &child_status, 0), child);
		cr_assert(WIFSIGNALED(child_status), "exit code %d", WEXITSTATUS(child_status));
		datapath_test_open();
		epoch = dt.dp->control->epoch;
		cr_assert_gt(epoch, 0, "round %d", round);
		commit_image(image_with_workload());
		cr_expect_eq(status().epoch, epoch + 1);
		cr_expect_eq(status().identities, 3);
		cr_expect_eq(status().endpoints, 1);
		cr_expect_eq(status().classes, 1);
		cr_expect_eq(status().workloads, 1);
		cr_expect_eq(dt.dp->tables[TABLE_NAMES].slots.bound, 3);
		datapath_close(dt.dp);
		dt.dp = NULL;
	}
}

Test(datapath_open, maps_without_links_are_not_adopted)
{
	datapath_test_open();
	datapath_test_reopen();
	cr_expect_eq(status().epoch, 0);
	commit_image(image_with_workload());
	cr_expect_eq(status().programs_attached, 9);
}

Test(datapath_open, another_cgroup_root_is_refused)
{
	char other[4200];

	datapath_test_open();
	commit_image(image_with_workload());
	datapath_test_cgroup("other");
	snprintf(other, sizeof(other), "%s/other", dt.cgroup);
	dt.options.cgroup_root = other;
	refuse_open(-EXDEV, "--uninstall");
	cr_expect_eq(attached_at_ingress(), 1);
}

Test(datapath_open, another_node_number_is_refused)
{
	datapath_test_open();
	commit_image(image_with_workload());
	dt.options.node = 8;
	refuse_open(-EINVAL, "--uninstall");
	cr_expect_eq(attached_at_ingress(), 1);
}

Test(datapath_open, a_missing_map_is_refused)
{
	char path[PIN_PATH_MAX];
	uint32_t program;

	datapath_test_open();
	commit_image(image_with_workload());
	program = ingress_program();
	pin_path(dt.bpffs, "cs_peers", path);
	cr_assert_eq(unlink(path), 0);
	refuse_open(-ENOENT, "--uninstall");
	cr_expect_eq(ingress_program(), program, "the earlier programs stay in force");
}

/* Puts another object under the pinned name of @map. */
static void replace_pin(const char *map, int fd)
{
	char path[PIN_PATH_MAX];

	cr_assert_geq(fd, 0);
	pin_path(dt.bpffs, map, path);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(bpf_obj_pin(fd, path), 0);
	close(fd);
}

Test(datapath_open, a_map_of_another_size_is_refused)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	uint32_t program;

	datapath_test_open();
	commit_image(image_with_workload());
	program = ingress_program();
	replace_pin("cs_peers", bpf_map_create(BPF_MAP_TYPE_ARRAY, "cs_peers", 4, 24,
					       CS_IDENTITIES_MAX / 2, &options));
	refuse_open(-EPROTO, "--uninstall");
	cr_expect_eq(ingress_program(), program);
}

Test(datapath_open, a_map_of_another_type_is_refused)
{
	datapath_test_open();
	commit_image(image_with_workload());
	replace_pin("cs_cgroups", bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "cs_cgroups", 8, 4,
						 CS_WORKLOADS_MAX + CS_CGROUPS_MARKED_MAX, NULL));
	refuse_open(-EPROTO, "--uninstall");
}

Test(datapath_open, a_pinned_link_is_no_map)
{
	datapath_test_open();
	commit_image(image_with_workload());
	replace_pin("cs_cgroups", datapath_test_map("link_cs_egress"));
	refuse_open(-EPROTO, "--uninstall");
}

Test(datapath_open, a_link_of_another_hook_is_refused)
{
	datapath_test_open();
	commit_image(image_with_workload());
	replace_pin("link_cs_ingress", datapath_test_map("link_cs_egress"));
	refuse_open(-EPROTO, "--uninstall");
}

Test(datapath_open, a_map_that_points_out_of_range_is_refused)
{
	const uint64_t identity = 999;
	const uint32_t slot = CS_IDENTITIES_MAX;
	int map;

	datapath_test_open();
	commit_image(image_with_workload());
	map = datapath_test_map("cs_identities");
	cr_assert_eq(bpf_map_update_elem(map, &identity, &slot, BPF_ANY), 0);
	close(map);
	refuse_open(-EUCLEAN, "--uninstall");
}

Test(datapath_open, another_layout_version_is_refused)
{
	char path[PIN_PATH_MAX];
	int fd;

	datapath_test_open();
	commit_image(image_with_workload());
	fd = datapath_test_map("link_cs_ingress");
	snprintf(path, sizeof(path), "%s/link_cs_ingress_v%d", dt.bpffs, CS_ABI_VERSION + 1);
	cr_assert_eq(bpf_obj_pin(fd, path), 0);
	close(fd);
	refuse_open(-EPROTO, "--uninstall");
	cr_assert_eq(datapath_uninstall(&dt.options), 0);
	cr_expect_eq(attached_at_ingress(), 0, "uninstalling removes every version");
}

Test(datapath_open, a_missing_link_is_attached_by_the_next_commit)
{
	char path[PIN_PATH_MAX];
	int fd;

	datapath_test_open();
	commit_image(image_with_workload());
	fd = datapath_test_map("link_cs_sockops");
	cr_assert_eq(bpf_link_detach(fd), 0);
	close(fd);
	cr_expect_eq(status().programs_attached, 8, "status sees it");
	datapath_close(dt.dp);
	dt.dp = NULL;
	pin_path(dt.bpffs, "link_cs_sockops", path);
	cr_assert_eq(unlink(path), 0);
	datapath_test_open();
	cr_expect_eq(status().programs_attached, 8);
	commit_image(image_with_workload());
	cr_expect_eq(status().programs_attached, 9);
}

Test(datapath_open, no_cgroup_directory)
{
	dt.options.cgroup_root = "/tmp";
	refuse_open(-ENOTDIR, "--cgroup-root");
	dt.options.cgroup_root = "/nonexistent";
	refuse_open(-ENOENT, "/nonexistent");
	cr_expect_eq(access(dt.bpffs, F_OK), -1, "nothing was made");
}

Test(datapath_open, failed_fresh_start_leaves_nothing)
{
	struct rlimit few, enough;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &enough), 0);
	few = enough;
	few.rlim_cur = 16; /* not enough for all the maps */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	refuse_open(-EMFILE, "BPF programs");
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &enough), 0);
	cr_expect_eq(access(dt.bpffs, F_OK), -1, "neither mount nor directory");
	datapath_test_open();
}

Test(datapath_open, a_pin_in_the_way_is_named)
{
	char path[PIN_PATH_MAX];

	cr_assert_eq(mkdir(dt.bpffs, 0700), 0);
	cr_assert_eq(mount("bpf", dt.bpffs, "bpf", 0, "mode=0700"), 0);
	pin_path(dt.bpffs, "cs_stats", path);
	cr_assert_eq(mkdir(path, 0700), 0);
	refuse_open(-EISDIR, "cannot remove a pin");
	cr_expect_eq(pins_is_bpffs(dt.bpffs), true, "a mount of others stays");
}

Test(datapath_open, uninstall_removes_everything)
{
	datapath_test_open();
	commit_image(image_with_workload());
	datapath_close(dt.dp);
	dt.dp = NULL;
	cr_assert_eq(datapath_uninstall(&dt.options), 0, "%s", datapath_error(NULL));
	cr_expect_eq(attached_at_ingress(), 0);
	cr_expect_eq(access(dt.bpffs, F_OK), -1, "the directory is gone");
	cr_expect_eq(datapath_uninstall(&dt.options), 0, "also when there is nothing");
	datapath_test_open();
	cr_expect_eq(status().epoch, 0, "what comes next is fresh");
}

Test(datapath_open, uninstall_detaches_while_an_agent_runs)
{
	datapath_test_open();
	commit_image(image_with_workload());
	cr_assert_eq(datapath_uninstall(&dt.options), 0);
	cr_expect_eq(attached_at_ingress(), 0);
	cr_expect_eq(status().programs_attached, 0);
}

Test(datapath_open, uninstall_leaves_what_is_not_ours)
{
	char foreign[PIN_PATH_MAX];
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", 4, 4, 1, NULL);

	datapath_test_open();
	commit_image(image_with_workload());
	snprintf(foreign, sizeof(foreign), "%s/foreign", dt.bpffs);
	cr_assert_eq(bpf_obj_pin(fd, foreign), 0);
	cr_assert_eq(datapath_uninstall(&dt.options), 0);
	cr_expect_eq(access(foreign, F_OK), 0);
	cr_expect_eq(attached_at_ingress(), 0);
	cr_assert_eq(unlink(foreign), 0);
	close(fd);
}

Test(datapath_open, uninstall_of_a_plain_directory_touches_nothing)
{
	char path[PIN_PATH_MAX];
	FILE *file;

	cr_assert_eq(mkdir(dt.bpffs, 0700), 0);
	pin_path(dt.bpffs, "cs_peers", path);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	fclose(file);
	cr_assert_eq(datapath_uninstall(&dt.options), 0);
	cr_expect_eq(access(path, F_OK), 0);
	unlink(path);
}
