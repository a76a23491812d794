/* SPDX-License-Identifier: Apache-2.0 */
/* The programs at the cgroup root, each through a pinned link. */
#include "user/datapath/internal.h"

/*
 * In the order in which a fresh start attaches them: first those that mark sockets and
 * write tags, the filters last, so that no handshake meets a filter before its marks.
 */
const char *const hook_programs[HOOKS] = {
	"cs_getsockopt", "cs_sock_create", "cs_connect4", "cs_connect6", "cs_sendmsg4",
	"cs_sendmsg6",	 "cs_sockops",	   "cs_egress",	  "cs_ingress",
};

static int hook_pin_path(const struct datapath *dp, int hook, char ret[static PIN_PATH_MAX])
{
	char object[64];

	snprintf(object, sizeof(object), "link_%s", hook_programs[hook]);
	return pin_path(dp->bpffs, object, ret);
}

static struct bpf_program *hook_program(const struct datapath *dp, int hook)
{
	return bpf_object__find_program_by_name(dp->object, hook_programs[hook]);
}

/* Reads the link's info; 0 when the link is ours: this hook at this cgroup root. */
static int hook_check(const struct datapath *dp, int hook, int fd, struct bpf_link_info *ret)
{
	const struct bpf_program *program = hook_program(dp, hook);
	struct bpf_link_info info = { 0 };
	uint32_t length = sizeof(info);

	if (!program)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return -errno;
	if (info.type != BPF_LINK_TYPE_CGROUP ||
	    info.cgroup.attach_type != bpf_program__expected_attach_type(program))
		return -EPROTO;
	if (info.cgroup.cgroup_id != dp->cgroup_id)
		return -EXDEV;
	*ret = info;
	return 0;
}

static int fail_hook(int r, const char *path)
{
	switch (r) {
	case -EXDEV:
		return datapath_fail(r,
				     "%s: guards another cgroup (or one that is gone); run "
				     "--uninstall first",
				     path);
	case -EPROTO:
		return datapath_fail(r, "%s: is no link of this agent; run --uninstall first",
				     path);
	default:
		return datapath_fail(r, "%s: %s", path, strerror(-r));
	}
}

/* ---- adopting ---- */

/* Opens and checks the pinned link of @hook, if there is one, and the program in it. */
static int open_link(struct datapath *dp, int hook, int *ret_program)
{
	struct bpf_link_info info;
	char path[PIN_PATH_MAX];
	int fd _cleanup_close_ = -EBADF;
	int r = hook_pin_path(dp, hook, path);

	if (r < 0)
		return r;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail_hook(-errno, path);
	r = hook_check(dp, hook, fd, &info);
	if (r < 0)
		return fail_hook(r, path);
	r = ret_errno(bpf_prog_get_fd_by_id(info.prog_id));
	if (r < 0)
		return fail_hook(r, path);
	*ret_program = r;
	dp->links[hook] = TAKE_FD(fd);
	return 0;
}

static int update_link(struct datapath *dp, int hook)
{
	char path[PIN_PATH_MAX];
	int r;

	if (dp->links[hook] < 0)
		return 0;
	r = ret_errno(
		bpf_link_update(dp->links[hook], bpf_program__fd(hook_program(dp, hook)), NULL));
	if (r < 0 && hook_pin_path(dp, hook, path) == 0)
		fail_hook(r, path);
	return r;
}

/* Not half of the new programs: after a failure the earlier ones are back in force. */
static int update_links(struct datapath *dp, const int *earlier)
{
	int r;

	for (int hook = 0; hook < HOOKS; hook++) {
		r = update_link(dp, hook);
		if (r >= 0)
			continue;
		while (hook-- > 0)
			if (dp->links[hook] >= 0)
				bpf_link_update(dp->links[hook], earlier[hook], NULL);
		return r;
	}
	return 0;
}

int links_adopt(struct datapath *dp)
{
	int programs[HOOKS];
	int r = 0;

	memset(programs, -1, sizeof(programs));
	for (int hook = 0; r >= 0 && hook < HOOKS; hook++)
		r = open_link(dp, hook, &programs[hook]);
	if (r >= 0)
		r = update_links(dp, programs);
	for (int hook = 0; hook < HOOKS; hook++)
		closep(&programs[hook]);
	return r;
}

/* ---- attaching ---- */

static int attach_link(struct datapath *dp, int hook)
{
	struct bpf_program *program = hook_program(dp, hook);
	char path[PIN_PATH_MAX];
	int fd _cleanup_close_ = -EBADF;
	int r = hook_pin_path(dp, hook, path);

	if (r < 0)
		return r;
	if (!program)
		return fail_hook(-ENOENT, path);
	fd = bpf_link_create(bpf_program__fd(program), dp->cgroup,
			     bpf_program__expected_attach_type(program), NULL);
	if (fd < 0)
		return datapath_fail(-errno, "cannot attach %s to the cgroup root: %s",
				     hook_programs[hook], strerror(errno));
	if (bpf_obj_pin(fd, path) < 0)
		return datapath_fail(-errno, "%s: cannot pin: %s", path, strerror(errno));
	dp->links[hook] = TAKE_FD(fd);
	return 0;
}

static void detach_link(struct datapath *dp, int hook)
{
	char path[PIN_PATH_MAX];

	if (hook_pin_path(dp, hook, path) == 0)
		unlink(path);
	closep(&dp->links[hook]);
	dp->links[hook] = -1;
}

int links_attach(struct datapath *dp)
{
	bool made[HOOKS] = { false };
	int hook, r = 0;

	for (hook = 0; r >= 0 && hook < HOOKS; hook++) {
		if (dp->links[hook] >= 0)
			continue;
		r = attach_link(dp, hook);
		made[hook] = r >= 0;
	}
	while (r < 0 && hook-- > 0)
		if (made[hook])
			detach_link(dp, hook);
	return r;
}

size_t links_in_force(const struct datapath *dp)
{
	struct bpf_prog_info program = { 0 };
	struct bpf_link_info info;
	uint32_t length;
	size_t n = 0;

	for (int hook = 0; hook < HOOKS; hook++) {
		length = sizeof(program);
		memset(&program, 0, sizeof(program));
		if (dp->links[hook] >= 0 && hook_check(dp, hook, dp->links[hook], &info) == 0 &&
		    bpf_obj_get_info_by_fd(bpf_program__fd(hook_program(dp, hook)), &program,
					   &length) == 0 &&
		    program.id == info.prog_id)
			n++;
	}
	return n;
}
