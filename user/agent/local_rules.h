/* SPDX-License-Identifier: Apache-2.0 */
/* What the rulesets of an image say of each rule id: the rules that can decide on this node. */
#pragma once

#include "user/identity/image.h"

struct local_rule {
	uint64_t expires_ns; /* CLOCK_BOOTTIME, 0: never */
	uint8_t action; /* enum cs_action; 0: in no ruleset, or nobody wrote it */
};

/* By rule id, image->n_rules of them; the caller's. NULL: no memory. */
struct local_rule *local_rules(const struct image *image);

/* The earliest expiry after @now_ns, 0: none. */
uint64_t local_rules_next_expiry(const struct image *image, uint64_t now_ns);

/* Whether any rule expires or has expired. */
bool local_rules_expire(const struct image *image);
