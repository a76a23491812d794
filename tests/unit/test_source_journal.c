/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent that starts knows from the journal of the one before it. */
#include "test_source_journal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "user/base/file.h"

TestSuite(source_journal, .init = journal_test_begin, .fini = journal_test_end);

static char *slurp(size_t *ret)
{
	char *bytes;

	cr_assert_eq(file_read_at(AT_FDCWD, journal_test.path, 1 << 20, &bytes, ret), 0);
	return bytes;
}

static void spill(const char *bytes, size_t n)
{
	_cleanup_close_ int fd =
		open(journal_test.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
}

Test(source_journal, the_next_agent_knows_what_was_known)
{
	struct pollfd fd = { .events = POLLIN };
	struct stat st;

	list_three();
	tell_gone(journal_test.k, "shop", "web-2");
	tell_pod(journal_test.k, "shop", "web-3", 7);
	cr_assert_str_eq(trouble(), "");
	restart();
	cr_assert_str_eq(trouble(), "");
	fd.fd = source_fd(&journal_test.k->source);
	cr_assert_eq(poll(&fd, 1, 0), 1);
	cr_assert_eq(source_dispatch(&journal_test.k->source), 1);
	cr_assert_not(source_kubernetes_synced(&journal_test.k->source));
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 2);
	cr_assert_eq(reader_version(&journal_test.reader, "shop", "web-1"), 1);
	cr_assert_eq(reader_version(&journal_test.reader, "shop", "web-3"), 7);
	cr_assert_eq(follower_of(journal_test.k, "Pod")->objects, 2);
	cr_assert_eq(stat(journal_test.path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	/* Then the server is back, and says what happened meanwhile. */
	begin_pods();
	tell_pod(journal_test.k, "shop", "web-3", 7);
	tell_pod(journal_test.k, "shop", "web-4", 1);
	cr_assert_eq(reader_changes(&journal_test.reader, &journal_test.k->source), 1);
	end_pods();
	cr_assert_eq(reader_changes(&journal_test.reader, &journal_test.k->source), 1);
	cr_assert_eq(journal_test.reader.n, 2);
	restart();
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 2);
	cr_assert_eq(reader_version(&journal_test.reader, "shop", "web-1"), -1);
}

Test(source_journal, a_list_before_the_first_read_counts)
{
	list_three();
	restart();
	begin_pods();
	tell_pod(journal_test.k, "shop", "web-2", 9);
	end_pods();
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 1);
	cr_assert_eq(reader_version(&journal_test.reader, "shop", "web-2"), 9);
}

Test(source_journal, a_kind_that_was_not_whole_is_not_known)
{
	list_three();
	restart();
	cr_assert(knows_anything());
	/* Another one, which is stopped while it reads its first list. */
	close_source();
	cr_assert_eq(unlink(journal_test.path), 0);
	open_source();
	sync_all_but(journal_test.k, "Pod");
	begin_pods();
	tell_pod(journal_test.k, "shop", "web-1", 1);
	restart();
	cr_assert_not(knows_anything());
	cr_assert_not_null(
		strstr(source_error(&journal_test.k->source), "API server: pods not listed yet"));
	cr_assert_eq(journal_test.k->store.n, 0);
	/* What was told then and is gone by now does not come back. */
	begin_pods();
	tell_pod(journal_test.k, "shop", "web-2", 1);
	end_pods();
	restart();
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 1);
	cr_assert_eq(reader_version(&journal_test.reader, "shop", "web-2"), 1);
}

Test(source_journal, another_cluster_is_not_believed)
{
	list_three();
	close_source();
	cr_assert_eq(kubernetes_open(journal_test.path, "https://other:6443", &journal_test.k), 0);
	expect_trouble("is of another cluster, " JOURNAL_CLUSTER);
	cr_assert_not(knows_anything());
	list_three();
	close_source();
	cr_assert_eq(kubernetes_open(journal_test.path, "https://other:6443", &journal_test.k), 0);
	cr_assert_str_eq(trouble(), "");
	cr_assert(knows_anything());
}

/* Where each record ends. */
static size_t ends_of(size_t *ret, size_t size)
{
	struct journal_window *window = calloc(1, sizeof(*window));
	struct journal_buffer buffer = { 0 };
	struct journal_record record;
	uint64_t at = JOURNAL_MAGIC_BYTES;
	size_t n = 0;
	ssize_t r;

	window->fd = open(journal_test.path, O_RDONLY | O_CLOEXEC);
	while ((r = journal_read_record(window, at, size, &buffer, &record)) > 0) {
		at += (uint64_t)r;
		ret[n++] = at;
	}
	cr_assert_eq(r, 0);
	cr_assert_eq(at, size);
	close(window->fd);
	free(window);
	journal_buffer_done(&buffer);
	return n;
}

/* The agent is stopped after each byte. */
Test(source_journal, a_tail_that_was_cut_short_is_cut_off, .timeout = 120)
{
	size_t size, ends[64], n, whole;
	_cleanup_free_ char *bytes = NULL;

	list_three();
	tell_pod(journal_test.k, "shop", "web-1", 8);
	tell_gone(journal_test.k, "shop", "web-2");
	close_source();
	bytes = slurp(&size);
	n = ends_of(ends, size);
	/* The header, two for each kind, three pods, and two changes. */
	cr_assert_eq(n, 1 + 2 * kube_kinds_n + 3 + 2);
	for (size_t length = 0; length < size; length++) {
		spill(bytes, length);
		for (whole = 0; whole < n && ends[whole] <= length; whole++)
			;
		open_source();
		if (!whole) {
			cr_assert_not(knows_anything());
		} else if (length == ends[whole - 1]) {
			cr_assert_str_eq(trouble(), "", "%zu: %s", length, trouble());
		} else {
			expect_trouble("bytes were cut off");
			cr_assert_eq(journal_test.k->journal->size, ends[whole - 1]);
		}
		cr_assert_eq(knows_anything(), whole >= n - 2, "%zu of %zu", whole, n);
		/* It goes on from there. */
		list_three();
		restart();
		cr_assert_str_eq(trouble(), "");
		reader_read(&journal_test.reader, &journal_test.k->source);
		cr_assert_eq(journal_test.reader.n, 3);
		cr_assert_eq(reader_version(&journal_test.reader, "shop", "web-2"), 2);
		close_source();
	}
}

