/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs on CAs and bundles, on files. */
#include "test_cli_server.h"
#include "test_credential_pki.h"

struct place {
	struct pki_directory directory;
	char ca[96], out[96], bundles[96], file[128];
};

static void place_init(struct place *p)
{
	pki_directory_init(&p->directory);
	snprintf(p->ca, sizeof(p->ca), "%s/ca", p->directory.path);
	snprintf(p->out, sizeof(p->out), "%s/out", p->directory.path);
	snprintf(p->bundles, sizeof(p->bundles), "%s/bundles", p->directory.path);
	snprintf(p->file, sizeof(p->file), "%s/bundles/example.org.json", p->directory.path);
}

static void place_done(struct place *p)
{
	pki_directory_done(&p->directory);
}
#define _place_ __attribute__((cleanup(place_done))) struct place

static void run(int want, const char *says, struct outcome o)
{
	cr_expect_eq(o.code, want, "%d: %s%s", o.code, o.out, o.err);
	cr_expect(strstr(o.out, says) || strstr(o.err, says), "\"%s%s\" does not say \"%s\"", o.out,
		  o.err, says);
	outcome_done(&o);
}

static void make(struct place *p)
{
	run(CLI_OK, "A CA for example.org",
	    run_cli("ca", "init", p->ca, "--trust-domain", "example.org"));
}

static mode_t mode_of(const char *directory, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	cr_assert_eq(stat(path, &st), 0, "%s: %m", path);
	return st.st_mode & 0777;
}

Test(cli_credential, a_ca_from_beginning_to_end)
{
	_place_ p;
	struct outcome o;
	char *serial;

	place_init(&p);
	make(&p);
	cr_expect_eq(mode_of(p.ca, "ca.key"), 0600u);
	run(CLI_FAILED, "there is a CA already",
	    run_cli("ca", "init", p.ca, "--trust-domain", "example.org"));
	o = run_cli("ca", "issue", p.ca, "--spiffe-id", "spiffe://example.org/countersign/node/a",
		    "--out", p.out, "--lifetime", "2h");
	cr_assert_eq(o.code, CLI_OK, "%s", o.err);
	cr_expect_eq(mode_of(p.out, "tls.key"), 0600u);
	cr_expect_eq(mode_of(p.out, "tls.crt"), 0644u);
	serial = strstr(o.out, "serial ") + strlen("serial ");
	serial[strcspn(serial, ",")] = '\0';
	run(CLI_OK, "is revoked", run_cli("ca", "revoke", p.ca, "--serial", serial));
	outcome_done(&o);
	run(CLI_OK, "1 revoked", run_cli("ca", "bundle", p.ca, "-o", "text"));
	run(CLI_OK, "-----BEGIN X509 CRL-----", run_cli("ca", "bundle", p.ca));
	run(CLI_OK, "\"use\": \"x509-svid\"", run_cli("ca", "bundle", p.ca, "-o", "jwks"));
}

