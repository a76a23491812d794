/* SPDX-License-Identifier: Apache-2.0 */
/* Telling versions of a text apart. */
#pragma once

#include <countersign/siphash.h>

#include "user/base/util.h"

/*
 * A digest of name and text, the same for as long as the process lives, never zero. Its
 * key is random, so whoever writes texts cannot make two look the same.
 */
struct cs_key document_digest(const char *name, const char *text, size_t length);
