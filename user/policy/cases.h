/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of a PolicyTest, run with the production evaluator on an image that was
 * compiled with every workload a subject and with the clock of timeline.h.
 */
#pragma once

#include "user/policy/model.h"

enum case_outcome {
	CASE_PASSED,
	CASE_FAILED, /* the policies say something else */
	CASE_ERROR, /* it cannot be judged: a workload that does not exist, and the like */
};

/* What the policies said. Owns its texts. */
struct case_result {
	const struct policy_case *wanted;
	char *message; /* why it failed or cannot be judged, "" when it passed */
	char *rule; /* of the decider, "ns/policy#rule"; "" for none */
	char *trace[CS_DIRECTIONS]; /* of each side that was judged, else NULL */
	uint64_t took_ns;
	uint16_t port; /* the number, also of a named port */
	uint8_t outcome; /* enum case_outcome */
	uint8_t family; /* that @got is of: 4, 6, or 0 when there was no choice */
	uint8_t verdict; /* enum cs_verdict */
	uint8_t reason; /* enum cs_reason */
};

struct case_context {
	const struct policy_set *set; /* whose workloads have the addresses and named ports */
	const struct image *image;
	uint64_t now_ns; /* since 1970, for cases without `at` */
};

/* Runs one case. 0, whatever the outcome, or -ENOMEM. */
int case_run(const struct case_context *context, const struct policy_case *wanted,
	     struct case_result *ret);

/* A result for a case that could not even begin. 0 or -ENOMEM. */
int case_error(const struct policy_case *wanted, const char *message, struct case_result *ret);

void case_result_done(struct case_result *result);

/* "allow", "deny", "audit" */
const char *case_verdict_word(uint8_t verdict);

/* "ns/policy#rule", "ns/policy" for the policy's default, "" for no rule; the caller's. */
char *case_rule_text(const struct image *image, uint32_t id);

/* The families, as a set of 1 << 4 and 1 << 6, that @who can use; 0: any (entities). */
unsigned int case_families(const struct policy_set *set, const char *who);

/* The workload called "ns/name", or NULL. */
const struct workload *case_workload(const struct policy_set *set, const char *name);
