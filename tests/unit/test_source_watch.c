/* SPDX-License-Identifier: Apache-2.0 */
/* Word of changes in a directory of manifests. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#include "user/base/clock.h"
#include "user/source/source.h"
#include "user/source/watch.h"

#define SOON_MS 3000 /* a change that is not told by then is not told */
#define QUIET_MS (WATCH_SETTLE_MS * 5) /* no news for that long is no news */

static char root[64];
static struct source *source;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void tear_down(void)
{
	source = source_free(source);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void set_up(void)
{
	strcpy(root, "/tmp/countersign-watch.XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(chdir(root), 0);
	cr_assert_eq(mkdir("manifests", 0700), 0);
}

TestSuite(source_watch, .init = set_up, .fini = tear_down);

static void watch_path(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	cr_assert_eq(source_directory_new(path, &source), 0);
}

/* Waits up to @ms for a change. */
static bool changed_within(int ms)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + ms * 1000000LL;
	int64_t left;

	while ((left = (end - clock_ns(CLOCK_MONOTONIC)) / 1000000) > 0) {
		struct pollfd p = { .fd = source_fd(source), .events = POLLIN };
		int r;

		if (poll(&p, 1, left) <= 0)
			continue;
		r = source_dispatch(source);
		cr_assert_geq(r, 0);
		if (r)
			return true;
	}
	return false;
}

/* What @change does is told, and then there is silence. */
static void expect_told(const char *change)
{
	cr_expect(changed_within(SOON_MS), "%s: not told", change);
	while (changed_within(QUIET_MS))
		;
}

static void expect_silence(const char *change)
{
	cr_expect(!changed_within(QUIET_MS), "%s: told", change);
}

static void put(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_text(const char *expected)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };

	cr_assert_eq(source_read(source, &documents), 0, "%s", source_error(source));
	cr_assert_eq(documents.n, 1);
	cr_expect_str_eq(documents.item[0].text, expected);
}

Test(source_watch, tells_every_kind_of_change)
{
	watch_path("manifests");
	expect_silence("nothing");
	put("manifests/a.yaml", "1");
	expect_told("a file is written");
	put("manifests/a.yaml", "2");
	expect_told("a file is written again");
	cr_assert_eq(chmod("manifests/a.yaml", 0644), 0);
	expect_told("a file's mode changes");
	cr_assert_eq(rename("manifests/a.yaml", "manifests/b.yaml"), 0);
	expect_told("a file is renamed");
	put("other", "3");
	cr_assert_eq(rename("other", "manifests/b.yaml"), 0);
	expect_told("a file is replaced");
	expect_text("3");
	cr_assert_eq(link("manifests/b.yaml", "manifests/c.yaml"), 0);
	expect_told("a hard link is made");
	cr_assert_eq(symlink("b.yaml", "manifests/d.yaml"), 0);
	expect_told("a symbolic link is made");
	cr_assert_eq(unlink("manifests/b.yaml"), 0);
	expect_told("a file is removed");
}

Test(source_watch, says_nothing_of_other_files)
{
	watch_path("manifests");
	put("manifests/.a.yaml.swp", "editor");
	put("manifests/a.yaml~", "editor");
	put("manifests/4913", "editor");
	put("beside.yaml", "not in it");
	expect_silence("other files");
}

Test(source_watch, waits_until_a_file_is_written)
{
	int fd;

	watch_path("manifests");
	fd = open("manifests/a.yaml", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "half", 4), 4);
	expect_silence("half a file");
	close(fd);
	expect_told("the file is closed");
}

Test(source_watch, merges_a_burst)
{
	int told = 0;

	watch_path("manifests");
	for (int i = 0; i < 100; i++)
		put("manifests/a.yaml", "burst");
	while (changed_within(QUIET_MS))
		told++;
	cr_assert_geq(told, 1);
	cr_assert_leq(told, 10, "told %d times", told);
}

/* What kubelet does when a ConfigMap changes: a new folder, and the link is swapped. */
Test(source_watch, tells_a_config_map_swap)
{
	cr_assert_eq(mkdir("manifests/..1", 0700), 0);
	cr_assert_eq(mkdir("manifests/..2", 0700), 0);
	put("manifests/..1/a.yaml", "old");
	put("manifests/..2/a.yaml", "new");
	cr_assert_eq(symlink("..1", "manifests/..data"), 0);
	cr_assert_eq(symlink("..data/a.yaml", "manifests/a.yaml"), 0);
	watch_path("manifests");
	expect_text("old");
	cr_assert_eq(symlink("..2", "manifests/..data_tmp"), 0);
	cr_assert_eq(rename("manifests/..data_tmp", "manifests/..data"), 0);
	expect_told("the link is swapped");
	expect_text("new");
}

Test(source_watch, tells_a_directory_that_goes_and_comes_back)
{
	struct source_documents none = { 0 };

	watch_path("manifests");
	cr_assert_eq(rmdir("manifests"), 0);
	expect_told("the directory is removed");
	cr_assert_eq(source_read(source, &none), -ENOENT);
	cr_assert_eq(mkdir("manifests", 0700), 0);
	expect_told("the directory is back");
	put("manifests/a.yaml", "again");
	expect_told("a file in the new directory");
	expect_text("again");
}

Test(source_watch, tells_a_directory_that_comes_late)
{
	watch_path("one/two/manifests");
	cr_assert_eq(mkdir("one", 0700), 0);
	expect_told("the first step");
	cr_assert_eq(mkdir("one/two", 0700), 0);
	expect_told("the second step");
	cr_assert_eq(mkdir("one/two/manifests", 0700), 0);
	expect_told("the directory");
	put("one/two/manifests/a.yaml", "late");
	expect_told("the file");
	expect_text("late");
}

Test(source_watch, tells_a_directory_that_is_replaced)
{
	cr_assert_eq(mkdir("next", 0700), 0);
	put("next/a.yaml", "next");
	watch_path("manifests");
	cr_assert_eq(rename("manifests", "last"), 0);
	cr_assert_eq(rename("next", "manifests"), 0);
	expect_told("another directory has the name");
	expect_text("next");
	put("last/a.yaml", "old directory");
	expect_silence("a change in the directory that had the name");
}

Test(source_watch, tells_when_a_link_on_the_way_is_swapped)
{
	cr_assert_eq(mkdir("v1", 0700), 0);
	cr_assert_eq(mkdir("v2", 0700), 0);
	put("v1/a.yaml", "one");
	put("v2/a.yaml", "two");
	cr_assert_eq(symlink("v1", "current"), 0);
	watch_path("current");
	expect_text("one");
	cr_assert_eq(symlink("v2", "tmp"), 0);
	cr_assert_eq(rename("tmp", "current"), 0);
	expect_told("the link is swapped");
	expect_text("two");
	put("v2/a.yaml", "three");
	expect_told("a change behind the new link");
	expect_text("three");
}
