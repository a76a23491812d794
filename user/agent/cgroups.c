/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/cgroups.h"

#include <dirent.h>
#include <limits.h>

#include "user/agent/pods.h"
#include "user/base/cgroup.h"
#include "user/base/file.h"

#define SLICE ".slice"
#define SYSTEM_SLICE "system.slice"

/* One workload and its cgroup. */
struct cgroup_slot {
	char *cgroup; /* as declared: a path below the root, or NULL */
	char *unit; /* as declared: a systemd unit, or NULL */
	char *pod; /* as declared: a pod's uid, or NULL */
	char *path; /* below the root, where it was found last; NULL: nowhere yet */
	uint64_t id; /* 0: none now */
};

struct cgroups {
	struct cgroup_watches watches;
	struct cgroups_ops ops;
	void *arg;
	struct pods *pods; /* NULL: no workload is a pod */
	struct cgroup_slot *slot;
	size_t n;
	uint32_t *by_pod; /* slots of pods, sorted by uid */
	size_t n_by_pod;
};

static void slots_free(struct cgroup_slot *slot, size_t n)
{
	for (size_t i = 0; slot && i < n; i++) {
		free(slot[i].cgroup);
		free(slot[i].unit);
		free(slot[i].pod);
		free(slot[i].path);
	}
	free(slot);
}

struct cgroups *cgroups_free(struct cgroups *cgroups)
{
	if (!cgroups)
		return NULL;
	slots_free(cgroups->slot, cgroups->n);
	free(cgroups->by_pod);
	pods_free(cgroups->pods);
	cgroup_watches_done(&cgroups->watches);
	free(cgroups);
	return NULL;
}

/* ---- pods ---- */

