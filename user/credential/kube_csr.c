/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-csr:SIGNER. The node makes a key, which stays in locked memory, and asks for a
 * certificate for it at the API server (certificates.k8s.io); whoever signs for SIGNER decides.
 * The anchors do not come that way, as whoever could change them there could be any node: they
 * are a file.
 *
 * The certificate is kept in a file, without the key: an agent that starts while the API
 * server is away shows by it that this node is one of the cluster, and goes on with the node
 * keys that the kernel has. It signs nothing until it has a certificate of its own.
 */
#include <fcntl.h>
#include <openssl/ec.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/file_write.h"
#include "user/base/loop.h"
#include "user/credential/credential.h"
#include "user/credential/csr.h"
#include "user/credential/error.h"
#include "user/credential/secret.h"
#include "user/credential/x509.h"

#define LOOK_MS 5000 /* how often to see whether the file of anchors changed */

/* What tells one version of a file from another. */
struct version {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct kube_csr {
	struct credential_source source;
	struct kube_client *client;
	char *signer, *trust_domain, *node_name, *spiffe_id, *bundle, *kept;
	int64_t lifetime_s;

	EVP_PKEY *asked_key; /* of @csr */
	struct csr *csr; /* NULL: nothing is asked for now */
	struct event *ask, *look; /* timers: when to ask next; the anchors */

	STACK_OF(X509) * chain; /* the last good one, NULL: none */
	EVP_PKEY *key; /* its; NULL: it was kept */
	int64_t renew_s;
	struct version seen; /* of the anchors that were handed over */

	int event; /* readable: dispatch() has something to say */
	bool is_ready, failed;
	struct credential ready;
	struct credential_error error; /* to say */
};

static int64_t now_s(void)
{
	return clock_ns(CLOCK_REALTIME) / NS_PER_S;
}

static void start_timer(struct event *timer, int64_t ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(timer, &wait);
}

/* ---- what is said ---- */

static void wake(struct kube_csr *k)
{
	eventfd_write(k->event, 1);
}

static void say_error(struct kube_csr *k, const struct credential_error *error)
{
	k->error = *error;
	k->failed = true;
	wake(k);
}

static void fail(struct kube_csr *k, int r, struct credential_error *error)
{
	unsigned int ms = credential_backoff_ms(++k->source.failures);

	if (!*error->text)
		credential_fail(error, r, "%s", strerror(-r));
	k->source.retry_s = now_s() + (ms + 999) / 1000;
	start_timer(k->ask, ms);
	say_error(k, error);
}

/* ---- anchors ---- */

static struct version version_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct version){ 0 };
	return (struct version){ st.st_ino, st.st_size, st.st_ctim };
}