Test(cli_credential, what_is_issued_is_an_svid)
{
	_place_ p;
	_cleanup_(svid_freep) struct svid *svid = NULL;
	struct credential_error error = { 0 };
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	char path[256], text[8192];
	size_t n;
	FILE *f;
	int dir;

	place_init(&p);
	make(&p);
	run(CLI_OK, "spiffe://example.org/a, serial",
	    run_cli("ca", "issue", p.ca, "--spiffe-id", "spiffe://example.org/a", "--out", p.out));
	snprintf(path, sizeof(path), "%s/tls.crt", p.out);
	f = fopen(path, "r");
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	dir = open(p.out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(secret_key_from_file(dir, "tls.key", &key, &error), 0, "%s", error.text);
	cr_assert_eq(svid_chain_from_pem(text, n, &chain, &error), 0, "%s", error.text);
	cr_assert_eq(svid_new(chain, key, &svid, &error), 0, "%s", error.text);
	cr_expect_eq(svid->not_after_s - svid->not_before_s, 3660);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	close(dir);
}

Test(cli_credential, wrong_usage_and_failures)
{
	_place_ p;

	place_init(&p);
	run(CLI_USAGE, "--trust-domain are wanted", run_cli("ca", "init", p.ca));
	run(CLI_USAGE, "are wanted", run_cli("ca", "init", "--trust-domain", "example.org"));
	run(CLI_USAGE, "--lifetime wants",
	    run_cli("ca", "init", p.ca, "--trust-domain", "a", "--lifetime", "0d"));
	run(CLI_FAILED, "is no trust domain", run_cli("ca", "init", p.ca, "--trust-domain", "A b"));
	run(CLI_FAILED, "No such file", run_cli("ca", "bundle", p.out));
	run(CLI_FAILED, "No such file", run_cli("ca", "revoke", p.out, "--serial", "1"));
	make(&p);
	run(CLI_USAGE, "are wanted", run_cli("ca", "issue", p.ca, "--out", p.out));
	run(CLI_USAGE, "are wanted", run_cli("ca", "issue", p.ca, "--spiffe-id", "spiffe://a/b"));
	run(CLI_USAGE, "--lifetime wants",
	    run_cli("ca", "issue", p.ca, "--spiffe-id", "spiffe://example.org/a", "--out", p.out,
		    "--lifetime", "soon"));
	run(CLI_FAILED, "is no SPIFFE ID",
	    run_cli("ca", "issue", p.ca, "--spiffe-id", "host-a", "--out", p.out));
	run(CLI_FAILED, "not of this CA's trust domain",
	    run_cli("ca", "issue", p.ca, "--spiffe-id", "spiffe://other/a", "--out", p.out));
	run(CLI_USAGE, "are wanted", run_cli("ca", "revoke", p.ca));
	run(CLI_FAILED, "is no serial number", run_cli("ca", "revoke", p.ca, "--serial", "x"));
	run(CLI_USAGE, "-o wants", run_cli("ca", "bundle", p.ca, "-o", "der"));
	run(CLI_USAGE, "-o wants", run_cli("bundle", "show", p.ca, "-o", "json"));
	run(CLI_FAILED, "holds no bundle", run_cli("bundle", "show", p.ca));
	run(CLI_USAGE, "are wanted", run_cli("bundle", "set", p.file));
	run(CLI_USAGE, "is wanted", run_cli("bundle", "show"));
	run(CLI_FAILED, "No such file", run_cli("bundle", "show", p.file));
}

/* PEM or JWKS in, the SPIFFE format out; what is refused leaves the file as it was. */
Test(cli_credential, bundles_are_set)
{
	_place_ p;
	char pem[128], leaf[128];

	place_init(&p);
	make(&p);
	snprintf(pem, sizeof(pem), "%s/ca.crt", p.ca);
	snprintf(leaf, sizeof(leaf), "%s/tls.crt", p.out);
	run(CLI_OK, "is written",
	    run_cli("bundle", "set", "--bundles", p.bundles, "--trust-domain", "example.org",
		    "--node-numbers", "4096-8191", pem));
	cr_expect_eq(mode_of(p.bundles, "example.org.json"), 0644u);
	run(CLI_OK, "example.org: nodes 4096-8191", run_cli("bundle", "show", p.bundles));
	/* A bundle without a range keeps it; a JWK set can be set as well. */
	run(CLI_OK, "is written",
	    run_cli("bundle", "set", "--bundles", p.bundles, "--trust-domain", "example.org", pem));
	run(CLI_OK, "nodes 4096-8191", run_cli("bundle", "show", p.file));
	run(CLI_OK, "is written",
	    run_cli("bundle", "set", "--bundles", p.bundles, "--trust-domain", "other.example",
		    p.file));
	run(CLI_OK, "other.example: nodes 4096-8191", run_cli("bundle", "show", p.bundles));
	run(CLI_FAILED, "--node-numbers wants",
	    run_cli("bundle", "set", "--bundles", p.bundles, "--trust-domain", "example.org",
		    "--node-numbers", "8191-4096", pem));
	run(CLI_OK, "serial",
	    run_cli("ca", "issue", p.ca, "--spiffe-id", "spiffe://example.org/a", "--out", p.out));
	run(CLI_FAILED, "is no CA's",
	    run_cli("bundle", "set", "--bundles", p.bundles, "--trust-domain", "example.org",
		    leaf));
	run(CLI_FAILED, "is no trust domain",
	    run_cli("bundle", "set", "--bundles", p.bundles, "--trust-domain", "../x", pem));
	run(CLI_OK, "example.org: nodes 4096-8191", run_cli("bundle", "show", p.file));
	run(CLI_OK, "BEGIN CERTIFICATE", run_cli("bundle", "show", p.file, "-o", "pem"));
	run(CLI_OK, "countersign_nodes", run_cli("bundle", "show", p.file, "-o", "jwks"));
	run(CLI_OK, "a.b: nodes any", run_cli("bundle", "show", pem, "--trust-domain", "a.b"));
}
