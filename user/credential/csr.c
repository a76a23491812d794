/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/csr.h"

#include <jansson.h>
#include <openssl/sha.h>

#include "user/base/clock.h"
#include "user/base/hex.h"
#include "user/base/loop.h"
#include "user/credential/error.h"
#include "user/credential/node_text.h"
#include "user/credential/request.h"

#define HTTP_CREATED 201
#define HTTP_OK 200
#define HTTP_CONFLICT 409
#define HTTP_NOT_FOUND 404
#define NAME_KEY_BYTES 8 /* of the key's digest, in the name */
#define ERROR_MAX 512

struct csr {
	struct kube_client *client;
	csr_fn fn;
	void *arg;
	char name[CSR_NAME_MAX];
	char *body; /* what is created */
	bool created;
	struct kube_call *call;
	struct event *timer;
	unsigned int looks, failures;
	int64_t begin_ms;
	bool over; /* the object is of no use to anybody */
};

/* ---- the object ---- */

/* Another key has another name: what was asked before is never mixed up with it. */
static int name_of(const struct csr_options *options, char ret[static CSR_NAME_MAX])
{
	uint8_t digest[SHA256_DIGEST_LENGTH], *der = NULL;
	char hex[2 * NAME_KEY_BYTES + 1];
	int length = i2d_PUBKEY(options->key, &der);

	if (length <= 0)
		return -EIO;
	SHA256(der, (size_t)length, digest);
	OPENSSL_free(der);
	hex_write(digest, NAME_KEY_BYTES, hex);
	return snprintf(ret, CSR_NAME_MAX, "countersign-%s-%s", options->node_name, hex) <
			       CSR_NAME_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

static char *body_of(const struct csr *csr, const struct csr_options *options, const char *pem)
{
	_cleanup_free_ char *request = node_base64((const uint8_t *)pem, strlen(pem));
	json_auto_t *object = NULL;

	if (!request)
		return NULL;
	object = json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:I, s:[s, s, s]}}", "apiVersion",
			   "certificates.k8s.io/v1", "kind", "CertificateSigningRequest",
			   "metadata", "name", csr->name, "spec", "request", request, "signerName",
			   options->signer, "expirationSeconds",
			   (json_int_t)MAX(options->lifetime_s, (int64_t)CSR_LIFETIME_MIN_S),
			   "usages", "digital signature", "server auth", "client auth");
	return object ? json_dumps(object, JSON_COMPACT) : NULL;
}

/* ---- its fate ---- */

static void finish(struct csr *csr, const struct csr_outcome *outcome)
{
	csr->over = true;
	csr->fn(csr->arg, outcome);
}

static void fail(struct csr *csr, const char *what)
{
	char error[ERROR_MAX];

	snprintf(error, sizeof(error), "CertificateSigningRequest %s: %.300s", csr->name, what);
	finish(csr, &(struct csr_outcome){ .error = error });
}

static void say_waiting(struct csr *csr, const char *why)
{
	char error[ERROR_MAX];

	snprintf(error, sizeof(error), "CertificateSigningRequest %s: %.300s", csr->name, why);
	csr->fn(csr->arg, &(struct csr_outcome){ .waits = true, .error = error });
}

static void start_timer(struct csr *csr, unsigned int ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(csr->timer, &wait);
}

static void look_later(struct csr *csr)
{
	unsigned int ms = MIN(CSR_LOOK_FIRST_MS << MIN(csr->looks, 10U), CSR_LOOK_MAX_MS);

	csr->looks++;
	start_timer(csr, ms);
}

/* The condition @type, when it is true; NULL. */
static const json_t *condition_of(const json_t *status, const char *type)
{
	const json_t *list = json_object_get(status, "conditions"), *condition;
	size_t i;

	json_array_foreach(list, i, condition) {
		const char *name = json_string_value(json_object_get(condition, "type"));
		const char *value = json_string_value(json_object_get(condition, "status"));

		if (name && streq(name, type) && (!value || streq(value, "True")))
			return condition;
	}
	return NULL;
}

/* Whether somebody said no, and why. */
static bool is_refused(struct csr *csr, const json_t *status)
{
	static const char *const types[] = { "Denied", "Failed" };
	char error[ERROR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const json_t *condition = condition_of(status, types[i]);
		const char *reason = json_string_value(json_object_get(condition, "reason"));
		const char *message = json_string_value(json_object_get(condition, "message"));

		if (!condition)
			continue;
		snprintf(error, sizeof(error), "%s (%.60s): %.200s",
			 streq(types[i], "Denied") ? "it was denied" : "it was not signed",
			 reason ?: "no reason", message ?: "");
		fail(csr, error);
		return true;
	}
	return false;
}

static void take(struct csr *csr, const char *base64)
{
	_cleanup_free_ uint8_t *pem = NULL;
	size_t length = 0;

	if (node_base64_decode(base64, CSR_CERTIFICATE_MAX, &pem, &length) < 0)
		fail(csr, "status.certificate is not base64");
	else
		finish(csr, &(struct csr_outcome){ .pem = (const char *)pem, .length = length });
}

