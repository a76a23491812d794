/* SPDX-License-Identifier: Apache-2.0 */
/* How a journal is written: anew when most of it is garbage, and on disks that are full. */
#include "test_source_journal.h"

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "user/base/clock.h"

TestSuite(source_journal_write, .init = journal_test_begin, .fini = journal_test_end);

static void fill_name(char name[32], int i)
{
	snprintf(name, 32, "web-%d", i);
}

/* Far more changes than objects. */
Test(source_journal_write, garbage_is_written_away, .timeout = 60)
{
	struct journal_stats stats;
	uint64_t most = 0;
	char name[32];

	list_three();
	for (int i = 0; i < 60000; i++) {
		fill_name(name, i % 20);
		tell_pod(journal_test.k, "shop", name, 1 + i % 5000);
		if (i % 100 == 0)
			journal_tick(journal_test.k->journal);
		journal_stats(journal_test.k->journal, &stats);
		most = MAX(most, stats.bytes);
	}
	cr_assert_geq(stats.rewrites, 5);
	cr_assert_lt(most, 3 * JOURNAL_GARBAGE_MIN, "%llu bytes", (unsigned long long)most);
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 20);
	restart();
	journal_stats(journal_test.k->journal, &stats);
	cr_assert_lt(stats.garbage, stats.bytes);
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 20);
	for (int i = 59980; i < 60000; i++) {
		fill_name(name, i % 20);
		cr_assert_eq(reader_version(&journal_test.reader, "shop", name), 1 + i % 5000);
	}
}

/* ---- random histories, with restarts and rewrites at random points ---- */

#define NAMES 60

static void rewrite_some(unsigned int *seed)
{
	/* Whether it is worth it or not; and often only a part of it. */
	if (rand_r(seed) % 2)
		journal_test.k->journal->garbage = UINT32_MAX;
	journal_test.k->journal->write_at = 1;
	journal_tick(journal_test.k->journal);
}

static void expect_known(const int known[NAMES])
{
	char name[32];

	for (int i = 0; i < NAMES; i++) {
		fill_name(name, i);
		cr_assert_eq(reader_version(&journal_test.reader, "shop", name), known[i] ?: -1);
	}
}

static void random_history(unsigned int seed)
{
	int known[NAMES] = { 0 };
	char name[32];

	sync_all_but(journal_test.k, NULL);
	for (int step = 0; step < 6000; step++) {
		int i = rand_r(&seed) % NAMES, what = rand_r(&seed) % 1000;

		fill_name(name, i);
		if (what < 900) {
			known[i] = what % 9 < 3 ? 0 : 1 + what % 3;
			tell_pod(journal_test.k, "shop", name, known[i]);
		} else if (what < 960) {
			rewrite_some(&seed);
		} else if (what < 980) {
			begin_pods();
			for (i = 0; i < NAMES; i++) {
				/* Some went meanwhile. */
				known[i] = rand_r(&seed) % 4 ? known[i] : 0;
				fill_name(name, i);
				if (known[i])
					tell_pod(journal_test.k, "shop", name, known[i]);
			}
			end_pods();
		} else {
			restart();
			cr_assert_str_eq(trouble(), "");
			reader_read(&journal_test.reader, &journal_test.k->source);
			expect_known(known);
		}
	}
}

Test(source_journal_write, random_histories_survive_restarts, .timeout = 300)
{
	for (unsigned int seed = 1; seed <= 8; seed++) {
		random_history(seed);
		close_source();
		cr_assert_eq(unlink(journal_test.path), 0);
		open_source();
	}
}

/* A rewrite takes many steps when much is in it; changes go on meanwhile. */
Test(source_journal_write, changes_during_a_rewrite_are_kept, .timeout = 120)
{
	static int known[20000];
	struct journal_stats stats;
	unsigned int seed = 3;
	char name[32];

	sync_all_but(journal_test.k, "Pod");
	begin_pods();
	for (int i = 0; i < 20000; i++) {
		fill_name(name, i);
		tell_pod(journal_test.k, "shop", name, known[i] = 1);
	}
	end_pods();
	for (int round = 0; round < 100; round++) {
		for (int n = 0; n < 500; n++) {
			int i = rand_r(&seed) % 20000;

			fill_name(name, i);
			known[i] = rand_r(&seed) % 4;
			tell_pod(journal_test.k, "shop", name, known[i]);
		}
		if (round % 10 == 0)
			journal_test.k->journal->garbage = UINT32_MAX;
		journal_test.k->journal->write_at = 1;
		journal_tick(journal_test.k->journal);
	}
	journal_stats(journal_test.k->journal, &stats);
	cr_assert_geq(stats.rewrites, 3, "%llu", (unsigned long long)stats.rewrites);
	restart();
	for (int i = 0; i < 20000; i++) {
		uint32_t at;

		snprintf(name, sizeof(name), "shop/web-%d", i);
		at = store_find(&journal_test.k->store, follower_of(journal_test.k, "Pod")->index,
				name);
		cr_assert_eq(at != 0, known[i] != 0, "web-%d", i);
		if (at) {
			char text[32];

			snprintf(text, sizeof(text), "\"version\":\"%d\"", known[i]);
			cr_assert_not_null(
				strstr(journal_test.k->store
					       .change[store_at(&journal_test.k->store, at)->change]
					       .text,
				       text));
		}
	}
}

/* ---- what can go wrong while it is written ---- */

Test(source_journal_write, one_that_grows_too_large_is_given_up)
{
	char name[32];

	list_three();
	journal_test.k->journal->bytes_max = 300 << 10;
	for (int i = 0; i < 4000; i++) {
		fill_name(name, i);
		tell_pod(journal_test.k, "shop", name, 1);
	}
	expect_trouble("would be larger than 307200 bytes");
	cr_assert_not(journal_is_open(journal_test.k->journal));
	cr_assert_eq(journal_wait_ms(journal_test.k->journal), -1);
	cr_assert_neq(access(journal_test.path, F_OK), 0, "an old state must not be believed");
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 4000);
}

