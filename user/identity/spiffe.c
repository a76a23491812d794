/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/spiffe.h"

#define SPIFFE_SCHEME "spiffe://"
#define SPIFFE_SEGMENTS 4 /* "ns", namespace, "sa", service account */
#define SPIFFE_FORM "it must look like spiffe://<trust domain>/ns/<namespace>/sa/<account>"
#define TRUST_DOMAIN_CHARS "abcdefghijklmnopqrstuvwxyz0123456789._-"
#define SEGMENT_CHARS TRUST_DOMAIN_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

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
	if (n < 0 || (size_t)n >= sizeof(id))
		return -ENAMETOOLONG;
	memcpy(ret, id, sizeof(id));
	return 0;
}

/* Segment @i (0: the trust domain) of @n bytes at @s; @star allows wildcards. */
static const char *spiffe_part_problem(size_t i, const char *s, size_t n, bool star)
{
	static const char *const fixed[] = { [1] = "ns", [3] = "sa" };
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
	if (i < ARRAY_SIZE(fixed) && fixed[i] && (n != 2 || memcmp(s, fixed[i], 2) != 0))
		return SPIFFE_FORM;
	return NULL;
}

static const char *spiffe_check(const char *id, bool star)
{
	const char *s = id + strlen(SPIFFE_SCHEME);
	const char *problem = NULL;
	size_t i;

	if (!startswith(id, SPIFFE_SCHEME))
		return "it must start with spiffe://";
	if (strlen(id) >= CS_SPIFFE_ID_MAX)
		return "it is longer than 223 bytes";
	for (i = 0; i <= SPIFFE_SEGMENTS && !problem; i++) {
		size_t n = strcspn(s, "/");

		problem = spiffe_part_problem(i, s, n, star);
		s += n;
		if (*s != '/')
			break;
		s++;
	}
	if (problem)
		return problem;
	return i == SPIFFE_SEGMENTS ? NULL : SPIFFE_FORM;
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
