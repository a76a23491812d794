/* SPDX-License-Identifier: Apache-2.0 */
#include "user/datapath/internal.h"

#include <stdarg.h>

/* One for the process, as a failed datapath_open() has no object to keep it in. */
static char error_text[1024] = "no error";

int datapath_fail(int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	return r;
}

const char *datapath_error(const struct datapath *dp)
{
	(void)dp;
	return error_text;
}
