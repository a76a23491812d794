/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' Time and MicroTime: RFC 3339 in UTC. */
#pragma once

#include <time.h>

#include "user/base/util.h"

#define KUBE_TIME_MAX sizeof("2026-12-31T23:59:59.000000Z")

/* MicroTime, which Lease and Event want. */
static inline void kube_time_text(int64_t realtime_ns, char ret[static KUBE_TIME_MAX])
{
	time_t seconds = realtime_ns / 1000000000;
	unsigned int us = realtime_ns / 1000 % 1000000;
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(ret, KUBE_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, KUBE_TIME_MAX - n, ".%06uZ", us % 1000000);
}

/* Time, in whole seconds, which metadata and conditions have. */
static inline void kube_time_seconds_text(int64_t realtime_ns, char ret[static KUBE_TIME_MAX])
{
	time_t seconds = realtime_ns / 1000000000;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(ret, KUBE_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Either, as the API server writes them (always in UTC), to milliseconds since 1970. */
static inline int kube_time_parse(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ms = 0, unit = 100;

	if (!end)
		return -EINVAL;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
			ms += (*end - '0') * unit;
	if (!streq(end, "Z"))
		return -EINVAL;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return 0;
}
