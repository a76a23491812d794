/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins: what keeps enforcement alive without the agent. Names carry CS_ABI_VERSION.
 * What is found there is taken as it is or not at all, never half.
 */
#include "user/datapath/internal.h"

#include <dirent.h>

int pin_path(const char *bpffs, const char *object, char ret[static PIN_PATH_MAX])
{
	int n = snprintf(ret, PIN_PATH_MAX, "%s/%s_v%d", bpffs, object, CS_ABI_VERSION);

	return n < PIN_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* ---- listing ---- */

/* Version number when @name is `<prefix>..._v<number>`, else -1. */
static int pin_version(const char *name, const char *prefix)
{
	const char *v = strrchr(name, '_');
	char *end;
	long version;

	if (!startswith(name, prefix) || !v || v[1] != 'v')
		return -1;
	version = strtol(v + 2, &end, 10);
	return end != v + 2 && !*end && version >= 0 && version <= INT16_MAX ? (int)version : -1;
}

typedef int (*pin_fn)(const char *path, int version, void *arg);

/* Calls @fn for every pin of ours that starts with @prefix, of any version. */
static int pins_each(const char *bpffs, const char *prefix, pin_fn fn, void *arg)
{
	DIR *dir = opendir(bpffs);
	char path[PIN_PATH_MAX];
	struct dirent *entry;
	int r = 0, version;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r >= 0 && (entry = readdir(dir))) {
		version = pin_version(entry->d_name, prefix);
		if (version < 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", bpffs, entry->d_name) < PIN_PATH_MAX)
			r = fn(path, version, arg);
	}
	closedir(dir);
	return r;
}

static int count_link(const char *path, int version, void *arg)
{
	if (version != CS_ABI_VERSION)
		return datapath_fail(-EPROTO,
				     "%s: pinned by an agent with another map layout "
				     "(version %d, this one has %d); run --uninstall first",
				     path, version, CS_ABI_VERSION);
	++*(int *)arg;
	return 0;
}

int pins_links(const struct datapath *dp)
{
	int n = 0;
	int r = pins_each(dp->bpffs, "link_cs_", count_link, &n);

	return r < 0 ? r : n;
}

static int detach_link(const char *path, int version, void *arg)
{
	int fd _cleanup_close_ = bpf_obj_get(path);

	(void)version;
	(void)arg;
	/* Detached now, even while another process still holds the link open. */
	if (fd >= 0)
		bpf_link_detach(fd);
	return ret_errno(unlink(path));
}

static int remove_pin(const char *path, int version, void *arg)
{
	(void)version;
	(void)arg;
	return ret_errno(unlink(path));
}

int pins_remove(const char *bpffs)
{
	int r;

	if (!pins_is_bpffs(bpffs))
		return 0;
	r = pins_each(bpffs, "link_cs_", detach_link, NULL);
	if (r >= 0)
		r = pins_each(bpffs, "cs_", remove_pin, NULL);
	if (r < 0)
		return datapath_fail(r, "%s: cannot remove a pin: %s", bpffs, strerror(-r));
	return 0;
}

/* ---- maps ---- */

/* The pinned name of a map, or NULL when it is not pinned (.rodata and the like). */
static const char *pinned_name(const struct bpf_map *map)
{
	if (!bpf_map__is_internal(map))
		return bpf_map__name(map);
	/* bpffs reserves names with a dot. */
	return streq(bpf_map__name(map), ".data.control") ? "cs_control" : NULL;
}

/* bpf_obj_get_info_by_fd() would read a pinned program as a map without complaint. */
static bool is_map(int fd)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return streq(target, "anon_inode:bpf-map");
}

static bool fits(int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	return is_map(fd) && bpf_obj_get_info_by_fd(fd, &info, &length) == 0 &&
	       info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

static int adopt_map(const struct datapath *dp, struct bpf_map *map, const char *name)
{
	char path[PIN_PATH_MAX];
	int fd _cleanup_close_ = -EBADF;
	int r = pin_path(dp->bpffs, name, path);

	if (r < 0)
		return r;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return datapath_fail(-errno,
				     "%s: %s, yet programs are pinned beside it; run "
				     "--uninstall first",
				     path, strerror(errno));
	if (!fits(fd, map))
		return datapath_fail(-EPROTO,
				     "%s: the pinned map has another type or size than "
				     "this agent's; run --uninstall first",
				     path);
	return ret_errno(bpf_map__reuse_fd(map, fd));
}

int pins_adopt_maps(struct datapath *dp)
{
	struct bpf_map *map;
	const char *name;
	int r;

	bpf_object__for_each_map(map, dp->object) {
		name = pinned_name(map);
		r = name ? adopt_map(dp, map, name) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int pins_make(struct datapath *dp)
{
	char path[PIN_PATH_MAX];
	struct bpf_map *map;
	const char *name;
	int r;

	bpf_object__for_each_map(map, dp->object) {
		name = pinned_name(map);
		if (!name)
			continue;
		r = pin_path(dp->bpffs, name, path);
		if (r >= 0)
			r = ret_errno(bpf_obj_pin(bpf_map__fd(map), path));
		if (r < 0)
			return datapath_fail(r, "%s: cannot pin: %s", path, strerror(-r));
	}
	return 0;
}
