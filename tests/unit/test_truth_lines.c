/* SPDX-License-Identifier: Apache-2.0 */
/* Every line of tests/truth/README.md has a case, or a test elsewhere that it names. */
#include <fcntl.h>

#include "tests/truth/truth.h"
#include "tests/unit/test_policy.h"
#include "user/base/file.h"

#define CASES_MIN 250
#define LINES_MIN 30
#define ID_MAX 15

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += n)
		if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

static size_t count_cases(struct truth_group *groups, const char *id)
{
	size_t n = 0;

	for (size_t g = 0; truth_groups[g]; g++)
		for (size_t i = 0; i < groups[g].n; i++)
			n += has_word(groups[g].cases[i]->covers, id);
	return n;
}

/* "tests/lab/test_x.c:name": whether that file has a test of that name. */
static bool test_exists(const char *where)
{
	char path[256], name[128], needle[160];
	_cleanup_free_ char *text = NULL;
	size_t length;

	if (sscanf(where, "%255[^:]:%127[a-z0-9_]", path, name) != 2)
		return false;
	snprintf(needle, sizeof(needle), ", %s)", name);
	return file_read_at(AT_FDCWD, path, 1 << 20, &text, &length) == 0 && strstr(text, needle);
}

/* A line such as "- **NP-1** text"; with "(test: file:name)" where no table can tell. */
static bool check_line(struct truth_group *groups, const char *line)
{
	char id[ID_MAX + 1];
	const char *elsewhere = strstr(line, "(test: ");

	if (sscanf(line, "- **%15[A-Z0-9-]**", id) != 1)
		return false;
	if (elsewhere)
		cr_expect(test_exists(elsewhere + strlen("(test: ")), "%s: no such test: %s", id,
			  elsewhere);
	else
		cr_expect_gt(count_cases(groups, id), 0, "no case covers %s", id);
	return true;
}

Test(truth_lines, every_line_has_a_case)
{
	_cleanup_free_ char *text = truth_text("README.md");
	struct truth_group groups[16];
	size_t cases = 0, lines = 0;

	cr_assert_not_null(text);
	for (size_t g = 0; truth_groups[g]; g++) {
		cr_assert_eq(truth_load(truth_groups[g], &groups[g]), 0);
		cases += groups[g].n;
	}
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		lines += check_line(groups, line);
	cr_expect_geq(lines, LINES_MIN);
	cr_expect_geq(cases, CASES_MIN);
	for (size_t g = 0; truth_groups[g]; g++)
		truth_done(&groups[g]);
}
