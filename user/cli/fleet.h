/* SPDX-License-Identifier: Apache-2.0 */
/* The same question to the agents of many nodes, some at a time. */
#pragma once

#include <jansson.h>

#include "user/cli/cluster.h"

#define FLEET_AT_ONCE 16 /* kubectl processes at a time, for questions that end */
#define FLEET_FOLLOW_MAX 64 /* nodes that can be followed at once: a kubectl for each */

struct fleet_request {
	const json_t *body;
	size_t at_once;
	bool endless; /* no time limit: until somebody stops it */
	/* An answer line of a node; CLI_OK to go on, anything else ends all. */
	int (*line)(void *arg, const struct cluster_node *node, const json_t *line);
	/* A node has answered; @error is why it has not, or NULL. */
	int (*end)(void *arg, const struct cluster_node *node, const char *error);
	/* Now and then, when set; it says how many ms from now it wants to be called again. */
	int (*idle)(void *arg, int *ret_ms);
	void *arg;
};

/* CLI_OK when every callback said so, whatever the nodes answered. */
int fleet_ask(const struct cli *cli, const struct cluster_nodes *nodes,
	      const struct fleet_request *request);
