/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lint: what is accepted but is probably not what its author meant. Works on the parsed
 * set and on its image, so that "shadowed" means what the kernel would walk past.
 */
#pragma once

#include "user/policy/lint_codes.h"
#include "user/policy/policy.h"

#define LINT_FINDINGS_MAX 10000 /* findings kept of one run; more are counted */

/* What a code stands for. */
struct lint_info {
	const char *code; /* "CSP101" */
	const char *title;
	const char *why;
	const char *remedy;
	enum lint_severity severity;
};

extern const struct lint_info lint_infos[LINT_CODES_MAX];

/* "error", "warning", "info"; and back, -EINVAL for other texts. */
const char *lint_severity_name(enum lint_severity severity);
int lint_severity_by_name(const char *name, enum lint_severity *ret);

/* The code of such a text (of @length bytes), or LINT_CODES_MAX. */
enum lint_code lint_code_by_text(const char *text, size_t length);

struct finding {
	enum lint_code code;
	char *file;
	unsigned int line; /* from 1; 0: the whole file */
	char *object; /* "IdentityPolicy shop/payments#from-checkout", "" for none */
	char *message;
	char *related_file; /* of the other object that it is about, or NULL */
	unsigned int related_line;
};

/* Sorted by file, line and code once lint_policies() is done. */
struct findings {
	struct finding *item;
	size_t n; /* kept */
	size_t capacity;
	size_t left_out;
	size_t count[LINT_SEVERITIES]; /* found, whether kept or not */
	bool ignored[LINT_CODES_MAX]; /* set by the caller: neither kept nor counted */
};

void findings_done(struct findings *findings);

struct lint_options {
	const struct policy_options *compile; /* as the image was compiled with */
	struct rule_ids *ids; /* that the image's rules have */
	unsigned int audit_days; /* Audit for longer is a finding */
	unsigned int expiry_days; /* rules that expire earlier are */
	bool isolation; /* report workloads that no policy isolates */
};

/*
 * Adds all findings about @set and its @image. 0 or -ENOMEM.
 */
int lint_policies(const struct policy_set *set, const struct image *image,
		  const struct lint_options *options, struct findings *findings);

/* Adds the errors of a parse or compile as findings of @code. 0 or -ENOMEM. */
int findings_add_errors(struct findings *findings, enum lint_code code,
			const struct policy_errors *errors);

/* Sorts by file, line and code. */
void findings_sort(struct findings *findings);