/* The slot of the pod, SIZE_MAX: it is no workload of this node. */
static size_t slot_of_pod(const struct cgroups *cgroups, const char *uid)
{
	size_t low = 0, high = cgroups->n_by_pod;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(cgroups->slot[cgroups->by_pod[middle]].pod, uid);

		if (order == 0)
			return cgroups->by_pod[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SIZE_MAX;
}

static bool is_workload(void *arg, const char *uid)
{
	return slot_of_pod(arg, uid) != SIZE_MAX;
}

static int compare_pods(const void *a, const void *b, void *arg)
{
	const struct cgroup_slot *slot = arg;

	return strcmp(slot[*(const uint32_t *)a].pod, slot[*(const uint32_t *)b].pod);
}

static int index_pods(struct cgroups *cgroups)
{
	uint32_t *by_pod = reallocarray(cgroups->by_pod, cgroups->n + 1, sizeof(*by_pod));

	cgroups->n_by_pod = 0;
	if (!by_pod)
		return -ENOMEM;
	cgroups->by_pod = by_pod;
	for (size_t i = 0; i < cgroups->n; i++)
		if (cgroups->slot[i].pod)
			by_pod[cgroups->n_by_pod++] = i;
	qsort_r(by_pod, cgroups->n_by_pod, sizeof(*by_pod), compare_pods, cgroups->slot);
	return 0;
}

/*
 * Where the pod is. One whose cgroup is gone keeps it for the programs: its last segments may
 * still be on their way.
 */
static int place_pod(struct cgroups *cgroups, struct cgroup_slot *slot, uint64_t *ret_place)
{
	const struct pod_place *place = pods_find(cgroups->pods, slot->pod);
	char *path = place ? strdup(place->path) : NULL;

	*ret_place = place ? place->id : 0;
	slot->id = place && !place->gone ? place->id : 0;
	free(slot->path);
	slot->path = path;
	return place && !path ? -ENOMEM : 0;
}

static void pod_moved(void *arg, const char *uid)
{
	struct cgroups *cgroups = arg;
	size_t i = slot_of_pod(cgroups, uid);
	uint64_t place;

	if (i == SIZE_MAX) {
		if (pod_uid_is_static(uid) && cgroups->ops.pods)
			cgroups->ops.pods(cgroups->arg);
		return;
	}
	place_pod(cgroups, &cgroups->slot[i], &place);
	if (cgroups->slot[i].id)
		cgroups->ops.placed(cgroups->arg, i, place);
}

static void roots_changed(void *arg)
{
	struct cgroups *cgroups = arg;

	if (cgroups->ops.pods)
		cgroups->ops.pods(cgroups->arg);
}

static int start_pods(struct cgroups *cgroups)
{
	static const struct pods_ops ops = { .moved = pod_moved, .roots = roots_changed };

	return cgroups->pods ? 0 : pods_new(&cgroups->watches, &ops, cgroups, &cgroups->pods);
}

void cgroups_pods(const struct cgroups *cgroups, struct cgroups_pods *ret)
{
	const struct pods_root *root;
	const struct pod_place *place;
	size_t n;

	*ret = (struct cgroups_pods){ 0 };
	if (!cgroups->pods || !cgroups->ops.pods)
		return;
	root = pods_roots(cgroups->pods, &n);
	for (size_t i = 0; i < n; i++)
		ret->root[ret->n_roots++] = root[i].id;
	place = pods_list(cgroups->pods, &n);
	for (size_t i = 0; i < n && ret->n_static < CGROUPS_STATIC_MAX; i++)
		if (!place[i].gone && pod_uid_is_static(place[i].uid) &&
		    !is_workload((void *)cgroups, place[i].uid))
			ret->static_pod[ret->n_static++] = place[i].id;
}

uint64_t cgroups_pod_id(const struct cgroups *cgroups, const char *uid)
{
	const struct pod_place *place = cgroups->pods ? pods_find(cgroups->pods, uid) : NULL;

	return place ? place->id : 0;
}

/* ---- making ---- */

int cgroups_new(const char *root, const struct cgroups_ops *ops, void *arg, struct cgroups **ret)
{
	struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
	int r;

	if (!cgroups)
		return -ENOMEM;
	cgroups->arg = arg;
	r = cgroup_watches_init(&cgroups->watches, root);
	if (r == 0 && ops->pods)
		r = start_pods(cgroups); /* nobody can be told yet */
	if (r < 0) {
		cgroups_free(cgroups);
		return r;
	}
	cgroups->ops = *ops;
	*ret = cgroups;
	return 0;
}

/* ---- other cgroups and units ---- */

/* Whether @path stays below the root. The manifests' reader says the same with more words. */
static bool is_below(const char *path)
{
	if (!*path || *path == '/' || strlen(path) >= PATH_MAX)
		return false;
	for (const char *p = path; *p; p += strspn(p, "/")) {
		size_t length = strcspn(p, "/");

		if ((length == 1 && *p == '.') || (length == 2 && startswith(p, "..")))
			return false;
		p += length;
	}
	return true;
}

/*
 * The id of the cgroup at @path, 0 when there is none. Every directory above it is
 * watched before it is looked into, so that nothing can appear unseen.
 */
static int look_at(struct cgroups *cgroups, const char *path, uint64_t *ret)
{
	_cleanup_free_ char *full = path_join(cgroups->watches.root, path);
	char above[PATH_MAX];
	uint64_t id = 0;
	int r = 0;

	if (!full)
		return -ENOMEM;
	*ret = 0;
	for (const char *p = path; p && r == 0; p = strchr(p + 1, '/')) {
		snprintf(above, sizeof(above), "%.*s", (int)(p - path), path);
		r = cgroup_watches_add(&cgroups->watches, above);
	}
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (cgroup_id(full, &id) == 0)
		*ret = id;
	return r;
}

static bool is_slice(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(SLICE) && streq(name + length - strlen(SLICE), SLICE);
}

/* Looks for @unit in one slice; takes the path over when it is there. */
static int look_in_slice(struct cgroups *cgroups, struct cgroup_slot *slot, const char *slice,
			 uint64_t *ret)
{
	_cleanup_free_ char *path = path_join(slice, slot->unit);
	int r;

	if (!path)
		return -ENOMEM;
	r = look_at(cgroups, path, ret);
	if (*ret) {
		free(slot->path);
		slot->path = TAKE_PTR(path);
	}
	return r;
}

/* system.slice first, then every other slice at the top. */
static int look_for_unit(struct cgroups *cgroups, struct cgroup_slot *slot, uint64_t *ret)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	int r, searched = 0;

	r = cgroup_watches_add(&cgroups->watches, "");
	if (r == 0)
		r = look_in_slice(cgroups, slot, SYSTEM_SLICE, ret);
	if (r < 0 || *ret)
		return r;
	dir = opendir(cgroups->watches.root);
	while (dir && !*ret && r == 0 && (entry = readdir(dir))) {
		if (!is_slice(entry->d_name) || streq(entry->d_name, SYSTEM_SLICE))
			continue;
		if (++searched > CGROUPS_SLICES_MAX)
			return -ENOSPC;
		r = look_in_slice(cgroups, slot, entry->d_name, ret);
	}
	return r;
}

/* Finds the workload's cgroup as it is now. */
static int look(struct cgroups *cgroups, struct cgroup_slot *slot)
{
	uint64_t id = 0;
	int r = 0;

	if (slot->cgroup && is_below(slot->cgroup))
		r = look_at(cgroups, slot->cgroup, &id);
	else if (slot->unit && !strchr(slot->unit, '/') && is_below(slot->unit))
		r = look_for_unit(cgroups, slot, &id);
	slot->id = id;
	return r;
}

