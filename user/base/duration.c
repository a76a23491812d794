/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/duration.h"

#include <ctype.h>

#define DIGITS_MAX 5

int duration_parse(const char *text, int64_t *ret_s)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	int64_t amount = 0;
	size_t digits = 0;

	for (; digits <= DIGITS_MAX && isdigit((unsigned char)text[digits]); digits++)
		amount = amount * 10 + (text[digits] - '0');
	if (digits == 0 || digits > DIGITS_MAX || !text[digits] || text[digits + 1])
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (text[digits] != units[i].letter)
			continue;
		*ret_s = amount * units[i].seconds;
		return 0;
	}
	return -EINVAL;
}
