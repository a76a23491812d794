/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/errors.h"

#include <stdarg.h>

/* Cut text may end inside a UTF-8 sequence: such bytes become '?' too. */
static void make_printable(char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = '?';
	for (size_t i = n; n == ERROR_MESSAGE_MAX - 1 && i > 0 && s[i - 1] & 0x80; i--)
		s[i - 1] = '?';
}

void policy_errors_add(struct policy_errors *errors, const struct place *place, const char *field,
		       const char *format, ...)
{
	char message[ERROR_MESSAGE_MAX];
	struct policy_error error = { .line = place->line };
	va_list args;

	errors->total++;
	if (errors->n == POLICY_ERRORS_MAX)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	make_printable(message);
	error.file = strdup(place->file ? place->file : "");
	error.field = strdup(field ? field : "");
	error.message = strdup(message);
	if (error.file && error.field && error.message) {
		make_printable(error.field);
		errors->item[errors->n++] = error;
		return;
	}
	free(error.file);
	free(error.field);
	free(error.message);
}

void policy_errors_done(struct policy_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		free(errors->item[i].file);
		free(errors->item[i].field);
		free(errors->item[i].message);
	}
	*errors = (struct policy_errors){ 0 };
}

char *policy_error_text(const struct policy_error *error)
{
	char line[16] = "", *text = NULL;

	if (error->line)
		snprintf(line, sizeof(line), ":%u", error->line);
	if (asprintf(&text, "%s%s%s%s%s%s", error->file, line, *error->file ? ": " : "",
		     error->field, *error->field ? ": " : "", error->message) < 0)
		return NULL;
	return text;
}
