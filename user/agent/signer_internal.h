/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the signer share. */
#pragma once

#include "user/agent/signer.h"
#include "user/agent/signer_judge.h"
#include "user/kube/lease.h"
#include "user/kube/reflector.h"

#define SIGNER_RUNNING_MAX 16 /* requests that are worked on at once */
#define SIGNER_WAITING_MAX 16384 /* more are left until the list is read again */
#define SIGNER_ATTEMPTS_MAX 5
#define SIGNER_AGAIN_MS 1000
#define SIGNER_USERS 2

struct signer;

/* One request that is worked on, or waits for it. */
struct signer_job {
	struct signer_job *next;
	struct signer *signer;
	char *name;
	json_t *object; /* NULL: read it again */
	bool running, approving; /* a call runs; it is that of the approval */
	unsigned int attempts;
	struct kube_call *call;
	struct event *timer;
	char node[64], serial[SVID_SERIAL_MAX]; /* of what is being written */
	enum signer_action action;
	enum signer_refusal refusal;
	char message[CREDENTIAL_ERROR_MAX];
};

struct signer {
	struct kube_client *client;
	const char *directory, *trust_domain;
	char *user[SIGNER_USERS + 1];
	struct signer_rules rules;
	struct kube_lease *lease;
	struct kube_reflector *reflector; /* only while it leads */
	struct signer_job *first, **last;
	size_t n, n_running;
	uint64_t signed_total, denied_total, failed_total;
	char trouble[KUBE_ERROR_MAX]; /* "" when the last request went well */
};

/* Adds what is to be done about @object, if anything. Begins as many as may run. */
void signer_jobs_add(struct signer *signer, json_t *object);
void signer_jobs_drop(struct signer *signer, const json_t *object);
void signer_jobs_done(struct signer *signer);

/* The patches, as JSON text; NULL: no memory. @object: as it was read. */
char *signer_approval(const json_t *object, const struct signer_decision *decision);
char *signer_failure(const json_t *object, const struct signer_decision *decision);
char *signer_certificate(const json_t *object, const char *pem, size_t length);
