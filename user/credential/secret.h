/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in memory: OpenSSL's secure heap, which is locked, left out of core dumps, and
 * wiped when freed (OPENSSL_secure_malloc(3)).
 */
#pragma once

#include <openssl/evp.h>

#include "user/credential/svid.h"

#define SECRET_HEAP_BYTES (1 << 20)
#define SECRET_FILE_MAX (64 << 10)

/*
 * Makes the heap, once per process, before any key is read. -ENOMEM: RLIMIT_MEMLOCK is too
 * small; then no key is read at all. Call it first of all in main(): only before OpenSSL
 * allocated anything can RSA and Ed25519 keys be kept wholly in the heap; EC keys always are.
 */
int secret_init(struct credential_error *reterr);

/*
 * Reads a private key: PEM or DER in the file @path, relative to the directory @dir. No copy
 * of the file's text stays outside the secure heap. Refused when others than its owner may
 * read it.
 */
int secret_key_from_file(int dir, const char *path, EVP_PKEY **ret,
			 struct credential_error *reterr);

/* PKCS#8 DER, e.g. of the Workload API. The caller wipes @der. */
int secret_key_from_der(const uint8_t *der, size_t length, EVP_PKEY **ret,
			struct credential_error *reterr);

/* A key that an OpenSSL provider holds: "pkcs11:token=...;object=...", "handle:0x81000001".
 * @provider: its name ("pkcs11", "tpm2"), or NULL for the usual ones. */
int secret_key_from_uri(const char *uri, const char *provider, EVP_PKEY **ret,
			struct credential_error *reterr);

/*
 * Signs with SHA-256, or with what the key's kind has of its own (Ed25519). A key that a
 * provider holds signs there; by EVP_DigestSignInit() alone OpenSSL 3.0 would take the
 * default provider's code, which has no private key. *@length: room in @ret, then what is
 * used of it.
 */
int secret_sign(EVP_PKEY *key, const void *message, size_t message_length, uint8_t *ret,
		size_t *length, struct credential_error *reterr);
