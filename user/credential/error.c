/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/error.h"

#include <openssl/err.h>
#include <stdarg.h>

int credential_fail(struct credential_error *error, int r, const char *format, ...)
{
	va_list args;

	if (!error)
		return r;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	/* Names in certificates are foreign text: they forge no lines. */
	for (char *at = error->text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return r;
}

const char *credential_openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "it cannot be decoded";
}
