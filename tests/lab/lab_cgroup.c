/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lab's cgroups: <mount>/countersign-lab-<pid>-<n>/guarded is the default agent's root,
 * .../guarded-<node> that of a node, .../outside is for programs that none of them must see.
 * The root cgroup is never touched.
 */
#include "tests/lab/lab_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <sys/stat.h>

int lab_cgroup_mount(char *ret_path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int r = -ENOENT;

	if (!mounts)
		return -errno;
	while (r < 0 && (entry = getmntent(mounts))) {
		if (!streq(entry->mnt_type, "cgroup2"))
			continue;
		snprintf(ret_path, size, "%s", entry->mnt_dir);
		r = 0;
	}
	endmntent(mounts);
	return r;
}

int lab_cgroup_setup(struct lab *lab)
{
	char mount[PATH_MAX / 8];
	char outside[PATH_MAX + 16];
	int r = lab_cgroup_mount(mount, sizeof(mount));

	if (r < 0)
		return r;
	snprintf(lab->cgroup, sizeof(lab->cgroup), "%s/%s", mount, lab->name);
	snprintf(outside, sizeof(outside), "%s/outside", lab->cgroup);
	if (mkdir(lab->cgroup, 0755) < 0)
		return -errno;
	return ret_errno(mkdir(outside, 0755));
}

void lab_cgroup_guard(struct lab_node *node)
{
	snprintf(node->guarded, sizeof(node->guarded), "%s/guarded%s%s", node->lab->cgroup,
		 *node->name ? "-" : "", node->name);
	lab_check(node->lab, mkdir(node->guarded, 0755) == 0, "cannot make cgroup %s: %s",
		  node->guarded, strerror(errno));
}

const char *lab_guarded(struct lab *lab)
{
	return lab->node.guarded;
}

const char *lab_node_cgroup(struct lab_node *node, const char *path)
{
	char *full, *slash;

	if (!path)
		return lab_printf(node->lab, "%s/outside", node->lab->cgroup);
	full = lab_printf(node->lab, "%s/%s", node->guarded, path);
	slash = full + strlen(node->guarded);
	for (;;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = 0;
		lab_check(node->lab, mkdir(full, 0755) == 0 || errno == EEXIST,
			  "cannot make cgroup %s: %s", full, strerror(errno));
		if (!slash)
			return full;
		*slash = '/';
	}
}

const char *lab_cgroup(struct lab *lab, const char *path)
{
	return lab_node_cgroup(&lab->node, path);
}

/* Async-signal-safe: runs between fork and exec. */
int lab_cgroup_join(const char *path)
{
	char procs[PATH_MAX + 32];
	_cleanup_close_ int fd = -EBADF;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, "0", 1) == 1 ? 0 : -errno;
}

static void lab_cgroup_kill(const char *path)
{
	_cleanup_fclose_ FILE *procs = NULL;
	char file[PATH_MAX + 32];
	int pid;

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	procs = fopen(file, "re");
	while (procs && fscanf(procs, "%d", &pid) == 1)
		if (pid > 1)
			kill(pid, SIGKILL); /* only a lab's programs join a lab's cgroup */
}

/* rmdir() says EBUSY until the kernel has let the last process go. */
static void lab_cgroup_rmdir(const char *path)
{
	for (int i = 0; i < 200; i++) {
		if (rmdir(path) == 0 || errno != EBUSY)
			return;
		lab_cgroup_kill(path);
		lab_sleep_ms(10);
	}
	fprintf(stderr, "lab: cannot remove cgroup %s: %s\n", path, strerror(errno));
}

void lab_cgroup_remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char child[PATH_MAX];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) <
		    (int)sizeof(child))
			lab_cgroup_remove_tree(child);
	}
	closedir(dir);
	lab_cgroup_kill(path);
	lab_cgroup_rmdir(path);
}

void lab_cgroup_remove(struct lab *lab, const char *path)
{
	lab_cgroup_remove_tree(lab_cgroup(lab, path));
}
