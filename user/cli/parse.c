/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/parse.h"

#include <ctype.h>
#include <strings.h>

#define DIGITS_MAX 9 /* fits unsigned long everywhere, so nothing overflows */

int parse_count(const char *text, unsigned long max, unsigned long *ret)
{
	unsigned long value = 0;
	size_t length = strlen(text);

	if (length == 0 || length > DIGITS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	if (value > max)
		return -EINVAL;
	*ret = value;
	return 0;
}

static const char *find_protocol(const char *text)
{
	static const char *const protocols[] = { "TCP", "UDP", "SCTP" };

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcasecmp(text, protocols[i]) == 0)
			return protocols[i];
	return NULL;
}

int parse_port(const char *text, struct parse_port *ret)
{
	const char *slash = strchrnul(text, '/');
	const char *protocol = find_protocol(*slash ? slash + 1 : "TCP");
	char digits[DIGITS_MAX + 1];
	unsigned long port;
	size_t length = (size_t)(slash - text);

	if (!protocol || length >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, length);
	digits[length] = '\0';
	if (parse_count(digits, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	*ret = (struct parse_port){ .port = (uint16_t)port, .protocol = protocol };
	return 0;
}

bool parse_is_workload(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && slash != text && slash[1] && !strchr(slash + 1, '/');
}

int parse_format(const char *text, const char *other, bool *ret)
{
	if (text && !streq(text, "json") && !streq(text, other))
		return -EINVAL;
	*ret = text && streq(text, "json");
	return 0;
}
