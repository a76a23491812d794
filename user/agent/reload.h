/* SPDX-License-Identifier: Apache-2.0 */
/* From documents to policy in force, all or nothing. */
#pragma once

#include "user/agent/agent.h"

/*
 * Reads the source, compiles what changed, puts it in force, tells which cgroups the workloads live in, and
 * cuts the connections that are now denied. When it returns 0 no packet is judged by
 * the old policy any more. On failure the last good policy stays in force, whole, and
 * agent->last.errors says why. Logs.
 */
int reload(struct agent *agent);

/* The same as reload(), unless the documents are those that the last reload read. */
int reload_if_changed(struct agent *agent);

/*
 * Puts @documents, from elsewhere than the source, in force in the same way. What it came
 * to is in @ret, to be freed with reload_done(); agent->last, which is about the source,
 * stays as it is.
 */
int reload_documents(struct agent *agent, const struct source_documents *documents,
		     struct agent_reload *ret);

/*
 * Puts the documents in force in force anew, all of them, without reading any: the clock
 * was set, say. @ret as above. -ENODATA: this agent has put none in force yet.
 */
int reload_again(struct agent *agent, struct agent_reload *ret);

/*
 * The source's documents once more, if they are those that were accepted last. -EAGAIN:
 * they are others by now.
 */
int reload_read_in_force(struct agent *agent, struct source_documents *ret);

/* Frees what @last holds. */
void reload_done(struct agent_reload *last);

/* The cgroups' callback: workload @workload lives in the cgroup @id now. */
void reload_set_cgroup(void *agent, size_t workload, uint64_t id);
