/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/credential.h"

#include <openssl/rand.h>

#include "user/base/clock.h"
#include "user/credential/error.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 60000
#define JITTER_PARTS 10 /* give or take a tenth */

static const struct credential_source_ops *const kinds[] = {
	&credential_files,
	&credential_spiffe,
	&credential_ca,
	&credential_kube_csr,
};

void credential_done(struct credential *credential)
{
	svid_free(credential->svid);
	bundles_done(&credential->bundles);
	*credential = (struct credential){ 0 };
}

int credential_verify(const struct credential *credential, const char *trust_domain,
		      const char *node_name, struct credential_error *reterr)
{
	const char *name = svid_node_name(credential->svid);
	int64_t now_s = clock_ns(CLOCK_REALTIME) / NS_PER_S;

	if (!streq(credential->svid->trust_domain, trust_domain) || !name ||
	    !streq(name, node_name))
		return credential_fail(reterr, -EPERM,
				       "the SVID is for %.180s, but this node is "
				       "spiffe://%.100s/countersign/node/%s",
				       credential->svid->spiffe_id, trust_domain, node_name);
	if (svid_judge(credential->svid, &credential->bundles, now_s, CREDENTIAL_SKEW_S, reterr) !=
	    SVID_FLAW_NONE)
		return -EPERM;
	return 0;
}

int credential_source_new(const char *spec, const struct credential_options *options,
			  struct credential_source **ret, struct credential_error *reterr)
{
	const char *colon = strchr(spec, ':');

	for (size_t i = 0; colon && i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i]->scheme) == (size_t)(colon - spec) &&
		    startswith(spec, kinds[i]->scheme))
			return kinds[i]->open(colon + 1, options, ret, reterr);
	return credential_fail(reterr, -EINVAL,
			       "\"%.100s\" is no source of credentials: files:DIR, "
			       "spiffe:unix:///PATH, kube-csr:SIGNER or ca:DIR",
			       spec);
}

struct credential_source *credential_source_free(struct credential_source *source)
{
	if (source)
		source->ops->free(source);
	return NULL;
}

/* @value, more or less by up to a tenth: so that nodes started together do not renew so. */
static int64_t jitter(int64_t value)
{
	int64_t span = value / JITTER_PARTS;
	uint64_t random = 0;

	if (span < 1 || RAND_bytes((unsigned char *)&random, sizeof(random)) != 1)
		return value;
	return value - span + (int64_t)(random % (uint64_t)(2 * span + 1));
}

int64_t credential_renewal_s(int64_t not_before_s, int64_t not_after_s, int64_t now_s)
{
	int64_t start_s = MAX(not_before_s, now_s);

	if (not_after_s <= start_s)
		return 0;
	return start_s - now_s + jitter((not_after_s - start_s) / 2);
}

unsigned int credential_backoff_ms(unsigned int failures)
{
	unsigned int doublings = MIN(failures ? failures - 1 : 0, 16U);

	return (unsigned int)jitter(MIN(BACKOFF_FIRST_MS << doublings, BACKOFF_MAX_MS));
}
