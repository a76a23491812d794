/* SPDX-License-Identifier: Apache-2.0 */
/* The directory with the pins, and the file system in it. */
#include "user/datapath/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define MOUNT_SOURCE "countersign" /* tells our own mounts from others */

static int make_directories(const char *path)
{
	char *copy _cleanup_free_ = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

bool pins_is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

int pins_open(struct datapath *dp)
{
	int r = make_directories(dp->bpffs);

	if (r < 0)
		return datapath_fail(r,
				     "%s: cannot make the directory for pins: %s; mount a bpf "
				     "file system or choose another --bpffs",
				     dp->bpffs, strerror(-r));
	if (!pins_is_bpffs(dp->bpffs)) {
		if (mount(MOUNT_SOURCE, dp->bpffs, "bpf", 0, "mode=0700") < 0)
			return datapath_fail(-errno, "%s: cannot mount a bpf file system: %s",
					     dp->bpffs, strerror(errno));
		dp->mounted = true;
	}
	dp->lock = open(dp->bpffs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dp->lock < 0)
		return datapath_fail(-errno, "%s: %s", dp->bpffs, strerror(errno));
	if (flock(dp->lock, LOCK_EX | LOCK_NB) < 0)
		return datapath_fail(-EBUSY, "%s: another agent uses these pins; stop it first",
				     dp->bpffs);
	return 0;
}

/* Whether /proc/self/mountinfo has a mount of ours at exactly @path. */
static bool is_own_mount(const char *path)
{
	FILE *file _cleanup_fclose_ = fopen("/proc/self/mountinfo", "re");
	char *real _cleanup_free_ = realpath(path, NULL);
	char line[PIN_PATH_MAX + 512], wanted[64];
	char *found, *end;

	if (!file || !real)
		return false;
	snprintf(wanted, sizeof(wanted), " - bpf %s ", MOUNT_SOURCE);
	while (fgets(line, sizeof(line), file)) {
		/* id, parent, device, root, mount point, ... */
		found = line;
		for (int field = 0; found && field < 4; field++) {
			found = strchr(found, ' ');
			found = found ? found + 1 : NULL;
		}
		end = found ? strchr(found, ' ') : NULL;
		if (end && (size_t)(end - found) == strlen(real) &&
		    memcmp(found, real, end - found) == 0 && strstr(end, wanted))
			return true;
	}
	return false;
}

/* Names with a dot are the kernel's: it puts maps.debug and progs.debug in every bpffs. */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!dir)
		return false;
	while (empty && (entry = readdir(dir)))
		empty = strchr(entry->d_name, '.') != NULL;
	closedir(dir);
	return empty;
}

void pins_remove_directory(const char *bpffs)
{
	/* Another program's pins would vanish with the mount. */
	if (!is_empty(bpffs))
		return;
	if (is_own_mount(bpffs))
		umount2(bpffs, MNT_DETACH);
	rmdir(bpffs);
}
