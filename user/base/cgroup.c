/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <sys/vfs.h>

#define MOUNT_LINE_MAX 8192

DEFINE_TRIVIAL_CLEANUP(FILE *, endmntent)

int cgroup_mount_point(const char *mounts, char **ret)
{
	_cleanup_(endmntentp) FILE *f = setmntent(mounts, "re");
	struct mntent entry;
	char line[MOUNT_LINE_MAX];
	char *path;

	if (!f)
		return -errno;
	while (getmntent_r(f, &entry, line, sizeof(line))) {
		if (!streq(entry.mnt_type, "cgroup2"))
			continue;
		path = strdup(entry.mnt_dir);
		if (!path)
			return -ENOMEM;
		*ret = path;
		return 0;
	}
	return -ENODEV;
}

int cgroup_id(const char *path, uint64_t *ret)
{
	/* The file handle of a cgroup is its 64-bit id; st_ino would be cut on 32 bits. */
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} handle = { .head.handle_bytes = sizeof(uint64_t) };
	struct statfs fs;
	int mount_id;

	if (statfs(path, &fs) < 0)
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return -EMEDIUMTYPE;
	if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) < 0)
		return -errno;
	if (handle.head.handle_bytes != sizeof(*ret))
		return -EMEDIUMTYPE;
	memcpy(ret, handle.head.f_handle, sizeof(*ret));
	return 0;
}
