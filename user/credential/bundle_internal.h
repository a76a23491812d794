/* SPDX-License-Identifier: Apache-2.0 */
/* How a bundle is built up, whatever format it comes in. */
#pragma once

#include "user/credential/bundle.h"

int bundle_new(const char *trust_domain, struct bundle **ret, struct credential_error *reterr);

/* Take @x509 and @crl over, also on failure. An authority that is there already is dropped. */
int bundle_add_authority(struct bundle *bundle, X509 *x509, struct credential_error *reterr);
int bundle_add_crl(struct bundle *bundle, X509_CRL *crl, struct credential_error *reterr);

/* What can only be said once all is in it. */
int bundle_check(const struct bundle *bundle, struct credential_error *reterr);
