/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/signer.h"

#include <fcntl.h>

#include "user/agent/agent.h"
#include "user/agent/json_text.h"
#include "user/agent/kube.h"
#include "user/agent/signer_internal.h"
#include "user/base/quote.h"
#include "user/credential/authority.h"

#define SCHEME "ca:"

/* ServiceAccounts that agents run as, with and without --signer. */
static const char *const accounts[SIGNER_USERS] = { "countersign", "countersign-signer" };

/* ---- the requests ---- */

static void on_set(void *arg, json_t *object)
{
	signer_jobs_add(arg, object);
}

static void on_gone(void *arg, json_t *object)
{
	signer_jobs_drop(arg, object);
}

static void on_nothing(void *arg)
{
	(void)arg;
}

static void on_trouble(void *arg, const char *text)
{
	struct signer *signer = arg;

	snprintf(signer->trouble, sizeof(signer->trouble), "%s", text);
}

static int watch(struct signer *signer)
{
	static const struct kube_resource resource = {
		.group = "certificates.k8s.io",
		.version = "v1",
		.plural = "certificatesigningrequests",
		.kind = "CertificateSigningRequest",
		.field_selector = "spec.signerName=" SIGNER_NAME,
	};
	static const struct kube_reflector_ops ops = {
		.begin = on_nothing,
		.set = on_set,
		.gone = on_gone,
		.synced = on_nothing,
		.trouble = on_trouble,
	};

	return kube_reflector_new(signer->client, &resource, &ops, signer, &signer->reflector);
}

static void on_leader(void *arg, bool leader)
{
	struct signer *signer = arg;
	int r = 0;

	log_info(leader ? "signs the nodes' certificates now" : "signs no certificates any more",
		 "ca=\"%s\"", signer->directory);
	if (leader && !signer->reflector)
		r = watch(signer);
	if (r < 0)
		log_error("cannot watch certificate requests", "error=\"%s\"", strerror(-r));
	if (!leader) {
		signer->reflector = kube_reflector_free(signer->reflector);
		signer_jobs_done(signer);
	}
}

/* ---- the start ---- */

static struct signer *signer_free(struct signer *signer)
{
	if (!signer)
		return NULL;
	kube_reflector_free(signer->reflector);
	signer_jobs_done(signer);
	kube_lease_free(signer->lease);
	for (size_t i = 0; i < SIGNER_USERS; i++)
		free(signer->user[i]);
	free(signer);
	return NULL;
}

/* A CA that cannot sign is said at the start, not when the first node asks. */
static int check_authority(const struct signer *signer)
{
	_cleanup_close_ int dir = open(signer->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(authority_freep) struct authority *authority = NULL;
	struct credential_error error = { "" };
	int r = dir < 0 ? credential_fail(&error, -errno, "%m")
			: authority_open(dir, &authority, &error);

	if (r == 0 && !streq(authority->trust_domain, signer->trust_domain))
		r = credential_fail(&error, -EINVAL, "it is of the trust domain %.200s, not %.200s",
				    authority->trust_domain, signer->trust_domain);
	if (r < 0) {
		_cleanup_free_ char *text = quote(error.text);

		log_error("cannot sign with the CA", "ca=\"%s\" error=\"%s\"", signer->directory,
			  text ?: "");
	}
	return r;
}

static int set_rules(struct signer *signer, const char *namespace)
{
	for (size_t i = 0; i < SIGNER_USERS; i++)
		if (asprintf(&signer->user[i], "system:serviceaccount:%s:%s", namespace,
			     accounts[i]) < 0) {
			signer->user[i] = NULL;
			return -ENOMEM;
		}
	signer->rules = (struct signer_rules){
		.signer = SIGNER_NAME,
		.trust_domain = signer->trust_domain,
		.users = (const char *const *)signer->user,
	};
	return 0;
}

static int start(struct signer *signer, struct agent *agent)
{
	const struct kube_lease_options lease = {
		.namespace = kube_namespace(agent),
		.name = SIGNER_LEASE,
		.identity = agent->node_name,
	};
	int r = check_authority(signer);

	if (r == 0)
		r = set_rules(signer, lease.namespace);
	return r == 0 ? kube_lease_new(agent->kube, &lease, on_leader, signer, &signer->lease) : r;
}

int signer_open(struct agent *agent)
{
	const char *ca = agent->options->signer;
	struct signer *signer;
	int r;

	if (!ca)
		return 0;
	if (!startswith(ca, SCHEME) || !ca[strlen(SCHEME)]) {
		log_error("no such signer", "signer=\"%s\" remedy=\"--signer ca:DIR\"", ca);
		return -EINVAL;
	}
	signer = calloc(1, sizeof(*signer));
	if (!signer)
		return -ENOMEM;
	signer->client = agent->kube;
	signer->directory = ca + strlen(SCHEME);
	signer->trust_domain = agent->options->trust_domain;
	signer->last = &signer->first;
	r = start(signer, agent);
	if (r < 0)
		signer_free(signer);
	else
		agent->signer = signer;
	return r;
}

void signer_done(struct agent *agent)
{
	struct signer *signer = agent->signer;

	if (!signer)
		return;
	signer->reflector = kube_reflector_free(signer->reflector);
	signer_jobs_done(signer);
	/* Given back, so that another goes on at once. */
	kube_lease_release(signer->lease);
	agent->signer = signer_free(signer);
}

/* ---- status ---- */

void signer_add_status(json_t *object, const struct agent *agent)
{
	const struct signer *signer = agent->signer;

	if (!signer)
		return;
	json_object_set_new(object, "signer",
			    json_pack("{s:b, s:s, s:I, s:I, s:I, s:I}", "leads",
				      kube_lease_is_leader(signer->lease), "leader",
				      kube_lease_holder(signer->lease), "signed",
				      (json_int_t)signer->signed_total, "denied",
				      (json_int_t)signer->denied_total, "failed",
				      (json_int_t)signer->failed_total, "waiting",
				      (json_int_t)signer->n));
}

void signer_add_warnings(json_t *list, const struct agent *agent)
{
	struct kube_lease_status status;

	if (!agent->signer)
		return;
	kube_lease_status(agent->signer->lease, &status);
	if (*agent->signer->trouble)
		json_array_append_new(list, json_text(agent->signer->trouble));
	if (*status.trouble)
		json_array_append_new(list, json_text(status.trouble));
}
