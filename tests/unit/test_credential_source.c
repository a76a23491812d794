/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files: and what all sources share: what is handed over, when, and that nothing that goes
 * wrong takes the last good credential away.
 */
#include "test_credential_world.h"

static const char *const cert_manager[] = { "tls.crt", "tls.key", "ca.crt", NULL };
static const char *const spiffe_helper[] = { "svid.pem", "svid_key.pem", "svid_bundle.pem", NULL };

/* Puts a file in place at once, as all renewers do. */
static void put(const char *directory, const char *name, const struct pki_text *text, mode_t mode)
{
	char from[256], to[256];

	pki_write(directory, ".new", text->text, text->length, mode);
	snprintf(from, sizeof(from), "%s/.new", directory);
	snprintf(to, sizeof(to), "%s/%s", directory, name);
	cr_assert_eq(rename(from, to), 0);
}

enum { PART_CERTIFICATE = 1, PART_KEY = 2, PART_BUNDLE = 4, PART_ALL = 7 };

static void put_parts(const char *directory, const char *const *names, const struct pki_pair *leaf,
		      const struct pki_pair *ca, unsigned int parts)
{
	_pki_text_ certificate = { 0 }, key = { 0 }, bundle = { 0 };

	pki_text_x509(&certificate, leaf->x509);
	pki_text_key(&key, leaf->key);
	pki_text_x509(&bundle, ca->x509);
	if (parts & PART_BUNDLE)
		put(directory, names[2], &bundle, 0644);
	if (parts & PART_KEY)
		put(directory, names[1], &key, 0600);
	if (parts & PART_CERTIFICATE)
		put(directory, names[0], &certificate, 0644);
}

static bool is_in_force(const struct world *w, const struct pki_pair *leaf)
{
	return w->last.svid && X509_cmp(w->last.svid->leaf, leaf->x509) == 0;
}

static void check_names(const char *const *names)
{
	_world_ w;
	_pki_ first = { 0 }, second = { 0 };

	world_init(&w);
	first = pki_make(&(struct pki){ 0 }, &w.ca);
	second = pki_make(&(struct pki){ 0 }, &w.ca);
	put_parts(w.directory.path, names, &first, &w.ca, PART_ALL);
	world_open(&w, "files", &host_a);
	cr_assert_eq(w.source->ops->dispatch(w.source, &w.last), 1, "%s", w.source->error.text);
	cr_expect(is_in_force(&w, &first));
	cr_expect_not_null(w.last.svid->key);
	cr_expect_eq(w.last.bundles.n, 1u);
	cr_expect_eq(w.last.renew_s, 0);
	cr_expect_str_eq(w.source->error.text, "");
	cr_expect_eq(next(&w, NOT_MS), 0);
	put_parts(w.directory.path, names, &second, &w.ca, PART_KEY | PART_CERTIFICATE);
	cr_expect_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	cr_expect(is_in_force(&w, &second));
}

Test(credential_files, names_of_cert_manager_and_vault)
{
	check_names(cert_manager);
}

Test(credential_files, names_of_spiffe_helper)
{
	check_names(spiffe_helper);
}

/* The certificate without its key: nothing changes until both are there. */
Test(credential_files, a_half_written_set)
{
	_world_ w;
	_pki_ first = { 0 }, second = { 0 };

	world_init(&w);
	first = pki_make(&(struct pki){ 0 }, &w.ca);
	second = pki_make(&(struct pki){ 0 }, &w.ca);
	put_parts(w.directory.path, cert_manager, &first, &w.ca, PART_ALL);
	world_open(&w, "files", &host_a);
	cr_assert_eq(next(&w, SOON_MS), 1);
	put_parts(w.directory.path, cert_manager, &second, &w.ca, PART_CERTIFICATE);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "not that of the certificate");
	cr_expect(is_in_force(&w, &first));
	put_parts(w.directory.path, cert_manager, &second, &w.ca, PART_KEY);
	cr_expect_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	cr_expect(is_in_force(&w, &second));
	cr_expect_eq(w.source->failures, 0u);
	cr_expect_eq(w.source->retry_s, 0);
	cr_expect_str_eq(w.source->error.text, "");
}

/* The key first: there is no mistake to tell of, as the certificate is still the old one. */
Test(credential_files, the_key_comes_first)
{
	_world_ w;
	_pki_ first = { 0 }, second = { 0 };

	world_init(&w);
	first = pki_make(&(struct pki){ 0 }, &w.ca);
	second = pki_make(&(struct pki){ 0 }, &w.ca);
	put_parts(w.directory.path, cert_manager, &first, &w.ca, PART_ALL);
	world_open(&w, "files", &host_a);
	cr_assert_eq(next(&w, SOON_MS), 1);
	put_parts(w.directory.path, cert_manager, &second, &w.ca, PART_KEY);
	cr_expect_eq(next(&w, NOT_MS), 0);
	put_parts(w.directory.path, cert_manager, &second, &w.ca, PART_CERTIFICATE);
	cr_expect_eq(next(&w, SOON_MS), 1);
	cr_expect(is_in_force(&w, &second));
}

