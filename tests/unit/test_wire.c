/* SPDX-License-Identifier: Apache-2.0 */
/* The tag word and its MAC; the vectors are those of docs/wire.md. */
#include <countersign/wire.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "user/base/util.h"

#define PHASE_BITS ((uint64_t)(CS_PHASES - 1) << CS_PHASE_SHIFT)

static const struct cs_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

struct vector {
	struct cs_mac_input input;
	uint64_t mac;
};

static struct vector vectors[] = {
	{ { .sender = 0x00020123456789ab,
	    .receiver = 0x00010afe00000001,
	    .isn_client = 0x11223344,
	    .isn_server = 0x55667788,
	    .label = CS_MAC_SYNACK },
	  0x4eb7f44086bb53a8 },
	{ { .sender = 0x00010afe00000001,
	    .receiver = 0x00020123456789ab,
	    .isn_client = 0x11223344,
	    .isn_server = 0x55667788,
	    .label = CS_MAC_ACK },
	  0x0b5ec9fbd40f418e },
	{ { .sender = 0x0001c00000000100,
	    .receiver = 0xffffbfffffffffff,
	    .isn_client = 0,
	    .isn_server = 0xffffffff,
	    .label = CS_MAC_ACK },
	  0x0d881fe1dd7fa45f },
};

ParameterizedTestParameters(wire, vector)
{
	return cr_make_param_array(struct vector, vectors, ARRAY_SIZE(vectors));
}

ParameterizedTest(struct vector *v, wire, vector)
{
	cr_assert_eq(cs_mac(&key, &v->input), v->mac, "got %016llx",
		     (unsigned long long)cs_mac(&key, &v->input));
}

static void put_le(unsigned char *out, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		out[i] = value >> (8 * i) & 0xff;
}

/* The message as docs/wire.md lays it out, byte by byte. */
ParameterizedTestParameters(wire, message_bytes)
{
	return cr_make_param_array(struct vector, vectors, ARRAY_SIZE(vectors));
}

ParameterizedTest(struct vector *v, wire, message_bytes)
{
	unsigned char message[26];

	put_le(message, v->input.isn_client, 4);
	put_le(message + 4, v->input.isn_server, 4);
	put_le(message + 8, v->input.sender, 8);
	put_le(message + 16, v->input.receiver & ~PHASE_BITS, 8);
	memcpy(message + 24, v->input.label == CS_MAC_SYNACK ? "sa" : "ak", 2);
	cr_assert_eq(cs_siphash_bytes(&key, message, sizeof(message)), v->mac);
}

/* Every input but the receiver's phase changes the MAC, and the sides cannot be swapped. */
Test(wire, mac_covers_everything)
{
	struct cs_mac_input input = vectors[0].input, other;
	uint64_t mac = cs_mac(&key, &input);
	struct cs_key other_key = key;

	for (int bit = 0; bit < 64; bit++) {
		other = input;
		other.sender ^= 1ULL << bit;
		cr_expect_neq(cs_mac(&key, &other), mac, "sender bit %d", bit);
		other = input;
		other.receiver ^= 1ULL << bit;
		cr_expect_eq(cs_mac(&key, &other) == mac, !!(1ULL << bit & PHASE_BITS),
			     "receiver bit %d", bit);
	}
	for (int bit = 0; bit < 32; bit++) {
		other = input;
		other.isn_client ^= 1U << bit;
		cr_expect_neq(cs_mac(&key, &other), mac, "client ISN bit %d", bit);
		other = input;
		other.isn_server ^= 1U << bit;
		cr_expect_neq(cs_mac(&key, &other), mac, "server ISN bit %d", bit);
	}
	other = input;
	other.sender = input.receiver;
	other.receiver = input.sender;
	cr_expect_neq(cs_mac(&key, &other), mac);
	other = input;
	other.label = CS_MAC_ACK;
	cr_expect_neq(cs_mac(&key, &other), mac);
	other_key.k1 ^= 1;
	cr_expect_neq(cs_mac(&other_key, &input), mac);
}

Test(wire, tag_round_trip)
{
	uint64_t tag = cs_tag(0xabcd, 2, 0x3123456789ab);

	cr_expect_eq(cs_tag_node(tag), 0xabcd);
	cr_expect_eq(cs_tag_phase(tag), 2);
	cr_expect_eq(cs_tag_identity(tag), 0x3123456789ab);
	cr_expect_eq(tag, 0xabcdb123456789ab);
}

Test(wire, tag_fields_do_not_overlap)
{
	cr_expect_eq(cs_tag(0xffff, 0, 0), 0xffff000000000000);
	cr_expect_eq(cs_tag(0, 3, 0), 0x0000c00000000000);
	cr_expect_eq(cs_tag(0, 0, CS_IDENTITY_MASK), 0x00003fffffffffff);
	cr_expect_eq(cs_tag(0, 4, 0), 0, "a phase has two bits");
	cr_expect_eq(cs_tag(0, 0, 1ULL << CS_IDENTITY_BITS), 0, "an identity has 46 bits");
}
