/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/json_text.h"

#include "user/base/util.h"

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	_cleanup_free_ char *copy = NULL;

	if (string)
		return string;
	copy = strdup(text);
	if (!copy)
		return json_null();
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}
