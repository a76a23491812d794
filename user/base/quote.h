/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text on a log line. */
#pragma once

#include "user/base/util.h"

/*
 * @text as it may stand between the quotes of key="value": quotes and backslashes
 * escaped, control characters as \xHH, so that no text can forge a line or a key.
 * The caller's; NULL when out of memory.
 */
char *quote(const char *text);
