/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of verbs. Each returns 0 or -EINVAL and leaves @ret alone then. */
#pragma once

#include "user/base/util.h"

struct parse_port {
	uint16_t port;
	const char *protocol; /* "TCP", "UDP", "SCTP" */
};

/* "8080/tcp", "53/UDP", "80" (TCP) */
int parse_port(const char *text, struct parse_port *ret);

/* "shop/checkout": both parts present, no second slash. */
bool parse_is_workload(const char *text);

/* A whole number 0..@max in decimal. */
int parse_count(const char *text, unsigned long max, unsigned long *ret);

/* "json" or the verb's other format: *@ret is whether it is JSON. NULL text: the other. */
int parse_format(const char *text, const char *other, bool *ret);
