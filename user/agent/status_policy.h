/* SPDX-License-Identifier: Apache-2.0 */
/* What status tells of revisions, the pin and exceptions. */
#pragma once

#include <jansson.h>

struct agent;

/* Adds "revision", "last_good", "pinned" and "exceptions" to @object. */
void status_add_policy(json_t *object, const struct agent *agent);

/* Adds texts: what makes the agent unhealthy, and what does not. */
void status_add_problems(json_t *list, const struct agent *agent);
void status_add_warnings(json_t *list, const struct agent *agent);
