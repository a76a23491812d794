/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "user/identity/spiffe.h"

struct id_case {
	const char *text;
	bool id; /* is a workload's ID */
	bool pattern; /* may be used as a pattern */
};

static const struct id_case ids[] = {
	{ "spiffe://example.org/ns/shop/sa/checkout", true, true },
	{ "spiffe://a/ns/b/sa/c", true, true },
	{ "spiffe://example.org/ns/Shop/sa/Check_out.1-x", true, true },
	{ "spiffe://example.org/ns/shop/sa/*", false, true },
	{ "spiffe://*/ns/*-x/sa/a*b*c", false, true },
	{ "spiffe://example.org/countersign/node/host-a/unit/kubelet.service", true, true },
	{ "spiffe://*/countersign/node/*/unit/kubelet.service", false, true },
	{ "spiffe://a/countersign/node/b", false, false },
	{ "spiffe://a/countersign/node/b/unit/", false, false },
	{ "spiffe://a/countersign/node/b/sa/c", false, false },
	{ "spiffe://a/countersign/node/b/unit/c/d", false, false },
	{ "spiffe://a/ns/b/unit/c", false, false },
	{ "spiffe://example.org/ns/shop/sa/**", false, false },
	{ "spiffe://example.org/ns/shop/sa/", false, false },
	{ "spiffe://example.org/ns/shop/sa/x/", false, false },
	{ "spiffe://example.org/ns/shop/sa/x/y", false, false },
	{ "spiffe://example.org//ns/shop/sa/x", false, false },
	{ "spiffe://example.org/ns//sa/x", false, false },
	{ "spiffe://example.org/ns/shop/sa", false, false },
	{ "spiffe://example.org", false, false },
	{ "spiffe://example.org/", false, false },
	{ "spiffe:///ns/shop/sa/x", false, false },
	{ "spiffe://Example.org/ns/shop/sa/x", false, false },
	{ "spiffe://example.org:443/ns/shop/sa/x", false, false },
	{ "spiffe://user@example.org/ns/shop/sa/x", false, false },
	{ "spiffe://example.org/ns/shop/sa/x?y=z", false, false },
	{ "spiffe://example.org/ns/shop/sa/x#y", false, false },
	{ "spiffe://example.org/ns/shop/sa/%41", false, false },
	{ "spiffe://example.org/ns/../sa/x", false, false },
	{ "spiffe://example.org/ns/./sa/x", false, false },
	{ "spiffe://example.org/NS/shop/sa/x", false, false },
	{ "spiffe://example.org/*/shop/sa/x", false, false },
	{ "spiffe://example.org/ns/sh op/sa/x", false, false },
	{ "Spiffe://example.org/ns/shop/sa/x", false, false },
	{ "https://example.org/ns/shop/sa/x", false, false },
	{ "", false, false },
};

Test(identity_spiffe, canonical)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		const char *problem = spiffe_problem(ids[i].text);

		cr_expect_eq(!problem, ids[i].id, "%s: %s", ids[i].text, problem ? problem : "ok");
		problem = spiffe_pattern_problem(ids[i].text);
		cr_expect_eq(!problem, ids[i].pattern, "pattern %s: %s", ids[i].text,
			     problem ? problem : "ok");
	}
}

static const struct {
	const char *pattern;
	const char *id;
	bool matches;
} globs[] = {
	{ "spiffe://t/ns/a/sa/b", "spiffe://t/ns/a/sa/b", true },
	{ "spiffe://t/ns/a/sa/b", "spiffe://t/ns/a/sa/B", false },
	{ "spiffe://t/ns/a/sa/b", "spiffe://t/ns/a/sa/bb", false },
	{ "spiffe://t/ns/a/sa/bb", "spiffe://t/ns/a/sa/b", false },
	{ "spiffe://t/ns/a/sa/b*", "spiffe://t/ns/a/sa/b", true },
	{ "spiffe://t/ns/a/sa/b*", "spiffe://t/ns/a/sa/bcd", true },
	{ "spiffe://t/ns/a/sa/*b", "spiffe://t/ns/a/sa/abab", true },
	{ "spiffe://t/ns/a/sa/*b", "spiffe://t/ns/a/sa/aba", false },
	{ "spiffe://t/ns/a/sa/a*b*c", "spiffe://t/ns/a/sa/aXbYbZc", true },
	{ "spiffe://t/ns/a/sa/a*b*c", "spiffe://t/ns/a/sa/aXcYb", false },
	{ "spiffe://t/ns/*/sa/b", "spiffe://t/ns/anything/sa/b", true },
	{ "spiffe://t/ns/*/sa/b", "spiffe://t/ns/a/sa/x/sa/b", false },
	{ "spiffe://t/ns/a*/sa/b", "spiffe://t/ns/a/sa/b/sa/b", false },
	{ "spiffe://t/ns/*/sa/b", "spiffe://t/ns//sa/b", true },
	{ "spiffe://*/ns/a/sa/b", "spiffe://t.example/ns/a/sa/b", true },
	{ "spiffe://*/ns/a/sa/b", "spiffe://x/ns/z/sa/b", false },
	{ "spiffe://t/ns/a/sa/a.c", "spiffe://t/ns/a/sa/abc", false },
	{ "spiffe://t/ns/a/sa/a.c", "spiffe://t/ns/a/sa/a.c", true },
	{ "spiffe://t/ns/a/sa/*", "spiffe://t/ns/a/sa/", true },
	{ "*", "a/b", false },
	{ "*", "", true },
	{ "", "", true },
	{ "", "a", false },
};