static bool is_same(const struct version *a, const struct version *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int read_bundle(const struct kube_csr *k, struct bundle **ret,
		       struct credential_error *reterr)
{
	_cleanup_free_ char *text = NULL;
	struct credential_error inner = { "" };
	size_t length = 0;
	int r = file_read_at(AT_FDCWD, k->bundle, BUNDLE_BYTES_MAX, &text, &length);

	if (r < 0)
		return credential_fail(reterr, r, "--trust-bundle %.200s: %s", k->bundle,
				       strerror(-r));
	r = bundle_from_pem(k->trust_domain, text, length, ret, &inner);
	return r < 0 ? credential_fail(reterr, r, "--trust-bundle %.200s: %.280s", k->bundle,
				       inner.text)
		     : 0;
}

/* ---- a certificate ---- */

static int make(const struct kube_csr *k, STACK_OF(X509) * chain, EVP_PKEY *key,
		struct credential *ret, struct credential_error *reterr)
{
	struct bundle *bundle = NULL;
	int r = read_bundle(k, &bundle, reterr);

	if (r == 0)
		r = bundles_put(&ret->bundles, bundle);
	if (r == 0)
		r = svid_new(chain, key, &ret->svid, reterr);
	return r == 0 ? credential_verify(ret, k->trust_domain, k->node_name, reterr) : r;
}

/* Hands over @chain with the anchors as they are now. */
static int offer(struct kube_csr *k, STACK_OF(X509) * chain, EVP_PKEY *key,
		 struct credential_error *reterr)
{
	struct version version = version_of(k->bundle);
	struct credential credential = { 0 };
	int r = make(k, chain, key, &credential, reterr);

	if (r < 0) {
		credential_done(&credential);
		return r;
	}
	k->seen = version;
	credential.renew_s = k->renew_s;
	credential_done(&k->ready);
	k->ready = credential;
	k->is_ready = true;
	wake(k);
	return 0;
}

static void take(struct kube_csr *k, STACK_OF(X509) * chain, EVP_PKEY *key)
{
	sk_X509_pop_free(k->chain, X509_free);
	EVP_PKEY_free(k->key);
	k->chain = chain;
	k->key = key;
}

static void keep(const struct kube_csr *k, const char *pem, size_t length)
{
	const char *slash = k->kept ? strrchr(k->kept, '/') : NULL;
	_cleanup_free_ char *directory = slash ? strndup(k->kept, slash - k->kept + 1) : NULL;
	_cleanup_close_ int dir = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
					    : -EBADF;

	/* Without it a start waits for the API server; nothing else is lost. */
	if (dir >= 0)
		file_write_at(dir, slash + 1, pem, length, 0600, /* fresh= */ false);
}

static void offer_kept(struct kube_csr *k)
{
	_cleanup_free_ char *pem = NULL;
	STACK_OF(X509) *chain = NULL;
	size_t length = 0;

	if (!k->kept || file_read_at(AT_FDCWD, k->kept, CSR_CERTIFICATE_MAX, &pem, &length) < 0 ||
	    svid_chain_from_pem(pem, length, &chain, NULL) < 0)
		return;
	if (offer(k, chain, NULL, NULL) == 0)
		take(k, chain, NULL);
	else
		sk_X509_pop_free(chain, X509_free);
}

static int certificate_came(struct kube_csr *k, const struct csr_outcome *outcome,
			    struct credential_error *reterr)
{
	STACK_OF(X509) *chain = NULL;
	struct svid *svid = NULL;
	int r = svid_chain_from_pem(outcome->pem, outcome->length, &chain, reterr);

	if (r == 0)
		r = svid_new(chain, k->asked_key, &svid, reterr);
	if (r == 0) {
		k->renew_s = now_s() +
			     credential_renewal_s(svid->not_before_s, svid->not_after_s, now_s());
		r = offer(k, chain, k->asked_key, reterr);
	}
	svid_free(svid);
	if (r < 0) {
		sk_X509_pop_free(chain, X509_free);
		return r;
	}
	take(k, chain, TAKE_PTR(k->asked_key));
	keep(k, outcome->pem, outcome->length);
	return 0;
}

/* ---- asking ---- */

static void on_outcome(void *arg, const struct csr_outcome *outcome)
{
	struct credential_error error = { "" };
	struct kube_csr *k = arg;
	int r;

	if (outcome->waits) {
		credential_fail(&error, 0, "%s", outcome->error);
		say_error(k, &error);
		return;
	}
	r = outcome->pem ? certificate_came(k, outcome, &error)
			 : credential_fail(&error, -EPERM, "%s", outcome->error);
	k->csr = csr_free(k->csr);
	if (r < 0) {
		fail(k, r, &error);
		return;
	}
	k->failed = false; /* what it waited for is there */
	k->source.failures = 0;
	k->source.retry_s = 0;
	start_timer(k->ask, MAX(k->renew_s - now_s(), (int64_t)1) * 1000);
}

static int ask(struct kube_csr *k, struct credential_error *reterr)
{
	struct csr_options options = {
		.client = k->client,
		.signer = k->signer,
		.node_name = k->node_name,
		.spiffe_id = k->spiffe_id,
		.lifetime_s = k->lifetime_s,
	};
	struct bundle *bundle = NULL;
	int r;

	/* Nothing could be made of a certificate without anchors: none is asked for. */
	r = read_bundle(k, &bundle, reterr);
	bundle_free(bundle);
	if (r < 0)
		return r;
	EVP_PKEY_free(k->asked_key);
	k->asked_key = options.key = EVP_EC_gen("P-256");
	if (!k->asked_key)
		return credential_fail(reterr, -EIO, "no key: %s", credential_openssl_reason());
	return csr_new(&options, on_outcome, k, &k->csr, reterr);
}

static void on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct credential_error error = { "" };
	struct kube_csr *k = arg;
	int r;

	(void)fd;
	(void)what;
	if (k->csr)
		return;
	r = ask(k, &error);
	if (r < 0)
		fail(k, r, &error);
}

/* Other anchors: what is in force is handed over with them, or, when it does not lead to them,
 * stays, and another is asked for. */
