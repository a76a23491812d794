/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks in nanoseconds, and time for people. */
#pragma once

#include <time.h>

#include "user/base/util.h"

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define NS_PER_US 1000LL
#define CLOCK_TEXT_MAX sizeof("2026-12-31T23:59:59.000Z")

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static inline int64_t clock_ms(clockid_t clock)
{
	return clock_ns(clock) / NS_PER_MS;
}

/* What added to CLOCK_BOOTTIME gives CLOCK_REALTIME. */
static inline int64_t clock_boot_to_real_ns(void)
{
	int64_t boot = clock_ns(CLOCK_BOOTTIME);

	return clock_ns(CLOCK_REALTIME) - boot;
}

/* RFC 3339 in UTC with milliseconds. */
static inline void clock_text(int64_t realtime_ns, char ret[static CLOCK_TEXT_MAX])
{
	time_t seconds = realtime_ns / NS_PER_S;
	unsigned int ms = realtime_ns / NS_PER_MS % 1000;
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(ret, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, CLOCK_TEXT_MAX - n, ".%03uZ", ms % 1000);
}
