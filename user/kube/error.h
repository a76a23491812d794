/* SPDX-License-Identifier: Apache-2.0 */
/* What failed, in words for a person: which object or file, what is wrong, what to do. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "user/base/util.h"

#define KUBE_ERROR_MAX 512

struct kube_error {
	char text[KUBE_ERROR_MAX]; /* "" when nothing failed */
};

/* Sets the text; returns @r, so that a caller can say `return kube_fail(...)`. NULL: no text. */
__attribute__((format(printf, 3, 4))) static inline int kube_fail(struct kube_error *error, int r,
								  const char *format, ...)
{
	va_list args;

	if (!error)
		return r;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return r;
}
