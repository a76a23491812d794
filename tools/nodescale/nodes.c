/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/nodescale/nodescale.h"

#include <openssl/x509v3.h>

#define DAY_S 86400
#define HOUR_MS 3600000

/* One root, and an intermediate CA that signs all nodes: chains as SPIRE makes them. */
static struct {
	EVP_PKEY *root_key, *ca_key;
	X509 *root, *ca;
	int64_t now_ms;
	long serial;
} made;

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "nodescale: cannot make %s\n", what);
	exit(1);
}

static void extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	need(extension && X509_add_ext(certificate, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

/* @issuer NULL: signs itself. */
static X509 *certificate_make(const char *uri, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	bool leaf = issuer && issuer != made.root;
	const char *name = leaf ? "node" : issuer ? "intermediate" : "root";
	X509 *x = X509_new();

	need(x && key, "a certificate");
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++made.serial);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	ASN1_TIME_set(X509_getm_notBefore(x), made.now_ms / 1000 - DAY_S);
	ASN1_TIME_set(X509_getm_notAfter(x), made.now_ms / 1000 + DAY_S);
	X509_set_pubkey(x, key);
	extend(x, NID_key_usage, leaf ? "critical,digitalSignature" : "critical,keyCertSign");
	extend(x, NID_basic_constraints, leaf ? "critical,CA:FALSE" : "critical,CA:TRUE");
	extend(x, NID_subject_alt_name, uri);
	need(X509_sign(x, issuer_key, EVP_sha256()) > 0, "a signature");
	return x;
}

static void make_authorities(struct bundles *bundles)
{
	struct bundle *bundle = NULL;
	uint8_t *der = NULL;
	int n;

	made.root_key = EVP_EC_gen("P-256");
	made.ca_key = EVP_EC_gen("P-256");
	made.root =
		certificate_make("URI:spiffe://example.org", made.root_key, NULL, made.root_key);
	made.ca =
		certificate_make("URI:spiffe://example.org", made.ca_key, made.root, made.root_key);
	n = i2d_X509(made.root, &der);
	need(n > 0 && bundle_from_der("example.org", der, n, &bundle, NULL) == 0 &&
		     bundles_put(bundles, bundle) == 0,
	     "the bundle");
	OPENSSL_free(der);
}

static struct svid *make_svid(const char *name)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct svid *svid = NULL;
	char uri[128];

	snprintf(uri, sizeof(uri), "URI:spiffe://example.org/countersign/node/%s", name);
	X509_up_ref(made.ca);
	need(chain && sk_X509_push(chain, certificate_make(uri, key, made.ca, made.ca_key)) > 0 &&
		     sk_X509_push(chain, made.ca) > 0 && svid_new(chain, key, &svid, NULL) == 0,
	     "an SVID");
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	return svid;
}

/* Two keys as in the middle of a rotation; @again: issued later, with a newer key. */
static char *make_text(size_t i, bool again)
{
	const struct key_ring_options options = { .lifetime_ms = HOUR_MS };
	struct node_record *record = calloc(1, sizeof(*record));
	int64_t now_ms = made.now_ms + again;
	struct key_ring *ring = NULL;
	struct svid *svid;
	char *text;

	need(record && key_ring_new(&options, &ring) == 0, "a ring");
	key_ring_tick(ring, now_ms - HOUR_MS / 2);
	key_ring_tick(ring, now_ms);
	record->trust_domain = strdup("example.org");
	snprintf(record->name, sizeof(record->name), "node-%zu", i);
	record->number = i + 1;
	record->issued_ms = now_ms;
	record->n_keys = key_ring_public(ring, record->key);
	svid = make_svid(record->name);
	need(node_record_sign(record, svid, NULL) == 0, "a signature");
	text = node_record_format(record);
	need(text, "a record");
	svid_free(svid);
	key_ring_free(ring);
	node_record_free(record);
	return text;
}

void nodes_make(struct node_document *documents, size_t n, int64_t now_ms, struct bundles *bundles)
{
	made.now_ms = now_ms;
	make_authorities(bundles);
	for (size_t i = 0; i < n; i++) {
		char *name = NULL, *text = make_text(i, false);

		need(asprintf(&name, "nodes/%zu.json", i + 1) > 0, "a name");
		documents[i] = (struct node_document){ name, text, strlen(text), { 0 } };
	}
}

void nodes_renew(struct node_document *document, size_t i)
{
	free((char *)document->text);
	document->text = make_text(i, true);
	document->length = strlen(document->text);
}

void nodes_done(struct node_document *documents, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)documents[i].name);
		free((char *)documents[i].text);
	}
	free(documents);
	EVP_PKEY_free(made.root_key);
	EVP_PKEY_free(made.ca_key);
	X509_free(made.root);
	X509_free(made.ca);
}
