/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaving nothing behind: the janitor process, which outlives a test that crashes, and
 * the sweep for runs whose janitor was killed as well.
 */
#include "tests/lab/lab_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

static int lab_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

static void lab_unmount_all(const char *pattern)
{
	glob_t found = { 0 };

	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			while (umount2(found.gl_pathv[i], MNT_DETACH) == 0)
				;
	globfree(&found);
}

/* Undoes the mounts below a run's directory; the pins in a bpffs go with it. */
static void lab_unmount(const char *dir)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/bpffs", dir);
	lab_unmount_all(path);
	snprintf(path, sizeof(path), "%s/node-*/bpffs", dir);
	lab_unmount_all(path);
}

void lab_remove_run(const char *name)
{
	char path[PATH_MAX], mount[PATH_MAX / 2];

	if (!startswith(name, LAB_PREFIX))
		return;
	if (lab_cgroup_mount(mount, sizeof(mount)) == 0) {
		snprintf(path, sizeof(path), "%s/%s", mount, name);
		lab_cgroup_remove_tree(path);
	}
	snprintf(path, sizeof(path), "/tmp/%s", name);
	lab_unmount(path);
	nftw(path, lab_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Removes the runs named in @dir whose process is dead (@pid: of that process only). */
static void lab_sweep_dir(const char *dir_path, pid_t pid)
{
	DIR *dir = opendir(dir_path);
	struct dirent *entry;
	int owner;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, LAB_PREFIX "%d-", &owner) != 1)
			continue;
		if (pid ? owner != pid : kill(owner, 0) == 0 || errno != ESRCH)
			continue;
		lab_remove_run(entry->d_name);
	}
	closedir(dir);
}

static void lab_sweep(pid_t pid)
{
	char mount[PATH_MAX / 2];

	lab_sweep_dir("/tmp", pid);
	if (lab_cgroup_mount(mount, sizeof(mount)) == 0)
		lab_sweep_dir(mount, pid);
}

void lab_sweep_leftovers(void)
{
	lab_sweep(0);
}

static void lab_janitor(const char *name, int fd)
{
	int null = open("/dev/null", O_RDWR);
	char byte;

	setsid(); /* a Ctrl-C for the tests is not for the one who cleans up after them */
	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	dup2(fd, 3);
	close_range(4, ~0U, 0);
	while (read(3, &byte, 1) < 0 && errno == EINTR)
		;
	lab_remove_run(name);
	_exit(0);
}

int lab_janitor_start(struct lab *lab)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	lab->janitor = fork();
	if (lab->janitor == 0)
		lab_janitor(lab->name, fds[0]);
	close(fds[0]);
	lab->janitor_fd = fds[1];
	return lab->janitor < 0 ? -errno : 0;
}

void lab_janitor_end(struct lab *lab)
{
	close(lab->janitor_fd);
	waitpid(lab->janitor, NULL, 0);
}
