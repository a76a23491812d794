/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, one after the other: judged, approved, signed; or denied. */
#include <fcntl.h>
#include <openssl/pem.h>

#include "user/agent/signer_internal.h"
#include "user/base/clock.h"
#include "user/base/hex.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/base/quote.h"
#include "user/credential/authority.h"
#include "user/credential/csr.h"
#include "user/credential/x509.h"

#define HTTP_OK 200
#define HTTP_NOT_FOUND 404

static void run(struct signer *signer);

/* ---- the list ---- */

static struct signer_job *job_free(struct signer_job *job)
{
	kube_call_cancel(job->call);
	if (job->timer)
		event_free(job->timer);
	json_decref(job->object);
	free(job->name);
	free(job);
	return NULL;
}

static struct signer_job **find(struct signer *signer, const char *name)
{
	struct signer_job **at = &signer->first;

	while (*at && !streq((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static void take_out(struct signer *signer, struct signer_job **at)
{
	struct signer_job *job = *at;

	*at = job->next;
	if (signer->last == &job->next)
		signer->last = at;
	signer->n--;
	signer->n_running -= job->running;
	job_free(job);
}

static void end(struct signer_job *job)
{
	take_out(job->signer, find(job->signer, job->name));
}

static const char *name_of(const json_t *object)
{
	return json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
}

/* ---- what became of it ---- */

static void say_end(struct signer_job *job)
{
	_cleanup_free_ char *text = quote(job->message);
	struct signer *signer = job->signer;

	*signer->trouble = '\0';
	if (job->action == SIGNER_APPROVE || job->action == SIGNER_SIGN) {
		signer->signed_total++;
		log_info("signed a node's certificate", "request=%s node=\"%s\" serial=%s",
			 job->name, job->node, job->serial);
		return;
	}
	signer->denied_total++;
	log_warning("denied a certificate request", "request=%s node=\"%s\" reason=%s text=\"%s\"",
		    job->name, job->node, signer_refusal_reason(job->refusal), text ?: "");
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct signer_job *job = arg;

	(void)fd;
	(void)what;
	event_free(TAKE_PTR(job->timer));
	run(job->signer);
}

/* Something failed on the way: the object is read again a little later. */
static void retry(struct signer_job *job, const char *why)
{
	_cleanup_free_ char *text = quote(why);
	struct signer *signer = job->signer;
	const struct timeval wait = { .tv_sec = SIGNER_AGAIN_MS / 1000 };

	snprintf(signer->trouble, sizeof(signer->trouble), "%.100s: %.380s", job->name, why);
	job->running = false;
	signer->n_running--;
	json_decref(TAKE_PTR(job->object));
	job->timer = evtimer_new(kube_client_base(signer->client), on_again, job);
	if (++job->attempts >= SIGNER_ATTEMPTS_MAX || !job->timer) {
		signer->failed_total++;
		log_error("cannot answer a certificate request", "request=%s error=\"%s\"",
			  job->name, text ?: "");
		end(job);
		return;
	}
	event_add(job->timer, &wait);
}

/* ---- writing ---- */

static void on_written(void *arg, const struct kube_response *response);

static int patch(struct signer_job *job, const char *subresource, const char *body)
{
	const struct kube_handlers handlers = { .on_done = on_written, .arg = job };
	char path[sizeof(CSR_PATH) + 1 + 253 + sizeof("/approval")];
	const struct kube_request request = {
		.method = "PATCH",
		.path = path,
		.body = body,
		.length = body ? strlen(body) : 0,
		.content_type = "application/merge-patch+json",
	};

	snprintf(path, sizeof(path), "%s/%s/%s", CSR_PATH, job->name, subresource);
	/* By the clock: what an agent that led once does late is not done. */
	if (!kube_lease_is_leader(job->signer->lease))
		return -ECANCELED;
	return body ? kube_call_start(job->signer->client, &request, &handlers, &job->call)
		    : -ENOMEM;
}

static int sign(const struct signer *signer, const struct signer_decision *decision, X509 **ret,
		struct credential_error *reterr)
{
	_cleanup_close_ int dir = open(signer->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(authority_freep) struct authority *authority = NULL;
	struct credential_error inner = { "" };
	int r = dir < 0 ? credential_fail(&inner, -errno, "%m")
			: authority_open(dir, &authority, &inner);

	if (r == 0)
		r = authority_sign(authority, decision->request.spiffe_id, decision->request.key,
				   clock_ns(CLOCK_REALTIME) / NS_PER_S, decision->lifetime_s, ret,
				   &inner);
	return r < 0 ? credential_fail(reterr, r, "--signer ca:%.100s: %.350s", signer->directory,
				       inner.text)
		     : 0;
}

/* As everywhere: lower-case hex without leading zeros. */
static void read_serial(struct signer_job *job, X509 *x509)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
	char hex[SVID_SERIAL_MAX + 2] = "";

	hex_write(ASN1_STRING_get0_data(serial),
		  MIN((size_t)ASN1_STRING_length(serial), sizeof(hex) / 2 - 1), hex);
	snprintf(job->serial, sizeof(job->serial), "%s", hex + strspn(hex, "0"));
}

static int write_certificate(struct signer_job *job, const struct signer_decision *decision,
			     struct credential_error *reterr)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	_cleanup_(x509_freep) X509 *x509 = NULL;
	_cleanup_free_ char *body = NULL;
	char *pem = NULL;
	long length;
	int r = sign(job->signer, decision, &x509, reterr);

	if (r < 0)
		return r;
	if (!bio || PEM_write_bio_X509(bio, x509) != 1)
		return -ENOMEM;
	length = BIO_get_mem_data(bio, &pem);
	read_serial(job, x509);
	body = signer_certificate(job->object, pem, (size_t)length);
	return patch(job, "status", body);
}

/* ---- steps ---- */

static int act(struct signer_job *job, const struct signer_decision *decision,
	       struct credential_error *reterr)
{
	_cleanup_free_ char *body = NULL;

	job->approving = decision->action == SIGNER_APPROVE;
	switch (decision->action) {
	case SIGNER_SIGN:
		return write_certificate(job, decision, reterr);
	case SIGNER_FAIL:
		body = signer_failure(job->object, decision);
		return patch(job, "status", body);
	default:
		body = signer_approval(job->object, decision);
		return patch(job, "approval", body);
	}
}

/* Judges the object as it is and begins the next step; the job may be over then. */
static void step(struct signer_job *job)
{
	struct credential_error error = { "" };
	struct signer_decision decision;
	int r = 0;

	signer_judge(job->object, &job->signer->rules, &decision);
	if (decision.action != SIGNER_NOTHING) {
		job->action = decision.action;
		job->refusal = decision.refusal;
		snprintf(job->message, sizeof(job->message), "%s", decision.message);
		snprintf(job->node, sizeof(job->node), "%s", decision.node);
		r = act(job, &decision, &error);
	}
	request_done(&decision.request);
	if (decision.action == SIGNER_NOTHING || r == -ECANCELED)
		end(job);
	else if (r < 0)
		retry(job, *error.text ? error.text : strerror(-r));
}

/* Of all answers: whether there is an object to go on with. Otherwise the job may be over. */
static bool take_answer(struct signer_job *job, const struct kube_response *response)
{
	job->call = NULL;
	if (!response->error && response->status == HTTP_NOT_FOUND) {
		end(job); /* nobody wants it any more */
		return false;
	}
	if (response->error || response->status != HTTP_OK) {
		retry(job, response->message);
		return false;
	}
	json_decref(job->object);
	job->object = json_loadb(response->body ?: "", response->length, 0, NULL);
	return true;
}

static void on_written(void *arg, const struct kube_response *response)
{
	struct signer_job *job = arg;
	struct signer *signer = job->signer;

	if (take_answer(job, response)) {
		if (job->approving) {
			step(job);
		} else {
			say_end(job);
			end(job);
		}
	}
	run(signer);
}

static void on_read(void *arg, const struct kube_response *response)
{
	struct signer_job *job = arg;
	struct signer *signer = job->signer;

	if (take_answer(job, response))
		step(job);
	run(signer);
}

static void read_again(struct signer_job *job)
{
	const struct kube_handlers handlers = { .on_done = on_read, .arg = job };
	char path[sizeof(CSR_PATH) + 1 + 253];
	const struct kube_request request = { .path = path };
	int r;

	snprintf(path, sizeof(path), "%s/%s", CSR_PATH, job->name);
	r = kube_call_start(job->signer->client, &request, &handlers, &job->call);
	if (r < 0)
		retry(job, strerror(-r));
}

static struct signer_job *next_job(const struct signer *signer)
{
	struct signer_job *job = signer->first;

	while (job && (job->running || job->timer))
		job = job->next;
	return job;
}

static void run(struct signer *signer)
{
	struct signer_job *job;

	while (signer->n_running < SIGNER_RUNNING_MAX && (job = next_job(signer))) {
		job->running = true;
		signer->n_running++;
		if (job->object)
			step(job);
		else
			read_again(job);
	}
}

/* ---- from the reflector ---- */

void signer_jobs_add(struct signer *signer, json_t *object)
{
	const char *name = name_of(object);
	struct signer_decision decision;
	struct signer_job *job;

	if (!name || *find(signer, name) || signer->n >= SIGNER_WAITING_MAX)
		return;
	signer_judge(object, &signer->rules, &decision);
	request_done(&decision.request);
	job = decision.action == SIGNER_NOTHING ? NULL : calloc(1, sizeof(*job));
	if (!job)
		return;
	job->signer = signer;
	job->name = strdup(name);
	job->object = json_incref(object);
	if (!job->name) {
		job_free(job);
		return;
	}
	*signer->last = job;
	signer->last = &job->next;
	signer->n++;
	run(signer);
}

void signer_jobs_drop(struct signer *signer, const json_t *object)
{
	const char *name = name_of(object);
	struct signer_job **at = name ? find(signer, name) : NULL;

	if (at && *at && !(*at)->running)
		take_out(signer, at);
}

void signer_jobs_done(struct signer *signer)
{
	while (signer->first)
		take_out(signer, &signer->first);
}
