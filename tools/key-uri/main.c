/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries a private key that an OpenSSL provider holds, before an agent is told to use it:
 *
 *	key-uri URI PROVIDER DIR NODE
 *
 * Opens files:DIR with that key for the node NODE of the trust domain example.org, or of
 * $TRUST_DOMAIN, and signs with it. Exit code 0: that works; 1: it does not, with the reason.
 */
#include <openssl/evp.h>

#include "user/credential/credential.h"
#include "user/credential/secret.h"

#define SIGNATURE_MAX 1024

static int fail(const char *text)
{
	fprintf(stderr, "key-uri: %s\n", text);
	return 1;
}

static int sign(const struct svid *svid)
{
	static const uint8_t message[] = "countersign";
	struct credential_error error = { 0 };
	uint8_t signature[SIGNATURE_MAX];
	size_t length = sizeof(signature);
	EVP_MD_CTX *ctx;
	bool good;

	if (secret_sign(svid->key, message, sizeof(message), signature, &length, &error) < 0)
		return fail(error.text);
	ctx = EVP_MD_CTX_new();
	good = ctx &&
	       EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, X509_get0_pubkey(svid->leaf)) ==
		       1 &&
	       EVP_DigestVerify(ctx, signature, length, message, sizeof(message)) == 1;
	EVP_MD_CTX_free(ctx);
	if (!good)
		return fail("the key does not sign what its certificate verifies");
	printf("%s: signed and verified\n", svid->spiffe_id);
	return 0;
}

int main(int argc, char **argv)
{
	const char *domain = getenv("TRUST_DOMAIN");
	_cleanup_(credential_source_freep) struct credential_source *source = NULL;
	struct credential_error error = { 0 };
	struct credential credential = { 0 };
	struct credential_options options;
	char spec[4096];
	int r;

	if (argc != 5)
		return fail("URI, PROVIDER, DIR and NODE are wanted");
	options = (struct credential_options){ .trust_domain = domain ? domain : "example.org",
					       .node_name = argv[4],
					       .key_uri = argv[1],
					       .key_provider = argv[2] };
	snprintf(spec, sizeof(spec), "files:%s", argv[3]);
	if (secret_init(&error) < 0 || credential_source_new(spec, &options, &source, &error) < 0)
		return fail(error.text);
	r = source->ops->dispatch(source, &credential);
	if (r < 0)
		return fail(source->error.text);
	r = sign(credential.svid);
	credential_done(&credential);
	return r;
}
