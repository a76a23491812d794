/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/workload.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <time.h>

#include "user/base/quote.h"
#include "user/credential/bundle_internal.h"
#include "user/credential/node_record.h"
#include "user/credential/secret.h"
#include "user/credential/x509.h"
#include "user/identity/spiffe.h"
#include "workload.pb-c.h"

#define SPIFFE_SCHEME "spiffe://"
#define LISTED_MAX 4 /* SPIFFE IDs that an error names */
#define ID_SHOWN 96 /* bytes of each */
#define WANTED_MAX 512 /* bytes of a SPIFFE ID with a trust domain and a node name */

/*
 * The secure heap is small and shared. What it has no room for (a large federation's bundles)
 * goes into ordinary memory, and is wiped all the same.
 */
void *workload_secret_alloc(size_t size)
{
	void *secret = OPENSSL_secure_malloc(size);

	if (secret)
		return secret;
	ERR_clear_error();
	return OPENSSL_malloc(size);
}

void workload_secret_free(void *secret, size_t size)
{
	OPENSSL_secure_clear_free(secret, size);
}

/* What protobuf-c allocates; it does not say the size again when it frees. */
struct piece {
	_Alignas(max_align_t) size_t size;
	_Alignas(max_align_t) uint8_t data[];
};

/* A few bytes can ask for an array of large structures: @data is what may still be taken. */
static void *piece_alloc(void *data, size_t size)
{
	size_t *left = data;
	struct piece *piece;

	if (size > *left)
		return NULL;
	piece = workload_secret_alloc(sizeof(*piece) + size);
	if (!piece)
		return NULL;
	*left -= size;
	piece->size = size;
	return piece->data;
}

static void piece_free(void *data, void *pointer)
{
	struct piece *piece;

	(void)data;
	if (!pointer)
		return;
	piece = (struct piece *)((uint8_t *)pointer - offsetof(struct piece, data));
	workload_secret_free(piece, sizeof(*piece) + piece->size);
}

/* One answer on its way to a credential. */
struct answer {
	const struct credential_options *options;
	const X509SVIDResponse *response;
	struct credential_error *reterr;
	char wanted[WANTED_MAX]; /* the SPIFFE ID */
};

static int fail_limit(const struct answer *answer, const char *what, size_t n, size_t max)
{
	return credential_fail(answer->reterr, -EBADMSG,
			       "the Workload API's answer has %zu %s, the limit is %zu: give this "
			       "node fewer",
			       n, what, max);
}

static int check_limits(const struct answer *answer)
{
	const X509SVIDResponse *response = answer->response;

	if (response->n_svids > WORKLOAD_SVIDS_MAX)
		return fail_limit(answer, "SVIDs", response->n_svids, WORKLOAD_SVIDS_MAX);
	if (response->n_crl > BUNDLE_CRLS_MAX)
		return fail_limit(answer, "CRLs", response->n_crl, BUNDLE_CRLS_MAX);
	if (response->n_federated_bundles > WORKLOAD_FEDERATED_MAX)
		return fail_limit(answer, "federated bundles", response->n_federated_bundles,
				  WORKLOAD_FEDERATED_MAX);
	return 0;
}

/* "\"spiffe://a/b\", \"spiffe://a/c\" and 3 more" */
static void list_ids(const X509SVIDResponse *response, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < response->n_svids && i < LISTED_MAX; i++) {
		_cleanup_free_ char *id = quote(response->svids[i]->spiffe_id);

		n += snprintf(text + n, size - n, "%s\"%.*s\"", i ? ", " : "", ID_SHOWN,
			      id ? id : "");
		if (n >= size)
			return;
	}
	if (response->n_svids > LISTED_MAX)
		snprintf(text + n, size - n, " and %zu more", response->n_svids - LISTED_MAX);
}

