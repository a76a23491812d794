/* SPDX-License-Identifier: Apache-2.0 */
/* Two sources as one: a directory, and what follows an API server. */
#include "test_source_kubernetes.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#include "user/base/clock.h"
#include "user/source/combined.h"

#define WAIT_NS (5 * NS_PER_S)

static char root[64];
static struct kubernetes *k;
static struct source *both;
static struct reader reader;

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static void set_up(void)
{
	struct source *directory;

	strcpy(root, "/tmp/countersign-combined.XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(source_directory_new(root, &directory), 0);
	cr_assert_eq(kubernetes_open(NULL, NULL, &k), 0);
	cr_assert_eq(source_combined_new(directory, &k->source, &both), 0);
}

static void tear_down(void)
{
	reader_done(&reader);
	source_free(both);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(source_combined, .init = set_up, .fini = tear_down);

static const char *in(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Until the combination says that something changed. */
static void wait_for_word(void)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + WAIT_NS;
	struct pollfd fd = { .fd = source_fd(both), .events = POLLIN };
	int r = 0;

	while (r == 0 && clock_ns(CLOCK_MONOTONIC) < end)
		r = poll(&fd, 1, 100) > 0 ? source_dispatch(both) : 0;
	cr_assert_eq(r, 1, "no word of a change: %d", r);
}

static void expect_quiet(void)
{
	struct pollfd fd = { .fd = source_fd(both), .events = POLLIN };

	for (int i = 0; i < 3; i++)
		if (poll(&fd, 1, 50) > 0)
			cr_assert_eq(source_dispatch(both), 0);
}

/* What happened before the read is told after it, and is nothing new. */
static void drain(void)
{
	struct pollfd fd = { .fd = source_fd(both), .events = POLLIN };

	for (int i = 0; i < 3; i++)
		if (poll(&fd, 1, 50) > 0 && source_dispatch(both) > 0)
			cr_assert_eq(reader_changes(&reader, both), 0);
}

static void start(void)
{
	put("a.yaml", "a");
	put("b.yaml", "b");
	list_pods(k, 1);
	reader_read(&reader, both);
	cr_assert_eq(reader.n, 3);
	drain();
}

Test(source_combined, is_not_ready_before_both_are)
{
	struct source_documents documents = { 0 };

	put("a.yaml", "a");
	cr_assert_eq(source_changes(both, &documents), -EOPNOTSUPP, "read first");
	cr_assert_eq(source_read(both, &documents), -EAGAIN);
	cr_assert_not_null(strstr(source_error(both), "waiting for the API server"));
	put("b.yaml", "b");
	list_pods(k, 1);
	wait_for_word();
	reader_read(&reader, both);
	cr_assert_eq(reader.n, 3);
	cr_assert_str_eq(reader_get(&reader, in("a.yaml")), "a");
	cr_assert_eq(reader_version(&reader, "shop", "web-0"), 1);
}

Test(source_combined, changes_of_both_are_told_by_name)
{
	start();
	put("b.yaml", "changed");
	put("c.yaml", "c");
	cr_assert_eq(unlink(in("a.yaml")), 0);
	wait_for_word();
	cr_assert_eq(reader_changes(&reader, both), 3);
	cr_assert_null(reader_get(&reader, in("a.yaml")));
	cr_assert_str_eq(reader_get(&reader, in("b.yaml")), "changed");
	cr_assert_str_eq(reader_get(&reader, in("c.yaml")), "c");
	tell_pod(k, "shop", "web-0", 2);
	tell_pod(k, "shop", "web-1", 1);
	put("a.yaml", "again");
	wait_for_word();
	while (!reader_get(&reader, in("a.yaml"))) {
		reader_changes(&reader, both);
		if (!reader_get(&reader, in("a.yaml")))
			wait_for_word();
	}
	cr_assert_eq(reader.n, 5);
	cr_assert_eq(reader_version(&reader, "shop", "web-0"), 2);
	expect_quiet();
	cr_assert_eq(reader_changes(&reader, both), 0);
	/* Read as a whole it is the same. */
	reader_read(&reader, both);
	cr_assert_eq(reader.n, 5);
	cr_assert_eq(reader_version(&reader, "shop", "web-0"), 2);
}

Test(source_combined, a_broken_directory_does_not_hold_up_pods)
{
	struct source_documents documents = { 0 };

	start();
	cr_assert_eq(unlink(in("a.yaml")), 0);
	cr_assert_eq(symlink("/nowhere/at/all", in("a.yaml")), 0);
	wait_for_word();
	tell_pod(k, "shop", "web-0", 2);
	cr_assert_eq(source_dispatch(both), 1);
	cr_assert_eq(reader_changes(&reader, both), 1);
	cr_assert_eq(reader_version(&reader, "shop", "web-0"), 2);
	cr_assert_str_eq(reader_get(&reader, in("a.yaml")), "a", "as it was last");
	/* And then what is wrong is said. */
	wait_for_word();
	cr_assert_eq(source_changes(both, &documents), -ENOENT);
	cr_assert_not_null(strstr(source_error(both), "a.yaml: is a link to nothing"));
	expect_quiet();
	tell_pod(k, "shop", "web-0", 3);
	cr_assert_eq(source_dispatch(both), 1);
	cr_assert_eq(reader_changes(&reader, both), 1);
	expect_quiet();
	cr_assert_eq(unlink(in("a.yaml")), 0);
	put("a.yaml", "mended");
	wait_for_word();
	reader_changes(&reader, both);
	while (!streq(reader_get(&reader, in("a.yaml")), "mended")) {
		wait_for_word();
		reader_changes(&reader, both);
	}
}

Test(source_combined, a_read_that_fails_is_done_again_whole)
{
	struct source_documents documents = { 0 };

	start();
	cr_assert_eq(symlink("/nowhere/at/all", in("c.yaml")), 0);
	cr_assert_eq(source_read(both, &documents), -ENOENT);
	cr_assert_eq(source_changes(both, &documents), -EOPNOTSUPP);
	tell_pod(k, "shop", "web-0", 2);
	cr_assert_eq(unlink(in("c.yaml")), 0);
	reader_read(&reader, both);
	cr_assert_eq(reader.n, 3);
	cr_assert_eq(reader_version(&reader, "shop", "web-0"), 2);
}

/* A combination is a source like any other. */
Test(source_combined, three_can_be_combined)
{
	struct source *other, *three;
	char elsewhere[96];

	snprintf(elsewhere, sizeof(elsewhere), "%s/more", root);
	cr_assert_eq(mkdir(elsewhere, 0700), 0);
	put("a.yaml", "a");
	put("more/d.yaml", "d");
	cr_assert_eq(source_directory_new(elsewhere, &other), 0);
	cr_assert_eq(source_combined_new(other, both, &three), 0);
	both = three;
	list_pods(k, 2);
	reader_read(&reader, both);
	cr_assert_eq(reader.n, 4);
	put("more/d.yaml", "d2");
	wait_for_word();
	tell_pod(k, "shop", "web-1", 5);
	source_dispatch(both);
	reader_changes(&reader, both);
	cr_assert_str_eq(reader_get(&reader, in("more/d.yaml")), "d2");
	cr_assert_eq(reader_version(&reader, "shop", "web-1"), 5);
}

/* ---- at random ---- */

#define FILES 12

struct truth {
	int file[FILES]; /* 0: not there */
	int pod[FILES];
};

static void change(struct truth *truth, unsigned int *seed)
{
	int i = rand_r(seed) % FILES, to = rand_r(seed) % 4;
	char name[32], text[32];

	if (rand_r(seed) % 2) {
		truth->pod[i] = to;
		snprintf(name, sizeof(name), "web-%d", i);
		tell_pod(k, "shop", name, to);
		return;
	}
	snprintf(name, sizeof(name), "file-%d.yaml", i);
	snprintf(text, sizeof(text), "text %d", to);
	truth->file[i] = to;
	if (to)
		put(name, text);
	else
		unlink(in(name));
}

static bool is_truth(const struct truth *truth)
{
	char name[32], text[32];

	for (int i = 0; i < FILES; i++) {
		const char *got;

		snprintf(name, sizeof(name), "web-%d", i);
		if (reader_version(&reader, "shop", name) != (truth->pod[i] ?: -1))
			return false;
		snprintf(name, sizeof(name), "file-%d.yaml", i);
		snprintf(text, sizeof(text), "text %d", truth->file[i]);
		got = reader_get(&reader, in(name));
		if (truth->file[i] ? !got || !streq(got, text) : got != NULL)
			return false;
	}
	return true;
}

/* With nothing but word of changes, the reader gets to know all there is. */
static void follow(const struct truth *truth)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + WAIT_NS;
	struct pollfd fd = { .fd = source_fd(both), .events = POLLIN };

	while (!is_truth(truth)) {
		cr_assert_lt(clock_ns(CLOCK_MONOTONIC), end, "a change was never told");
		if (poll(&fd, 1, 100) > 0 && source_dispatch(both) > 0)
			reader_changes(&reader, both);
	}
}

Test(source_combined, random_changes_all_arrive, .timeout = 120)
{
	struct truth truth = { .file = { 0 } };
	unsigned int seed = 11;

	list_pods(k, 0);
	reader_read(&reader, both);
	for (int round = 0; round < 60; round++) {
		for (int n = rand_r(&seed) % 12; n > 0; n--) {
			change(&truth, &seed);
			if (rand_r(&seed) % 4 == 0 && source_dispatch(both) > 0)
				reader_changes(&reader, both);
		}
		if (round % 7 == 0) {
			reader_read(&reader, both);
			cr_assert(is_truth(&truth));
		}
		follow(&truth);
	}
}
