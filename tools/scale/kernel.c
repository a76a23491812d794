/* SPDX-License-Identifier: Apache-2.0 */
/* A datapath that guards nobody: a cgroup and pins of its own, gone when it is closed. */
#include "tools/scale/scale.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/lab/lab_internal.h"

static char cgroup[PATH_MAX];
static char directory[64];
static char pins[80];

static const struct datapath_options options = {
	.cgroup_root = cgroup,
	.bpffs = pins,
	.node = 1,
	.deny_mode = CS_DENY_REJECT,
};

struct datapath *kernel_open(void)
{
	char mount_point[PATH_MAX / 2];
	struct datapath *dp = NULL;

	if (geteuid() != 0 || lab_cgroup_mount(mount_point, sizeof(mount_point)) < 0)
		return NULL;
	snprintf(cgroup, sizeof(cgroup), "%s/countersign-scale-%d", mount_point, getpid());
	snprintf(directory, sizeof(directory), "/tmp/countersign-scale-%d", getpid());
	snprintf(pins, sizeof(pins), "%s/pins", directory);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mkdir(cgroup, 0755) < 0 || mkdir(directory, 0700) < 0 ||
	    datapath_open(&options, &dp) < 0) {
		fprintf(stderr, "scale: no datapath: %s\n", datapath_error(NULL));
		kernel_close(NULL);
		return NULL;
	}
	return dp;
}

void kernel_close(struct datapath *dp)
{
	datapath_close(dp);
	datapath_uninstall(&options);
	umount2(pins, MNT_DETACH);
	rmdir(pins);
	rmdir(directory);
	rmdir(cgroup);
}
