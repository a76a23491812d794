/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the agent, and the lines it answers: over its Unix socket, or in a cluster
 * through the API server.
 */
#pragma once

#include <jansson.h>

#include "user/cli/cli.h"

#define CLIENT_SOCKET "agent.sock"
#define CLIENT_LINE_MAX (16u << 20) /* bytes of one answer line */
#define CLIENT_TIMEOUT_S 60 /* a reload waits for grace periods and closes sockets */

struct client_request {
	const json_t *body;
	bool endless; /* the answer goes on until somebody stops it: no time limit */
	/* Takes one answer line; CLI_OK to go on. @arg is the caller's. */
	int (*reply)(const struct cli *cli, const json_t *line, void *arg);
	void *arg;
	bool may_be_empty; /* an answer without lines is an answer */
};

/*
 * Sends the request and hands over each line. An answer {"error":...} and every failure
 * are said on cli->err. Returns enum cli_exit: the first that is not CLI_OK ends it.
 */
int client_call(const struct cli *cli, const struct client_request *request);

/* A connection to this node's agent. CLI_OK, or CLI_FAILED, said on cli->err. */
int client_connect(const struct cli *cli, int *ret_fd);

/* Getters that take anything: "" and 0 for what is missing or has another type. */
const char *client_text(const json_t *object, const char *key);
json_int_t client_number(const json_t *object, const char *key);
