/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One CertificateSigningRequest of certificates.k8s.io, from its creation until somebody has
 * approved and signed it, or not. The object is deleted when it is over.
 */
#pragma once

#include "user/credential/svid.h"
#include "user/kube/client.h"

#define CSR_PATH "/apis/certificates.k8s.io/v1/certificatesigningrequests"
#define CSR_NAME_MAX 128
#define CSR_CERTIFICATE_MAX (64 << 10) /* bytes of PEM */
#define CSR_LIFETIME_MIN_S 600 /* the API server takes no shorter one */
#define CSR_LOOK_FIRST_MS 100 /* then twice as long each time, until: */
#define CSR_LOOK_MAX_MS 10000
#define CSR_SAY_MS 20000 /* unsigned for so long: worth a word */
#define CSR_WAIT_MAX_MS 3600000 /* then it is asked anew */

struct csr_options {
	struct kube_client *client;
	const char *signer; /* "countersign.dev/node" */
	const char *node_name, *spiffe_id;
	int64_t lifetime_s;
	EVP_PKEY *key; /* what the certificate is for; borrowed during csr_new() */
};

struct csr_outcome {
	const char *pem; /* the certificates; NULL: there are none */
	size_t length;
	bool waits; /* without @pem: it may still come, @error is why not yet */
	const char *error; /* for people */
};

/* Called from the loop; unless it waits that was all, free it. */
typedef void (*csr_fn)(void *arg, const struct csr_outcome *outcome);

struct csr;
int csr_new(const struct csr_options *options, csr_fn fn, void *arg, struct csr **ret,
	    struct credential_error *reterr);
struct csr *csr_free(struct csr *csr); /* takes and returns NULL */