static void mount_small(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", journal_test.root, "tmpfs", 0, "size=64k") < 0)
		cr_skip_test("a full disk needs root, to mount one");
}

static void tell_many(int from, int to)
{
	char name[32];

	for (int i = from; i < to; i++) {
		fill_name(name, i);
		tell_pod(journal_test.k, "shop", name, 1);
	}
}

static void write_now(void)
{
	journal_test.k->journal->write_at = 1;
	journal_tick(journal_test.k->journal);
}

Test(source_journal_write, a_full_disk_is_waited_for)
{
	char hog[128];

	close_source();
	mount_small();
	open_source();
	cr_assert_str_eq(trouble(), "");
	list_three();
	write_now();
	cr_assert_str_eq(trouble(), "");
	tell_many(0, 1000);
	write_now();
	expect_trouble("cannot be written: No space left on device");
	cr_assert(journal_is_open(journal_test.k->journal));
	cr_assert_gt(journal_wait_ms(journal_test.k->journal), 0);
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 1000);
	/* Killed now, the next one knows a state that was whole. */
	snprintf(hog, sizeof(hog), "size=4m");
	cr_assert_eq(mount("tmpfs", journal_test.root, "tmpfs", MS_REMOUNT, hog), 0);
	write_now();
	cr_assert_str_eq(trouble(), "");
	restart();
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 1000);
	close_source();
	umount2(journal_test.root, MNT_DETACH);
}

Test(source_journal_write, a_disk_that_stays_full_loses_it_and_it_is_begun_again, .timeout = 60)
{
	close_source();
	mount_small();
	open_source();
	list_three();
	write_now();
	tell_many(0, 2000);
	write_now();
	for (int i = 0; i < 30000 && journal_is_open(journal_test.k->journal); i++)
		tell_pod(journal_test.k, "shop", "web-1", 2 + i);
	cr_assert_not(journal_is_open(journal_test.k->journal));
	expect_trouble("cannot be written: No space left on device");
	cr_assert_neq(access(journal_test.path, F_OK), 0);
	cr_assert_gt(journal_wait_ms(journal_test.k->journal), JOURNAL_RETRY_MS / 2);
	cr_assert_leq(journal_wait_ms(journal_test.k->journal), 2 * JOURNAL_RETRY_MS);
	/* A minute later there is room. */
	cr_assert_eq(mount("tmpfs", journal_test.root, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	journal_test.k->journal->retry_at = 1;
	journal_tick(journal_test.k->journal);
	cr_assert(journal_is_open(journal_test.k->journal));
	cr_assert_str_eq(trouble(), "");
	/* Until all is listed again, it is not believed. */
	tell_pod(journal_test.k, "shop", "web-1", 1);
	restart();
	cr_assert_not(knows_anything());
	list_three();
	restart();
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 3);
	close_source();
	umount2(journal_test.root, MNT_DETACH);
}

/* All is listed again although nothing changed: the new journal has not got it. */
Test(source_journal_write, a_new_journal_gets_what_did_not_change)
{
	list_three();
	reader_read(&journal_test.reader, &journal_test.k->source);
	journal_lose(journal_test.k->journal);
	journal_test.k->journal->retry_at = 1;
	journal_tick(journal_test.k->journal);
	cr_assert(journal_is_open(journal_test.k->journal));
	list_three();
	cr_assert_eq(reader_changes(&journal_test.reader, &journal_test.k->source), 0);
	restart();
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 3);
}

Test(source_journal_write, it_is_written_within_a_second)
{
	struct pollfd fd = { .events = POLLIN };
	struct journal_stats stats;
	struct stat st;
	int64_t start = clock_ns(CLOCK_BOOTTIME);

	list_three();
	reader_read(&journal_test.reader, &journal_test.k->source);
	source_dispatch(&journal_test.k->source);
	fd.fd = source_fd(&journal_test.k->source);
	cr_assert_eq(poll(&fd, 1, 5000), 1);
	cr_assert_eq(source_dispatch(&journal_test.k->source), 0);
	cr_assert_geq(clock_ns(CLOCK_BOOTTIME) - start, NS_PER_S / 2);
	journal_stats(journal_test.k->journal, &stats);
	cr_assert_eq(stat(journal_test.path, &st), 0);
	cr_assert_eq((uint64_t)st.st_size, stats.bytes);
	/* And then there is nothing to wait for. */
	cr_assert_eq(poll(&fd, 1, 1200), 0);
}

Test(source_journal_write, a_big_cluster_is_read_in_no_time, .timeout = 300)
{
	struct source_documents documents = { 0 };
	struct journal_stats stats;
	char name[32];
	int64_t start;

	sync_all_but(journal_test.k, "Pod");
	begin_pods();
	for (int i = 0; i < 30000; i++) {
		fill_name(name, i);
		tell_pod(journal_test.k, "shop", name, 1);
	}
	end_pods();
	close_source();
	start = clock_ns(CLOCK_BOOTTIME);
	open_source();
	cr_assert_eq(source_read(&journal_test.k->source, &documents), 0);
	cr_assert_eq(documents.n, 30000);
	/* Far less, but this is a build with sanitizers on a busy machine. */
	cr_assert_lt(clock_ns(CLOCK_BOOTTIME) - start, 20 * NS_PER_S);
	journal_stats(journal_test.k->journal, &stats);
	cr_assert_lt(stats.bytes, 30000U * 512);
	source_documents_done(&documents);
}