static int choose(const struct answer *answer, const X509SVID **ret)
{
	const X509SVIDResponse *response = answer->response;
	char listed[CREDENTIAL_ERROR_MAX];

	for (size_t i = 0; i < response->n_svids; i++)
		if (streq(response->svids[i]->spiffe_id, answer->wanted)) {
			*ret = response->svids[i];
			return 0;
		}
	if (response->n_svids == 0)
		return credential_fail(
			answer->reterr, -ENOENT,
			"the Workload API gave no SVID: register %s for this process",
			answer->wanted);
	list_ids(response, listed, sizeof(listed));
	return credential_fail(answer->reterr, -ENOENT,
			       "the Workload API gave no SVID for %s: register it; it gave %s",
			       answer->wanted, listed);
}

/* Nothing is no DER; and protobuf-c gives no pointer to it. */
static int check_given(const struct answer *answer, const X509SVID *given)
{
	const struct {
		const char *name;
		size_t length;
	} parts[] = {
		{ "certificate", given->x509_svid.len },
		{ "private key", given->x509_svid_key.len },
		{ "bundle", given->bundle.len },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i].length == 0)
			return credential_fail(answer->reterr, -EBADMSG,
					       "the Workload API's SVID for %s comes without a %s",
					       answer->wanted, parts[i].name);
	return 0;
}

static int make_svid(const struct answer *answer, const X509SVID *given, struct svid **ret)
{
	_cleanup_(x509_stack_freep) STACK_OF(X509) *chain = NULL;
	_cleanup_(pkey_freep) EVP_PKEY *key = NULL;
	_cleanup_(svid_freep) struct svid *svid = NULL;
	int r;

	r = check_given(answer, given);
	if (r < 0)
		return r;
	r = svid_chain_from_der(given->x509_svid.data, given->x509_svid.len, &chain,
				answer->reterr);
	if (r < 0)
		return r;
	r = secret_key_from_der(given->x509_svid_key.data, given->x509_svid_key.len, &key,
				answer->reterr);
	if (r < 0)
		return r;
	r = svid_new(chain, key, &svid, answer->reterr);
	if (r < 0)
		return r;
	/* What the answer says beside the certificate is not signed; the certificate decides. */
	if (!streq(svid->spiffe_id, answer->wanted))
		return credential_fail(answer->reterr, -EKEYREJECTED,
				       "the Workload API's SVID for %s has a certificate for %s",
				       answer->wanted, svid->spiffe_id);
	*ret = TAKE_PTR(svid);
	return 0;
}

static int add_bundle(const struct answer *answer, const char *trust_domain,
		      const ProtobufCBinaryData *der, struct bundles *bundles)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	struct credential_error detail = { "out of memory" };
	int r;

	r = bundle_from_der(trust_domain, der->data, der->len, &bundle, &detail);
	if (r < 0)
		return credential_fail(answer->reterr, r, "the Workload API's bundle of %s: %s",
				       trust_domain, detail.text);
	r = bundles_put(bundles, TAKE_PTR(bundle));
	if (r < 0)
		return credential_fail(answer->reterr, r, "no room for the bundle of %s",
				       trust_domain);
	return 0;
}

