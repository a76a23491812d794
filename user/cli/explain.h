/* SPDX-License-Identifier: Apache-2.0 */
/* Explanations for people, whether an agent answered or files did. */
#pragma once

#include <jansson.h>

#include "user/cli/cli.h"
#include "user/cli/parse.h"

struct explain_question {
	const char *from;
	const char *to;
	struct parse_port port;
	bool json;
};

/*
 * Prints an answer as the agent gives it; `trace` and `isolated_by` of a direction are
 * shown when they are there. CLI_OK when the flow passes, else CLI_FAILED.
 */
int explain_print(const struct cli *cli, const json_t *answer,
		  const struct explain_question *question);
