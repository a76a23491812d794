/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/address.h"

#include <arpa/inet.h>

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool is_v4_mapped(const void *addr)
{
	return memcmp(addr, v4_prefix, sizeof(v4_prefix)) == 0;
}

const char *address_parse(const char *text, struct cs_addr *ret)
{
	struct cs_addr addr = { 0 };

	if (strchr(text, ':')) {
		if (inet_pton(AF_INET6, text, addr.byte) != 1)
			return "is no IPv6 address";
		if (is_v4_mapped(addr.byte))
			return "is an IPv4 address in IPv6 clothes: write it as a.b.c.d";
	} else {
		if (inet_pton(AF_INET, text, &addr.word[3]) != 1)
			return "is no IP address";
		memcpy(addr.byte, v4_prefix, sizeof(v4_prefix));
	}
	*ret = addr;
	return NULL;
}

const char *address_problem(const struct cs_addr *addr)
{
	static const uint8_t zero[16];
	bool v4 = is_v4_mapped(addr->byte);

	if (memcmp(addr->byte, zero, sizeof(zero)) == 0 || (v4 && addr->word[3] == 0))
		return "is the unspecified address";
	if (v4 ? addr->byte[12] >= 224 : addr->byte[0] == 0xff)
		return "is a multicast, reserved or broadcast address";
	return NULL;
}

bool address_is_loopback(const struct cs_addr *addr)
{
	static const uint8_t v6[16] = { [15] = 1 };

	if (is_v4_mapped(addr->byte))
		return addr->byte[12] == 127;
	return memcmp(addr->byte, v6, sizeof(v6)) == 0;
}

bool cidr_is_v4(const struct cs_cidr *cidr)
{
	return cidr->prefixlen >= ADDRESS_V4_BITS && is_v4_mapped(cidr->word);
}

struct cs_cidr cidr_of(const __u32 word[static 4], unsigned int bits)
{
	struct cs_cidr cidr = { .prefixlen = bits };

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int n = bits > 32 * i ? MIN(bits - 32 * i, 32U) : 0;

		cidr.word[i] = word[i] & htonl(n ? UINT32_MAX << (32 - n) : 0);
	}
	return cidr;
}

bool cidr_covers(const struct cs_cidr *outer, const struct cs_cidr *inner)
{
	struct cs_cidr cut;

	if (outer->prefixlen > inner->prefixlen || cidr_is_v4(outer) != cidr_is_v4(inner))
		return false;
	cut = cidr_of(inner->word, outer->prefixlen);
	return memcmp(cut.word, outer->word, sizeof(cut.word)) == 0;
}

void cidr_text(const struct cs_cidr *cidr, char ret[static CIDR_TEXT_MAX])
{
	char addr[INET6_ADDRSTRLEN];
	bool v4 = cidr_is_v4(cidr);

	if (v4)
		inet_ntop(AF_INET, &cidr->word[3], addr, sizeof(addr));
	else
		inet_ntop(AF_INET6, cidr->word, addr, sizeof(addr));
	snprintf(ret, CIDR_TEXT_MAX, "%s/%u", addr, cidr->prefixlen - (v4 ? ADDRESS_V4_BITS : 0));
}

/* The decimal number behind the slash, at most @max; -1: none. */
static int prefix_length(const char *text, int max)
{
	int n = 0;

	if (strlen(text) < 1 || strlen(text) > 3 || strspn(text, "0123456789") != strlen(text))
		return -1;
	if (text[0] == '0' && text[1])
		return -1;
	for (; *text; text++)
		n = n * 10 + (*text - '0');
	return n <= max ? n : -1;
}

/* The address as written, and the prefix that it lies in. */
static const char *prefix_parse(const char *text, struct cs_addr *ret_addr, struct cs_cidr *ret)
{
	char copy[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/'), *problem;
	struct cs_addr addr;
	int bits;

	if (!slash)
		return "has no prefix length: a single address is written as 10.0.0.1/32";
	if ((size_t)(slash - text) >= sizeof(copy))
		return "is no IP address with a prefix length";
	memcpy(copy, text, slash - text);
	copy[slash - text] = 0;
	problem = address_parse(copy, &addr);
	if (problem)
		return problem;
	bits = prefix_length(slash + 1, is_v4_mapped(addr.byte) ? 32 : ADDRESS_BITS);
	if (bits < 0)
		return is_v4_mapped(addr.byte) ? "has a prefix length that is not 0 to 32"
					       : "has a prefix length that is not 0 to 128";
	*ret = cidr_of(addr.word, bits + (is_v4_mapped(addr.byte) ? ADDRESS_V4_BITS : 0));
	*ret_addr = addr;
	return NULL;
}

const char *cidr_parse(const char *text, struct cs_cidr *ret)
{
	struct cs_addr addr;
	struct cs_cidr cidr;
	const char *problem = prefix_parse(text, &addr, &cidr);

	if (problem)
		return problem;
	if (memcmp(cidr.word, addr.word, sizeof(cidr.word)) != 0)
		return "has bits set behind its prefix";
	*ret = cidr;
	return NULL;
}

const char *cidr_parse_masked(const char *text, struct cs_cidr *ret)
{
	struct cs_addr addr;

	return prefix_parse(text, &addr, ret);
}
