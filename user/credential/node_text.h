/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes and times as text in node records. Each value has exactly one spelling, so that a
 * record that was read and written again is the same text.
 */
#pragma once

#include "user/base/clock.h"
#include "user/base/util.h"

#define NODE_TIME_MAX_MS 7258118400000LL /* 2200-01-01: what nanoseconds can still count */

/* Padded base64 of RFC 4648, section 4, without white space; the caller's, NULL: no memory. */
char *node_base64(const uint8_t *data, size_t n);

/*
 * The bytes behind @text, at most @max: the caller's, with their number in @ret_n. -EBADMSG:
 * not base64, or not the one spelling; -EFBIG: more than @max.
 */
int node_base64_decode(const char *text, size_t max, uint8_t **ret, size_t *ret_n);

/* RFC 3339 in UTC with milliseconds: "2026-11-25T12:00:00.123Z". */
void node_time_text(int64_t ms, char ret[static CLOCK_TEXT_MAX]);
int node_time_parse(const char *text, int64_t *ret_ms); /* -EBADMSG: any other spelling */
