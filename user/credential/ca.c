/* SPDX-License-Identifier: Apache-2.0 */
/* ca:DIR, the built-in CA: the node issues its own SVID, for trying things out. */
#include <fcntl.h>

#include "user/base/clock.h"
#include "user/credential/authority.h"
#include "user/credential/error.h"
#include "user/credential/source_directory.h"

struct ca {
	struct source_directory base;
	X509 *issuer; /* of the SVID in force */
	char *bundle; /* handed over last, as PEM */
};

/* Whether the CA's certificate is the one that issued, and its bundle the one handed over. */
static bool is_same(const struct ca *ca, const struct authority *authority, const char *bundle)
{
	return ca->issuer && X509_cmp(ca->issuer, authority->certificate) == 0 && ca->bundle &&
	       streq(ca->bundle, bundle);
}

static int issue(const struct ca *ca, const struct authority *authority, struct credential *ret,
		 struct credential_error *reterr)
{
	int64_t now_s = clock_ns(CLOCK_REALTIME) / NS_PER_S;
	_cleanup_free_ char *id = NULL;
	int r;

	if (asprintf(&id, "spiffe://%s/countersign/node/%s", ca->base.trust_domain,
		     ca->base.node_name) < 0)
		return -ENOMEM;
	r = authority_issue(authority, id, now_s, ca->base.svid_lifetime_s, &ret->svid, reterr);
	if (r == 0)
		ret->renew_s = now_s + credential_renewal_s(ret->svid->not_before_s,
							    ret->svid->not_after_s, now_s);
	return r;
}

static int renew(struct ca *ca, const struct authority *authority, struct bundle *bundle,
		 struct credential *ret, struct credential_error *reterr)
{
	struct credential credential = { 0 };
	int r;

	r = bundles_put(&credential.bundles, bundle);
	if (r == 0)
		r = issue(ca, authority, &credential, reterr);
	if (r == 0)
		r = source_verify(&ca->base, &credential, reterr);
	if (r < 0) {
		credential_done(&credential);
		return r;
	}
	ca->base.renew_s = credential.renew_s;
	*ret = credential;
	return 1;
}

static int read_ca(int dir, struct authority **ret, struct bundle **ret_bundle, char **ret_pem,
		   struct credential_error *reterr)
{
	int r = authority_open(dir, ret, reterr);

	if (r == 0)
		r = authority_bundle(dir, ret_bundle, reterr);
	if (r < 0)
		return r;
	*ret_pem = bundle_to_pem(*ret_bundle);
	return *ret_pem ? 0 : -ENOMEM;
}

/* A new SVID when half of the last one is over, or the CA or its list changed. */
static int ca_read(struct source_directory *source, struct credential *ret,
		   struct credential_error *reterr)
{
	_cleanup_close_ int dir = open(source->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(authority_freep) struct authority *authority = NULL;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	_cleanup_free_ char *pem = NULL;
	struct ca *ca = (struct ca *)source;
	int r;

	if (dir < 0)
		return credential_fail(reterr, -errno, "%m");
	r = read_ca(dir, &authority, &bundle, &pem, reterr);
	if (r < 0)
		return r;
	if (is_same(ca, authority, pem) && clock_ns(CLOCK_REALTIME) / NS_PER_S < source->renew_s)
		return 0;
	r = renew(ca, authority, TAKE_PTR(bundle), ret, reterr);
	if (r < 0)
		return r;
	X509_free(ca->issuer);
	ca->issuer = TAKE_PTR(authority->certificate);
	free(ca->bundle);
	ca->bundle = TAKE_PTR(pem);
	return r;
}

static void ca_free(struct credential_source *source)
{
	struct ca *ca = (struct ca *)source;

	source_directory_done(&ca->base);
	X509_free(ca->issuer);
	free(ca->bundle);
	free(ca);
}

static int ca_open(const char *where, const struct credential_options *options,
		   struct credential_source **ret, struct credential_error *reterr)
{
	struct ca *ca = calloc(1, sizeof(*ca));
	int r;

	if (!ca)
		return -ENOMEM;
	ca->base.source.ops = &credential_ca;
	ca->base.read = ca_read;
	r = source_directory_init(&ca->base, where, options, reterr);
	if (r < 0)
		ca_free(&ca->base.source);
	else
		*ret = &ca->base.source;
	return r;
}

const struct credential_source_ops credential_ca = {
	.scheme = "ca",
	.open = ca_open,
	.fd = source_directory_fd,
	.dispatch = source_directory_dispatch,
	.free = ca_free,
};
