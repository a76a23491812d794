/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No plain copy of a private key stays outside the secure heap: the test reads all of its own
 * memory, but for regions that are left out of core dumps. What it looks for it knows only
 * masked, so that it finds no copy of its own.
 */
#include <sys/wait.h>

#include <openssl/core_names.h>

#include "test_credential_pki.h"
#include "user/credential/secret_internal.h"

#define NEEDLE_BYTES 16
#define NEEDLES_MAX 24
#define MASK 0xa5
#define REGION_MAX (1ULL << 32) /* larger ones are the sanitizer's shadow: no bytes of data */
#define PIECE (1 << 20)

/* As an agent does by calling secret_init() first; here the test runner comes before. */
static void __attribute__((constructor)) install_early(void)
{
	secret_allocator_install();
}

struct needles {
	uint8_t masked[NEEDLES_MAX][NEEDLE_BYTES];
	size_t n;
};

static void add_needle(struct needles *needles, const uint8_t *bytes)
{
	uint8_t *to = needles->masked[needles->n++];

	cr_assert_leq(needles->n, (size_t)NEEDLES_MAX);
	for (size_t i = 0; i < NEEDLE_BYTES; i++)
		to[i] = bytes[i] ^ MASK;
}

/* A number as it stands in DER and as BIGNUMs hold it. */
static void add_number(struct needles *needles, EVP_PKEY *key, const char *param)
{
	uint8_t bytes[512], turned[512];
	BIGNUM *bn = NULL;
	int length;

	cr_assert(EVP_PKEY_get_bn_param(key, param, &bn), "%s", param);
	length = BN_bn2bin(bn, bytes);
	for (int i = 0; i < length; i++)
		turned[i] = bytes[length - 1 - i];
	add_needle(needles, bytes + 4);
	add_needle(needles, turned + 4);
	BN_free(bn);
}

static void add_secrets(struct needles *needles, EVP_PKEY *key)
{
	uint8_t raw[64];
	size_t length = sizeof(raw);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		add_number(needles, key, OSSL_PKEY_PARAM_PRIV_KEY);
		break;
	case EVP_PKEY_RSA:
		add_number(needles, key, OSSL_PKEY_PARAM_RSA_D);
		add_number(needles, key, OSSL_PKEY_PARAM_RSA_FACTOR1);
		add_number(needles, key, OSSL_PKEY_PARAM_RSA_FACTOR2);
		add_number(needles, key, OSSL_PKEY_PARAM_RSA_EXPONENT1);
		break;
	default:
		cr_assert(EVP_PKEY_get_raw_private_key(key, raw, &length));
		add_needle(needles, raw + 4);
	}
}

/* Pieces of the text's base64, behind the header that is the same for all keys. */
static void add_text(struct needles *needles, const char *pem)
{
	const char *body = strchr(pem, '\n') + 1;
	size_t length = strlen(body);

	for (size_t at = 40; at + NEEDLE_BYTES < length && needles->n < NEEDLES_MAX - 2; at += 48)
		if (!memchr(body + at, '\n', NEEDLE_BYTES) && !memchr(body + at, '-', NEEDLE_BYTES))
			add_needle(needles, (const uint8_t *)body + at);
}

enum form { PKCS8, TRADITIONAL, DER };

struct kind {
	char name[16];
	int type; /* EVP_PKEY_ */
	enum form form;
	bool sign; /* and look again once it is an SVID's and has signed */
};

static EVP_PKEY *make_key(int type)
{
	switch (type) {
	case EVP_PKEY_EC:
		return EVP_EC_gen("P-256");
	case EVP_PKEY_RSA:
		return EVP_RSA_gen(2048);
	default:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	}
}

static void write_key(const char *directory, EVP_PKEY *key, enum form form, struct needles *needles)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long length;

	if (form == PKCS8)
		cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	else if (form == TRADITIONAL)
		cr_assert(
			PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL));
	else
		cr_assert(i2d_PKCS8PrivateKey_bio(bio, key, NULL, NULL, 0, NULL, NULL));
	length = BIO_get_mem_data(bio, &text);
	pki_write(directory, "key", text, (size_t)length, 0600);
	if (form != DER) {
		BIO_write(bio, "", 1);
		BIO_get_mem_data(bio, &text);
		add_text(needles, text);
	}
	BIO_free(bio);
}

/* A process of its own makes the key: its memory goes with it. */
static void make_elsewhere(const char *directory, const struct kind *kind, struct needles *ret)
{
	int pipes[2], status;
	pid_t child;

	cr_assert_eq(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		struct needles needles = { 0 };
		EVP_PKEY *key = make_key(kind->type);

		add_secrets(&needles, key);
		write_key(directory, key, kind->form, &needles);
		_exit(write(pipes[1], &needles, sizeof(needles)) != sizeof(needles));
	}
	cr_assert_eq(read(pipes[0], ret, sizeof(*ret)), (ssize_t)sizeof(*ret));
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	close(pipes[0]);
	close(pipes[1]);
}

static bool has(const uint8_t *bytes, size_t length, const uint8_t *masked)
{
	const uint8_t first = masked[0] ^ MASK, *at = bytes, *end = bytes + length;

	while (at + NEEDLE_BYTES <= end &&
	       (at = memchr(at, first, (size_t)(end - at) - NEEDLE_BYTES + 1))) {
		size_t i = 1;

		while (i < NEEDLE_BYTES && (at[i] ^ MASK) == masked[i])
			i++;
		if (i == NEEDLE_BYTES)
			return true;
		at++;
	}
	return false;
}

struct region {
	unsigned long from, to, resident_kb;
	char access[8];
	char name[128];
	bool dumped;
};

