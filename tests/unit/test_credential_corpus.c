/* SPDX-License-Identifier: Apache-2.0 */
/* Broken certificates, bundles and keys: each is refused with a clear message. */
#include <libgen.h>

#include "test_credential_pki.h"
#include "user/base/file.h"

#define CORPUS_MIN 60

static int open_corpus(void)
{
	const char *root = getenv("COUNTERSIGN_SOURCE");
	char here[] = __FILE__, path[4096];
	int dir;

	if (root)
		snprintf(path, sizeof(path), "%s/tests/corpus/credential", root);
	else
		snprintf(path, sizeof(path), "%s/../corpus/credential", dirname(here));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0, "%s: %m (run from the source root)", path);
	return dir;
}

static int read_bundle(const char *text, size_t length, struct credential_error *error)
{
	struct bundle *bundle = NULL;
	int r = bundle_from_pem("example.org", text, length, &bundle, error);

	bundle_free(bundle);
	return r;
}

static int read_jwks(const char *text, size_t length, struct credential_error *error)
{
	struct bundle *bundle = NULL;
	int r = bundle_from_jwks("example.org", text, length, &bundle, error);

	bundle_free(bundle);
	return r;
}

static int read_chain(const char *text, size_t length, struct credential_error *error)
{
	STACK_OF(X509) *chain = NULL;
	int r = svid_chain_from_pem(text, length, &chain, error);

	sk_X509_pop_free(chain, X509_free);
	return r;
}

static int read_key(const char *text, size_t length, struct credential_error *error)
{
	_pki_directory_ directory;
	EVP_PKEY *key = NULL;
	int dir, r;

	pki_directory_init(&directory);
	pki_write(directory.path, "tls.key", text, length, 0600);
	dir = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = secret_key_from_file(dir, "tls.key", &key, error);
	EVP_PKEY_free(key);
	close(dir);
	return r;
}

static const struct {
	const char *end;
	int (*read)(const char *text, size_t length, struct credential_error *error);
} readers[] = {
	{ ".bundle", read_bundle },
	{ ".chain", read_chain },
	{ ".jwks", read_jwks },
	{ ".key", read_key },
};

static void check_file(int dir, const char *name, const char *says)
{
	_cleanup_free_ char *text = NULL;
	struct credential_error error = { 0 };
	size_t length = 0, reader = 0;

	while (!streq(strrchr(name, '.'), readers[reader].end))
		cr_assert_lt(++reader, ARRAY_SIZE(readers), "%s", name);
	cr_assert_eq(file_read_at(dir, name, 1 << 20, &text, &length), 0, "%s", name);
	cr_expect_lt(readers[reader].read(text, length, &error), 0, "%s is taken", name);
	cr_expect(strstr(error.text, says), "%s: \"%s\" does not say \"%s\"", name, error.text,
		  says);
}

Test(credential_corpus, all_are_refused_clearly, .timeout = 120)
{
	_cleanup_free_ char *list = NULL;
	_cleanup_close_ int dir = open_corpus();
	size_t length = 0, n = 0;
	char *save, *line;

	cr_assert_eq(file_read_at(dir, "expected.tsv", 1 << 20, &list, &length), 0);
	for (line = strtok_r(list, "\n", &save); line; line = strtok_r(NULL, "\n", &save), n++) {
		char *tab = strchr(line, '\t');

		cr_assert_not_null(tab, "%s", line);
		*tab = '\0';
		check_file(dir, line, tab + 1);
	}
	cr_expect_geq(n, (size_t)CORPUS_MIN);
}

/* What they were before they were broken is taken: else all could be refused for nothing. */
Test(credential_corpus, the_good_ones_are_taken)
{
	_cleanup_free_ char *ca = NULL, *crl = NULL, *both = NULL;
	_cleanup_close_ int dir = open_corpus();
	struct credential_error error = { 0 };
	size_t length = 0;

	cr_assert_eq(file_read_at(dir, "ca.good", 1 << 20, &ca, &length), 0);
	cr_assert_eq(read_bundle(ca, length, &error), 0, "%s", error.text);
	cr_assert_eq(file_read_at(dir, "crl.good", 1 << 20, &crl, &length), 0);
	cr_assert_gt(asprintf(&both, "a comment\n%s\n%s", crl, ca), 0);
	cr_assert_eq(read_bundle(both, strlen(both), &error), 0, "%s", error.text);
}

/* Every byte of DER changed in three ways, and every prefix: refused or taken, no crash. */
static void mutate(const uint8_t *der, size_t length, void (*read)(const uint8_t *, size_t))
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };
	uint8_t *copy = malloc(length);

	for (size_t i = 0; i < length; i++) {
		for (size_t n = 0; n < ARRAY_SIZE(flips); n++) {
			memcpy(copy, der, length);
			copy[i] ^= flips[n];
			read(copy, length);
		}
		uint8_t *prefix = malloc(i + 1); /* no byte more: the sanitizer sees what is read */

		memcpy(prefix, der, i + 1);
		read(prefix, i);
		free(prefix);
	}
	free(copy);
}

