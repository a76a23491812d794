/* SPDX-License-Identifier: Apache-2.0 */
/* From documents to policy in force, all or nothing. */
#pragma once

#include "user/agent/agent.h"

/*
 * Reads the source, compiles, commits, tells which cgroups the workloads live in, and
 * cuts the connections that are now denied. When it returns 0 no packet is judged by
 * the old policy any more. On failure the last good policy stays in force, whole, and
 * agent->last.errors says why. Logs.
 */
int reload(struct agent *agent);

/* The same, unless the documents are those that the last reload read. */
int reload_if_changed(struct agent *agent);

/* Frees what agent->last holds. */
void reload_done(struct agent_reload *last);

/* The cgroups' callback: workload @workload lives in the cgroup @id now. */
void reload_set_cgroup(void *agent, size_t workload, uint64_t id);
