/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of single documents into force, for sources with very many of them. What is wrong
 * with one document keeps that one out and no other: see refusals.h.
 */
#pragma once

#include "user/agent/agent.h"

/*
 * Takes the source's changes (all it has, the first time) and those that were refused before,
 * and puts in force what can be. 0 also when some are refused. -EAGAIN: the source has not
 * heard everything yet, nothing has changed. -EOPNOTSUPP: there is no API server, see reload().
 */
int reload_changes(struct agent *agent);

/* Somebody asks for it: the changes, or all there is, whichever the source has. Logs. */
int reload_asked(struct agent *agent);

/* Makes the timer that tries refused documents again. */
int reload_changes_watch(struct agent *agent);
