/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Armour: PEM blocks (RFC 7468) and base64. Our own, as OpenSSL's readers leave copies of
 * what they decode in ordinary memory, and skip what they do not like without a word.
 * Nothing here allocates, so a private key stays where its text is.
 */
#pragma once

#include "user/base/util.h"

/* One block, pointing into the text. */
struct pem_block {
	const char *label; /* "CERTIFICATE" */
	size_t label_length;
	const char *body; /* base64 with white space */
	size_t body_length;
};

/*
 * The next block of *@at..@end, which moves behind it. 1: there is one, 0: none is left,
 * -EBADMSG: it has no end, or another's. Text between blocks is passed over.
 */
int pem_next(const char **at, const char *end, struct pem_block *ret);
bool pem_is(const struct pem_block *block, const char *label);

/* Bytes that base64 text of @length can hold at most. */
static inline size_t base64_room(size_t length)
{
	return length / 4 * 3 + 3;
}

/*
 * Decodes base64, passing over white space; @to has base64_room() bytes. -EINVAL: not
 * base64, or padded wrongly. Takes the same time for all values of a character.
 */
int base64_decode(const char *text, size_t length, uint8_t *to, size_t *ret_length);

/* With padding; base64url has none (RFC 7515). The caller's; NULL: no memory. */
char *base64_encode(const uint8_t *bytes, size_t length);
char *base64url_encode(const uint8_t *bytes, size_t length);
