/* SPDX-License-Identifier: Apache-2.0 */
/* The pin: which older revision is held in force, since when, and by whom. */
#pragma once

#include "user/agent/origin.h"

struct pin {
	uint32_t revision; /* 0: nothing is pinned */
	int64_t realtime_ns;
	struct origin origin;
};

/* The pin in the directory @dir; none when there is no file. -EBADMSG: it is damaged. */
int pin_read(int dir, struct pin *ret);

/*
 * In two steps, around a change of policy that may fail: prepare writes all that can fail
 * for want of space, settle makes it the pin for good, abandon forgets it.
 */
int pin_prepare(int dir, const struct pin *pin);
int pin_settle(int dir);
void pin_abandon(int dir);

/* Removes it for good. 0 also when there is none. */
int pin_remove(int dir);
