/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys from DER to EVP_PKEY; secret.c has the files and the heap. */
#pragma once

#include "user/credential/secret.h"

/*
 * PKCS#8, PKCS#1 (RSA) or SEC1 (EC) in @der. What OpenSSL copies of it is in the secure
 * heap, or wiped.
 */
int secret_key_decode(const uint8_t *der, size_t length, EVP_PKEY **ret,
		      struct credential_error *reterr);

/*
 * Between these, what this thread allocates through OpenSSL comes from the secure heap, if
 * secret_init() was early enough to have a say in it. Few and short: the heap is small.
 */
void secret_section_begin(void);
void secret_section_end(void);

/* Has OpenSSL allocate through us; before it allocated anything, later it has no effect. */
void secret_allocator_install(void);
