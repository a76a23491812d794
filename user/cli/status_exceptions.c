/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/status_exceptions.h"

#include "user/cli/client.h"
#include "user/cli/table.h"

#define REMAINING_MAX 32

/* "3d 04h", "4h 07m", "7m 09s", "ended". */
static const char *remaining(const json_t *item, char ret[static REMAINING_MAX])
{
	long long s = client_number(item, "remaining_s");

	if (json_is_true(json_object_get(item, "ended")))
		return "ended";
	if (s >= 86400)
		snprintf(ret, REMAINING_MAX, "%lldd %02lldh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(ret, REMAINING_MAX, "%lldh %02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(ret, REMAINING_MAX, "%lldm %02llds", s / 60, s % 60);
	return ret;
}

void status_exceptions(FILE *out, const json_t *status)
{
	static const char *const titles[] = { "EXCEPTION", "EXPIRES",  "REMAINING",
					      "TICKET",	   "APPROVER", "REASON" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *list = json_object_get(status, "exceptions"), *item;
	json_int_t more = client_number(status, "exceptions_total");
	size_t i;

	if (!table || json_array_size(list) == 0)
		return;
	json_array_foreach(list, i, item) {
		char left[REMAINING_MAX];

		table_row(table,
			  (const char *const[]){
				  client_text(item, "rule"), client_text(item, "expires"),
				  remaining(item, left), client_text(item, "ticket"),
				  client_text(item, "approver"), client_text(item, "reason") });
	}
	fputc('\n', out);
	table_print(table, out);
	more -= (json_int_t)json_array_size(list);
	if (more > 0)
		fprintf(out, "(and %" JSON_INTEGER_FORMAT " more)\n", more);
}
