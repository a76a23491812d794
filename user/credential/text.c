/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/text.h"

#include <openssl/evp.h>

#define PEM_BEGIN "-----BEGIN "
#define PEM_END "-----END "
#define PEM_DASHES "-----"

bool pem_is(const struct pem_block *block, const char *label)
{
	return block->label_length == strlen(label) &&
	       memcmp(block->label, label, block->label_length) == 0;
}

/* What stands behind the @prefix found in *@at..@end, up to the dashes; *@at moves there. */
static const char *pem_line(const char **at, const char *end, const char *prefix, size_t *ret)
{
	const char *label, *dashes;

	label = memmem(*at, (size_t)(end - *at), prefix, strlen(prefix));
	if (!label)
		return NULL;
	label += strlen(prefix);
	dashes = memmem(label, (size_t)(end - label), PEM_DASHES, strlen(PEM_DASHES));
	if (!dashes || memchr(label, '\n', (size_t)(dashes - label)))
		return NULL;
	*ret = (size_t)(dashes - label);
	*at = dashes + strlen(PEM_DASHES);
	return label;
}

int pem_next(const char **at, const char *end, struct pem_block *ret)
{
	struct pem_block block;
	const char *label;
	size_t length;

	if (!memmem(*at, (size_t)(end - *at), PEM_BEGIN, strlen(PEM_BEGIN)))
		return 0;
	block.label = pem_line(at, end, PEM_BEGIN, &block.label_length);
	if (!block.label)
		return -EBADMSG;
	block.body = *at;
	label = pem_line(at, end, PEM_END, &length);
	if (!label || length != block.label_length || memcmp(label, block.label, length) != 0)
		return -EBADMSG;
	block.body_length = (size_t)(label - block.body) - strlen(PEM_END);
	if (memmem(block.body, block.body_length, PEM_BEGIN, strlen(PEM_BEGIN)))
		return -EBADMSG;
	*ret = block;
	return 1;
}

/* All ones when @from <= @c <= @to. */
static unsigned int within(unsigned int c, unsigned int from, unsigned int to)
{
	return -(((from - 1 - c) & (c - to - 1)) >> 31);
}

/* 0..63, or 64: no such character. No table: which line of it is read would tell. */
static unsigned int base64_value(unsigned char c)
{
	unsigned int upper = within(c, 'A', 'Z'), lower = within(c, 'a', 'z');
	unsigned int digit = within(c, '0', '9'), plus = within(c, '+', '+');
	unsigned int slash = within(c, '/', '/');
	unsigned int any = upper | lower | digit | plus | slash;

	return (upper & (c - 'A')) | (lower & (c - 'a' + 26U)) | (digit & (c - '0' + 52U)) |
	       (plus & 62) | (slash & 63) | (~any & 64);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int base64_decode(const char *text, size_t length, uint8_t *to, size_t *ret_length)
{
	size_t characters = 0, padding = 0, n = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned int value;

		if (is_space(text[i]))
			continue;
		if (text[i] == '=') {
			padding++;
			continue;
		}
		value = base64_value((unsigned char)text[i]);
		if (value > 63 || padding)
			return -EINVAL;
		bits = bits << 6 | value;
		if (characters++ % 4)
			to[n++] = (uint8_t)(bits >> (6 - 2 * ((characters - 1) % 4)));
	}
	/* Whole groups of four, and no bits that belong to no byte. */
	if (padding > 2 || (characters + padding) % 4 || characters % 4 == 1 ||
	    (characters % 4 == 2 && bits & 0xf) || (characters % 4 == 3 && bits & 0x3))
		return -EINVAL;
	*ret_length = n;
	return 0;
}

char *base64_encode(const uint8_t *bytes, size_t length)
{
	char *text = malloc((length + 2) / 3 * 4 + 1);

	if (text)
		EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	return text;
}

char *base64url_encode(const uint8_t *bytes, size_t length)
{
	char *text = base64_encode(bytes, length);

	if (!text)
		return NULL;
	text[strcspn(text, "=")] = '\0';
	for (char *at = text; *at; at++) {
		if (*at == '+')
			*at = '-';
		else if (*at == '/')
			*at = '_';
	}
	return text;
}
