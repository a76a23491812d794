/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/node_text.h"

#include <limits.h>
#include <openssl/evp.h>

#define BASE64_LENGTH(n) (((n) + 2) / 3 * 4)

char *node_base64(const uint8_t *data, size_t n)
{
	char *text = n <= INT_MAX / 2 ? malloc(BASE64_LENGTH(n) + 1) : NULL;

	if (text)
		text[EVP_EncodeBlock((unsigned char *)text, data, (int)n)] = '\0';
	return text;
}

/*
 * OpenSSL's decoder is generous: it skips white space and does not look at left-over bits.
 * What does not come out again as it went in is refused.
 */
int node_base64_decode(const char *text, size_t max, uint8_t **ret, size_t *ret_n)
{
	_cleanup_free_ uint8_t *data = NULL;
	_cleanup_free_ char *again = NULL;
	size_t length = strlen(text), n;

	if (length % 4)
		return -EBADMSG;
	if (length > BASE64_LENGTH(max))
		return -EFBIG;
	data = malloc(length / 4 * 3 + 1);
	if (!data)
		return -ENOMEM;
	if (EVP_DecodeBlock(data, (const unsigned char *)text, (int)length) < 0)
		return -EBADMSG;
	n = length / 4 * 3;
	for (size_t i = 1; i <= 2 && i <= length && text[length - i] == '='; i++)
		n--;
	again = node_base64(data, n);
	if (!again)
		return -ENOMEM;
	if (!streq(again, text))
		return -EBADMSG;
	if (n > max)
		return -EFBIG;
	*ret = TAKE_PTR(data);
	*ret_n = n;
	return 0;
}

void node_time_text(int64_t ms, char ret[static CLOCK_TEXT_MAX])
{
	clock_text(ms * 1000000, ret);
}

/* Whether @text has digits where @form has '0', and else the same characters. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; text++, form++)
		if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	return !*text;
}

static int number_at(const char *text, size_t at, size_t n)
{
	int value = 0;

	for (size_t i = at; i < at + n; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

int node_time_parse(const char *text, int64_t *ret_ms)
{
	char again[CLOCK_TEXT_MAX];
	struct tm tm = { 0 };
	int64_t ms;

	if (!has_form(text, "0000-00-00T00:00:00.000Z"))
		return -EBADMSG;
	tm.tm_year = number_at(text, 0, 4) - 1900;
	tm.tm_mon = number_at(text, 5, 2) - 1;
	tm.tm_mday = number_at(text, 8, 2);
	tm.tm_hour = number_at(text, 11, 2);
	tm.tm_min = number_at(text, 14, 2);
	tm.tm_sec = number_at(text, 17, 2);
	ms = (int64_t)timegm(&tm) * 1000 + number_at(text, 20, 3);
	if (ms < 0 || ms >= NODE_TIME_MAX_MS)
		return -EBADMSG;
	/* timegm() makes a date of any numbers, also of a 30th of February. */
	node_time_text(ms, again);
	if (!streq(again, text))
		return -EBADMSG;
	*ret_ms = ms;
	return 0;
}
