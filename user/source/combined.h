/* SPDX-License-Identifier: Apache-2.0 */
/* Two sources as one: the documents of both, sorted by name. */
#pragma once

#include "user/source/source.h"

/*
 * Takes both over, also on failure. -EAGAIN of either is the combination's. It always has
 * source_changes(): for a source that has none they are worked out from what it read last.
 */
int source_combined_new(struct source *a, struct source *b, struct source **ret);
