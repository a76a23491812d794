/* SPDX-License-Identifier: Apache-2.0 */
/* Verdict events: from the kernel's ring into the history and to those who follow it. */
#pragma once

#include "user/agent/agent.h"

#define EVENTS_EVERY_MS 50 /* the longest that an event waits in the ring when somebody follows */
#define EVENTS_QUIET_TICKS 20 /* after so many ticks without an event or a reader, */
#define EVENTS_QUIET_MS 500 /* it may wait that long: an idle agent should not wake up */
#define LOSSES_EVERY_MS 10000

int events_start(struct agent *agent);

/* Takes in all that waits in the ring now. */
void events_take(struct agent *agent);

/* Something happens or somebody reads: from now on no event waits long. */
void events_watched(struct agent *agent);
