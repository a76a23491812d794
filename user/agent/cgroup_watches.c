/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/cgroup_watches.h"

#include <limits.h>
#include <sys/inotify.h>

#include "user/agent/cgroups.h"
#include "user/base/file.h"

#define WATCH_MASK \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW)
#define WATCH_EVENTS_BYTES 16384

int cgroup_watches_init(struct cgroup_watches *watches, const char *root)
{
	*watches = (struct cgroup_watches){ .inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC) };
	if (watches->inotify < 0)
		return -errno;
	watches->root = strdup(root);
	return watches->root ? 0 : -ENOMEM;
}

void cgroup_watches_done(struct cgroup_watches *watches)
{
	for (size_t i = 0; i < watches->n; i++)
		free(watches->watch[i].path);
	free(watches->watch);
	free(watches->root);
	closep(&watches->inotify);
}

/* Where @wd is, or would be. */
static size_t find(const struct cgroup_watches *watches, int wd)
{
	size_t low = 0, high = watches->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (watches->watch[middle].wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct cgroup_watches *watches, size_t i, int wd)
{
	return i < watches->n && watches->watch[i].wd == wd;
}

static int make_room(struct cgroup_watches *watches)
{
	size_t room = watches->room ? watches->room * 2 : 16;
	struct cgroup_watch *more;

	if (watches->n < watches->room)
		return 0;
	if (watches->n >= CGROUPS_WATCHES_MAX)
		return -ENOSPC;
	more = reallocarray(watches->watch, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	watches->watch = more;
	watches->room = room;
	return 0;
}

static int insert(struct cgroup_watches *watches, size_t i, int wd, const char *path)
{
	char *copy;
	int r;

	r = make_room(watches);
	if (r < 0)
		return r;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	memmove(&watches->watch[i + 1], &watches->watch[i],
		(watches->n - i) * sizeof(*watches->watch));
	watches->watch[i] = (struct cgroup_watch){ .wd = wd, .path = copy };
	watches->n++;
	return 0;
}

static void drop(struct cgroup_watches *watches, size_t i)
{
	free(watches->watch[i].path);
	watches->n--;
	memmove(&watches->watch[i], &watches->watch[i + 1],
		(watches->n - i) * sizeof(*watches->watch));
}

static int add(struct cgroup_watches *watches, const char *path, bool kept)
{
	_cleanup_free_ char *full = path_join(watches->root, path);
	int wd, r;
	size_t i;

	if (!full)
		return -ENOMEM;
	wd = inotify_add_watch(watches->inotify, full, WATCH_MASK);
	if (wd < 0)
		return -errno;
	i = find(watches, wd);
	r = is_at(watches, i, wd) ? 0 : insert(watches, i, wd, path);
	if (r < 0) {
		inotify_rm_watch(watches->inotify, wd);
		return r;
	}
	watches->watch[i].used = true;
	watches->watch[i].kept |= kept;
	return 0;
}

int cgroup_watches_add(struct cgroup_watches *watches, const char *path)
{
	return add(watches, path, /* kept= */ false);
}

int cgroup_watches_keep(struct cgroup_watches *watches, const char *path)
{
	return add(watches, path, /* kept= */ true);
}

void cgroup_watches_mark(struct cgroup_watches *watches)
{
	for (size_t i = 0; i < watches->n; i++)
		watches->watch[i].used = false;
}

void cgroup_watches_sweep(struct cgroup_watches *watches)
{
	size_t kept = 0;

	for (size_t i = 0; i < watches->n; i++) {
		if (watches->watch[i].used || watches->watch[i].kept) {
			watches->watch[kept++] = watches->watch[i];
			continue;
		}
		inotify_rm_watch(watches->inotify, watches->watch[i].wd);
		free(watches->watch[i].path);
	}
	watches->n = kept;
}

static void take_event(struct cgroup_watches *watches, const struct inotify_event *event,
		       cgroup_watches_fn fn, void *arg)
{
	char path[PATH_MAX];
	size_t i;

	if (event->mask & IN_Q_OVERFLOW) {
		fn(arg, "");
		return;
	}
	i = find(watches, event->wd);
	if (!is_at(watches, i, event->wd))
		return;
	if (event->mask & IN_IGNORED) {
		drop(watches, i); /* the directory is gone; its parent told */
		return;
	}
	if (!(event->mask & IN_ISDIR) || !event->len)
		return;
	snprintf(path, sizeof(path), "%s%s%s", watches->watch[i].path,
		 *watches->watch[i].path ? "/" : "", event->name);
	fn(arg, path);
}

int cgroup_watches_read(struct cgroup_watches *watches, cgroup_watches_fn fn, void *arg)
{
	char buffer[WATCH_EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(watches->inotify, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			const struct inotify_event *event = (const void *)p;

			take_event(watches, event, fn, arg);
			p += sizeof(*event) + event->len;
		}
	}
	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}