static void read_svid_der(const uint8_t *der, size_t length)
{
	struct credential_error error = { 0 };
	STACK_OF(X509) *chain = NULL;
	struct svid *svid = NULL;
	int r = svid_chain_from_der(der, length, &chain, &error);

	if (r == 0)
		r = svid_new(chain, NULL, &svid, &error);
	cr_assert(r == 0 ? svid != NULL : *error.text, "%d", r);
	svid_free(svid);
	sk_X509_pop_free(chain, X509_free);
}

static void read_key_der(const uint8_t *der, size_t length)
{
	struct credential_error error = { 0 };
	EVP_PKEY *key = NULL;
	int r = secret_key_from_der(der, length, &key, &error);

	cr_assert(r == 0 ? key != NULL : *error.text, "%d", r);
	EVP_PKEY_free(key);
}

Test(credential_corpus, changed_bytes_of_certificates, .timeout = 120)
{
	_pki_ leaf = pki_make(&(struct pki){ 0 }, NULL);
	unsigned char *der = NULL;
	int length = i2d_X509(leaf.x509, &der);

	mutate(der, (size_t)length, read_svid_der);
	OPENSSL_free(der);
}

Test(credential_corpus, changed_bytes_of_keys, .timeout = 120)
{
	EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
			     EVP_RSA_gen(2048) };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(keys[i]);
		unsigned char *der = NULL;
		int length = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);

		mutate(der, (size_t)length, read_key_der);
		OPENSSL_free(der);
		PKCS8_PRIV_KEY_INFO_free(p8);
		EVP_PKEY_free(keys[i]);
	}
}

Test(credential_corpus, rights_and_kinds_of_key_files)
{
	_pki_directory_ directory;
	_cleanup_close_ int dir = -EBADF;
	static const mode_t open_modes[] = { 0640, 0604, 0660, 0602, 0644, 0610 };
	struct credential_error error;
	EVP_PKEY *key = NULL, *made = pki_ec();
	_pki_text_ pem = { 0 };

	pki_directory_init(&directory);
	dir = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pki_text_key(&pem, made);
	for (size_t i = 0; i < ARRAY_SIZE(open_modes); i++) {
		pki_write(directory.path, "key", pem.text, pem.length, open_modes[i]);
		cr_expect_eq(secret_key_from_file(dir, "key", &key, &error), -EACCES);
		cr_expect(strstr(error.text, "chmod 0600"), "%s", error.text);
	}
	pki_write(directory.path, "key", pem.text, pem.length, 0400);
	cr_expect_eq(secret_key_from_file(dir, "key", &key, &error), 0, "%s", error.text);
	EVP_PKEY_free(key);
	cr_expect_eq(secret_key_from_file(dir, "none", &key, &error), -ENOENT);
	cr_expect_eq(secret_key_from_file(dir, ".", &key, &error), -EINVAL);
	cr_assert_eq(mkfifoat(dir, "fifo", 0600), 0);
	cr_expect_eq(secret_key_from_file(dir, "fifo", &key, &error), -EINVAL);
	pki_write(directory.path, "big", "x", 1, 0600);
	{
		_cleanup_close_ int big = openat(dir, "big", O_WRONLY | O_CLOEXEC);

		cr_assert_eq(ftruncate(big, SECRET_FILE_MAX + 1), 0);
	}
	cr_expect_eq(secret_key_from_file(dir, "big", &key, &error), -EFBIG);
	EVP_PKEY_free(made);
}

Test(credential_corpus, key_uris)
{
	static const struct {
		const char *uri;
		const char *provider;
		const char *says;
	} uris[] = {
		{ "nonsense", NULL, "a key URI names" },
		{ "file:/etc/hostname", NULL, "a key URI names" },
		{ "handle:0x81000001", NULL, "key URI handle:..." },
		{ "pkcs11:token=a;pin-value=1234", NULL, "key URI pkcs11:..." },
		{ "pkcs11:token=a;pin-value=1234", "no-such-provider", "is it installed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(uris); i++) {
		struct credential_error error = { 0 };
		EVP_PKEY *key = NULL;

		cr_expect_lt(secret_key_from_uri(uris[i].uri, uris[i].provider, &key, &error), 0);
		cr_expect(strstr(error.text, uris[i].says), "%s: %s", uris[i].uri, error.text);
		cr_expect_null(strstr(error.text, "1234"), "a PIN in a message: %s", error.text);
	}
}
