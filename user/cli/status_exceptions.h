/* SPDX-License-Identifier: Apache-2.0 */
/* The part of `status` that lists rules with an end. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* A table of status["exceptions"], nothing when there is none. */
void status_exceptions(FILE *out, const json_t *status);
