/* SPDX-License-Identifier: Apache-2.0 */
/* Every template passes `policy check` without a warning and its own PolicyTest. */
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>

#include "test_cli_server.h"
#include "user/base/file.h"

#define TEMPLATES_LEAST 10
#define README_MAX 65536

/* Relative to this file's place, so that it does not matter where the tests are run. */
static void source_path(const char *name, char *ret, size_t size)
{
	char here[] = __FILE__;

	*strstr(here, "tests/unit/") = '\0';
	snprintf(ret, size, "%spolicy/%s", here, name);
}

static void templates(glob_t *ret)
{
	char pattern[4096];

	source_path("templates/*.yaml", pattern, sizeof(pattern));
	cr_assert_eq(glob(pattern, 0, NULL, ret), 0, "%s", pattern);
	cr_assert_geq(ret->gl_pathc, TEMPLATES_LEAST);
}

Test(policy_templates, nothing_to_complain_of)
{
	char workloads[4096];
	glob_t found;

	source_path("templates/tests/workloads.yaml", workloads, sizeof(workloads));
	templates(&found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct outcome o = run_cli("policy", "check", "--fail-on", "warning",
					   found.gl_pathv[i], workloads);

		cr_expect_eq(o.code, CLI_OK, "%s: %s%s", found.gl_pathv[i], o.out, o.err);
		outcome_done(&o);
	}
	globfree(&found);
}

Test(policy_templates, do_as_their_tests_say)
{
	char name[256], path[4096];
	glob_t found;

	templates(&found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct outcome o;

		snprintf(name, sizeof(name), "templates/tests/%s", basename(found.gl_pathv[i]));
		source_path(name, path, sizeof(path));
		o = run_cli("policy", "test", path);
		cr_expect_eq(o.code, CLI_OK, "%s: %s%s", path, o.out, o.err);
		cr_expect(!strstr(o.out, "\n0 cases"), "%s has no cases", path);
		outcome_done(&o);
	}
	globfree(&found);
}

Test(policy_templates, are_all_in_the_readme)
{
	char path[4096], link[256], *text = NULL;
	size_t length;
	glob_t found;

	source_path("README.md", path, sizeof(path));
	cr_assert_eq(file_read_at(AT_FDCWD, path, README_MAX, &text, &length), 0, "%s", path);
	templates(&found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		snprintf(link, sizeof(link), "(templates/%s)", basename(found.gl_pathv[i]));
		cr_expect(strstr(text, link), "policy/README.md lacks %s", link);
	}
	globfree(&found);
	free(text);
}
