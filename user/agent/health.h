/* SPDX-License-Identifier: Apache-2.0 */
/* Whether all is well, and word of it to the service manager. */
#pragma once

#include "user/agent/agent.h"

#define HEALTH_FULL_PERCENT 80 /* a table this full is a problem */

/* One kernel table: how many of its places are taken. */
struct health_limit {
	const char *name;
	size_t used, max;
};
#define HEALTH_LIMITS 7

void health_limits(const struct datapath_status *status,
		   struct health_limit ret[static HEALTH_LIMITS]);

/* Texts of what is wrong, none when healthy. New reference. */
json_t *health_problems(const struct agent *agent, const struct datapath_status *status);

/* Texts of what does not make the agent unhealthy but should be known. New reference. */
json_t *health_warnings(const struct agent *agent);

void health_notify_reloading(void);
void health_notify_ready(const struct agent *agent);
