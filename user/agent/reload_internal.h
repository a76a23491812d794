/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ways of a reload share: all documents at once, and changes of single ones. */
#pragma once

#include "user/agent/reload.h"

/* Everything one reload works with. */
struct attempt {
	const struct source_documents *documents; /* NULL: those in force */
	struct policy_errors errors;
	struct policy_document *staged; /* the documents, as the engine takes them */
	struct policy_result result;
	char **addresses; /* of this node */
	int *cgroup_errors; /* of the workloads to come */
};

void attempt_done(struct attempt *attempt);

/* Takes @text over (NULL: memory is short). */
void reload_add_error(struct agent_reload *last, char *text);

/* Before and after an attempt that agent->last is about; the end logs and returns @r. */
void reload_begin(struct agent *agent);
int reload_end(struct agent *agent, int r);

/*
 * Compiles what is staged and puts it in force. On failure it is rejected and what was in
 * force stays so; @attempt->errors says which documents are at fault, when documents are.
 */
int reload_put_staged(struct agent *agent, struct attempt *attempt);
