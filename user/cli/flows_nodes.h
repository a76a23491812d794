/* SPDX-License-Identifier: Apache-2.0 */
/* The flows of all nodes of a cluster as one stream, in the order of time. */
#pragma once

#include <jansson.h>

#include "user/cli/cli.h"

struct flows_nodes_request {
	const json_t *body; /* what each agent is asked */
	size_t last; /* of the past, so many in all */
	bool follow;
	bool json;
};

/* CLI_FAILED when a node did not answer: that is said, the others' flows are shown. */
int flows_nodes(const struct cli *cli, const struct flows_nodes_request *request);

/* One flow as JSON or as a compact line, written out at once. */
int flows_print(const struct cli *cli, const json_t *flow, bool json);
