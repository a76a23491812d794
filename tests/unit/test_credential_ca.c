/* SPDX-License-Identifier: Apache-2.0 */
/* ca:, and the CA that it uses. */
#include "test_credential_world.h"

static void make_ca(struct world *w)
{
	struct credential_error error = { 0 };

	cr_assert_eq(authority_init(w->directory.path, "example.org", 0, &error), 0, "%s",
		     error.text);
}

Test(credential_ca, issues_for_this_node)
{
	_world_ w;

	world_init(&w);
	make_ca(&w);
	world_open(&w, "ca", &host_a);
	cr_assert_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	cr_expect_str_eq(w.last.svid->spiffe_id, "spiffe://example.org/countersign/node/host-a");
	cr_expect_eq(w.last.svid->not_after_s - w.last.svid->not_before_s, 3660);
	cr_expect_leq(llabs(w.last.svid->not_before_s - pki_now() + 60), 3);
	cr_expect_geq(w.last.renew_s, pki_now() + 1615);
	cr_expect_leq(w.last.renew_s, pki_now() + 1985);
	cr_expect_geq(strlen(w.last.svid->serial), 30u, "%s", w.last.svid->serial);
	cr_expect_eq(next(&w, NOT_MS), 0);
}

/* A lifetime of four seconds: renewed after about two, with another key and number. */
Test(credential_ca, renews_at_half_life, .timeout = 30)
{
	struct credential_options options = host_a;
	_world_ w;
	char serial[SVID_SERIAL_MAX];
	int64_t begin;

	options.svid_lifetime_s = 4;
	world_init(&w);
	make_ca(&w);
	world_open(&w, "ca", &options);
	cr_assert_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	begin = clock_ns(CLOCK_MONOTONIC);
	strcpy(serial, w.last.svid->serial);
	cr_expect_eq(next(&w, 3500), 1, "%s", w.source->error.text);
	cr_expect_geq(clock_ns(CLOCK_MONOTONIC) - begin, 900000000LL);
	cr_expect_str_neq(w.last.svid->serial, serial);
}

Test(credential_ca, failures_keep_the_last_one)
{
	_world_ w;
	char path[256], away[256], serial[SVID_SERIAL_MAX];

	world_init(&w);
	world_open(&w, "ca", &host_a);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "ca.crt: No such file");
	make_ca(&w);
	cr_assert_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	strcpy(serial, w.last.svid->serial);
	snprintf(path, sizeof(path), "%s/ca.key", w.directory.path);
	snprintf(away, sizeof(away), "%s/away", w.directory.path);
	cr_assert_eq(rename(path, away), 0);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "ca.key: No such file");
	cr_expect_str_eq(w.last.svid->serial, serial);
	cr_assert_eq(rename(away, path), 0);
	/* Back as it was: nothing to hand over. */
	cr_expect_eq(next(&w, NOT_MS), 0);
	cr_expect_str_eq(w.source->error.text, "");
}

Test(credential_ca, of_another_trust_domain)
{
	struct credential_options options = { .trust_domain = "other.example", .node_name = "a" };
	_world_ w;

	world_init(&w);
	make_ca(&w);
	world_open(&w, "ca", &options);
	cr_expect_lt(next(&w, SOON_MS), 0);
	expect_error(&w, "not of this CA's trust domain");
}

/* A revocation comes with the bundle; a new CA in the place of the old one is taken. */
Test(credential_ca, follows_its_directory)
{
	_world_ w;
	_cleanup_close_ int dir = -EBADF;
	struct credential_error error = { 0 };
	char path[256];

	world_init(&w);
	make_ca(&w);
	world_open(&w, "ca", &host_a);
	cr_assert_eq(next(&w, SOON_MS), 1);
	dir = open(w.directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(authority_revoke(dir, "ab", pki_now(), &error), 0, "%s", error.text);
	cr_expect_eq(next(&w, SOON_MS), 1, "%s", w.source->error.text);
	cr_expect_eq(sk_X509_CRL_num(w.last.bundles.item[0]->crls), 1);
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "ca.key", "ca.crt", "crl.pem" };

		snprintf(path, sizeof(path), "%s/%s", w.directory.path, names[i]);
		cr_assert_eq(unlink(path), 0);
	}
	make_ca(&w);
	while (next(&w, SOON_MS) < 0)
		;
	cr_expect_eq(sk_X509_CRL_num(w.last.bundles.item[0]->crls), 0);
	cr_expect_str_eq(w.source->error.text, "");
}

Test(credential_ca, init_never_overwrites)
{
	_world_ w;
	struct credential_error error = { 0 };
	char path[256];
	struct stat st;

	world_init(&w);
	make_ca(&w);
	cr_expect_eq(authority_init(w.directory.path, "example.org", 0, &error), -EEXIST);
	snprintf(path, sizeof(path), "%s/ca.key", w.directory.path);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600u);
	/* Half of one is left as it is, too. */
	snprintf(path, sizeof(path), "%s/ca.crt", w.directory.path);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(authority_init(w.directory.path, "example.org", 0, &error), -EEXIST);
	cr_expect_eq(authority_init(w.directory.path, "Example", 0, &error), -EINVAL);
}

/* What is issued ends with the CA; and is revoked once, however often it is asked for. */
Test(credential_ca, issue_and_revoke)
{
	_world_ w;
	_cleanup_close_ int dir = -EBADF;
	_cleanup_(authority_freep) struct authority *authority = NULL;
	_cleanup_(svid_freep) struct svid *svid = NULL, *other = NULL;
	struct credential_error error = { 0 };
	struct bundle *bundle = NULL;
	struct bundles bundles = { 0 };

	world_init(&w);
	cr_assert_eq(authority_init(w.directory.path, "example.org", 100, &error), 0);
	dir = open(w.directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(authority_open(dir, &authority, &error), 0, "%s", error.text);
	cr_assert_eq(authority_issue(authority, "spiffe://example.org/a", pki_now(), 5000, &svid,
				     &error),
		     0, "%s", error.text);
	cr_expect_leq(svid->not_after_s, pki_now() + 100);
	cr_assert_eq(authority_issue(authority, "spiffe://example.org/b", pki_now(), 50, &other,
				     &error),
		     0);
	cr_expect_eq(authority_issue(authority, "spiffe://example.organ/a", pki_now(), 50, &other,
				     &error),
		     -EINVAL);
	cr_expect_eq(authority_issue(authority, "spiffe://example.org/a", pki_now() + 200, 50,
				     &other, &error),
		     -EKEYEXPIRED);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(authority_revoke(dir, svid->serial, pki_now(), &error), 0, "%s",
			     error.text);
	cr_assert_eq(authority_bundle(dir, &bundle, &error), 0, "%s", error.text);
	cr_expect_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(sk_X509_CRL_value(bundle->crls, 0))),
		     1);
	bundles_put(&bundles, bundle);
	cr_expect_eq(svid_judge(svid, &bundles, pki_now(), 0, &error), SVID_FLAW_REVOKED);
	cr_expect_eq(svid_judge(other, &bundles, pki_now(), 0, &error), SVID_FLAW_NONE, "%s",
		     error.text);
	bundles_done(&bundles);
	cr_expect_eq(authority_revoke(dir, "xyz", pki_now(), &error), -EINVAL);
	cr_expect_eq(authority_revoke(dir, "", pki_now(), &error), -EINVAL);
	cr_expect_eq(authority_revoke(dir, "0", pki_now(), &error), -EINVAL);
}
