/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/test_datapath.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define PREFIX "countersign-test-datapath-"

struct datapath_test dt;

/* ---- directories ---- */

static void find_cgroup2(char *ret, size_t size)
{
	FILE *mounts = setmntent("/proc/mounts", "re");
	struct mntent *entry;

	cr_assert_not_null(mounts);
	while ((entry = getmntent(mounts)))
		if (streq(entry->mnt_type, "cgroup2"))
			break;
	cr_assert_not_null(entry, "a cgroup v2 file system is mounted");
	snprintf(ret, size, "%s", entry->mnt_dir);
	endmntent(mounts);
}

/* Removes a cgroup and those below it. */
static void remove_cgroups(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char child[8192];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		remove_cgroups(child);
	}
	closedir(dir);
	rmdir(path);
}

static void remove_scratch(const char *path)
{
	char pins[512];

	snprintf(pins, sizeof(pins), "%s/pins", path);
	rmdir(pins);
	rmdir(path);
}

/* What tests of processes that are gone left in @parent. */
static void remove_leftovers(const char *parent, void (*remove_one)(const char *))
{
	DIR *dir = opendir(parent);
	struct dirent *entry;
	char path[8192];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!startswith(entry->d_name, PREFIX) ||
		    kill(atoi(entry->d_name + strlen(PREFIX)), 0) == 0 || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name);
		remove_one(path);
	}
	closedir(dir);
}

void datapath_test_setup(void)
{
	char root[2048];

	cr_assert_eq(geteuid(), 0, "these tests need root");
	find_cgroup2(root, sizeof(root));
	remove_leftovers(root, remove_cgroups);
	remove_leftovers("/tmp", remove_scratch);
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(dt.cgroup, sizeof(dt.cgroup), "%s/" PREFIX "%d", root, getpid());
	snprintf(dt.dir, sizeof(dt.dir), "/tmp/" PREFIX "%d", getpid());
	snprintf(dt.bpffs, sizeof(dt.bpffs), "%s/pins", dt.dir);
	cr_assert_eq(mkdir(dt.cgroup, 0755), 0, "%s: %m", dt.cgroup);
	cr_assert_eq(mkdir(dt.dir, 0700), 0, "%s: %m", dt.dir);
	dt.options = (struct datapath_options){
		.cgroup_root = dt.cgroup,
		.bpffs = dt.bpffs,
		.node = 7,
		.deny_mode = CS_DENY_REJECT,
	};
}

void datapath_test_teardown(void)
{
	datapath_close(dt.dp);
	dt.dp = NULL;
	datapath_test_enter("..");
	datapath_uninstall(&dt.options);
	remove_cgroups(dt.cgroup);
	umount2(dt.bpffs, MNT_DETACH);
	remove_scratch(dt.dir);
}

void datapath_test_open(void)
{
	int r = datapath_open(&dt.options, &dt.dp);

	cr_assert_eq(r, 0, "open: %d %s", r, datapath_error(NULL));
}

void datapath_test_reopen(void)
{
	datapath_close(dt.dp);
	dt.dp = NULL;
	datapath_test_open();
}

uint64_t datapath_test_cgroup(const char *name)
{
	char path[8192];
	uint64_t id;

	snprintf(path, sizeof(path), "%s/%s", dt.cgroup, name);
	cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
	cr_assert_eq(cgroup_id_at(AT_FDCWD, path, &id), 0);
	return id;
}

