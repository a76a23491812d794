/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two images mean the same, whatever is where in them. */
#pragma once

#include "test_policy.h"

enum {
	SAME_PLACEMENTS,
	SAME_REVOKED_PLACEMENTS,
	SAME_REVOKED_ADDRESSES,
	SAME_SERVICES,
	SAME_BACKENDS,
	SAME_SEEN,
};

/* How many of each were compared: a comparison of nothing proves nothing. */
struct same_seen {
	unsigned int n[SAME_SEEN];
};

/* Every identity, address, pair and Service, and every verdict; @b is made from nothing. */
void same_images(const struct image *a, const struct image *b, unsigned int step,
		 struct same_seen *seen);
