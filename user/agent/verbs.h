/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of the control socket may ask; one file per verb. */
#pragma once

#include <jansson.h>

#include "user/agent/agent.h"
#include "user/agent/control.h"

/* Answers @request, a JSON object, with client_line(), client_error() or client_stream(). */
void serve_verb(struct agent *agent, struct client *client, const json_t *request);

void serve_status(struct agent *agent, struct client *client, const json_t *request);
void serve_reload(struct agent *agent, struct client *client, const json_t *request);
void serve_flows(struct agent *agent, struct client *client, const json_t *request);
void serve_explain(struct agent *agent, struct client *client, const json_t *request);
void serve_history(struct agent *agent, struct client *client, const json_t *request);
void serve_rollback(struct agent *agent, struct client *client, const json_t *request);
void serve_release(struct agent *agent, struct client *client, const json_t *request);
void serve_unused(struct agent *agent, struct client *client, const json_t *request);
void serve_credentials(struct agent *agent, struct client *client, const json_t *request);
void serve_nodes(struct agent *agent, struct client *client, const json_t *request);
void serve_image(struct agent *agent, struct client *client, const json_t *request);

/* For verbs that change the policy: who asks, or false after the answer. */
bool serve_origin(struct client *client, const json_t *request, struct origin *ret);

/* For the same: what it came to. @error is what to say when it failed. */
void serve_outcome(struct client *client, int r, const struct agent_reload *outcome,
		   const char *error);