Test(identity_spiffe, globs)
{
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++)
		cr_expect_eq(spiffe_matches(globs[i].pattern, globs[i].id), globs[i].matches,
			     "%s and %s", globs[i].pattern, globs[i].id);
}

/* Matching by trying everything: slow, and plainly right. */
static bool matches_slowly(const char *pattern, const char *id)
{
	if (*pattern == '*')
		return matches_slowly(pattern + 1, id) ||
		       (*id && *id != '/' && matches_slowly(pattern, id + 1));
	return *pattern ? *pattern == *id && matches_slowly(pattern + 1, id + 1) : !*id;
}

static void random_text(char *ret, size_t max, const char *chars)
{
	size_t n = (size_t)random() % max;

	for (size_t i = 0; i < n; i++)
		ret[i] = chars[(size_t)random() % strlen(chars)];
	ret[n] = 0;
}

Test(identity_spiffe, globs_against_the_slow_way)
{
	char pattern[9], id[9];
	int matched = 0;

	srandom(2);
	for (int i = 0; i < 200000; i++) {
		bool expected;

		random_text(pattern, sizeof(pattern), "ab/**");
		random_text(id, sizeof(id), "ab/");
		expected = matches_slowly(pattern, id);
		matched += expected;
		cr_assert_eq(spiffe_matches(pattern, id), expected, "%s and %s", pattern, id);
	}
	cr_assert_gt(matched, 1000);
}

Test(identity_spiffe, build)
{
	char id[CS_SPIFFE_ID_MAX];

	cr_assert_eq(spiffe_build("example.org", "shop", "checkout", id), 0);
	cr_expect_str_eq(id, "spiffe://example.org/ns/shop/sa/checkout");
	cr_expect_null(spiffe_problem(id));
}

Test(identity_spiffe, build_refuses_and_touches_nothing)
{
	char id[CS_SPIFFE_ID_MAX] = "before", name[256];

	cr_expect_eq(spiffe_build("Example.org", "shop", "x", id), -EINVAL);
	cr_expect_eq(spiffe_build("", "shop", "x", id), -EINVAL);
	cr_expect_eq(spiffe_build("example.org", "a/b", "x", id), -EINVAL);
	cr_expect_eq(spiffe_build("example.org", "shop", "..", id), -EINVAL);
	cr_expect_eq(spiffe_build("example.org", "shop", "*", id), -EINVAL);
	memset(name, 'a', sizeof(name));
	name[255] = 0;
	cr_expect_eq(spiffe_build("example.org", "shop", name, id), -ENAMETOOLONG);
	cr_expect_str_eq(id, "before");
}

Test(identity_spiffe, the_longest_id_fits_exactly)
{
	char id[CS_SPIFFE_ID_MAX], name[256];
	size_t rest = CS_SPIFFE_ID_MAX - 1 - strlen("spiffe://t/ns/n/sa/");

	memset(name, 'a', sizeof(name));
	name[rest] = 0;
	cr_assert_eq(spiffe_build("t", "n", name, id), 0);
	cr_expect_eq(strlen(id), CS_SPIFFE_ID_MAX - 1);
	cr_expect_null(spiffe_problem(id));
	name[rest] = 'a';
	name[rest + 1] = 0;
	cr_expect_eq(spiffe_build("t", "n", name, id), -ENAMETOOLONG);
}