void datapath_test_enter(const char *name)
{
	char path[8192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", dt.cgroup, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, "0", 1) == 1, "%s: %m", path);
	close(fd);
}

int datapath_test_map(const char *name)
{
	char path[PIN_PATH_MAX];
	int fd;

	pin_path(dt.bpffs, name, path);
	fd = bpf_obj_get(path);
	cr_assert_geq(fd, 0, "%s: %m", path);
	return fd;
}

int64_t datapath_test_slot(const char *map, const void *key)
{
	int fd = datapath_test_map(map);
	uint32_t slot = 0;
	int64_t r = bpf_map_lookup_elem(fd, key, &slot) < 0 ? -errno : (int64_t)slot;

	close(fd);
	return r;
}

/* ---- images ---- */

/* Room for one more element behind the @n that *@list has. */
static void *append(void *list, size_t n, size_t size)
{
	char **p = list;

	*p = reallocarray(*p, n + 1, size);
	cr_assert_not_null(*p);
	memset(*p + n * size, 0, size);
	return *p + n * size;
}

struct image *test_image(void)
{
	struct image *image = calloc(1, sizeof(*image));

	cr_assert_not_null(image);
	image->rulesets = calloc(2, sizeof(*image->rulesets));
	image->bitmaps = calloc(2, sizeof(*image->bitmaps));
	image->n_rulesets = image->n_bitmaps = 2;
	image->rulesets[ALLOW].default_verdict = CS_VERDICT_ALLOW;
	image->rulesets[ALLOW].default_reason = CS_REASON_NOT_ISOLATED;
	image->rulesets[DENY].default_verdict = CS_VERDICT_DENY;
	image->rulesets[DENY].default_reason = CS_REASON_DEFAULT_DENY;
	image->rulesets[DENY].flags = CS_RULESET_ISOLATED;
	memset(&image->bitmaps[1], 0xff, sizeof(image->bitmaps[1]));
	append(&image->names, image->n_names++, sizeof(*image->names));
	append(&image->rules, image->n_rules++, sizeof(*image->rules));
	return image;
}

uint32_t test_image_name(struct image *image, const char *name)
{
	char *slot = append(&image->names, image->n_names, sizeof(*image->names));

	snprintf(slot, CS_SPIFFE_ID_MAX, "%s", name);
	return image->n_names++;
}

size_t test_image_workload(struct image *image, const char *name, uint64_t identity,
			   uint32_t ruleset)
{
	struct image_workload *w = append(&image->workloads, image->n_workloads, sizeof(*w));
	char spiffe_id[64];

	snprintf(spiffe_id, sizeof(spiffe_id), "spiffe://example.org/ns/test/sa/%s", name);
	w->namespace = strdup("test");
	w->name = strdup(name);
	w->cgroup = strdup(name);
	w->identity = identity;
	w->ruleset[CS_INGRESS] = w->ruleset[CS_EGRESS] = ruleset;
	w->name_index = test_image_name(image, spiffe_id);
	return image->n_workloads++;
}

void test_image_identity(struct image *image, uint64_t identity, uint32_t row)
{
	struct image_identity *i = append(&image->identities, image->n_identities++, sizeof(*i));
	char spiffe_id[64];

	snprintf(spiffe_id, sizeof(spiffe_id), "spiffe://example.org/%llu",
		 (unsigned long long)identity);
	i->identity = identity;
	i->row = row;
	i->name_index = identity < CS_IDENTITY_FIRST ? 0 : test_image_name(image, spiffe_id);
}

struct cs_addr test_addr(const char *address)
{
	struct cs_addr addr = { .byte = { [10] = 0xff, 0xff } };

	if (inet_pton(AF_INET, address, &addr.word[3]) != 1)
		cr_assert_eq(inet_pton(AF_INET6, address, &addr), 1);
	return addr;
}

struct cs_cidr test_cidr(const char *address, uint32_t length)
{
	struct cs_addr addr = test_addr(address);
	struct cs_cidr cidr = { .prefixlen = strchr(address, '.') ? length + 96 : length };

	memcpy(cidr.word, addr.word, sizeof(cidr.word));
	return cidr;
}

uint32_t test_image_class(struct image *image, const char *address, uint32_t length, uint32_t row)
{
	struct image_class *c = append(&image->classes, image->n_classes, sizeof(*c));

	c->prefix = test_cidr(address, length);
	c->row = row;
	return ++image->n_classes;
}

void test_image_endpoint(struct image *image, const char *address, uint64_t identity,
			 uint32_t class_index)
{
	struct image_endpoint *e = append(&image->endpoints, image->n_endpoints++, sizeof(*e));

	e->addr = test_addr(address);
	e->identity = identity;
	e->class_index = class_index;
}

struct image *test_image_of(uint64_t first, uint64_t last)
{
	struct image *image = test_image();

	for (uint64_t i = first; i <= last; i++)
		test_image_identity(image, i, 1);
	return image;
}

void commit_image(struct image *image)
{
	int r = datapath_commit(dt.dp, image);

	image_free(image);
	cr_assert_eq(r, 0, "commit: %d %s", r, datapath_error(dt.dp));
}

int refuse_image(struct image *image)
{
	uint32_t epoch = dt.dp->control->epoch;
	int r = datapath_commit(dt.dp, image);

	image_free(image);
	cr_assert_lt(r, 0, "the commit is refused");
	cr_assert_eq(dt.dp->control->epoch, epoch, "the policy in force stays");
	return r;
}
