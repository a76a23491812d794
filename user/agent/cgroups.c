/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/cgroups.h"

#include <dirent.h>
#include <limits.h>

#include "user/agent/cgroup_watches.h"
#include "user/base/cgroup.h"
#include "user/base/file.h"

#define SLICE ".slice"
#define SYSTEM_SLICE "system.slice"

/* One workload and its cgroup. */
struct cgroup_slot {
	char *cgroup; /* as declared: a path below the root, or NULL */
	char *unit; /* as declared: a systemd unit, or NULL */
	char *path; /* below the root, where it was found last; NULL: nowhere yet */
	uint64_t id; /* 0: none now */
};

struct cgroups {
	struct cgroup_watches watches;
	cgroups_fn fn;
	void *arg;
	struct cgroup_slot *slot;
	size_t n;
};

static void slots_free(struct cgroup_slot *slot, size_t n)
{
	for (size_t i = 0; slot && i < n; i++) {
		free(slot[i].cgroup);
		free(slot[i].unit);
		free(slot[i].path);
	}
	free(slot);
}

struct cgroups *cgroups_free(struct cgroups *cgroups)
{
	if (!cgroups)
		return NULL;
	slots_free(cgroups->slot, cgroups->n);
	cgroup_watches_done(&cgroups->watches);
	free(cgroups);
	return NULL;
}

int cgroups_new(const char *root, cgroups_fn fn, void *arg, struct cgroups **ret)
{
	struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
	int r;

	if (!cgroups)
		return -ENOMEM;
	cgroups->fn = fn;
	cgroups->arg = arg;
	r = cgroup_watches_init(&cgroups->watches, root);
	if (r < 0) {
		cgroups_free(cgroups);
		return r;
	}
	*ret = cgroups;
	return 0;
}

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
		ok = !(w->cgroup && !slot[i].cgroup) && !(w->systemd_unit && !slot[i].unit);
	}
	if (!ok) {
		slots_free(slot, image->n_workloads);
		return -ENOMEM;
	}
	*ret = slot;
	return 0;
}

int cgroups_follow(struct cgroups *cgroups, const struct image *image)
{
	struct cgroup_slot *slot;
	int r, first = 0;

	r = slots_new(image, &slot);
	if (r < 0)
		return r;
	slots_free(cgroups->slot, cgroups->n);
	cgroups->slot = slot;
	cgroups->n = image->n_workloads;
	cgroup_watches_mark(&cgroups->watches);
	for (size_t i = 0; i < cgroups->n; i++) {
		r = look(cgroups, &slot[i]);
		first = first < 0 ? first : r;
		cgroups->fn(cgroups->arg, i, slot[i].id);
	}
	cgroup_watches_sweep(&cgroups->watches);
	return first;
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

	for (size_t i = 0; i < cgroups->n; i++) {
		struct cgroup_slot *slot = &cgroups->slot[i];
		uint64_t before = slot->id;

		if (!concerns(slot, path))
			continue;
		look(cgroups, slot);
		if (slot->id != before)
			cgroups->fn(cgroups->arg, i, slot->id);
	}
}

int cgroups_fd(const struct cgroups *cgroups)
{
	return cgroups->watches.inotify;
}

int cgroups_dispatch(struct cgroups *cgroups)
{
	return cgroup_watches_read(&cgroups->watches, came_or_went, cgroups);
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