/* How a Kubernetes mount changes: files are links into ..data, which is swapped. */
Test(credential_files, swapped_links)
{
	_world_ w;
	_pki_ first = { 0 }, second = { 0 };
	char path[256], other[256];

	world_init(&w);
	first = pki_make(&(struct pki){ 0 }, &w.ca);
	second = pki_make(&(struct pki){ 0 }, &w.ca);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/..%d", w.directory.path, i);
		cr_assert_eq(mkdir(path, 0700), 0);
		put_parts(path, cert_manager, i ? &second : &first, &w.ca, PART_ALL);
	}
	snprintf(path, sizeof(path), "%s/..data", w.directory.path);
	cr_assert_eq(symlink("..0", path), 0);
	for (const char *const *name = cert_manager; *name; name++) {
		char target[64];

		snprintf(target, sizeof(target), "..data/%s", *name);
		snprintf(other, sizeof(other), "%s/%s", w.directory.path, *name);
		cr_assert_eq(symlink(target, other), 0);
	}
	world_open(&w, "files", &host_a);
	cr_assert_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	cr_expect(is_in_force(&w, &first));
	snprintf(other, sizeof(other), "%s/..data_tmp", w.directory.path);
	cr_assert_eq(symlink("..1", other), 0);
	cr_assert_eq(rename(other, path), 0);
	cr_expect_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	cr_expect(is_in_force(&w, &second));
}

Test(credential_files, a_directory_that_comes_later)
{
	_world_ w;
	_pki_ leaf = { 0 };
	char path[128];

	world_init(&w);
	leaf = pki_make(&(struct pki){ 0 }, &w.ca);
	snprintf(path, sizeof(path), "%s/later", w.directory.path);
	snprintf(w.directory.path + strlen(w.directory.path), 8, "/later");
	world_open(&w, "files", &host_a);
	*strrchr(w.directory.path, '/') = '\0';
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "No such file");
	cr_assert_eq(mkdir(path, 0700), 0);
	put_parts(path, cert_manager, &leaf, &w.ca, PART_ALL);
	/* By the next attempt, after about half a second. */
	cr_expect_eq(next(&w, 2 * SOON_MS), 1, "%s", w.source->error.text);
	cr_expect(is_in_force(&w, &leaf));
}

struct bad {
	struct pki want;
	const char *says;
};

/* Whatever is put there: the credential in force stays, and the reason is told. */
Test(credential_files, a_failed_read_changes_nothing, .timeout = 60)
{
	static const struct bad bads[] = {
		{ { .san = "URI:spiffe://example.org/countersign/node/host-b" }, "this node is" },
		{ { .san = "URI:spiffe://other.example/countersign/node/host-a" }, "this node is" },
		{ { .san = "URI:spiffe://example.org/ns/a/sa/b" }, "this node is" },
		{ { .san = "" }, "names no URI" },
		{ { .from_s = -2 * PKI_DAY, .to_s = -PKI_DAY }, "has expired" },
		{ { .from_s = PKI_DAY, .to_s = 2 * PKI_DAY }, "not valid yet" },
		{ { .usage = "" }, "digitalSignature" },
		{ { .basic = "critical,CA:TRUE" }, "is no CA" },
		{ { .unknown = "x" }, "not made for this use" },
	};
	_world_ w;
	_pki_ good = { 0 };
	_pki_ stranger = pki_ca("stranger", NULL);
	_pki_text_ junk = { 0 };

	world_init(&w);
	good = pki_make(&(struct pki){ 0 }, &w.ca);
	put_parts(w.directory.path, cert_manager, &good, &w.ca, PART_ALL);
	world_open(&w, "files", &host_a);
	cr_assert_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		_pki_ bad = pki_make(&bads[i].want, &w.ca);

		put_parts(w.directory.path, cert_manager, &bad, &w.ca, PART_KEY | PART_CERTIFICATE);
		cr_expect_lt(next(&w, SOON_MS), 0, "%zu: %s", i, bads[i].says);
		expect_error(&w, bads[i].says);
		cr_expect(is_in_force(&w, &good), "%zu", i);
	}
	cr_expect_eq(w.source->failures, ARRAY_SIZE(bads));
	put_parts(w.directory.path, cert_manager, &good, &stranger, PART_ALL);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "leads to no authority");
	junk.text = strdup("junk");
	junk.length = 4;
	put(w.directory.path, "tls.crt", &junk, 0644);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "no PEM block");
	cr_expect(is_in_force(&w, &good));
	/* All is as it was: no new credential, and no error any more. */
	put_parts(w.directory.path, cert_manager, &good, &w.ca, PART_ALL);
	cr_expect_eq(next(&w, NOT_MS), 0);
	cr_expect_str_eq(w.source->error.text, "");
	cr_expect_eq(w.source->failures, 0u);
}

