/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 against the vectors of its authors and against OpenSSL. */
#include <countersign/siphash.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "user/base/util.h"

#define VECTORS 64

/* Key 00 01 .. 0f; the n-th is the result for the n bytes 00 01 .. n-1, in bytes. */
static const char *const vectors[VECTORS] = {
	"310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d", "2d7efbd796666785",
	"b7877127e09427cf", "8da699cd64557618", "cee3fe586e46c9cb", "37d1018bf50002ab",
	"6224939a79f5f593", "b0e4a90bdf82009e", "f3b9dd94c5bb5d7a", "a7ad6b22462fb3f4",
	"fbe50e86bc8f1e75", "903d84c02756ea14", "eef27a8e90ca23f7", "e545be4961ca29a1",
	"db9bc2577fcc2a3f", "9447be2cf5e99a69", "9cd38d96f0b3c14b", "bd6179a71dc96dbb",
	"98eea21af25cd6be", "c7673b2eb0cbf2d0", "883ea3e395675393", "c8ce5ccd8c030ca8",
	"94af49f6c650adb8", "eab8858ade92e1bc", "f315bb5bb835d817", "adcf6b0763612e2f",
	"a5c91da7acaa4dde", "716595876650a2a6", "28ef495c53a387ad", "42c341d8fa92d832",
	"ce7cf2722f512771", "e37859f94623f3a7", "381205bb1ab0e012", "ae97a10fd434e015",
	"b4a31508beff4d31", "81396229f0907902", "4d0cf49ee5d4dcca", "5c73336a76d8bf9a",
	"d0a704536ba93e0e", "925958fcd6420cad", "a915c29bc8067318", "952b79f3bc0aa6d4",
	"f21df2e41d4535f9", "87577519048f53a9", "10a56cf5dfcd9adb", "eb75095ccd986cd0",
	"51a9cb9ecba312e6", "96afadfc2ce666c7", "72fe52975a4364ee", "5a1645b276d592a1",
	"b274cb8ebf87870a", "6f9bb4203de7b381", "eaecb2a30b22a87f", "9924a43cc1315724",
	"bd838d3aafbf8db7", "0b1a2a3265d51aea", "135079a3231ce660", "932b2846e4d70666",
	"e1915f5cb1eca46c", "f325965ca16d629f", "575ff28e60381be5", "724506eb4c328a95",
};

static const struct cs_key reference_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static uint64_t from_bytes(const char *hex)
{
	uint64_t value = 0;
	unsigned int byte;

	for (int i = 0; i < 8; i++) {
		cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		value |= (uint64_t)byte << (8 * i);
	}
	return value;
}

ParameterizedTestParameters(siphash, reference)
{
	static size_t length[VECTORS];

	for (size_t i = 0; i < VECTORS; i++)
		length[i] = i;
	return cr_make_param_array(size_t, length, VECTORS);
}

ParameterizedTest(const size_t *length, siphash, reference)
{
	unsigned char input[VECTORS];

	for (size_t i = 0; i < *length; i++)
		input[i] = (unsigned char)i;
	cr_assert_eq(cs_siphash_bytes(&reference_key, input, *length),
		     from_bytes(vectors[*length]));
}

static uint64_t openssl_siphash(const struct cs_key *key, const void *data, size_t length)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	unsigned int size = 8;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size),
				OSSL_PARAM_construct_end() };
	unsigned char key_bytes[16], out[8];
	size_t n = 0;
	uint64_t value = 0;

	for (int i = 0; i < 8; i++) {
		key_bytes[i] = key->k0 >> (8 * i) & 0xff;
		key_bytes[8 + i] = key->k1 >> (8 * i) & 0xff;
	}
	cr_assert_eq(EVP_MAC_init(ctx, key_bytes, sizeof(key_bytes), params), 1);
	cr_assert_eq(EVP_MAC_update(ctx, data, length), 1);
	cr_assert_eq(EVP_MAC_final(ctx, out, &n, sizeof(out)), 1);
	cr_assert_eq(n, 8);
	for (int i = 0; i < 8; i++)
		value |= (uint64_t)out[i] << (8 * i);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return value;
}

Test(siphash, openssl_says_the_same)
{
	unsigned char data[300];
	struct cs_key key;

	srandom(1);
	for (int round = 0; round < 1000; round++) {
		size_t length = (size_t)random() % sizeof(data);

		key.k0 = (uint64_t)random() << 32 ^ (uint64_t)random() << 8;
		key.k1 = (uint64_t)random() << 33 ^ (uint64_t)random();
		for (size_t i = 0; i < length; i++)
			data[i] = random() & 0xff;
		cr_assert_eq(cs_siphash_bytes(&key, data, length),
			     openssl_siphash(&key, data, length), "%zu bytes, round %d", length,
			     round);
	}
}

/* What the BPF programs do: words, then the rest with the length on top. */
Test(siphash, by_words)
{
	unsigned char input[26];
	struct cs_siphash_state s;

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (unsigned char)i;
	cs_siphash_init(&s, &reference_key);
	cs_siphash_word(&s, 0x0706050403020100);
	cs_siphash_word(&s, 0x0f0e0d0c0b0a0908);
	cs_siphash_word(&s, 0x1716151413121110);
	cr_assert_eq(cs_siphash_final(&s, 26ULL << 56 | 0x1918),
		     cs_siphash_bytes(&reference_key, input, sizeof(input)));
}