/* How many needles are in the region; pieces overlap, so none falls between. */
static unsigned int look(int memory, const struct region *region, const struct needles *needles)
{
	static uint8_t piece[PIECE];
	unsigned int found = 0;

	for (unsigned long at = region->from; at < region->to; at += PIECE - NEEDLE_BYTES) {
		size_t want = MIN((size_t)PIECE, region->to - at);
		ssize_t n = pread(memory, piece, want, (off_t)at);

		for (size_t i = 0; i < needles->n && n > 0; i++)
			found += has(piece, (size_t)n, needles->masked[i]);
	}
	memset(piece, 0, sizeof(piece));
	return found;
}

/* Needles found in all regions that are dumped, or in those that are not. */
static unsigned int scan(const struct needles *needles, bool dumped, char where[static 128])
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	struct region region = { 0 };
	unsigned int found = 0;
	char line[512];

	cr_assert(smaps && memory >= 0);
	where[0] = '\0';
	while (fgets(line, sizeof(line), smaps)) {
		struct region next = { 0 };
		unsigned int n;

		/* "FilePmdMapped:" begins with a hex digit, too. */
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %120[^\n]", &next.from, &next.to,
			   next.access, next.name) >= 3) {
			region = next;
			continue;
		}
		sscanf(line, "Rss: %lu kB", &region.resident_kb);
		if (!startswith(line, "VmFlags:"))
			continue;
		region.dumped = !strstr(line, " dd");
		if (region.access[0] != 'r' || !region.resident_kb || region.dumped != dumped ||
		    region.to - region.from > REGION_MAX)
			continue;
		n = look(memory, &region, needles);
		if (n)
			snprintf(where, 128, "%s", region.name);
		found += n;
	}
	fclose(smaps);
	close(memory);
	return found;
}

static void sign(EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[512];
	size_t length = sizeof(signature);
	bool own = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;

	cr_assert_eq(EVP_DigestSignInit(ctx, NULL, own ? NULL : EVP_sha256(), NULL, key), 1);
	cr_assert_eq(EVP_DigestSign(ctx, signature, &length, (const uint8_t *)"x", 1), 1);
	EVP_MD_CTX_free(ctx);
}

static const struct kind kinds[] = {
	{ "ec-pkcs8", EVP_PKEY_EC, PKCS8, true },
	{ "ec-sec1", EVP_PKEY_EC, TRADITIONAL, true },
	{ "ec-der", EVP_PKEY_EC, DER, true },
	{ "ed25519-pkcs8", EVP_PKEY_ED25519, PKCS8, true },
	{ "rsa-pkcs8", EVP_PKEY_RSA, PKCS8, false },
	{ "rsa-pkcs1", EVP_PKEY_RSA, TRADITIONAL, false },
};

static void check_kind(const struct kind *kind)
{
	_pki_directory_ directory;
	struct credential_error error = { 0 };
	struct needles needles;
	EVP_PKEY *key = NULL;
	char where[128];
	int dir;

	cr_assert_eq(secret_init(&error), 0, "%s", error.text);
	pki_directory_init(&directory);
	make_elsewhere(directory.path, kind, &needles);
	dir = open(directory.path, O_RDONLY | O_DIRECTORY);
	cr_assert_eq(scan(&needles, true, where), 0, "%s: before: in %s", kind->name, where);
	cr_assert_eq(secret_key_from_file(dir, "key", &key, &error), 0, "%s: %s", kind->name,
		     error.text);
	/* It is there, in a form that the needles are in: else nothing could be found. */
	cr_expect_gt(scan(&needles, false, where), 0, "%s", kind->name);
	cr_expect_eq(scan(&needles, true, where), 0, "%s: a copy in %s", kind->name, where);
	if (kind->sign) {
		_pki_ leaf = pki_make(&(struct pki){ .key = key }, NULL);
		_cleanup_(svid_freep) struct svid *svid =
			pki_svid(key, (X509 *[]){ leaf.x509, NULL });

		sign(svid->key);
		cr_expect_eq(scan(&needles, true, where), 0, "%s: signed: a copy in %s", kind->name,
			     where);
	}
	EVP_PKEY_free(key);
	cr_expect_eq(scan(&needles, true, where), 0, "%s: freed: a copy in %s", kind->name, where);
	cr_expect_eq(scan(&needles, false, where), 0, "%s: the heap was not wiped", kind->name);
	close(dir);
}

Test(credential_memory, no_copy_of_a_key_stays, .timeout = 120)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_kind(&kinds[i]);
}

Test(credential_memory, the_search_finds_a_copy, .timeout = 60)
{
	uint8_t *copy = malloc(64);
	struct needles needles = { 0 };
	char where[128];

	for (size_t i = 0; i < 64; i++)
		copy[i] = (uint8_t)(i * 37 + 11);
	add_needle(&needles, copy + 21);
	cr_expect_geq(scan(&needles, true, where), 1);
	memset(copy, 0, 64);
	cr_expect_eq(scan(&needles, true, where), 0, "in %s", where);
	free(copy);
}

/* OpenSSL's own reader leaves copies; should it once leave none, secret.c can be simpler. */
Test(credential_memory, the_usual_way_leaves_copies, .timeout = 60)
{
	_pki_directory_ directory;
	struct needles needles;
	EVP_PKEY *key = NULL;
	char path[128], where[128];
	BIO *bio;

	pki_directory_init(&directory);
	make_elsewhere(directory.path, &kinds[0], &needles);
	snprintf(path, sizeof(path), "%s/key", directory.path);
	bio = BIO_new_file(path, "r");
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	cr_assert_not_null(key);
	BIO_free(bio);
	cr_expect_gt(scan(&needles, true, where), 0);
	EVP_PKEY_free(key);
}
