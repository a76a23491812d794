/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From manifests to an image. Builds without libbpf, OpenSSL or curl; all input is
 * treated as hostile. No function logs or exits.
 */
#pragma once

#include "user/identity/image.h"

#define POLICY_ERRORS_MAX 32 /* errors kept for one load; more are counted */

/* One thing wrong in a manifest. */
struct policy_error {
	char *file;
	unsigned int line; /* from 1; 0: the whole file */
	char *field; /* path such as "spec.ingress[0].from[1].cidrs[0].cidr", "" if none */
	char *message; /* what is wrong and what was expected, with the remedy */
};

struct policy_errors {
	struct policy_error item[POLICY_ERRORS_MAX];
	size_t n; /* kept */
	size_t total; /* found */
};

void policy_errors_done(struct policy_errors *errors);

/* "file:line: field: message"; the result is the caller's. */
char *policy_error_text(const struct policy_error *error);

/* Parsed manifests: workloads and policies. Opaque. */
struct policy_set;

int policy_set_new(struct policy_set **ret);
struct policy_set *policy_set_free(struct policy_set *set); /* returns NULL */
static inline void policy_set_freep(struct policy_set **set)
{
	policy_set_free(*set);
}

/*
 * Parses one YAML stream (any number of documents) and adds its objects. Returns 0,
 * -EBADMSG with @errors filled, or -ENOMEM. After an error the set must not be used.
 */
int policy_set_parse(struct policy_set *set, const char *file, const char *text, size_t length,
		     struct policy_errors *errors);

/*
 * Rule ids that stay the same from compile to compile while a rule of that name
 * exists. Ids of vanished rules are not given to others until the numbers run out.
 */
struct rule_ids;
int rule_ids_new(struct rule_ids **ret);
struct rule_ids *rule_ids_free(struct rule_ids *ids); /* returns NULL, takes it too */

struct policy_options {
	const char *trust_domain; /* "example.org" */
	const char *node_name; /* this node's; NULL: there are no others, and `node` says nothing */
	uint8_t default_verdict; /* enum cs_verdict: when no policy isolates a direction */
	const char *const *tag_networks; /* CIDRs, NULL-terminated, or NULL */
	const char *const *host_addresses; /* the node's own, as CIDRs, NULL-terminated, or NULL */
	uint64_t salt[2]; /* cluster salt: keys the identity numbers */
	bool salt_by_domain; /* it follows from the trust domain's name: others have their own */
	bool audit; /* all policies, whatever they say: nothing is denied by one */
	uint64_t realtime_ns; /* now; CLOCK_REALTIME and CLOCK_BOOTTIME of one moment, */
	uint64_t boottime_ns; /* to turn `expires` into kernel time */
	bool every_subject; /* judge every workload as if it ran here: for tools that work on files */
};

/*
 * Compiles the set. Returns 0 and the image (the caller's), -EBADMSG or -ENOSPC with
 * @errors filled (a limit is named, with the policy that passes it), or -ENOMEM.
 */
int policy_compile(const struct policy_set *set, const struct policy_options *options,
		   struct rule_ids *ids, struct image **ret, struct policy_errors *errors);

/* What explain shows of one direction. */
struct policy_step {
	uint32_t rule; /* id */
	bool covers; /* this rule covered the flow */
	char *why; /* "peer does not match", "port does not match", "decides", ... */
};

struct policy_explanation {
	uint8_t direction; /* enum cs_direction */
	bool known; /* the subject is a workload of this image */
	uint32_t workload; /* 1 + index of the subject into workloads, 0: none */
	struct cs_result result; /* the evaluator's own answer */
	struct policy_step *steps; /* the rules walked, in order */
	size_t n_steps;
};

struct policy_flow {
	const char *from; /* "ns/name" of a workload, or an entity such as "World", or an IP */
	const char *to; /* an IP may be a Service's: its backends count, every one */
	uint16_t port;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
	uint8_t family; /* 4 or 6: which address of a workload CIDRs look at; 0: its first */
	bool authenticated; /* whether both sides are taken as verified */
	uint64_t boottime_ns; /* the moment to judge at */
};

/* Both sides together: Deny when either denies, else Audit when either audits. */
struct policy_judgement {
	struct cs_result result; /* of the side that counts: the first to deny, then to audit */
	uint8_t direction; /* enum cs_direction: which side that is */
};

/*
 * The verdict on @flow as kernels at both ends would give it. Fails as policy_explain().
 */
int policy_judge(const struct image *image, const struct policy_flow *flow,
		 struct policy_judgement *ret);

/*
 * Explains @flow: ret[CS_EGRESS] for the sender, ret[CS_INGRESS] for the receiver.
 * -ENOENT when a named workload does not exist. Free with policy_explanation_done().
 */
int policy_explain(const struct image *image, const struct policy_flow *flow,
		   struct policy_explanation ret[static CS_DIRECTIONS]);
void policy_explanation_done(struct policy_explanation *explanation);

/*
 * An explanation in one line, tier by tier, such as
 * "[Admin] Pass (ops-baseline#3) -> [NetworkPolicy] Allow (shop/payments#from-checkout)";
 * a default deny names every policy that isolates. The caller's; NULL: no memory.
 */
char *policy_trace(const struct image *image, const struct policy_explanation *explanation);
