/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "user/credential/error.h"
#include "user/credential/secret.h"

#define PROPERTIES_MAX 128

static inline void md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

/*
 * Which provider's code to prefer: the key's own. Digests are not asked of a TPM, which is
 * slow at them; to other providers that clause means nothing.
 */
static const char *properties(const EVP_PKEY *key, char text[static PROPERTIES_MAX])
{
	const OSSL_PROVIDER *provider = EVP_PKEY_get0_provider(key);
	const char *name = provider ? OSSL_PROVIDER_get0_name(provider) : "default";

	if (streq(name, "default"))
		return NULL;
	snprintf(text, PROPERTIES_MAX, "?provider=%s,tpm2.digest!=yes", name);
	return text;
}

int secret_sign(EVP_PKEY *key, const void *message, size_t message_length, uint8_t *ret,
		size_t *length, struct credential_error *reterr)
{
	_cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool own_digest = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
	char text[PROPERTIES_MAX];
	size_t used = *length;

	if (!ctx)
		return -ENOMEM;
	if (EVP_DigestSignInit_ex(ctx, NULL, own_digest ? NULL : "SHA256", NULL,
				  properties(key, text), key, NULL) != 1 ||
	    EVP_DigestSign(ctx, ret, &used, message, message_length) != 1)
		return credential_fail(reterr, -EIO, "the private key does not sign: %s",
				       credential_openssl_reason());
	*length = used;
	return 0;
}
