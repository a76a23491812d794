/* SPDX-License-Identifier: Apache-2.0 */
/* The images of the last epochs: events name rules and identities of the epoch they fell in. */
#pragma once

#include "user/identity/image.h"

#define EPOCHS_KEPT 16

struct epochs {
	struct {
		uint32_t epoch;
		struct image *image;
	} kept[EPOCHS_KEPT];
	uint32_t current; /* 0: none yet */
};

void epochs_done(struct epochs *epochs);

/* Takes @image over as the one in force from @epoch on. */
void epochs_add(struct epochs *epochs, uint32_t epoch, struct image *image);

/* The image that was in force at @epoch, or NULL when it is not kept. */
const struct image *epochs_at(const struct epochs *epochs, uint32_t epoch);

/* The image in force, or NULL when there is none. */
const struct image *epochs_current(const struct epochs *epochs);
