/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and prefixes. IPv4 lies at ::ffff:0:0/96, in one number space with IPv6, but
 * the families stay apart: no IPv6 prefix, not even ::/0, covers an IPv4 address.
 */
#pragma once

#include <countersign/abi.h>

#include "user/base/util.h"

#define ADDRESS_BITS 128
#define ADDRESS_V4_BITS 96 /* prefix length of ::ffff:0:0/96 */
#define CIDR_TEXT_MAX 64 /* bytes of a prefix as text, with the final NUL */

/* Parse; on failure they return what is wrong, in words, else NULL. */
const char *address_parse(const char *text, struct cs_addr *ret);
const char *cidr_parse(const char *text, struct cs_cidr *ret);

/* The same, but bits behind the prefix are dropped, as the Kubernetes API allows them. */
const char *cidr_parse_masked(const char *text, struct cs_cidr *ret);

/* Why no workload can have this address, in words, or NULL. */
const char *address_problem(const struct cs_addr *addr);

/* ::1 and 127.0.0.0/8 */
bool address_is_loopback(const struct cs_addr *addr);

bool cidr_is_v4(const struct cs_cidr *cidr);

/* The prefix of @bits bits that @addr lies in. */
struct cs_cidr cidr_of(const __u32 word[static 4], unsigned int bits);

/* Whether every address of @inner is in @outer; never across families. */
bool cidr_covers(const struct cs_cidr *outer, const struct cs_cidr *inner);

void cidr_text(const struct cs_cidr *cidr, char ret[static CIDR_TEXT_MAX]);