static void judge(struct csr *csr, const json_t *object)
{
	const json_t *status = json_object_get(object, "status");
	const char *certificate = json_string_value(json_object_get(status, "certificate"));
	int64_t waited_ms = clock_ms(CLOCK_BOOTTIME) - csr->begin_ms;

	if (is_refused(csr, status))
		return;
	if (certificate && *certificate) {
		take(csr, certificate);
		return;
	}
	if (waited_ms > CSR_WAIT_MAX_MS) {
		fail(csr, "nobody approved and signed it within an hour");
		return;
	}
	if (waited_ms > CSR_SAY_MS)
		say_waiting(csr, condition_of(status, "Approved")
					 ? "it is approved, but nobody has signed it yet"
					 : "nobody has approved it yet");
	look_later(csr);
}

/* ---- calls ---- */

static void on_answer(void *arg, const struct kube_response *response)
{
	struct csr *csr = arg;
	json_auto_t *object = NULL;
	bool was_look = csr->created;

	csr->call = NULL;
	if (!response->error && response->status == HTTP_NOT_FOUND && was_look) {
		fail(csr, "somebody deleted it");
		return;
	}
	/* There already: the answer to the first attempt was lost. Nobody else has this key. */
	if (response->error || (response->status != HTTP_OK && response->status != HTTP_CREATED &&
				response->status != HTTP_CONFLICT)) {
		if (!response->error && !was_look && response->status < 500) {
			csr->over = true;
			fail(csr, response->message);
			return;
		}
		say_waiting(csr, response->message);
		start_timer(csr, kube_backoff_ms(++csr->failures));
		return;
	}
	csr->created = true;
	csr->failures = 0;
	if (!was_look) {
		look_later(csr);
		return;
	}
	object = json_loadb(response->body ?: "", response->length, 0, NULL);
	judge(csr, object);
}

static int start_call(struct csr *csr)
{
	const struct kube_handlers handlers = { .on_done = on_answer, .arg = csr };
	char path[sizeof(CSR_PATH) + 1 + CSR_NAME_MAX];
	struct kube_request request = { .path = path };

	if (csr->created) {
		snprintf(path, sizeof(path), "%s/%s", CSR_PATH, csr->name);
	} else {
		request.method = "POST";
		request.path = CSR_PATH;
		request.body = csr->body;
		request.length = strlen(csr->body);
	}
	return kube_call_start(csr->client, &request, &handlers, &csr->call);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct csr *csr = arg;
	int r = start_call(csr);

	(void)fd;
	(void)what;
	if (r < 0)
		fail(csr, strerror(-r));
}

/* Nobody waits for it: when it fails, the cluster's own clean-up takes it after a while. */
static void delete (const struct csr *csr)
{
	const struct kube_handlers nobody = { .on_done = NULL };
	char path[sizeof(CSR_PATH) + 1 + CSR_NAME_MAX];
	const struct kube_request request = { .method = "DELETE", .path = path };
	struct kube_call *call;

	snprintf(path, sizeof(path), "%s/%s", CSR_PATH, csr->name);
	kube_call_start(csr->client, &request, &nobody, &call);
}

static int start(struct csr *csr, const struct csr_options *options,
		 struct credential_error *reterr)
{
	_cleanup_free_ char *pem = NULL;
	int r = name_of(options, csr->name);

	if (r < 0)
		return credential_fail(reterr, r, "no name for a request: %s", strerror(-r));
	r = request_make(options->key, options->spiffe_id, &pem, reterr);
	if (r < 0)
		return r;
	csr->body = body_of(csr, options, pem);
	csr->timer = evtimer_new(kube_client_base(csr->client), on_timer, csr);
	if (!csr->body || !csr->timer)
		return -ENOMEM;
	r = start_call(csr);
	return r < 0 ? credential_fail(reterr, r, "cannot ask the API server: %s", strerror(-r))
		     : 0;
}

int csr_new(const struct csr_options *options, csr_fn fn, void *arg, struct csr **ret,
	    struct credential_error *reterr)
{
	struct csr *csr = calloc(1, sizeof(*csr));
	int r;

	if (!csr)
		return -ENOMEM;
	csr->client = options->client;
	csr->fn = fn;
	csr->arg = arg;
	csr->begin_ms = clock_ms(CLOCK_BOOTTIME);
	r = start(csr, options, reterr);
	if (r < 0)
		csr_free(csr);
	else
		*ret = csr;
	return r;
}

struct csr *csr_free(struct csr *csr)
{
	if (!csr)
		return NULL;
	kube_call_cancel(csr->call);
	if (csr->created && csr->over)
		delete (csr);
	if (csr->timer)
		event_free(csr->timer);
	free(csr->body);
	free(csr);
	return NULL;
}