/* A federated bundle must never stand in for the own one, whatever it calls itself. */
static int add_federated(const struct answer *answer, struct bundles *bundles)
{
	const X509SVIDResponse *response = answer->response;

	for (size_t i = 0; i < response->n_federated_bundles; i++) {
		const X509SVIDResponse__FederatedBundlesEntry *entry =
			response->federated_bundles[i];
		const char *name = entry->key;
		int r;

		if (startswith(name, SPIFFE_SCHEME))
			name += strlen(SPIFFE_SCHEME);
		if (!spiffe_trust_domain_valid(name))
			return credential_fail(answer->reterr, -EBADMSG,
					       "the Workload API gave a federated bundle for "
					       "something that is no trust domain");
		/* Nobody there is trusted; that must not cost this node its own identity. */
		if (entry->value.len == 0)
			continue;
		if (bundles_find(bundles, name))
			return credential_fail(answer->reterr, -EBADMSG,
					       "the Workload API gave two bundles for %s", name);
		r = add_bundle(answer, name, &entry->value, bundles);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The name alone says little: many trust domains call their authorities the same. */
static bool signed_by(X509_CRL *crl, const struct bundle *bundle)
{
	bool is = false;

	for (int i = 0; i < sk_X509_num(bundle->authorities) && !is; i++) {
		X509 *authority = sk_X509_value(bundle->authorities, i);

		is = X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(crl)) ==
			     0 &&
		     X509_CRL_verify(crl, X509_get0_pubkey(authority)) == 1;
	}
	ERR_clear_error();
	return is;
}

/*
 * CRLs come without saying whose they are: each goes to the bundle whose authority signed it,
 * and to the own one when none did, for an authority between the root and the leaves.
 */
static int add_crl(const struct answer *answer, const ProtobufCBinaryData *der,
		   struct bundles *bundles)
{
	_cleanup_(crl_freep) X509_CRL *crl = NULL;
	struct bundle *bundle = bundles->item[0];
	const uint8_t *at = der->data;

	if (der->len > 0)
		crl = d2i_X509_CRL(NULL, &at, (long)der->len);
	if (!crl || at != der->data + der->len) {
		ERR_clear_error();
		return credential_fail(answer->reterr, -EBADMSG,
				       "the Workload API gave a CRL that is not DER");
	}
	for (size_t i = 0; i < bundles->n; i++)
		if (signed_by(crl, bundles->item[i])) {
			bundle = bundles->item[i];
			break;
		}
	return bundle_add_crl(bundle, TAKE_PTR(crl), answer->reterr);
}

static int add_crls(const struct answer *answer, struct bundles *bundles)
{
	const X509SVIDResponse *response = answer->response;
	int r;

	for (size_t i = 0; i < response->n_crl; i++) {
		r = add_crl(answer, &response->crl[i], bundles);
		if (r < 0)
			return r;
	}
	return bundle_check(bundles->item[0], answer->reterr);
}

static int judge(const struct answer *answer, const struct credential *credential)
{
	struct credential_error detail = { "" };
	enum svid_flaw flaw;

	flaw = svid_judge(credential->svid, &credential->bundles, time(NULL), NODE_SKEW_MS / 1000,
			  &detail);
	if (flaw == SVID_FLAW_NONE)
		return 0;
	return credential_fail(answer->reterr, -EKEYREJECTED,
			       "the Workload API's SVID is refused (%s): %s", svid_flaw_name(flaw),
			       detail.text);
}

static int make_credential(struct answer *answer, struct credential *credential)
{
	const X509SVID *given = NULL;
	int r;

	r = check_limits(answer);
	if (r < 0)
		return r;
	r = choose(answer, &given);
	if (r < 0)
		return r;
	r = make_svid(answer, given, &credential->svid);
	if (r < 0)
		return r;
	r = add_bundle(answer, answer->options->trust_domain, &given->bundle, &credential->bundles);
	if (r < 0)
		return r;
	r = add_federated(answer, &credential->bundles);
	if (r < 0)
		return r;
	r = add_crls(answer, &credential->bundles);
	if (r < 0)
		return r;
	return judge(answer, credential);
}

int workload_parse(const uint8_t *message, size_t length, const struct credential_options *options,
		   struct credential *ret, struct credential_error *reterr)
{
	size_t left = WORKLOAD_UNPACKED_MAX;
	ProtobufCAllocator allocator = { piece_alloc, piece_free, &left };
	struct answer answer = { .options = options, .reterr = reterr };
	struct credential credential = { .svid = NULL };
	X509SVIDResponse *response = NULL;
	int r;

	if (snprintf(answer.wanted, sizeof(answer.wanted), SPIFFE_SCHEME "%s/countersign/node/%s",
		     options->trust_domain, options->node_name) >= (int)sizeof(answer.wanted))
		return credential_fail(reterr, -EINVAL, "the node's SPIFFE ID is too long");
	if (length <= WORKLOAD_MESSAGE_MAX)
		response = x509_svidresponse__unpack(&allocator, length, message);
	if (!response)
		return credential_fail(reterr, -EBADMSG,
				       "the Workload API's answer of %zu bytes cannot be read",
				       length);
	answer.response = response;
	r = make_credential(&answer, &credential);
	x509_svidresponse__free_unpacked(response, &allocator);
	if (r < 0) {
		credential_done(&credential);
		return r;
	}
	*ret = credential;
	return 0;
}
