/* SPDX-License-Identifier: Apache-2.0 */
/* The agent and its API server: the client, and everything that is heard from there. */
#pragma once

#include <jansson.h>

struct agent;

/* With --kubernetes: finds the API server and makes the client. Nothing is asked yet. Logs. */
int kube_open(struct agent *agent);
/* After everything that uses the client. */
void kube_done(struct agent *agent);

/* agent->source: directory, host units and API server, as the options say. Logs. */
int kube_open_source(struct agent *agent);

/* The namespace of the agent's own objects. */
const char *kube_namespace(const struct agent *agent);

/* For status; nothing without an API server. */
void kube_add_status(json_t *object, const struct agent *agent);
void kube_add_problems(json_t *list, const struct agent *agent);
void kube_add_warnings(json_t *list, const struct agent *agent);
