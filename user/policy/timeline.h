/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock for images that are judged at moments of one's choice, in the past as well:
 * compiled at the start of 1970, no rule has expired yet, and `expires` becomes the
 * nanoseconds since then.
 */
#pragma once

#include "user/policy/model.h"

#define TIMELINE_START_NS 1000000000ULL /* boot clock at 1970; above 1, "already gone by" */

static inline void timeline_set(struct policy_options *options)
{
	options->realtime_ns = 0;
	options->boottime_ns = TIMELINE_START_NS;
}

/* A moment, or @now_ns since 1970 when it is not set, on the clock of such an image. */
static inline uint64_t timeline_at(const struct moment *moment, uint64_t now_ns)
{
	if (!moment->set)
		return now_ns + TIMELINE_START_NS;
	if (moment->seconds < 0)
		return TIMELINE_START_NS;
	if (moment->seconds > INT64_MAX / 1000000000LL - 2)
		return INT64_MAX;
	return (uint64_t)moment->seconds * 1000000000ULL + moment->ns + TIMELINE_START_NS;
}
