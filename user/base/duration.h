/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time as people write them. */
#pragma once

#include "user/base/util.h"

#define DURATION_EXPECTED "a number of s, m, h, d or w, such as 90s or 12h"

/* "90s", "30m", "12h", "7d", "2w": at most 99999 of a unit. Seconds, or -EINVAL. */
int duration_parse(const char *text, int64_t *ret_s);
