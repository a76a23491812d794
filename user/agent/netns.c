/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/netns.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "user/base/file.h"

#define PROCS_BYTES_MAX (1 << 20) /* of one cgroup.procs */

void netns_set_close(struct netns_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		closep(&set->item[i].fd);
		set->item[i].fd = -EBADF;
	}
}

void netns_set_done(struct netns_set *set)
{
	netns_set_close(set);
	free(set->item);
	*set = (struct netns_set){ 0 };
}

const struct netns *netns_set_find(const struct netns_set *set, const struct netns *netns)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->item[i].ino == netns->ino && set->item[i].dev == netns->dev)
			return &set->item[i];
	return NULL;
}

/* Opened before it is compared: a number alone may already belong to another one. */
static int add_path(struct netns_set *set, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct netns netns, *more;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	netns = (struct netns){ .dev = st.st_dev, .ino = st.st_ino };
	if (netns_set_find(set, &netns))
		return 0;
	if (set->n >= NETNS_MAX)
		return -E2BIG;
	more = reallocarray(set->item, set->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	set->item = more;
	netns.fd = TAKE_FD(fd);
	more[set->n++] = netns;
	return 0;
}

int netns_add_own(struct netns_set *set)
{
	return add_path(set, "/proc/self/ns/net");
}

static int add_process(struct netns_set *set, unsigned long pid)
{
	char path[64];
	int r;

	if (++set->processes > NETNS_PROCESSES_MAX)
		return -E2BIG;
	snprintf(path, sizeof(path), "/proc/%lu/ns/net", pid);
	r = add_path(set, path);
	if (r == -E2BIG || r == -ENOMEM)
		return r;
	if (r < 0 && r != -ENOENT && r != -ESRCH && !set->error)
		set->error = r;
	return 0;
}

static int add_processes(struct netns_set *set, int dir)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = file_read_at(dir, "cgroup.procs", PROCS_BYTES_MAX, &text, &length);
	/* Gone meanwhile; or threaded, then its processes are listed further up. */
	if (r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP)
		return 0;
	for (char *line = text, *end; r == 0 && line && *line; line = end) {
		unsigned long pid = strtoul(line, &end, 10);

		if (end == line)
			break;
		end += strspn(end, "\n");
		/* 0: a process that this pid namespace cannot see */
		if (pid)
			r = add_process(set, pid);
	}
	return r == -EFBIG ? -E2BIG : r;
}

static int add_directory(struct netns_set *set, int parent, const char *name, int depth)
{
	_cleanup_(closedirp) DIR *stream = NULL;
	_cleanup_close_ int dir = -EBADF;
	const struct dirent *entry;
	int r;

	if (depth > NETNS_DEPTH_MAX || ++set->cgroups > NETNS_CGROUPS_MAX)
		return -E2BIG;
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	r = add_processes(set, dir);
	if (r < 0)
		return r;
	stream = fdopendir(dir);
	if (!stream)
		return -errno;
	TAKE_FD(dir);
	while (r == 0 && (entry = readdir(stream)))
		if (entry->d_type == DT_DIR && *entry->d_name != '.')
			r = add_directory(set, dirfd(stream), entry->d_name, depth + 1);
	return r;
}

int netns_add_cgroup(struct netns_set *set, const char *path)
{
	int r;

	set->error = 0;
	r = add_directory(set, AT_FDCWD, path, 0);
	return r < 0 ? r : set->error;
}
