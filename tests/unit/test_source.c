/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a directory of manifests. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

#include "user/source/listing.h"
#include "user/source/source.h"

static char root[64];
static char manifests[96];
static struct source *source;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void set_up(void)
{
	strcpy(root, "/tmp/countersign-source.XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	snprintf(manifests, sizeof(manifests), "%s/manifests", root);
	cr_assert_eq(mkdir(manifests, 0700), 0);
	cr_assert_eq(source_directory_new(manifests, &source), 0);
}

static void tear_down(void)
{
	source = source_free(source);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(source, .init = set_up, .fini = tear_down);

static const char *in(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", manifests, name);
	return path;
}

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* A file with a hole, so that limits can be tested in no time. */
static void put_size(const char *name, off_t size)
{
	_cleanup_close_ int fd = open(in(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, size), 0);
}

static void expect_failure(int error, const char *text)
{
	struct source_documents documents = { 0 };

	cr_assert_eq(source_read(source, &documents), error);
	cr_assert_null(documents.item, "touched on failure");
	cr_assert_not_null(strstr(source_error(source), text), "\"%s\" does not say \"%s\"",
			   source_error(source), text);
}

Test(source, reads_manifests_in_order)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };

	put("b.yml", "second");
	put("a.yaml", "first");
	put("c.yaml", "");
	cr_assert_eq(source_read(source, &documents), 0);
	cr_assert_eq(documents.n, 3);
	cr_assert_str_eq(documents.item[0].text, "first");
	cr_assert_eq(documents.item[0].length, 5);
	cr_assert_str_eq(documents.item[0].name, in("a.yaml"));
	cr_assert_str_eq(documents.item[1].text, "second");
	cr_assert_eq(documents.item[2].length, 0);
}

Test(source, an_empty_directory_has_no_documents)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };

	cr_assert_eq(source_read(source, &documents), 0);
	cr_assert_eq(documents.n, 0);
}

Test(source, knows_manifests_by_name)
{
	static const char *const yes[] = { "a.yaml",  "a.yml",	"a.b.yaml",
					   "~a.yaml", "a#.yml", "a.json" };
	static const char *const no[] = { "a",	      ".yaml",	".a.yaml",     "a.yaml~",
					  "#a.yaml#", "#a.yml", ".#a.yaml",    "a.yaml.swp",
					  "a.yamlx",  "a.YAML", "a.yaml.orig", "..data" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		cr_expect(listing_wants(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		cr_expect(!listing_wants(no[i]), "%s", no[i]);
}

Test(source, ignores_leftovers)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };

	put("a.yaml", "wanted");
	put(".a.yaml.swp", "not");
	put("a.yaml~", "not");
	put("README", "not");
	cr_assert_eq(mkdir(in("folder"), 0700), 0);
	cr_assert_eq(source_read(source, &documents), 0);
	cr_assert_eq(documents.n, 1);
	cr_assert_str_eq(documents.item[0].text, "wanted");
}

Test(source, follows_links_as_in_a_config_map)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };

	cr_assert_eq(mkdir(in("..2026"), 0700), 0);
	put("..2026/a.yaml", "mounted");
	cr_assert_eq(symlink("..2026", in("..data")), 0);
	cr_assert_eq(symlink("..data/a.yaml", in("a.yaml")), 0);
	cr_assert_eq(source_read(source, &documents), 0);
	cr_assert_eq(documents.n, 1);
	cr_assert_str_eq(documents.item[0].text, "mounted");
}

Test(source, all_or_nothing)
{
	put("a.yaml", "good");
	cr_assert_eq(symlink("nowhere", in("b.yaml")), 0);
	expect_failure(-ENOENT, "b.yaml: is a link to nothing");
}

Test(source, refuses_what_is_no_file)
{
	put("a.yaml", "good");
	cr_assert_eq(mkfifo(in("b.yaml"), 0600), 0);
	expect_failure(-EINVAL, "b.yaml: is not a regular file");
}

Test(source, says_that_the_directory_is_missing)
{
	cr_assert_eq(rmdir(manifests), 0);
	expect_failure(-ENOENT, "manifests: does not exist");
}

Test(source, says_that_it_is_no_directory)
{
	cr_assert_eq(rmdir(manifests), 0);
	cr_assert_eq(symlink("/dev/null", manifests), 0);
	expect_failure(-ENOTDIR, "is not a directory");
}

Test(source, bounds_one_document)
{
	put_size("a.yaml", SOURCE_DOCUMENT_BYTES_MAX + 1);
	expect_failure(-EFBIG, "a.yaml: passes a limit");
}

Test(source, bounds_all_documents_together)
{
	char name[32];

	for (int i = 0; i <= SOURCE_BYTES_MAX / SOURCE_DOCUMENT_BYTES_MAX; i++) {
		snprintf(name, sizeof(name), "%d.yaml", i);
		put_size(name, SOURCE_DOCUMENT_BYTES_MAX);
	}
	expect_failure(-EFBIG, "passes a limit");
}

