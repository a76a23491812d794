/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that are not in force because something is wrong with them, while all others are.
 * The last good version of each, if there was one, stays in force. They are tried again when
 * other documents change, and now and then: what was in their way may be gone.
 */
#pragma once

#include "user/source/source.h"

#define REFUSALS_MAX 1024 /* with their text; of more, the text is asked for again */
#define REFUSALS_RETRY_MIN_MS 1000
#define REFUSALS_RETRY_MAX_MS 30000

struct refusal {
	struct source_document document; /* the refused version; owned */
	char *message; /* why, for people: "field: what is wrong" */
	bool said;
};

struct refusals {
	struct refusal *item; /* sorted by name */
	size_t n;
	uint64_t version; /* changes whenever the list does */
	unsigned int failures; /* rounds in a row that ended with some */
};

void refusals_done(struct refusals *refusals);

/* The refusal of document @name, or NULL. */
const struct refusal *refusals_find(const struct refusals *refusals, const char *name);

/* Takes over @fresh as the new list; what was said of the same document and message stays so. */
void refusals_replace(struct refusals *refusals, struct refusals *fresh);

/* When to try again: milliseconds from now. */
unsigned int refusals_retry_ms(const struct refusals *refusals);