Test(credential_files, files_that_are_missing_or_open)
{
	_world_ w;
	_pki_ leaf = { 0 };
	char path[256];

	world_init(&w);
	leaf = pki_make(&(struct pki){ 0 }, &w.ca);
	world_open(&w, "files", &host_a);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "neither tls.crt nor svid.pem");
	put_parts(w.directory.path, cert_manager, &leaf, &w.ca, PART_CERTIFICATE);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "ca.crt: No such file");
	put_parts(w.directory.path, cert_manager, &leaf, &w.ca, PART_BUNDLE);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "tls.key: No such file");
	put_parts(w.directory.path, cert_manager, &leaf, &w.ca, PART_KEY);
	snprintf(path, sizeof(path), "%s/tls.key", w.directory.path);
	cr_assert_eq(chmod(path, 0644), 0);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "chmod 0600");
	cr_assert_eq(chmod(path, 0600), 0);
	cr_expect_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
}

/* A list beside the bundle, or in it; the node's own revocation is told, not obeyed. */
Test(credential_files, revocation_lists)
{
	_world_ w;
	_pki_ leaf = { 0 };
	_pki_ other = { 0 };
	_pki_text_ crl = { 0 }, own = { 0 };

	world_init(&w);
	leaf = pki_make(&(struct pki){ 0 }, &w.ca);
	other = pki_make(&(struct pki){ 0 }, &w.ca);
	put_parts(w.directory.path, cert_manager, &leaf, &w.ca, PART_ALL);
	world_open(&w, "files", &host_a);
	cr_assert_eq(next(&w, SOON_MS), 1);
	cr_expect_eq(sk_X509_CRL_num(w.last.bundles.item[0]->crls), 0);
	pki_text_crl(&crl, pki_crl(&w.ca, X509_get0_serialNumber(other.x509), -5, 50));
	put(w.directory.path, "crl.pem", &crl, 0644);
	cr_expect_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	cr_expect_eq(sk_X509_CRL_num(w.last.bundles.item[0]->crls), 1);
	pki_text_crl(&own, pki_crl(&w.ca, X509_get0_serialNumber(leaf.x509), -5, 50));
	put(w.directory.path, "crl.pem", &own, 0644);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "revocation list");
	cr_expect_eq(sk_X509_CRL_num(w.last.bundles.item[0]->crls), 1);
}

Test(credential_source, kinds)
{
	struct credential_error error = { 0 };
	struct credential_source *source = NULL;
	static const char *const wrongs[] = { "",   "files",	"file:/x", "Files:/x", "/x",
					      "ca", "http://x", "files:",  "ca:" };

	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		error.text[0] = '\0';
		cr_expect_eq(credential_source_new(wrongs[i], &host_a, &source, &error), -EINVAL,
			     "%s", wrongs[i]);
		cr_expect(*error.text);
		cr_expect_null(source);
	}
	cr_expect_null(credential_source_free(NULL));
}

/* Half of what is left, give or take a tenth of that; from whatever moment. */
Test(credential_source, renewal_at_half_life)
{
	int64_t low = INT64_MAX, high = 0;

	for (int i = 0; i < 2000; i++) {
		int64_t s = credential_renewal_s(1000, 1000 + 3600, 1000);

		low = MIN(low, s);
		high = MAX(high, s);
	}
	cr_expect_geq(low, 1620);
	cr_expect_leq(high, 1980);
	cr_expect_lt(low, 1660, "jitter goes down");
	cr_expect_gt(high, 1940, "jitter goes up");
	cr_expect_geq(credential_renewal_s(0, 3600, 1800), 810);
	cr_expect_leq(credential_renewal_s(0, 3600, 1800), 990);
	cr_expect_geq(credential_renewal_s(500, 4100, 0), 500 + 1620, "not before it is valid");
	cr_expect_eq(credential_renewal_s(0, 3600, 3600), 0);
	cr_expect_eq(credential_renewal_s(0, 3600, 9999), 0);
}

Test(credential_source, backoff_is_bounded)
{
	for (unsigned int n = 0; n < 200; n++) {
		unsigned int step = n > 0 ? MIN(n - 1, 10U) : 0, want = MIN(500U << step, 60000U);

		for (int i = 0; i < 50; i++) {
			unsigned int ms = credential_backoff_ms(n);

			cr_assert_geq(ms, want * 9 / 10, "%u", n);
			cr_assert_leq(ms, want * 11 / 10, "%u", n);
		}
	}
	cr_expect_leq(credential_backoff_ms(UINT_MAX), 66000u);
}