Test(source, bounds_the_number_of_documents)
{
	char name[32];

	put("0.yaml", "");
	for (int i = 1; i <= SOURCE_DOCUMENTS_MAX; i++) {
		char first[256];

		strcpy(first, in("0.yaml"));
		snprintf(name, sizeof(name), "%d.yaml", i);
		cr_assert_eq(link(first, in(name)), 0);
	}
	expect_failure(-EFBIG, "passes a limit");
}

Test(source, tells_versions_of_a_file_apart)
{
	_cleanup_(listing_done) struct listing before = { 0 }, same = { 0 }, after = { 0 };
	_cleanup_close_ int dir = open(manifests, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *name = NULL, other[256];

	put("a.yaml", "old");
	cr_assert_eq(listing_read(dir, &before, &name), 0);
	cr_assert_eq(listing_read(dir, &same, &name), 0);
	cr_assert(listing_equal(&before, &same));
	put("b.txt", "new");
	strcpy(other, in("b.txt"));
	cr_assert_eq(rename(other, in("a.yaml")), 0);
	cr_assert_eq(listing_read(dir, &after, &name), 0);
	cr_assert(!listing_equal(&before, &after), "same name, same size, another file");
}

Test(source, free_takes_null)
{
	cr_assert_null(source_free(NULL));
}

/* ---- what is read again ---- */

static void age(const char *name)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	cr_assert_eq(utimensat(AT_FDCWD, in(name), old, 0), 0);
}

static struct cs_key digest_of(const char *name, const char **ret_text)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	struct cs_key digest = { 0 };

	*ret_text = NULL;
	cr_assert_eq(source_read(source, &documents), 0);
	for (size_t i = 0; i < documents.n; i++) {
		cr_expect(documents.item[i].borrowed);
		if (!streq(documents.item[i].name, in(name)))
			continue;
		digest = documents.item[i].digest;
		*ret_text = documents.item[i].text;
	}
	return digest;
}

Test(source, a_digest_tells_versions_apart)
{
	const char *text;
	struct cs_key first, second;

	put("a.yaml", "one");
	first = digest_of("a.yaml", &text);
	cr_expect_neq(first.k0, 0);
	put("a.yaml", "two"); /* in the same moment, of the same size */
	second = digest_of("a.yaml", &text);
	cr_expect_str_eq(text, "two", "what was written just now is read again");
	cr_expect(memcmp(&first, &second, sizeof(first)) != 0);
	put("a.yaml", "one");
	second = digest_of("a.yaml", &text);
	cr_expect_arr_eq(&first, &second, sizeof(first));
}

/* Takes a change in, as the agent does. */
static void wait_told(void)
{
	struct pollfd wait = { .fd = source_fd(source), .events = POLLIN };

	while (poll(&wait, 1, 2000) > 0)
		if (source_dispatch(source) > 0)
			return;
	cr_assert(false, "nothing was told");
}

static void expect_read(const char *name, const char *text)
{
	const char *read;

	digest_of(name, &read);
	if (text)
		cr_expect_str_eq(read ? read : "(none)", text, "%s", name);
	else
		cr_expect_null(read, "%s", name);
}

Test(source, changes_told_by_name_are_read_alone)
{
	put("a.yaml", "a");
	put("c.yaml", "c");
	wait_told();
	expect_read("a.yaml", "a");
	put("b.yaml", "b"); /* comes */
	wait_told();
	expect_read("b.yaml", "b");
	expect_read("c.yaml", "c");
	put("c.yaml", "cc"); /* changes */
	cr_assert_eq(unlink(in("a.yaml")), 0); /* goes */
	wait_told();
	expect_read("c.yaml", "cc");
	expect_read("a.yaml", NULL);
	expect_read("b.yaml", "b");
}

Test(source, what_cannot_be_read_alone_is_told_as_ever)
{
	put("a.yaml", "a");
	wait_told();
	expect_read("a.yaml", "a");
	cr_assert_eq(mkdir(in("b.yaml"), 0700), 0);
	wait_told();
	expect_failure(-EINVAL, "b.yaml: is not a regular file");
	cr_assert_eq(rmdir(in("b.yaml")), 0);
	wait_told();
	expect_read("a.yaml", "a");
}

Test(source, who_asks_without_being_told_gets_what_is_there)
{
	put("a.yaml", "a");
	expect_read("a.yaml", "a");
	age("a.yaml");
	for (int i = 0; i < 3; i++) {
		put("b.yaml", i % 2 ? "odd" : "even");
		expect_read("b.yaml", i % 2 ? "odd" : "even");
		expect_read("a.yaml", "a");
	}
}

Test(source, many_changes_at_once_are_all_read)
{
	char name[32];

	put("a.yaml", "a");
	wait_told();
	expect_read("a.yaml", "a");
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "n%03d.yaml", i);
		put(name, name);
	}
	wait_told();
	for (int i = 0; i < 200; i += 7) {
		snprintf(name, sizeof(name), "n%03d.yaml", i);
		expect_read(name, name);
	}
}