static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct kube_csr *k = arg;
	struct version version = version_of(k->bundle);
	struct credential_error error = { "" };

	(void)fd;
	(void)what;
	start_timer(k->look, LOOK_MS);
	if (!k->chain || is_same(&version, &k->seen))
		return;
	if (offer(k, k->chain, k->key, &error) == 0)
		return;
	k->seen = version; /* said once */
	say_error(k, &error);
	if (!k->csr)
		start_timer(k->ask, 0);
}

/* ---- the source ---- */

static int kube_csr_fd(const struct credential_source *source)
{
	return ((const struct kube_csr *)source)->event;
}

static int kube_csr_dispatch(struct credential_source *source, struct credential *ret)
{
	struct kube_csr *k = (struct kube_csr *)source;
	eventfd_t count;

	eventfd_read(k->event, &count);
	if (k->is_ready) {
		*ret = k->ready;
		k->ready = (struct credential){ 0 };
		k->is_ready = false;
		if (k->failed)
			wake(k); /* one after the other */
		source->error.text[0] = '\0';
		return 1;
	}
	if (!k->failed)
		return 0;
	k->failed = false;
	source->error = k->error;
	return -EAGAIN;
}

static void kube_csr_free(struct credential_source *source)
{
	struct kube_csr *k = (struct kube_csr *)source;

	csr_free(k->csr);
	if (k->ask)
		event_free(k->ask);
	if (k->look)
		event_free(k->look);
	take(k, NULL, NULL);
	credential_done(&k->ready);
	EVP_PKEY_free(k->asked_key);
	closep(&k->event);
	free(k->signer);
	free(k->trust_domain);
	free(k->node_name);
	free(k->spiffe_id);
	free(k->bundle);
	free(k->kept);
	free(k);
}

static int copy_options(struct kube_csr *k, const char *signer,
			const struct credential_options *options)
{
	k->client = options->kube;
	k->lifetime_s = options->svid_lifetime_s > 0 ? options->svid_lifetime_s : 3600;
	k->signer = strdup(signer);
	k->trust_domain = strdup(options->trust_domain);
	k->node_name = strdup(options->node_name);
	k->bundle = strdup(options->trust_bundle);
	k->kept = options->kept ? strdup(options->kept) : NULL;
	if (asprintf(&k->spiffe_id, "spiffe://%s/countersign/node/%s", options->trust_domain,
		     options->node_name) < 0)
		k->spiffe_id = NULL;
	if (!k->signer || !k->trust_domain || !k->node_name || !k->bundle || !k->spiffe_id ||
	    (options->kept && !k->kept))
		return -ENOMEM;
	return 0;
}

static int start(struct kube_csr *k, const char *signer, const struct credential_options *options)
{
	struct event_base *base = kube_client_base(options->kube);
	int r = copy_options(k, signer, options);

	if (r < 0)
		return r;
	k->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (k->event < 0)
		return -errno;
	k->ask = evtimer_new(base, on_ask, k);
	k->look = evtimer_new(base, on_look, k);
	if (!k->ask || !k->look)
		return -ENOMEM;
	offer_kept(k);
	start_timer(k->ask, 0);
	start_timer(k->look, LOOK_MS);
	return 0;
}

static int kube_csr_open(const char *where, const struct credential_options *options,
			 struct credential_source **ret, struct credential_error *reterr)
{
	struct kube_csr *k;
	int r;

	if (!*where || !strchr(where, '/'))
		return credential_fail(reterr, -EINVAL,
				       "kube-csr:%.100s: a signer's name is missing, such as "
				       "countersign.dev/node",
				       where);
	if (!options->kube || !options->trust_bundle)
		return credential_fail(reterr, -EINVAL,
				       "kube-csr: needs --kubernetes and "
				       "--trust-bundle");
	r = secret_init(reterr);
	if (r < 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->source.ops = &credential_kube_csr;
	k->event = -EBADF;
	r = start(k, where, options);
	if (r < 0) {
		kube_csr_free(&k->source);
		return credential_fail(reterr, r, "kube-csr: %s", strerror(-r));
	}
	*ret = &k->source;
	return 0;
}

const struct credential_source_ops credential_kube_csr = {
	.scheme = "kube-csr",
	.open = kube_csr_open,
	.fd = kube_csr_fd,
	.dispatch = kube_csr_dispatch,
	.free = kube_csr_free,
};
