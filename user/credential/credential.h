/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where this node's SVID and the bundles come from. One interface, several kinds:
 *
 *	files:DIR			PEM files that something else renews
 *	spiffe:unix:///path/agent.sock	the SPIFFE Workload API
 *	kube-csr:SIGNER			certificate requests at a Kubernetes API server
 *	ca:DIR				a built-in CA, for trying it out
 *
 * A source has one descriptor for the event loop, with sockets, watches and timers behind it
 * (epoll, timerfd), and never blocks for longer than a local file takes. It keeps the last
 * good credential: what cannot be read, parsed or verified is said in
 * credential_source_error() and changes nothing. No function logs.
 */
#pragma once

#include "user/credential/bundle.h"

struct kube_client;

/* What a source has to give; the caller's once taken. */
struct credential {
	struct svid *svid;
	struct bundles bundles;
	int64_t renew_s; /* when the source means to renew it; 0: somebody else does, unknown */
};

void credential_done(struct credential *credential);

struct credential_options {
	const char *trust_domain; /* that the SVID must be of */
	const char *node_name; /* the SVID must be of countersign/node/<name> */
	const char *key_uri; /* of the private key, instead of a file; NULL: none */
	const char *key_provider; /* OpenSSL provider of key_uri, or NULL */
	int64_t svid_lifetime_s; /* of what ca: issues and kube-csr: asks for; 0: an hour */
	/* Of kube-csr: */
	struct kube_client *kube; /* borrowed, must live longer; NULL: there is no API server */
	const char *trust_bundle; /* PEM file of the anchors; read again when it changes */
	const char *kept; /* file for the certificate, see kube_csr.c; NULL: none */
};

#define CREDENTIAL_SKEW_S 120 /* how far clocks may be apart */

/* What every credential must fulfil: it is this node's, and its chain leads to the bundle. */
int credential_verify(const struct credential *credential, const char *trust_domain,
		      const char *node_name, struct credential_error *reterr);

struct credential_source;

struct credential_source_ops {
	const char *scheme; /* "files" */
	/* Opens the source for what is behind the colon. */
	int (*open)(const char *where, const struct credential_options *options,
		    struct credential_source **ret, struct credential_error *reterr);
	int (*fd)(const struct credential_source *source);
	/* 1: there is a new credential in @ret; 0: none; < 0: see the error, tried again later. */
	int (*dispatch)(struct credential_source *source, struct credential *ret);
	void (*free)(struct credential_source *source);
};

/* First member of every source. */
struct credential_source {
	const struct credential_source_ops *ops;
	struct credential_error error; /* "" when the last attempt went well */
	unsigned int failures; /* in a row */
	int64_t retry_s; /* when the next attempt is due after a failure; 0: none is */
};

extern const struct credential_source_ops credential_files, credential_spiffe, credential_ca,
	credential_kube_csr;

/*
 * Opens the source @spec ("files:DIR" and so on). The first credential may already be there:
 * call dispatch() once after opening. -EINVAL: no such kind of source.
 */
int credential_source_new(const char *spec, const struct credential_options *options,
			  struct credential_source **ret, struct credential_error *reterr);
struct credential_source *credential_source_free(struct credential_source *source);
static inline void credential_source_freep(struct credential_source **source)
{
	credential_source_free(*source);
}

/* Half of what is left of the lifetime, give or take a tenth of that: seconds from @now_s. */
int64_t credential_renewal_s(int64_t not_before_s, int64_t not_after_s, int64_t now_s);
/* Exponential back-off with jitter: milliseconds after the @failures-th failure in a row,
 * from about 0.5 s to about 60 s. */
unsigned int credential_backoff_ms(unsigned int failures);
