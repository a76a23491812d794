/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/spiffe.h"

#define SPIFFE_SCHEME "spiffe://"
#define SPIFFE_FORM                                                              \
	"it must look like spiffe://<trust domain>/ns/<namespace>/sa/<account> " \
	"or spiffe://<trust domain>/countersign/node/<node>/unit/<unit>"
#define SPIFFE_SEGMENTS_MAX 5
#define TRUST_DOMAIN_CHARS "abcdefghijklmnopqrstuvwxyz0123456789._-"
#define SEGMENT_CHARS TRUST_DOMAIN_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What the path's segments are called; NULL: anything. Of a workload, and of a unit. */
static const char *const spiffe_forms[][SPIFFE_SEGMENTS_MAX + 1] = {
	{ "ns", NULL, "sa", NULL },
	{ "countersign", "node", NULL, "unit", NULL },
};
static const size_t spiffe_segments[] = { 4, 5 };

bool spiffe_trust_domain_valid(const char *trust_domain)
{
	size_t n = strlen(trust_domain);

	return n > 0 && n <= SPIFFE_TRUST_DOMAIN_MAX &&
	       strspn(trust_domain, TRUST_DOMAIN_CHARS) == n;
}

static bool spiffe_segment_valid(const char *segment)
{
	size_t n = strlen(segment);

	return n > 0 && strspn(segment, SEGMENT_CHARS) == n && !streq(segment, ".") &&
	       !streq(segment, "..");
}

static int spiffe_keep(int n, const char id[static CS_SPIFFE_ID_MAX], char *ret)
{
	if (n < 0 || n >= CS_SPIFFE_ID_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, id, CS_SPIFFE_ID_MAX);
	return 0;
}

int spiffe_build(const char *trust_domain, const char *namespace, const char *service_account,
		 char ret[static CS_SPIFFE_ID_MAX])
{
	char id[CS_SPIFFE_ID_MAX] = { 0 };
	int n;

	if (!spiffe_trust_domain_valid(trust_domain) || !spiffe_segment_valid(namespace) ||
	    !spiffe_segment_valid(service_account))
		return -EINVAL;
	n = snprintf(id, sizeof(id), SPIFFE_SCHEME "%s/ns/%s/sa/%s", trust_domain, namespace,
		     service_account);
	return spiffe_keep(n, id, ret);
}

int spiffe_build_unit(const char *trust_domain, const char *node, const char *unit,
		      char ret[static CS_SPIFFE_ID_MAX])
{
	char id[CS_SPIFFE_ID_MAX] = { 0 };
	int n;

	if (!spiffe_trust_domain_valid(trust_domain) || !spiffe_segment_valid(node) ||
	    !spiffe_segment_valid(unit))
		return -EINVAL;
	n = snprintf(id, sizeof(id), SPIFFE_SCHEME "%s/countersign/node/%s/unit/%s", trust_domain,
		     node, unit);
	return spiffe_keep(n, id, ret);
}

/* Segment @i (0: the trust domain) of @n bytes at @s; @star allows wildcards. */
static const char *spiffe_part_problem(size_t i, const char *s, size_t n, bool star)
{
	const char *allowed = i == 0 ? TRUST_DOMAIN_CHARS "*" : SEGMENT_CHARS "*";

	if (n == 0)
		return i == 0 ? "the trust domain is empty" : "it has an empty segment";
	if (strspn(s, allowed) < n)
		return i == 0 ? "the trust domain may only have the characters a-z 0-9 . _ -"
			      : "a segment may only have the characters a-z A-Z 0-9 . _ -";
	if (!star && memchr(s, '*', n))
		return "an ID has no wildcard";
	if (memmem(s, n, "**", 2))
		return "\"**\" is not supported; \"*\" matches inside one segment";
	if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
		return "\".\" and \"..\" are no segments";
	return NULL;
}

static bool spiffe_word_is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(s, word, n) == 0;
}

/* The form that the path of @s, behind its trust domain, begins like; the first if none. */
static size_t spiffe_form_of(const char *s)
{
	const char *path = strchr(s, '/');

	return path && spiffe_word_is(path + 1, strcspn(path + 1, "/"), spiffe_forms[1][0]);
}

static const char *spiffe_check(const char *id, bool star)
{
	const char *s = id + strlen(SPIFFE_SCHEME);
	const char *problem = NULL;
	size_t i, form;

	if (!startswith(id, SPIFFE_SCHEME))
		return "it must start with spiffe://";
	if (strlen(id) >= CS_SPIFFE_ID_MAX)
		return "it is longer than 223 bytes";
	form = spiffe_form_of(s);
	for (i = 0; i <= spiffe_segments[form] && !problem; i++) {
		size_t n = strcspn(s, "/");
		const char *word = i ? spiffe_forms[form][i - 1] : NULL;

		problem = spiffe_part_problem(i, s, n, star);
		if (!problem && word && !spiffe_word_is(s, n, word))
			problem = SPIFFE_FORM;
		s += n;
		if (*s != '/')
			break;
		s++;
	}
	if (problem)
		return problem;
	return i == spiffe_segments[form] ? NULL : SPIFFE_FORM;
}

const char *spiffe_id_problem(const char *id)
{
	const char *s = id + strlen(SPIFFE_SCHEME);
	size_t n;

	if (!startswith(id, SPIFFE_SCHEME))
		return "it must start with spiffe://";
	if (strlen(id) > SPIFFE_ID_MAX)
		return "it is longer than 2048 bytes";
	n = strcspn(s, "/");
	if (n == 0 || n > SPIFFE_TRUST_DOMAIN_MAX || strspn(s, TRUST_DOMAIN_CHARS) < n)
		return "its trust domain must be 1 to 255 characters of a-z 0-9 . _ -";
	if (!s[n])
		return "it has no path";
	while (*(s += n)) {
		s++;
		n = strcspn(s, "/");
		if (n == 0)
			return "it has an empty segment";
		if (strspn(s, SEGMENT_CHARS) < n)
			return "a segment may only have the characters a-z A-Z 0-9 . _ -";
		if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return "\".\" and \"..\" are no segments";
	}
	return NULL;
}

const char *spiffe_problem(const char *id)
{
	return spiffe_check(id, /* star= */ false);
}

const char *spiffe_pattern_problem(const char *pattern)
{
	return spiffe_check(pattern, /* star= */ true);
}

/*
 * Greedy matching with one place to come back to: when a byte differs, the last star
 * takes one byte more. A star cannot take a slash, so an earlier one is never needed.
 */
bool spiffe_matches(const char *pattern, const char *id)
{
	const char *star = NULL, *taken = NULL;

	while (*id) {
		if (*pattern == '*') {
			star = ++pattern;
			taken = id;
		} else if (*pattern == *id) {
			pattern++;
			id++;
		} else if (star && *taken != '/') {
			pattern = star;
			id = ++taken;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
