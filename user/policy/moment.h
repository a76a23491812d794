/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as manifests write them: RFC 3339. */
#pragma once

#include "user/policy/model.h"

/* "2026-12-31T00:00:00Z", with fractions and offsets. Returns what is wrong, or NULL. */
const char *moment_parse(const char *text, struct moment *ret);

/*
 * The moment on the kernel's boot clock, when @realtime_ns and @boottime_ns are the same
 * moment. 0: never; 1: already gone by, and the boot clock is past 1. The far future is cut
 * to 2^63 - 1, the largest value that the evaluator compares right.
 */
uint64_t moment_boottime(const struct moment *moment, uint64_t realtime_ns, uint64_t boottime_ns);
