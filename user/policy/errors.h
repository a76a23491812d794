/* SPDX-License-Identifier: Apache-2.0 */
/* Adding to struct policy_errors; reading them is in policy.h. */
#pragma once

#include "user/policy/model.h"

#define ERROR_MESSAGE_MAX 512 /* longer messages are cut */

/*
 * One more error at @place about @field (NULL: none). What manifests say goes through
 * here on its way to terminals and logs, so control characters become '?'.
 */
void policy_errors_add(struct policy_errors *errors, const struct place *place, const char *field,
		       const char *format, ...) _printf_(4, 5);
