/* SPDX-License-Identifier: Apache-2.0 */
/* The history on disk: what is kept, what is dropped, and what damage does. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "user/agent/pin.h"
#include "user/agent/revisions.h"
#include "user/agent/sealed.h"
#include "user/base/file.h"

static char root[64], path[96];
static struct revisions *revisions;
static int dir; /* of the history, for looking behind its back */

static void setup(void)
{
	strcpy(root, "/tmp/countersign-test-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/history", root);
	cr_assert_eq(revisions_open(path, 3, &revisions), 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void teardown(void)
{
	char command[128];

	close(dir);
	revisions_free(revisions);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(revisions, .init = setup, .fini = teardown);

static void reopen(size_t keep)
{
	revisions_free(revisions);
	revisions = NULL;
	cr_assert_eq(revisions_open(path, keep, &revisions), 0);
}

static struct source_documents documents_of(const char *name, const char *text)
{
	struct source_documents documents = { .n = 1 };

	documents.item = calloc(1, sizeof(*documents.item));
	documents.item[0] = (struct source_document){
		.name = strdup(name),
		.text = strdup(text),
		.length = strlen(text),
	};
	return documents;
}

/* Adds one document with @text; returns its number. */
static uint32_t add(const char *text)
{
	struct source_documents documents = documents_of("/m/a.yaml", text);
	const struct revision revision = {
		.realtime_ns = 1798675200123456789,
		.origin = { .author = "ada (uid 0, pid 7)", .note = "why \"not\"" },
		.workloads = 1,
		.policies = 2,
		.rules = 3,
	};
	uint32_t number = 0;

	cr_assert_eq(revisions_add(revisions, &revision, &documents, &number), 0);
	source_documents_done(&documents);
	return number;
}

static int read_back(uint32_t number, char *text, size_t size)
{
	struct source_documents documents = { 0 };
	int r = revisions_read(revisions, number, &documents);

	if (r == 0)
		snprintf(text, size, "%s", documents.item[0].text);
	source_documents_done(&documents);
	return r;
}

static void expect_text(uint32_t number, const char *want)
{
	char text[64] = "";

	cr_expect_eq(read_back(number, text, sizeof(text)), 0);
	cr_expect_str_eq(text, want);
}

/* Turns a bit of the byte at @offset around; from the end when negative. */
static void damage(const char *name, off_t offset)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	struct stat st;
	char c;

	cr_assert_geq(fd, 0, "%s", name);
	fstat(fd, &st);
	offset += offset < 0 ? st.st_size : 0;
	cr_assert_eq(pread(fd, &c, 1, offset), 1);
	c ^= 4;
	cr_assert_eq(pwrite(fd, &c, 1, offset), 1);
}

static bool exists(const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(revisions, keep_what_was_said)
{
	const struct revision *is;

	cr_expect_eq(add("one\n"), 1);
	cr_expect_eq(add("two\n"), 2);
	reopen(3);
	cr_assert_eq(revisions_count(revisions), 2);
	is = &revisions_at(revisions, 1)->is;
	cr_expect_eq(is->number, 2);
	cr_expect_eq(is->realtime_ns, 1798675200123456789);
	cr_expect_str_eq(is->origin.author, "ada (uid 0, pid 7)");
	cr_expect_str_eq(is->origin.note, "why \"not\"");
	cr_expect_eq(is->workloads, 1);
	cr_expect_eq(is->policies, 2);
	cr_expect_eq(is->rules, 3);
	expect_text(1, "one\n");
	expect_text(2, "two\n");
	cr_expect_eq(read_back(3, NULL, 0), -ENOENT);
}

Test(revisions, are_private)
{
	struct stat st;

	add("one\n");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0700);
	cr_assert_eq(fstatat(dir, "0000000001.revision", &st, 0), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
}

Test(revisions, the_newest_is_not_stored_again)
{
	add("one\n");
	cr_expect_eq(add("one\n"), 1);
	reopen(3);
	cr_expect_eq(add("one\n"), 1);
	cr_expect_eq(add("two\n"), 2);
	cr_expect_eq(add("one\n"), 3, "what was in force before is news again");
}

Test(revisions, the_newest_can_be_refreshed)
{
	struct source_documents documents = documents_of("/m/a.yaml", "three\n");

	cr_expect_eq(revisions_refresh(revisions, 4, &documents), -ENOENT);
	add("one\n");
	add("two\n");
	cr_expect_eq(revisions_refresh(revisions, 4, &documents), 0);
	reopen(3);
	cr_assert_eq(revisions_count(revisions), 2);
	expect_text(1, "one\n");
	expect_text(2, "three\n");
	cr_expect_eq(revisions_at(revisions, 1)->is.workloads, 4);
	cr_expect_str_eq(revisions_at(revisions, 1)->is.origin.author, "ada (uid 0, pid 7)");
	cr_expect_eq(add("three\n"), 2, "no news");
	damage("0000000002.revision", -1);
	reopen(3);
	cr_expect_eq(revisions_refresh(revisions, 4, &documents), -ENOENT);
	source_documents_done(&documents);
}

Test(revisions, names_that_are_no_utf8_make_no_news)
{
	struct source_documents documents = documents_of("/m/\xff.yaml", "one\n");
	const struct revision revision = { 0 };
	uint32_t number;

	cr_assert_eq(revisions_add(revisions, &revision, &documents, &number), 0);
	reopen(3);
	cr_assert_eq(revisions_add(revisions, &revision, &documents, &number), 0);
	cr_expect_eq(number, 1);
	source_documents_done(&documents);
}

Test(revisions, the_oldest_are_dropped)
{
	for (int i = 0; i < 5; i++)
		add((char[]){ 'a' + i, '\n', 0 });
	cr_expect_eq(revisions_count(revisions), 3);
	cr_expect(!exists("0000000002.revision"));
	expect_text(3, "c\n");
	reopen(1);
	cr_expect_eq(revisions_count(revisions), 1);
	expect_text(5, "e\n");
	cr_expect_eq(add("f\n"), 6, "numbers are not given twice");
}

Test(revisions, the_pinned_one_is_not_dropped)
{
	const struct pin pin = { .revision = 1 };

	add("one\n");
	cr_assert_eq(pin_prepare(dir, &pin), 0);
	cr_assert_eq(pin_settle(dir), 0);
	revisions_protect(revisions, 1);
	for (int i = 0; i < 4; i++)
		add((char[]){ 'a' + i, '\n', 0 });
	cr_expect_eq(revisions_count(revisions), 3);
	expect_text(1, "one\n");
	reopen(1);
	cr_expect_eq(revisions_count(revisions), 2, "it and the newest");
	expect_text(1, "one\n");
	expect_text(5, "d\n");
}

Test(revisions, bytes_are_bounded)
{
	size_t half = SOURCE_DOCUMENT_BYTES_MAX - 1;
	struct source_documents documents = { .n = 2 };
	const struct revision revision = { 0 };
	uint32_t number;

	documents.item = calloc(2, sizeof(*documents.item));
	for (size_t i = 0; i < 2; i++) {
		documents.item[i].name = strdup(i ? "b" : "a");
		documents.item[i].text = calloc(1, half + 1);
		documents.item[i].length = half;
	}
	for (int i = 0; i < 3; i++) {
		memset(documents.item[0].text, 'x' + i, half);
		cr_assert_eq(revisions_add(revisions, &revision, &documents, &number), 0);
	}
	source_documents_done(&documents);
	cr_expect_lt(revisions_count(revisions), 3);
	cr_expect(!exists("0000000001.revision"));
	cr_expect_not_null(revisions_find(revisions, 3), "the newest stays");
}

struct damage_case {
	long offset;
};

ParameterizedTestParameters(revisions, damage)
{
	static struct damage_case cases[] = { { 0 }, { 19 }, { 30 }, { 54 }, { 60 }, { -1 } };

	return cr_make_param_array(struct damage_case, cases, ARRAY_SIZE(cases));
}

/* In the seal's words, its digest, the header and the documents. */
ParameterizedTest(struct damage_case *c, revisions, damage)
{
	add("one\n");
	add("two\n");
	damage("0000000002.revision", c->offset);
	cr_expect_eq(read_back(2, NULL, 0), -EBADMSG, "noticed when it is read");
	reopen(3);
	cr_expect_eq(revisions_find(revisions, 2)->damage, -EBADMSG);
	cr_expect_eq(revisions_newest(revisions)->number, 1);
	cr_expect_eq(read_back(2, NULL, 0), -EBADMSG);
	expect_text(1, "one\n");
	cr_expect_eq(add("two\n"), 3, "what is damaged is no copy");
}

Test(revisions, cut_short)
{
	add("one\n");
	for (off_t size = 0; size < 80; size += 13) {
		_cleanup_close_ int fd = openat(dir, "0000000001.revision", O_RDWR | O_CLOEXEC);

		cr_assert_eq(ftruncate(fd, 80 - size), 0);
		cr_expect_eq(read_back(1, NULL, 0), -EBADMSG);
	}
}

Test(revisions, a_file_that_vanished)
{
	add("one\n");
	cr_assert_eq(unlinkat(dir, "0000000001.revision", 0), 0);
	cr_expect_eq(read_back(1, NULL, 0), -EBADMSG);
	cr_expect_null(revisions_newest(revisions));
}

Test(revisions, a_file_under_another_number)
{
	add("one\n");
	cr_assert_eq(renameat(dir, "0000000001.revision", dir, "0000000007.revision"), 0);
	reopen(3);
	cr_expect_eq(revisions_find(revisions, 7)->damage, -EBADMSG);
	cr_expect_null(revisions_newest(revisions));
	cr_expect_eq(add("two\n"), 8);
}

Test(revisions, a_link_is_no_way_out)
{
	struct stat st;

	cr_assert_eq(symlinkat("../elsewhere", dir, SEALED_TEMPORARY), 0);
	add("one\n");
	expect_text(1, "one\n");
	cr_expect_eq(fstatat(dir, "../elsewhere", &st, 0), -1);
}

Test(revisions, leftovers_are_swept_up_and_foreign_files_are_not)
{
	add("one\n");
	put(SEALED_TEMPORARY, "half a rev");
	put("pinning", "half a pin");
	put("1.revision", "no name of ours");
	put("0000000000.revision", "no number");
	put("readme", "keep");
	reopen(3);
	cr_expect_eq(revisions_count(revisions), 1);
	cr_expect(!exists(SEALED_TEMPORARY));
	cr_expect(!exists("pinning"));
	cr_expect(exists("readme"));
	cr_expect(exists("1.revision"));
	cr_expect_eq(add("two\n"), 2);
}

Test(revisions, a_write_that_fails_changes_nothing)
{
	struct source_documents documents = documents_of("/m/a.yaml", "two\n");
	const struct revision revision = { 0 };
	uint32_t number = 77;

	add("one\n");
	/* A directory in the file's place: the rename fails, as on a broken disk. */
	cr_assert_eq(mkdirat(dir, "0000000002.revision", 0700), 0);
	cr_expect_lt(revisions_add(revisions, &revision, &documents, &number), 0);
	cr_expect_eq(number, 77);
	cr_expect_eq(revisions_count(revisions), 1);
	cr_expect(!exists(SEALED_TEMPORARY));
	expect_text(1, "one\n");
	source_documents_done(&documents);
}

Test(revisions, one_agent_at_a_time)
{
	struct revisions *other = NULL;

	cr_expect_eq(revisions_open(path, 3, &other), -EWOULDBLOCK);
	cr_expect_null(other);
}

Test(revisions, a_directory_that_others_may_write_to_is_refused)
{
	revisions = revisions_free(revisions);
	cr_assert_eq(chmod(path, 0770), 0);
	cr_expect_eq(revisions_open(path, 3, &revisions), -EPERM);
	cr_assert_eq(chmod(path, 0702), 0);
	cr_expect_eq(revisions_open(path, 3, &revisions), -EPERM);
	cr_assert_eq(chmod(path, 0755), 0);
	cr_expect_eq(revisions_open(path, 3, &revisions), 0);
}

Test(revisions, can_be_removed)
{
	const struct pin pin = { .revision = 1 };

	add("one\n");
	pin_prepare(dir, &pin);
	pin_settle(dir);
	put("readme", "keep");
	revisions = revisions_free(revisions);
	cr_expect_eq(revisions_remove(path), 0);
	cr_expect(exists("readme"));
	cr_expect(!exists("0000000001.revision"));
	cr_expect(!exists("pinned"));
	unlinkat(dir, "readme", 0);
	cr_expect_eq(revisions_remove(path), 0);
	cr_expect_eq(access(path, F_OK), -1);
	cr_expect_eq(revisions_remove(path), 0, "a second time is fine");
}

Test(revisions, pin)
{
	struct pin pin = { .revision = 5, .realtime_ns = 9, .origin = { "ada", "why" } }, got;

	cr_expect_eq(pin_read(dir, &got), 0);
	cr_expect_eq(got.revision, 0);
	cr_assert_eq(pin_prepare(dir, &pin), 0);
	cr_expect_eq(pin_read(dir, &got), 0);
	cr_expect_eq(got.revision, 0, "not before it is settled");
	pin_abandon(dir);
	cr_expect_lt(pin_settle(dir), 0);
	cr_assert_eq(pin_prepare(dir, &pin), 0);
	cr_assert_eq(pin_settle(dir), 0);
	cr_expect_eq(pin_read(dir, &got), 0);
	cr_expect_eq(got.revision, 5);
	cr_expect_eq(got.realtime_ns, 9);
	cr_expect_str_eq(got.origin.author, "ada");
	cr_expect_str_eq(got.origin.note, "why");
	damage("pinned", -3);
	cr_expect_eq(pin_read(dir, &got), -EBADMSG);
	cr_expect_eq(pin_remove(dir), 0);
	cr_expect_eq(pin_read(dir, &got), 0);
	cr_expect_eq(got.revision, 0);
}

Test(revisions, a_damaged_pin_keeps_all)
{
	const struct pin pin = { .revision = 1 };

	for (int i = 0; i < 3; i++)
		add((char[]){ 'a' + i, '\n', 0 });
	pin_prepare(dir, &pin);
	pin_settle(dir);
	damage("pinned", -3);
	reopen(1);
	cr_expect_eq(revisions_count(revisions), 3, "nobody knows which one is pinned");
}
