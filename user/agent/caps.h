/* SPDX-License-Identifier: Apache-2.0 */
/* Privileges: docs/operations.md has the same table. */
#pragma once

#include "user/base/util.h"

/*
 * Whether the process has what the agent needs from start to end. -EPERM: no, and
 * @ret_missing (the caller's to free) names the capabilities that it lacks.
 */
int caps_check(char **ret_missing);

/*
 * Gives up, for good, every capability that the running agent does not need, in all
 * sets; forbids new ones (no_new_privs), core dumps and ptrace by equals.
 */
int caps_drop(void);
