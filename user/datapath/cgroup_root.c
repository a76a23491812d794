/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup below which everything is guarded: its id and its depth. */
#include "user/datapath/internal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define CGROUP_ROOT_ID 1 /* of the whole hierarchy's root */
#define LEVELS_MAX 64

/* From include/linux/exportfs.h: the handle of a kernfs node is its 64-bit id. */
#define FILEID_KERNFS 0xfe

int cgroup_id_at(int dirfd, const char *name, uint64_t *ret)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + sizeof(uint64_t)];
	} u = { .handle.handle_bytes = sizeof(uint64_t) };
	int mount;

	if (name_to_handle_at(dirfd, name, &u.handle, &mount, AT_EMPTY_PATH) < 0)
		return -errno;
	if (u.handle.handle_type != FILEID_KERNFS || u.handle.handle_bytes != sizeof(uint64_t))
		return -ENOTDIR;
	memcpy(ret, u.handle.f_handle, sizeof(*ret));
	return 0;
}

/* How deep the directory lies below the root of the whole hierarchy. */
static int cgroup_level(int root, uint32_t *ret)
{
	int dir _cleanup_close_ = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat here, above;
	uint32_t level;
	uint64_t id;
	int r, up;

	for (level = 0; dir >= 0 && level < LEVELS_MAX; level++) {
		r = cgroup_id_at(dir, "", &id);
		if (r < 0)
			return r;
		if (id == CGROUP_ROOT_ID) {
			*ret = level;
			return 0;
		}
		up = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (up < 0)
			return -errno;
		if (fstat(dir, &here) < 0 || fstat(up, &above) < 0 || here.st_dev != above.st_dev) {
			close(up);
			return -EXDEV; /* the mount begins in the middle of the hierarchy */
		}
		close(dir);
		dir = up;
	}
	return dir < 0 ? -errno : -ELOOP;
}

int cgroup_root_open(struct datapath *dp, const char *path, uint32_t *ret_level)
{
	struct statfs fs;
	int r;

	dp->cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dp->cgroup < 0)
		return datapath_fail(-errno, "%s: cannot open the cgroup root: %s", path,
				     strerror(errno));
	if (fstatfs(dp->cgroup, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return datapath_fail(-ENOTDIR,
				     "%s: is no cgroup v2 directory; see "
				     "--cgroup-root",
				     path);
	r = cgroup_id_at(dp->cgroup, "", &dp->cgroup_id);
	if (r >= 0)
		r = cgroup_level(dp->cgroup, ret_level);
	if (r == -EXDEV)
		return datapath_fail(r,
				     "%s: the cgroup file system is not mounted from its root; "
				     "run the agent in the host's cgroup namespace",
				     path);
	if (r < 0)
		return datapath_fail(r, "%s: %s", path, strerror(-r));
	return 0;
}
