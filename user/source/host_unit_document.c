/* SPDX-License-Identifier: Apache-2.0 */
/* A list of units, and the document of one of them on a node. */
#include <ctype.h>

#include "user/source/host_units.h"

#define DOCUMENT_PREFIX "host-unit/" /* HOST_UNIT_DOCUMENT of the policy room */
#define NAMESPACE "countersign-system"
#define UNIT_MAX 255

/* What a SPIFFE ID takes; the reader of the document says the rest about units. */
static bool unit_valid(const char *unit)
{
	size_t n = strlen(unit);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)unit[i]) && !strchr(".-_", unit[i]))
			return false;
	return n && n <= UNIT_MAX;
}

/* The name of an object has no capitals and no "_", and begins and ends with neither. */
static void object_name(const char *unit, char ret[static UNIT_MAX + 1])
{
	size_t n = 0;

	for (; *unit; unit++)
		ret[n++] = isalnum((unsigned char)*unit) ? tolower((unsigned char)*unit)
			   : *unit == '.'		 ? '.'
							 : '-';
	ret[n] = '\0';
}

/* The own node's are there before any Node object is. */
static int document_name(const char *unit, const char *node, bool own, char **ret)
{
	int n = own ? asprintf(ret, DOCUMENT_PREFIX "%s", unit)
		    : asprintf(ret, DOCUMENT_PREFIX "%s/%s", node, unit);

	return n < 0 ? -ENOMEM : 0;
}

int host_unit_document(const struct host_unit_list *list, size_t i, const char *node, bool own,
		       struct source_document *ret)
{
	struct source_document document = { 0 };
	const char *unit = list->unit[i];
	char name[UNIT_MAX + 1];
	int n;

	object_name(unit, name);
	if (document_name(unit, node, own, &document.name) < 0)
		return -ENOMEM;
	n = asprintf(&document.text,
		     "{\"apiVersion\":\"countersign.dev/v1alpha1\",\"kind\":\"Workload\","
		     "\"metadata\":{\"name\":\"%zu-%s%s%s\",\"namespace\":\"" NAMESPACE "\"},"
		     "\"spec\":{\"hostUnit\":\"%s\",\"node\":\"%s\"}}",
		     i, name, own ? "" : ".", own ? "" : node, unit, node);
	if (n < 0) {
		free(document.name);
		return -ENOMEM;
	}
	document.length = (size_t)n;
	document.digest = document_digest(document.name, document.text, document.length);
	*ret = document;
	return 0;
}

static int compare_units(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted; a unit that is listed twice is one. */
int host_unit_list_parse(const char *list, struct host_unit_list *ret)
{
	_cleanup_(host_unit_list_done) struct host_unit_list units = { .text = strdup(list) };
	size_t n = 0;
	char *next;

	if (!units.text)
		return -ENOMEM;
	for (char *at = strtok_r(units.text, ",", &next); at; at = strtok_r(NULL, ",", &next)) {
		if (n == SOURCE_HOST_UNITS_MAX || !unit_valid(at))
			return -EINVAL;
		units.unit[n++] = at;
	}
	qsort(units.unit, n, sizeof(*units.unit), compare_units);
	for (size_t i = 0; i < n; i++)
		if (!units.n || !streq(units.unit[units.n - 1], units.unit[i]))
			units.unit[units.n++] = units.unit[i];
	if (!n)
		return -EINVAL;
	*ret = units;
	units = (struct host_unit_list){ 0 };
	return 0;
}

void host_unit_list_done(struct host_unit_list *list)
{
	free(list->text);
	*list = (struct host_unit_list){ 0 };
}
