/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/pods.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "user/base/cgroup.h"
#include "user/base/file.h"

struct pods {
	struct cgroup_watches *watches;
	const struct pods_ops *ops;
	void *arg;
	struct pod_place *place; /* sorted by uid */
	size_t n, room;
	struct pods_root root[PODS_ROOTS_MAX];
	size_t n_roots;
	int error;
};

static void note_error(struct pods *pods, int r)
{
	if (r < 0 && r != -ENOENT && r != -ENOTDIR && !pods->error)
		pods->error = r;
}

int pods_error(struct pods *pods)
{
	int r = pods->error;

	pods->error = 0;
	return r;
}

/* ---- places ---- */

/* Where @uid is, or would be. */
static size_t position(const struct pods *pods, const char *uid)
{
	size_t low = 0, high = pods->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(pods->place[middle].uid, uid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct pod_place *place_of(const struct pods *pods, const char *uid)
{
	size_t i = position(pods, uid);

	return i < pods->n && streq(pods->place[i].uid, uid) ? &pods->place[i] : NULL;
}

const struct pod_place *pods_find(const struct pods *pods, const char *uid)
{
	return place_of(pods, uid);
}

const struct pod_place *pods_list(const struct pods *pods, size_t *ret_n)
{
	*ret_n = pods->n;
	return pods->place;
}

const struct pods_root *pods_roots(const struct pods *pods, size_t *ret_n)
{
	*ret_n = pods->n_roots;
	return pods->root;
}

/* A place for @uid, all zero but for that. */
static int add_place(struct pods *pods, const char *uid, struct pod_place **ret)
{
	size_t i = position(pods, uid), room = pods->room ? pods->room * 2 : 64;
	struct pod_place *more;

	if (pods->n >= PODS_MAX)
		return -ENOSPC;
	if (pods->n == pods->room) {
		more = reallocarray(pods->place, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		pods->place = more;
		pods->room = room;
	}
	memmove(&pods->place[i + 1], &pods->place[i], (pods->n - i) * sizeof(*pods->place));
	pods->n++;
	pods->place[i] = (struct pod_place){ 0 };
	snprintf(pods->place[i].uid, sizeof(pods->place[i].uid), "%s", uid);
	*ret = &pods->place[i];
	return 0;
}

void pods_forget(struct pods *pods, bool (*keep)(void *arg, const char *uid), void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < pods->n; i++) {
		if (pods->place[i].gone && !keep(arg, pods->place[i].uid))
			free(pods->place[i].path);
		else
			pods->place[kept++] = pods->place[i];
	}
	pods->n = kept;
}

/* ---- what is in the file system ---- */

/* The id of the cgroup at @path, 0 when there is none that counts. */
static uint64_t look(const struct pods *pods, const char *path)
{
	_cleanup_free_ char *full = path_join(pods->watches->root, path);
	struct stat st;
	uint64_t id;

	if (!full || lstat(full, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != 0)
		return 0;
	return cgroup_id(full, &id) == 0 ? id : 0;
}

static size_t depth_of(const char *path)
{
	size_t depth = *path != 0;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

static void take(struct pods *pods, const char *path);

/* Watches first, looks then: nothing that comes in between is missed. */
static void watch_and_look_into(struct pods *pods, const char *path)
{
	_cleanup_free_ char *full = path_join(pods->watches->root, path);
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;

	if (!full) {
		note_error(pods, -ENOMEM);
		return;
	}
	note_error(pods, cgroup_watches_keep(pods->watches, path));
	dir = opendir(full);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *child = NULL;

		if (entry->d_type != DT_DIR || *entry->d_name == '.')
			continue;
		child = *path ? path_join(path, entry->d_name) : strdup(entry->d_name);
		if (child)
			take(pods, child);
		else
			note_error(pods, -ENOMEM);
	}
}

/* ---- what came or went ---- */

/* Nobody is at a place twice: who was there first stays while it is there. */
static void take_pod(struct pods *pods, const char *path, const char *uid)
{
	struct pod_place *place = place_of(pods, uid);
	bool same = place && streq(place->path, path);
	uint64_t id = look(pods, path);
	char *copy = NULL;
	int r = 0;

	if (!id && !same)
		return;
	if (place && !same && !place->gone && look(pods, place->path) == place->id)
		return;
	if (!same) {
		copy = strdup(path);
		r = !copy ? -ENOMEM : place ? 0 : add_place(pods, uid, &place);
		if (r < 0) {
			free(copy);
			note_error(pods, r);
			return;
		}
		free(place->path);
		place->path = copy;
	} else if (place->gone == !id && (!id || place->id == id)) {
		return; /* seen twice */
	}
	place->gone = !id;
	place->id = id ?: place->id;
	pods->ops->moved(pods->arg, uid);
}

static void drop_root(struct pods *pods, size_t i)
{
	free(pods->root[i].path);
	pods->n_roots--;
	memmove(&pods->root[i], &pods->root[i + 1], (pods->n_roots - i) * sizeof(*pods->root));
}

static void add_root(struct pods *pods, const char *path, uint64_t id)
{
	char *copy;

	if (pods->n_roots == PODS_ROOTS_MAX) {
		note_error(pods, -ENOSPC);
		return;
	}
	copy = strdup(path);
	if (copy)
		pods->root[pods->n_roots++] = (struct pods_root){ copy, id };
	else
		note_error(pods, -ENOMEM);
}

/* The first thing that is done about it is to tell: who is in it already must wait. */
static void take_root(struct pods *pods, const char *path)
{
	uint64_t id = look(pods, path);
	size_t i = 0;

	while (i < pods->n_roots && !streq(pods->root[i].path, path))
		i++;
	if (i == pods->n_roots ? id != 0 : pods->root[i].id != id) {
		if (i < pods->n_roots)
			drop_root(pods, i);
		if (id)
			add_root(pods, path, id);
		pods->ops->roots(pods->arg);
	}
	if (id)
		watch_and_look_into(pods, path);
}

/* Something is, or is no more, at @path. */
static void take(struct pods *pods, const char *path)
{
	struct pod_cgroup pod;

	if (!pod_cgroup_parse(path, &pod)) {
		if (depth_of(path) < PODS_DEPTH_MAX && (!*path || look(pods, path)))
			watch_and_look_into(pods, path);
	} else if (!path[pod.root]) {
		if (depth_of(path) <= PODS_DEPTH_MAX)
			take_root(pods, path);
	} else if (pod_cgroup_holds_pods(path)) {
		if (look(pods, path))
			watch_and_look_into(pods, path);
	} else if (pod.pod && !path[pod.pod]) {
		take_pod(pods, path, pod.uid);
	}
}

/* After a loss of events anything may have happened. */
static void look_at_all(struct pods *pods)
{
	for (size_t i = pods->n_roots; i > 0; i--)
		if (look(pods, pods->root[i - 1].path) != pods->root[i - 1].id) {
			drop_root(pods, i - 1);
			pods->ops->roots(pods->arg);
		}
	for (size_t i = 0; i < pods->n; i++)
		if (!pods->place[i].gone && look(pods, pods->place[i].path) != pods->place[i].id) {
			pods->place[i].gone = true;
			pods->ops->moved(pods->arg, pods->place[i].uid);
		}
	take(pods, "");
}

void pods_event(struct pods *pods, const char *path)
{
	if (*path)
		take(pods, path);
	else
		look_at_all(pods);
}

/* ---- making ---- */

int pods_new(struct cgroup_watches *watches, const struct pods_ops *ops, void *arg,
	     struct pods **ret)
{
	struct pods *pods = calloc(1, sizeof(*pods));

	if (!pods)
		return -ENOMEM;
	pods->watches = watches;
	pods->ops = ops;
	pods->arg = arg;
	*ret = pods;
	take(pods, "");
	return 0;
}

struct pods *pods_free(struct pods *pods)
{
	if (!pods)
		return NULL;
	for (size_t i = 0; i < pods->n; i++)
		free(pods->place[i].path);
	while (pods->n_roots)
		drop_root(pods, pods->n_roots - 1);
	free(pods->place);
	free(pods);
	return NULL;
}
