/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of DER as private keys need, read in place: OpenSSL's own reader copies what it
 * reads, and does not wipe all of the copies.
 */
#pragma once

#include "user/base/util.h"

enum der_tag {
	DER_INTEGER = 0x02,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
};

/* Bytes that are still to be read. */
struct der {
	const uint8_t *at;
	const uint8_t *end;
};

/* Takes the next element, which must have this tag; its contents into @ret. */
static inline bool der_take(struct der *der, enum der_tag tag, struct der *ret)
{
	const uint8_t *at = der->at;
	size_t length, bytes;

	if (der->end - at < 2 || *at != tag)
		return false;
	length = at[1];
	at += 2;
	if (length & 0x80) {
		/* Two bytes of length are more than any key has; no shorter form is possible. */
		bytes = length & 0x7f;
		if (bytes < 1 || bytes > 2 || (size_t)(der->end - at) < bytes)
			return false;
		length = bytes == 2 ? (size_t)(at[0] << 8 | at[1]) : at[0];
		if (length < (bytes == 2 ? 0x100U : 0x80U))
			return false;
		at += bytes;
	}
	if ((size_t)(der->end - at) < length)
		return false;
	ret->at = at;
	ret->end = at + length;
	der->at = at + length;
	return true;
}

static inline size_t der_length(const struct der *der)
{
	return (size_t)(der->end - der->at);
}

/* A version and the like: an integer of one byte. */
static inline bool der_take_small(struct der *der, uint8_t *ret)
{
	struct der content;

	if (!der_take(der, DER_INTEGER, &content) || der_length(&content) != 1 ||
	    *content.at & 0x80)
		return false;
	*ret = *content.at;
	return true;
}
