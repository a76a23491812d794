/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policy set of the history is in force: the newest, or an older one that is pinned.
 * While one is pinned the manifests are read and checked, but not put in force.
 */
#pragma once

#include "user/agent/options.h"
#include "user/agent/pin.h"
#include "user/agent/revisions.h"

struct agent;
struct agent_reload;

#define ROLLBACK_TEXT_MAX 256
#define ROLLBACK_SAVE_S 30 /* the longest that a change of workloads alone is not on disk */

struct rollback {
	struct revisions *revisions;
	struct pin pin;
	bool pin_damaged; /* something is pinned, nobody knows what */
	uint32_t in_force; /* revision in force; 0: not known, or not kept */
	bool last_good; /* it is in force because the manifests were wrong at the start */
	bool unsaved; /* workloads of other nodes changed since that revision was written */
	struct event *timer; /* that writes them; one of agent->events, NULL at first */
	bool waiting; /* pinned, and the manifests say something else */
	char problem[ROLLBACK_TEXT_MAX]; /* what keeps the pinned one from force, "" for nothing */
	char warning[ROLLBACK_TEXT_MAX]; /* why the history lacks something, "" for nothing */
	const struct origin *origin; /* who asked for the reload that runs; NULL: nobody */
};

/* Opens the history; logs what is wrong. */
int rollback_open(struct agent *agent);
void rollback_done(struct agent *agent);

/* Removes the history of an agent with these options. */
int rollback_uninstall(const struct agent_options *options);

/*
 * The first policy of this agent: the pinned revision, else the manifests, else (when they
 * are wrong) the newest revision, so that names and cgroups are known. Fails when no
 * policy could be put in force; what an earlier agent left is untouched then.
 */
int rollback_start(struct agent *agent);

bool rollback_is_pinned(const struct agent *agent);

/* Makes the timer that writes what is not saved. */
int rollback_watch(struct agent *agent);

/* Writes what is not saved, if anything. */
void rollback_save(struct agent *agent);

/*
 * The source's documents were accepted: keeps them, or notes that they wait. When only
 * workloads of other nodes came and went it is the same revision, written again later:
 * they may come and go many times a second, and must not push old policies out.
 */
void rollback_accepted(struct agent *agent, const struct source_documents *documents);

/*
 * Pins revision @number: compiled and committed from what is kept. On failure all is as
 * it was, and @ret->errors says why. Free @ret with reload_done() in any case.
 */
int rollback_to(struct agent *agent, uint32_t number, const struct origin *origin,
		struct agent_reload *ret);

/*
 * Back to the manifests, at once. On failure the pin stays: -ENOENT when there is none,
 * else agent->last.errors says why.
 */
int rollback_release(struct agent *agent, const struct origin *origin);

/* Compiles and commits what is in force anew: the clock was set. */
int rollback_again(struct agent *agent);
