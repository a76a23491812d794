/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that a provider holds: only it ever sees them, here is a handle. */
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "user/credential/error.h"
#include "user/credential/secret.h"

static inline void store_freep(OSSL_STORE_CTX **store)
{
	OSSL_STORE_close(*store);
}
static inline void info_freep(OSSL_STORE_INFO **info)
{
	OSSL_STORE_INFO_free(*info);
}

/* Loads the provider for as long as the process lives, as keys go on to need it; beside the
 * default one. */
static int load_provider(const char *name, struct credential_error *reterr)
{
	if (!name || OSSL_PROVIDER_available(NULL, name))
		return 0;
	if (OSSL_PROVIDER_try_load(NULL, name, /* retain_fallbacks= */ 1))
		return 0;
	return credential_fail(reterr, -ENOENT,
			       "OpenSSL provider \"%.60s\": %s; is it installed "
			       "(openssl list -providers -provider %.60s)?",
			       name, credential_openssl_reason(), name);
}

/* The scheme alone, for messages: what follows may be a PIN. */
static int scheme_length(const char *uri)
{
	return (int)strcspn(uri, ":");
}

/* The first private key that the store has. */
static EVP_PKEY *first_key(OSSL_STORE_CTX *store)
{
	while (!OSSL_STORE_eof(store)) {
		_cleanup_(info_freep) OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			return OSSL_STORE_INFO_get1_PKEY(info);
		if (!info && OSSL_STORE_error(store))
			return NULL;
	}
	return NULL;
}

/* A key of the default provider lies in a file in plain: secret_key_from_file() is for it. */
static bool is_plain(const EVP_PKEY *key)
{
	const OSSL_PROVIDER *provider = EVP_PKEY_get0_provider(key);

	return !provider || streq(OSSL_PROVIDER_get0_name(provider), "default");
}

int secret_key_from_uri(const char *uri, const char *provider, EVP_PKEY **ret,
			struct credential_error *reterr)
{
	_cleanup_(store_freep) OSSL_STORE_CTX *store = NULL;
	EVP_PKEY *key;
	int r;

	if (!strchr(uri, ':') || (!provider && startswith(uri, "file:")))
		return credential_fail(reterr, -EINVAL,
				       "a key URI names what a provider holds, such as "
				       "pkcs11:token=...;object=... or handle:0x81000001");
	r = secret_init(reterr);
	if (r == 0)
		r = load_provider(provider, reterr);
	if (r < 0)
		return r;
	/* UI_null(): nobody is asked for a PIN; it comes with the URI or the provider's set-up. */
	store = OSSL_STORE_open_ex(uri, NULL, NULL, UI_null(), NULL, NULL, NULL, NULL);
	if (!store)
		return credential_fail(reterr, -ENOENT, "key URI %.*s:...: %s",
				       MIN(scheme_length(uri), 40), uri,
				       credential_openssl_reason());
	OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
	key = first_key(store);
	if (!key)
		return credential_fail(reterr, -ENOKEY, "key URI %.*s:... names no private key: %s",
				       MIN(scheme_length(uri), 40), uri,
				       credential_openssl_reason());
	if (is_plain(key)) {
		EVP_PKEY_free(key);
		return credential_fail(reterr, -EINVAL,
				       "the key URI names a key in plain in a file; give the file "
				       "instead of a URI");
	}
	*ret = key;
	return 0;
}
