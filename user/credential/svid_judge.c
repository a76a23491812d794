/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/x509_vfy.h>

#include "user/credential/bundle.h"
#include "user/credential/error.h"
#include "user/credential/x509.h"

#define JUDGE_AUTH_LEVEL 2 /* 112 bits: no SHA-1, no RSA key below 2048 bits */

static const char *const names[] = {
#define X(name, text, remedy) #name,
	SVID_FLAWS(X)
#undef X
};

static const struct {
	const char *text;
	const char *remedy;
} words[] = {
#define X(name, text, remedy) { text, remedy },
	SVID_FLAWS(X)
#undef X
};

/* What the callback needs to know. */
struct moment {
	int64_t now_s;
	int64_t skew_s;
};

static inline void store_ctx_freep(X509_STORE_CTX **ctx)
{
	X509_STORE_CTX_free(*ctx);
}

const char *svid_flaw_name(enum svid_flaw flaw)
{
	return (unsigned int)flaw < SVID_FLAW_MAX ? names[flaw] : "?";
}

/* The flaw's own words, what is special here, and what to do. */
static enum svid_flaw flawed(struct credential_error *reterr, enum svid_flaw flaw,
			     const struct svid *svid, const char *detail)
{
	credential_fail(reterr, 0, "%.200s: %s%s%s%s; %s", svid->spiffe_id, words[flaw].text,
			*detail ? " (" : "", detail, *detail ? ")" : "", words[flaw].remedy);
	return flaw;
}

/*
 * OpenSSL judges at now_s; what it finds too early or too late by no more than the skew
 * passes. So each certificate of the chain has the skew at either end.
 */
static int tolerate(int ok, X509_STORE_CTX *ctx)
{
	const struct moment *moment = X509_STORE_CTX_get_app_data(ctx);
	X509 *x509 = X509_STORE_CTX_get_current_cert(ctx);
	int error = X509_STORE_CTX_get_error(ctx);
	int64_t time = 0;

	if (ok || !x509)
		return ok;
	if (error == X509_V_ERR_CERT_NOT_YET_VALID &&
	    x509_time(X509_get0_notBefore(x509), &time) == 0)
		ok = time <= moment->now_s + moment->skew_s;
	else if (error == X509_V_ERR_CERT_HAS_EXPIRED &&
		 x509_time(X509_get0_notAfter(x509), &time) == 0)
		ok = time >= moment->now_s - moment->skew_s;
	if (ok)
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return ok;
}

static enum svid_flaw flaw_of(int error)
{
	static const struct {
		int error;
		enum svid_flaw flaw;
	} flaws[] = {
		{ X509_V_ERR_CERT_NOT_YET_VALID, SVID_FLAW_NOT_YET_VALID },
		{ X509_V_ERR_CERT_HAS_EXPIRED, SVID_FLAW_EXPIRED },
		{ X509_V_ERR_INVALID_CA, SVID_FLAW_USAGE },
		{ X509_V_ERR_INVALID_PURPOSE, SVID_FLAW_USAGE },
		{ X509_V_ERR_PATH_LENGTH_EXCEEDED, SVID_FLAW_USAGE },
		{ X509_V_ERR_KEYUSAGE_NO_CERTSIGN, SVID_FLAW_USAGE },
		{ X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, SVID_FLAW_USAGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flaws); i++)
		if (flaws[i].error == error)
			return flaws[i].flaw;
	return SVID_FLAW_UNTRUSTED;
}

/* An authority that is not its own issuer is an end of the chain only when OpenSSL is told. */
static bool all_self_signed(STACK_OF(X509) * authorities)
{
	for (int i = 0; i < sk_X509_num(authorities); i++)
		if (!(X509_get_extension_flags(sk_X509_value(authorities, i)) & EXFLAG_SS))
			return false;
	return true;
}

static X509_STORE_CTX *context(const struct svid *svid, const struct bundle *bundle,
			       struct moment *moment)
{
	_cleanup_(store_ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	if (!ctx || !X509_STORE_CTX_init(ctx, NULL, svid->leaf, svid->intermediates))
		return NULL;
	X509_STORE_CTX_set0_trusted_stack(ctx, bundle->authorities);
	X509_STORE_CTX_set_verify_cb(ctx, tolerate);
	X509_STORE_CTX_set_app_data(ctx, moment);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, moment->now_s);
	X509_VERIFY_PARAM_set_depth(param, SVID_CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, JUDGE_AUTH_LEVEL);
	if (!all_self_signed(bundle->authorities))
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	return TAKE_PTR(ctx);
}

/*
 * Whether the CRL, signed by @issuer, lists @x509. Looked up first and verified only then, as
 * most certificates are on no list. How old the CRL is does not matter.
 */
static bool lists(X509_CRL *crl, X509 *x509, X509 *issuer)
{
	X509_REVOKED *entry = NULL;

	if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(x509)) != 0 ||
	    X509_CRL_get0_by_cert(crl, &entry, x509) != 1)
		return false;
	return X509_CRL_verify(crl, X509_get0_pubkey(issuer)) == 1;
}

/* Every certificate below the authority, by the key of the one above it. */
static bool is_revoked(STACK_OF(X509) * chain, STACK_OF(X509_CRL) * crls)
{
	for (int i = 0; i + 1 < sk_X509_num(chain); i++)
		for (int n = 0; n < sk_X509_CRL_num(crls); n++)
			if (lists(sk_X509_CRL_value(crls, n), sk_X509_value(chain, i),
				  sk_X509_value(chain, i + 1)))
				return true;
	return false;
}

enum svid_flaw svid_judge(const struct svid *svid, const struct bundles *bundles, int64_t now_s,
			  int64_t skew_s, struct credential_error *reterr)
{
	const struct bundle *bundle = bundles_find(bundles, svid->trust_domain);
	struct moment moment = { .now_s = now_s, .skew_s = skew_s };
	_cleanup_(store_ctx_freep) X509_STORE_CTX *ctx = NULL;
	bool good, revoked;
	int error;

	if (!bundle)
		return flawed(reterr, SVID_FLAW_UNKNOWN_DOMAIN, svid, svid->trust_domain);
	ctx = context(svid, bundle, &moment);
	if (!ctx)
		return flawed(reterr, SVID_FLAW_UNTRUSTED, svid, "out of memory");
	good = X509_verify_cert(ctx) == 1;
	error = X509_STORE_CTX_get_error(ctx);
	revoked = good && is_revoked(X509_STORE_CTX_get0_chain(ctx), bundle->crls);
	credential_openssl_reason(); /* nothing stays for whoever looks next */
	if (!good)
		return flawed(reterr, flaw_of(error), svid, X509_verify_cert_error_string(error));
	return revoked ? flawed(reterr, SVID_FLAW_REVOKED, svid, svid->serial) : SVID_FLAW_NONE;
}
