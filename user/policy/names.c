/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/names.h"

#define DNS_LABEL_MAX 63
#define DNS_SUBDOMAIN_MAX 253
#define NODE_NAME_LENGTH_MAX 63
#define LABEL_NAME_MAX 63
#define PORT_NAME_MAX 15
#define CGROUP_PATH_MAX 1024
#define CGROUP_NAME_MAX 255 /* NAME_MAX of the cgroup file system */
#define UNIT_NAME_MAX 255

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* One run of characters, as most names are. */
struct shape {
	size_t max;
	const char *chars;
	const char *first; /* and last, when `ends` */
	bool ends;
};

static bool shape_fits(const struct shape *shape, const char *s, size_t n)
{
	if (n == 0 || n > shape->max || strspn(s, shape->chars) < n || !strchr(shape->first, s[0]))
		return false;
	return !shape->ends || strchr(shape->first, s[n - 1]);
}

static const struct shape dns_shape = { .max = DNS_LABEL_MAX,
					.chars = LOWER DIGITS "-",
					.first = LOWER DIGITS,
					.ends = true };
static const struct shape label_shape = { .max = LABEL_NAME_MAX,
					  .chars = LOWER UPPER DIGITS "-_.",
					  .first = LOWER UPPER DIGITS,
					  .ends = true };
static const struct shape port_shape = { .max = PORT_NAME_MAX,
					 .chars = LOWER DIGITS "-",
					 .first = LOWER DIGITS,
					 .ends = true };
static const struct shape rule_shape = { .max = RULE_NAME_MAX,
					 .chars = LOWER UPPER DIGITS "-_./",
					 .first = LOWER UPPER DIGITS };

const char *dns_label_problem(const char *name)
{
	return shape_fits(&dns_shape, name, strlen(name))
		       ? NULL
		       : "is no DNS label: 1 to 63 of a-z 0-9 -, first and last a letter or digit";
}

const char *dns_subdomain_problem(const char *name)
{
	static const char text[] =
		"is no DNS name: labels of a-z 0-9 - with dots between, at most 253 bytes";
	size_t n;

	if (strlen(name) > DNS_SUBDOMAIN_MAX)
		return text;
	for (;; name += n + 1) {
		n = strcspn(name, ".");
		if (!shape_fits(&dns_shape, name, n))
			return text;
		if (!name[n])
			return NULL;
	}
}

const char *node_name_problem(const char *name)
{
	if (strlen(name) > NODE_NAME_LENGTH_MAX || dns_subdomain_problem(name))
		return "is no node's name: labels of a-z 0-9 - with dots between, at most 63 bytes";
	return NULL;
}

const char *label_key_problem(const char *key)
{
	const char *slash = strchr(key, '/');
	const char *name = slash ? slash + 1 : key;
	char prefix[DNS_SUBDOMAIN_MAX + 1];

	if (!shape_fits(&label_shape, name, strlen(name)))
		return "is no label key: [DNS name/] and 1 to 63 of a-z A-Z 0-9 - _ .";
	if (!slash)
		return NULL;
	if ((size_t)(slash - key) >= sizeof(prefix))
		return "is no label key: its prefix is longer than 253 bytes";
	memcpy(prefix, key, slash - key);
	prefix[slash - key] = 0;
	return dns_subdomain_problem(prefix) ? "is no label key: its prefix is no DNS name" : NULL;
}

const char *label_value_problem(const char *value)
{
	if (!*value || shape_fits(&label_shape, value, strlen(value)))
		return NULL;
	return "is no label value: at most 63 of a-z A-Z 0-9 - _ ., first and last no - _ .";
}

const char *port_name_problem(const char *name)
{
	if (!shape_fits(&port_shape, name, strlen(name)) || strstr(name, "--") ||
	    !strpbrk(name, LOWER))
		return "is no port name: at most 15 of a-z 0-9 - with a letter";
	return NULL;
}

const char *rule_name_problem(const char *name)
{
	return shape_fits(&rule_shape, name, strlen(name))
		       ? NULL
		       : "is no rule name: at most 100 of a-z A-Z 0-9 . _ - /, first a letter or digit";
}

void rule_name_fit(const char *text, char ret[static RULE_NAME_MAX + 1])
{
	size_t n = 0;

	for (; *text && n < RULE_NAME_MAX; text++) {
		bool fits = strchr(n ? rule_shape.chars : rule_shape.first, *text);

		if (fits)
			ret[n++] = *text;
		else if (n && ret[n - 1] != '-')
			ret[n++] = '-';
	}
	while (n && ret[n - 1] == '-')
		n--;
	ret[n] = 0;
}

const char *remark_problem(const char *text)
{
	if (!*text)
		return "is empty: write at least a word";
	if (strlen(text) > REMARK_MAX)
		return "is longer than 256 bytes";
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return "has control characters: write one line of text";
	return NULL;
}

static const char *cgroup_segment_problem(const char *s, size_t n)
{
	if (n == 0)
		return "has an empty segment: write it without // and without / at the ends";
	if (n > CGROUP_NAME_MAX)
		return "has a segment longer than 255 bytes";
	if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
		return "has a segment \".\" or \"..\": write the path itself";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return "has control characters";
	return NULL;
}

const char *cgroup_path_problem(const char *path)
{
	const char *problem;

	if (!*path)
		return "is empty: name a cgroup below the cgroup root";
	if (*path == '/')
		return "starts with /: write it relative to the cgroup root";
	if (strlen(path) > CGROUP_PATH_MAX)
		return "is longer than 1024 bytes";
	for (;;) {
		size_t n = strcspn(path, "/");

		problem = cgroup_segment_problem(path, n);
		if (problem || !path[n])
			return problem;
		path += n + 1;
	}
}

const char *systemd_unit_problem(const char *unit)
{
	static const char *const suffixes[] = { ".service", ".scope", ".slice" };
	size_t n = strlen(unit);

	if (n > UNIT_NAME_MAX || strspn(unit, LOWER UPPER DIGITS ":-_.\\@") < n)
		return "is no name of a systemd unit";
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t end = strlen(suffixes[i]);

		if (n > end && streq(unit + n - end, suffixes[i]))
			return NULL;
	}
	return "has no cgroup: expected a unit that ends in .service, .scope or .slice";
}
