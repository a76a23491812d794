/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/quote.h"

#define QUOTED_MAX sizeof("\\xHH") /* bytes that one character may become, with a NUL */

char *quote(const char *text)
{
	char *quoted = malloc(strlen(text) * (QUOTED_MAX - 1) + 1);
	char *p = quoted;

	if (!quoted)
		return NULL;
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			*p++ = '\\';
		if (c < ' ' || c == 0x7f)
			p += snprintf(p, QUOTED_MAX, "\\x%02x", c);
		else
			*p++ = c;
	}
	*p = '\0';
	return quoted;
}
