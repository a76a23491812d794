/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions that end. The kernel needs nobody to stop their packets; the agent tells the
 * applications, whose connections may be idle, and writes down which exceptions ended.
 * `expires` is wall time and the kernel has boot time: when the wall clock is set, what is
 * in force is compiled anew.
 */
#pragma once

#include "user/base/util.h"

struct agent;

#define EXPIRY_SPACING_MS 50 /* between sweeps, however many exceptions end one by one */
#define EXPIRY_WARN_S (24 * 60 * 60) /* status warns of those that end within a day */

struct expiry {
	int timer; /* fires at the next end */
	int clock; /* becomes readable when the wall clock is set */
	uint64_t told_ns; /* ends up to here, in boot time, were told */
	uint64_t swept_ns; /* the last sweep for an end */
};

/* Makes the timers. To be called before the first policy; 0 or a negative errno. */
int expiry_open(struct agent *agent);
void expiry_done(struct agent *agent);

/* Waits for the timers in the loop. */
int expiry_start(struct agent *agent);

/* Another image is in force. */
void expiry_follow(struct agent *agent);