/* A copy of @path without needless slashes, so that it compares with what inotify says. */
static char *tidy(const char *path)
{
	char *copy = strdup(path), *to = copy;

	if (!copy)
		return NULL;
	for (const char *p = copy; *p; p++)
		if (*p != '/' || to == copy || to[-1] != '/')
			*to++ = *p;
	if (to > copy + 1 && to[-1] == '/')
		to--;
	*to = '\0';
	return copy;
}

static int slots_new(const struct image *image, struct cgroup_slot **ret)
{
	struct cgroup_slot *slot = calloc(image->n_workloads + 1, sizeof(*slot));
	bool ok = slot;

	for (size_t i = 0; ok && i < image->n_workloads; i++) {
		const struct image_workload *w = &image->workloads[i];

		slot[i].cgroup = w->cgroup ? tidy(w->cgroup) : NULL;
		slot[i].unit = w->systemd_unit ? strdup(w->systemd_unit) : NULL;
		slot[i].pod = w->pod_uid ? strdup(w->pod_uid) : NULL;
		ok = !(w->cgroup && !slot[i].cgroup) && !(w->systemd_unit && !slot[i].unit) &&
		     !(w->pod_uid && !slot[i].pod);
	}
	if (!ok) {
		slots_free(slot, image->n_workloads);
		return -ENOMEM;
	}
	*ret = slot;
	return 0;
}

/* Finds the workload at @i, and says where it is. */
static int place_slot(struct cgroups *cgroups, size_t i)
{
	struct cgroup_slot *slot = &cgroups->slot[i];
	uint64_t place;
	int r;

	if (slot->pod) {
		r = place_pod(cgroups, slot, &place);
	} else {
		r = look(cgroups, slot);
		place = slot->id;
	}
	cgroups->ops.placed(cgroups->arg, i, place);
	return r;
}

static int keep_first(int first, int r)
{
	return first < 0 ? first : r;
}

int cgroups_follow(struct cgroups *cgroups, const struct image *image)
{
	struct cgroup_slot *slot;
	int r, first;

	r = slots_new(image, &slot);
	if (r < 0)
		return r;
	slots_free(cgroups->slot, cgroups->n);
	cgroups->slot = slot;
	cgroups->n = image->n_workloads;
	first = index_pods(cgroups);
	if (first == 0 && cgroups->n_by_pod)
		first = start_pods(cgroups);
	cgroup_watches_mark(&cgroups->watches);
	for (size_t i = 0; i < cgroups->n && (cgroups->pods || !slot[i].pod); i++)
		first = keep_first(first, place_slot(cgroups, i));
	cgroup_watches_sweep(&cgroups->watches);
	if (!cgroups->pods)
		return first;
	pods_forget(cgroups->pods, is_workload, cgroups);
	return keep_first(first, pods_error(cgroups->pods));
}

/* Whether what came or went at @path may be, or hold, the workload's cgroup. */
static bool concerns(const struct cgroup_slot *slot, const char *path)
{
	size_t length = strlen(path);
	const char *slash;

	if (!length)
		return true;
	if (slot->cgroup)
		return startswith(slot->cgroup, path) &&
		       (slot->cgroup[length] == '/' || !slot->cgroup[length]);
	slash = strchr(path, '/');
	return slot->unit && (slash ? streq(slash + 1, slot->unit) : is_slice(path));
}

static void came_or_went(void *arg, const char *path)
{
	struct cgroups *cgroups = arg;

	if (cgroups->pods)
		pods_event(cgroups->pods, path);
	for (size_t i = 0; i < cgroups->n; i++) {
		struct cgroup_slot *slot = &cgroups->slot[i];
		uint64_t before = slot->id;

		if (slot->pod || !concerns(slot, path))
			continue;
		look(cgroups, slot);
		if (slot->id != before)
			cgroups->ops.placed(cgroups->arg, i, slot->id);
	}
}

int cgroups_fd(const struct cgroups *cgroups)
{
	return cgroups->watches.inotify;
}

int cgroups_dispatch(struct cgroups *cgroups)
{
	int r = cgroup_watches_read(&cgroups->watches, came_or_went, cgroups);

	return r == 0 && cgroups->pods ? pods_error(cgroups->pods) : r;
}

uint64_t cgroups_id(const struct cgroups *cgroups, size_t workload)
{
	return workload < cgroups->n ? cgroups->slot[workload].id : 0;
}

const char *cgroups_path(const struct cgroups *cgroups, size_t workload)
{
	const struct cgroup_slot *slot;

	if (workload >= cgroups->n)
		return "";
	slot = &cgroups->slot[workload];
	return slot->cgroup ?: slot->path ?: "";
}
