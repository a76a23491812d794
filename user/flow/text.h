/* SPDX-License-Identifier: Apache-2.0 */
/* The words for the numbers in an event, made from the one list of each. */
#pragma once

#include "user/base/util.h"

/* Hubble's names of the TCP flags, bit by bit as in the header. */
#define TEXT_TCP_FLAGS 8
extern const char *const text_tcp_flags[TEXT_TCP_FLAGS];

struct text_reason {
	const char *name; /* "POLICY_DENY" */
	const char *drop; /* Hubble's drop_reason_desc, "" for none */
	const char *text;
	const char *remedy; /* "" for none */
};

/* Never NULL, for any number; the strings are not either. */
const struct text_reason *text_reason(uint8_t reason);

/* The reason called @name, NULL for a name that is not in the list. */
const struct text_reason *text_reason_by_name(const char *name);

struct text_auth {
	const char *level; /* "verified", "inferred", "unknown", "claimed" */
	const char *text;
};

const struct text_auth *text_auth(uint8_t auth);

/* What the statistic of that metric name counts, "" for an unknown one. */
const char *text_stat_by_name(const char *metric);
