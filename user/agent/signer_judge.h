/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a CertificateSigningRequest is a node's own. The API server says who asks: the
 * ServiceAccount, and the node that the token's pod is bound to, which the kubelet vouched
 * for. A request is signed when that is the node whose name the certificate shall have.
 */
#pragma once

#include <jansson.h>

#include "user/credential/request.h"

#define SIGNER_NODE_CLAIM "authentication.kubernetes.io/node-name"
#define SIGNER_LIFETIME_DEFAULT_S 3600
#define SIGNER_LIFETIME_MAX_S (7 * 86400) /* longer ones are cut */

/* Why a request is refused: the conditions' reasons, and what is logged. X(NAME, reason, text) */
#define SIGNER_REFUSALS(X)                                                                         \
	X(NONE, "", "")                                                                            \
	X(NOT_AN_AGENT, "NotAnAgent", "only an agent's ServiceAccount may ask this signer")        \
	X(NO_NODE, "NoNodeName", "the token names no node: it must be one that is bound to a pod") \
	X(MALFORMED, "Malformed", "the request cannot be read")                                    \
	X(UNFIT, "Unfit", "the request is not for an X.509-SVID")                                  \
	X(OTHER_NODE, "OtherNode", "the SPIFFE ID is not that of the node that asks")              \
	X(USAGES, "Usages", "usages must be digital signature, client auth and server auth")

enum signer_refusal {
#define X(name, reason, text) SIGNER_REFUSAL_##name,
	SIGNER_REFUSALS(X)
#undef X
		SIGNER_REFUSAL_MAX,
};
const char *signer_refusal_reason(enum signer_refusal refusal);

enum signer_action {
	SIGNER_NOTHING, /* another signer's, or it is over */
	SIGNER_DENY,
	SIGNER_FAIL, /* to be refused, but somebody approved it */
	SIGNER_APPROVE, /* then sign */
	SIGNER_SIGN, /* it is approved */
};

struct signer_rules {
	const char *signer; /* "countersign.dev/node" */
	const char *trust_domain;
	const char *const *users; /* that may ask; NULL-terminated */
};

struct signer_decision {
	enum signer_action action;
	enum signer_refusal refusal;
	char message[CREDENTIAL_ERROR_MAX]; /* of the refusal, for people */
	char node[64]; /* that asks; "": not known */
	struct request request; /* to sign */
	int64_t lifetime_s;
};

/* Fills @ret, whose request is the caller's to free with request_done(). */
void signer_judge(const json_t *object, const struct signer_rules *rules,
		  struct signer_decision *ret);
