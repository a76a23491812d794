/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Since when the hits of each rule are counted: the kernel counts by rule id and says
 * nothing of time. Ids are stable from reload to reload, and so are the ages; both begin
 * with the agent.
 */
#pragma once

#include "user/identity/image.h"

struct rule_age {
	uint64_t since_ns; /* CLOCK_BOOTTIME */
	uint64_t name; /* hash of what the id stood for */
	uint64_t base; /* hits that the kernel had counted before for another rule */
};

struct rule_ages {
	struct rule_age *item; /* index = id */
	size_t n;
};

void rule_ages_done(struct rule_ages *ages);

/* Rules that @image has and was not seen before count from @now_ns on. */
void rule_ages_follow(struct rule_ages *ages, const struct image *image, uint64_t now_ns);

/*
 * Of rule @id, which the kernel counted @hits times: since when. It was never hit when
 * @hits equals base. An id that was given to another rule counts from @now_ns on.
 */
struct rule_age rule_ages_get(struct rule_ages *ages, const struct image *image, uint32_t id,
			      uint64_t hits, uint64_t now_ns);
