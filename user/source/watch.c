/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/watch.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "user/source/listing.h"

#define WATCH_STEPS_MAX 64 /* directories on the way, both ways together */
#define WATCH_EVENTS_BYTES 16384
#define WATCH_MASK                                                                          \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | \
	 IN_DELETE_SELF | IN_MOVE_SELF)
#define WATCH_SELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_Q_OVERFLOW)

/* One directory that is watched. */
struct watch_step {
	int wd;
	char next[NAME_MAX + 1]; /* the one entry that matters; "": it is the manifests' own */
};

struct watch {
	char *path;
	int epoll; /* of the two below: one descriptor to the outside */
	int inotify;
	int timer; /* runs while changes settle */
	bool settling;
	struct watch_step step[WATCH_STEPS_MAX];
	size_t n_steps;
	struct watch_changes changes;
	bool stale; /* something on the way changed: the watches must be made anew */
};

struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	closep(&watch->inotify);
	closep(&watch->timer);
	closep(&watch->epoll);
	free(watch->path);
	free(watch);
	return NULL;
}

/* False when @path cannot be watched: the way ends here. */
static bool add_step(struct watch *watch, int inotify, const char *path, const char *next,
		     size_t next_length)
{
	struct watch_step *step = &watch->step[watch->n_steps];

	if (watch->n_steps >= WATCH_STEPS_MAX || next_length > NAME_MAX)
		return false;
	step->wd = inotify_add_watch(inotify, path, WATCH_MASK);
	if (step->wd < 0)
		return false;
	memcpy(step->next, next, next_length);
	step->next[next_length] = '\0';
	watch->n_steps++;
	return true;
}

/* Watches every directory on the absolute @path as far as it exists. */
static void add_way(struct watch *watch, int inotify, const char *path)
{
	char way[PATH_MAX];
	const char *at = path;

	while (*at) {
		const char *name = at + strspn(at, "/");
		size_t length = strcspn(name, "/");

		if (!length)
			break;
		snprintf(way, sizeof(way), "%.*s", (int)(name - path), path);
		if (!add_step(watch, inotify, way, name, length))
			return;
		at = name + length;
	}
	add_step(watch, inotify, path, "", 0);
}

static int epoll_add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return ret_errno(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

/*
 * Watches afresh, as directories may have come, gone or been replaced. The old watches
 * stand until the new ones do, so no change falls between.
 */
static int arm(struct watch *watch)
{
	_cleanup_close_ int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char real[PATH_MAX];
	int r;

	if (inotify < 0)
		return -errno;
	watch->stale = true; /* until all is done */
	watch->n_steps = 0;
	add_way(watch, inotify, watch->path);
	if (realpath(watch->path, real) && !streq(real, watch->path))
		add_way(watch, inotify, real);
	if (!watch->n_steps)
		return -ENOSPC; /* not even "/": out of inotify watches */
	r = epoll_add(watch->epoll, inotify);
	if (r < 0)
		return r;
	closep(&watch->inotify);
	watch->inotify = TAKE_FD(inotify);
	watch->stale = false;
	return 0;
}

/* The absolute path, without resolving links: those on the way may change later. */
static char *absolute(const char *path)
{
	char here[PATH_MAX], *joined;

	if (*path == '/')
		return strdup(path);
	if (!getcwd(here, sizeof(here)) || asprintf(&joined, "%s/%s", here, path) < 0)
		return NULL;
	return joined;
}

int watch_new(const char *path, struct watch **ret)
{
	_cleanup_(watch_freep) struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->inotify = -EBADF;
	watch->changes.all = true; /* nothing was read yet */
	watch->path = absolute(path);
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!watch->path)
		return -ENOMEM;
	if (watch->epoll < 0 || watch->timer < 0)
		return -errno;
	r = epoll_add(watch->epoll, watch->timer);
	if (r < 0)
		return r;
	r = arm(watch);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(watch);
	return 0;
}

int watch_fd(const struct watch *watch)
{
	return watch->epoll;
}

/*
 * A file that is only created is still being written: its IN_CLOSE_WRITE counts. Links
 * are whole at once and get no other event.
 */
static bool created_whole(const struct watch *watch, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", watch->path, name);
	if (lstat(path, &st) < 0)
		return true;
	return !S_ISREG(st.st_mode) || st.st_nlink > 1;
}

/* Whether an event in the manifests' own directory says that they changed. */
static bool manifest_changed(const struct watch *watch, const struct inotify_event *event)
{
	if (!event->len)
		return event->mask & IN_ATTRIB;
	/* "..data" is the link that a ConfigMap mount swaps. */
	if (!listing_wants(event->name) && !startswith(event->name, ".."))
		return false;
	return !(event->mask & IN_CREATE) || created_whole(watch, event->name);
}

/* Once for each file, however often it is written. */
static void note_name(struct watch_changes *changes, const char *name)
{
	for (size_t i = 0; i < changes->n; i++)
		if (streq(changes->name[i], name))
			return;
	if (changes->n == WATCH_NAMES_MAX)
		changes->all = true;
	else
		snprintf(changes->name[changes->n++], NAME_MAX + 1, "%s", name);
}

static void note_all(struct watch *watch)
{
	watch->changes.all = true;
	watch->stale = true;
}

/* Notes what changed, and whether anything did that matters. */
static bool matters(struct watch *watch, const struct inotify_event *event)
{
	if (event->mask & WATCH_SELF) {
		note_all(watch);
		return true;
	}
	for (size_t i = 0; i < watch->n_steps; i++) {
		const struct watch_step *step = &watch->step[i];

		if (step->wd != event->wd)
			continue;
		if (!*step->next && manifest_changed(watch, event)) {
			if (event->len && listing_wants(event->name))
				note_name(&watch->changes, event->name);
			else
				note_all(watch);
			return true;
		}
		if (*step->next && event->len && streq(step->next, event->name)) {
			note_all(watch);
			return true;
		}
	}
	return false;
}

/* 1: something that matters was among the events. */
static int take_events(struct watch *watch)
{
	char buffer[WATCH_EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool changed = false;
	ssize_t n;

	while ((n = read(watch->inotify, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			const struct inotify_event *event = (const void *)p;

			changed = matters(watch, event) || changed;
			p += sizeof(*event) + event->len;
		}
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	return changed;
}

/* Not started again by later changes, so a busy directory cannot put a reload off. */
static int settle(struct watch *watch)
{
	const struct itimerspec once = { .it_value.tv_nsec = WATCH_SETTLE_MS * 1000000L };

	if (watch->settling)
		return 0;
	watch->settling = true;
	return ret_errno(timerfd_settime(watch->timer, 0, &once, NULL));
}

int watch_dispatch(struct watch *watch)
{
	uint64_t ticks;
	int r;

	r = take_events(watch);
	if (r > 0)
		r = settle(watch);
	if (r < 0)
		return r;
	if (!watch->settling || read(watch->timer, &ticks, sizeof(ticks)) < 0)
		return 0;
	watch->settling = false;
	/* Files come and go in a directory that stands where it stood: so do the watches. */
	r = watch->stale ? arm(watch) : 0;
	return r < 0 ? r : 1;
}

const struct watch_changes *watch_changes(const struct watch *watch)
{
	return &watch->changes;
}

void watch_changes_reset(struct watch *watch)
{
	watch->changes.all = false;
	watch->changes.n = 0;
}
