/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every malformed manifest in tests/corpus/malformed: refused with the error that the file
 * EXPECTED there has for it, and nothing of it stays in the set. Those in
 * tests/corpus/accepted load, and neither their truncations nor changed bytes do harm. ASan
 * watches for leaks. Where a message was changed on purpose, copy the new one from this
 * test's output.
 */
#include <dirent.h>
#include <fcntl.h>

#include "test_policy_model.h"
#include "user/base/file.h"

#define CORPUS_MIN 110
#define CORPUS_FILE_MAX (1 << 20)
#define PATH_MAX_TEST 4096

#define GOOD                                                                                   \
	"apiVersion: countersign.dev/v1alpha1\nkind: Workload\nmetadata: {name: good}\n---\n"  \
	"apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {name: good}\n" \
	"spec: {subject: {}}\n"

/* Relative to this file's place, so that it does not matter where the tests are run. */
static void corpus_path(const char *name, char ret[static PATH_MAX_TEST])
{
	char here[] = __FILE__;

	*strstr(here, "unit/") = '\0';
	snprintf(ret, PATH_MAX_TEST, "%scorpus/%s", here, name);
}

static char *corpus_file(const char *directory, const char *name, size_t *ret_length)
{
	char path[PATH_MAX_TEST], inside[NAME_MAX * 2], *text = NULL;

	snprintf(inside, sizeof(inside), "%s/%s", directory, name);
	corpus_path(inside, path);
	cr_assert_eq(file_read_at(AT_FDCWD, path, CORPUS_FILE_MAX, &text, ret_length), 0, "%s",
		     path);
	return text;
}

static size_t set_objects(const struct policy_set *set)
{
	return set->workloads.n + set->policies.n + set->namespaces.n + set->nodes.n +
	       set->services.n + set->slices.n + set->tests.n + set->revocations.n;
}

static void expect_plain(const char *text, const char *name)
{
	for (; *text; text++)
		cr_expect((unsigned char)*text >= 0x20 && *text != 0x7f, "%s: control character",
			  name);
}

/* @expected: "name.yaml:7: field: message" */
static void refuse(const char *name, const char *expected)
{
	_cleanup_free_ char *text = NULL, *error = NULL;
	size_t length = 0, before;
	_compiled_ c;

	text = corpus_file("malformed", name, &length);
	compiled_init(&c);
	compiled_parse(&c, "good.yaml", GOOD);
	before = set_objects(c.set);
	cr_assert_eq(c.r, 0);
	cr_assert_eq(policy_set_parse(c.set, name, text, length, &c.errors), -EBADMSG, "%s", name);
	cr_assert_geq(c.errors.n, 1, "%s", name);
	error = policy_error_text(&c.errors.item[0]);
	cr_expect_str_eq(error, expected, "is       %s\n  expected %s", error, expected);
	cr_expect_geq(c.errors.item[0].line, 1, "%s", name);
	expect_plain(error, name);
	if (!memmem(text, length, "\n---\n", strlen("\n---\n")))
		cr_expect_eq(set_objects(c.set), before, "%s left something behind", name);
}

/* The name in front of "name.yaml:7: ..."; returns false when there is none. */
static bool name_of(const char *line, char ret[static NAME_MAX])
{
	size_t n = strcspn(line, ":");

	if (!line[n] || n >= NAME_MAX)
		return false;
	memcpy(ret, line, n);
	ret[n] = 0;
	return true;
}

Test(policy_corpus, every_file_is_refused)
{
	_cleanup_free_ char *expected = NULL;
	char name[NAME_MAX], *save = NULL;
	size_t length, n = 0;

	expected = corpus_file("malformed", "EXPECTED", &length);
	for (char *line = strtok_r(expected, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), n++) {
		cr_assert(name_of(line, name), "\"%s\"", line);
		refuse(name, line);
	}
	cr_expect_geq(n, CORPUS_MIN);
}

/* No file without an expectation: it would never be tried. */
Test(policy_corpus, every_file_has_an_expectation)
{
	_cleanup_free_ char *expected = NULL;
	char path[PATH_MAX_TEST], start[NAME_MAX + 2];
	size_t length, n = 0;
	struct dirent *entry;
	DIR *dir;

	expected = corpus_file("malformed", "EXPECTED", &length);
	corpus_path("malformed", path);
	dir = opendir(path);
	cr_assert_not_null(dir);
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".yaml"))
			continue;
		snprintf(start, sizeof(start), "%s:", entry->d_name);
		cr_expect(strstr(expected, start), "%s is not in EXPECTED", entry->d_name);
		n++;
	}
	closedir(dir);
	cr_expect_geq(n, CORPUS_MIN);
}

static const char *const accepted[] = {
	"kubectl-list.yaml",
	"network-policy-all-fields.yaml",
	"cluster-network-policy-all-fields.yaml",
	"identity-policy-all-fields.yaml",
	"revocation-all-fields.yaml",
};

/* 0, or -EBADMSG with at least one error. */
static int parse_bytes(const char *name, const char *text, size_t length)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	struct policy_errors errors = { 0 };
	int r;

	cr_assert_eq(policy_set_new(&set), 0);
	r = policy_set_parse(set, name, text, length, &errors);
	cr_assert(r == 0 || (r == -EBADMSG && errors.total), "%s, %zu bytes: %d", name, length, r);
	policy_errors_done(&errors);
	return r;
}

Test(policy_corpus, accepted_files_load)
{
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		_cleanup_free_ char *text = NULL;
		size_t length;

		text = corpus_file("accepted", accepted[i], &length);
		cr_expect_eq(parse_bytes(accepted[i], text, length), 0, "%s", accepted[i]);
	}
}

Test(policy_corpus, every_truncation_is_survived)
{
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		_cleanup_free_ char *text = NULL;
		size_t length;

		text = corpus_file("accepted", accepted[i], &length);
		for (size_t n = 0; n < length; n++)
			parse_bytes(accepted[i], text, n);
	}
}

/* One byte after the other becomes one that means something to YAML. */
Test(policy_corpus, every_changed_byte_is_survived)
{
	static const char bytes[] = "\n:-[{\"#";

	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		_cleanup_free_ char *text = NULL;
		size_t length;

		text = corpus_file("accepted", accepted[i], &length);
		for (size_t n = 0; n < length; n++) {
			char was = text[n];

			text[n] = bytes[n % (sizeof(bytes) - 1)];
			parse_bytes(accepted[i], text, length);
			text[n] = was;
		}
	}
}