/* As a file system may leave it that had made room and no more. */
Test(source_journal, a_tail_of_zeros_is_cut_off)
{
	size_t size, ends[64], n;
	_cleanup_free_ char *bytes = NULL;

	list_three();
	tell_pod(journal_test.k, "shop", "web-1", 8);
	close_source();
	bytes = slurp(&size);
	n = ends_of(ends, size);
	for (size_t from = ends[n - 2]; from < size; from++) {
		_cleanup_free_ char *zeros = calloc(1, size + 5000);

		if (from > ends[n - 2] && from < ends[n - 2] + sizeof(struct journal_head))
			continue;
		memcpy(zeros, bytes, from);
		spill(zeros, size + (from == ends[n - 2] ? 5000 : 0));
		open_source();
		/* A record that is half zeros is damaged, unless all of it after its head is. */
		if (from == ends[n - 2] || from == ends[n - 2] + sizeof(struct journal_head)) {
			expect_trouble("bytes were cut off");
			reader_read(&journal_test.reader, &journal_test.k->source);
			cr_assert_eq(reader_version(&journal_test.reader, "shop", "web-1"), 1);
		} else {
			expect_trouble("is damaged");
			cr_assert_not(knows_anything());
		}
		close_source();
	}
}

Test(source_journal, damage_makes_all_of_it_void, .timeout = 120)
{
	size_t size;
	_cleanup_free_ char *bytes = NULL;

	list_three();
	tell_pod(journal_test.k, "shop", "web-1", 8);
	close_source();
	bytes = slurp(&size);
	for (size_t i = 0; i < size; i++) {
		char mask = (char)(1 << i % 8);

		bytes[i] ^= mask;
		spill(bytes, size);
		bytes[i] ^= mask;
		open_source();
		expect_trouble(i < JOURNAL_MAGIC_BYTES ? "is no journal" : "is damaged at byte");
		cr_assert_not(knows_anything(), "byte %zu", i);
		cr_assert_eq(journal_test.k->store.n, 0);
		cr_assert_eq(follower_of(journal_test.k, "Pod")->objects, 0);
		/* It is begun anew. */
		list_three();
		restart();
		cr_assert_str_eq(trouble(), "");
		cr_assert(knows_anything());
		close_source();
	}
}

Test(source_journal, a_record_out_of_place_is_damage)
{
	struct journal_buffer buffer = { 0 };

	close_source();
	cr_assert_eq(journal_encode_start(&buffer, JOURNAL_CLUSTER), 0);
	cr_assert_eq(journal_encode(&buffer,
				    &(struct journal_record){ .type = JOURNAL_HEADER,
							      .text = JOURNAL_CLUSTER,
							      .length = strlen(JOURNAL_CLUSTER) }),
		     0);
	spill(buffer.data, buffer.n);
	open_source();
	expect_trouble("its header is not in front");
	close_source();
	cr_assert_eq(journal_encode_start(&buffer, JOURNAL_CLUSTER), 0);
	cr_assert_eq(journal_encode(&buffer, &(struct journal_record){ .type = JOURNAL_SET,
								       .name = "Pod/",
								       .text = "x",
								       .length = 1 }),
		     0);
	spill(buffer.data, buffer.n);
	open_source();
	expect_trouble("has what means nothing");
	journal_buffer_done(&buffer);
}

Test(source_journal, what_is_no_file_is_replaced_or_done_without)
{
	char other[128];

	list_three();
	close_source();
	snprintf(other, sizeof(other), "%s/other", journal_test.root);
	cr_assert_eq(rename(journal_test.path, other), 0);
	/* A link could lead anywhere; so it is not followed, and what it leads to is left alone. */
	cr_assert_eq(symlink(other, journal_test.path), 0);
	open_source();
	expect_trouble("cannot be opened");
	cr_assert_not(knows_anything());
	cr_assert(journal_is_open(journal_test.k->journal));
	close_source();
	cr_assert_eq(unlink(journal_test.path), 0);
	cr_assert_eq(mkfifo(journal_test.path, 0600), 0);
	open_source();
	expect_trouble("is no regular file");
	cr_assert(journal_is_open(journal_test.k->journal));
	close_source();
	cr_assert_eq(unlink(journal_test.path), 0);
	cr_assert_eq(rename(other, journal_test.path), 0);
	open_source();
	cr_assert(knows_anything());
	close_source();
	cr_assert_eq(unlink(journal_test.path), 0);
	cr_assert_eq(mkdir(journal_test.path, 0700), 0);
	open_source();
	expect_trouble("cannot be made");
	cr_assert_not(journal_is_open(journal_test.k->journal));
	/* All else goes on. */
	list_three();
	reader_read(&journal_test.reader, &journal_test.k->source);
	cr_assert_eq(journal_test.reader.n, 3);
}
