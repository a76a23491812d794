/* SPDX-License-Identifier: Apache-2.0 */
/* Two numbers of one text: how a cluster's salt follows from a file or a name. */
#pragma once

#include "user/base/util.h"

/*
 * The salt that follows from @bytes: of a salt file, or of a trust domain's name. The latter
 * is no secret: it keeps numbers apart, and whoever knows the name computes the same.
 */
void identity_salt(const void *bytes, size_t length, uint64_t ret[static 2]);
