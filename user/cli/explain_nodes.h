/* SPDX-License-Identifier: Apache-2.0 */
/* explain in a cluster: each side's node knows the policy of its own pods. */
#pragma once

#include "user/cli/explain.h"

/* Asks the nodes of both pods @body and prints one answer. */
int explain_nodes(const struct cli *cli, const json_t *body,
		  const struct explain_question *question);
