/* SPDX-License-Identifier: Apache-2.0 */
/* The questions that probes ask. */
#pragma once

#include <jansson.h>

#include "user/cli/cli.h"

enum status_check {
	STATUS_CHECK_NONE,
	STATUS_CHECK_LIVE, /* it answers */
	STATUS_CHECK_READY, /* it enforces what it was told */
	STATUS_CHECK_HEALTHY, /* and nothing is wrong */
};

/* The enum status_check that @word names, or -EINVAL. */
int status_check_from_word(const char *word);

/* Prints yes, or what is missing; CLI_OK for yes. */
int status_check_print(const struct cli *cli, enum status_check check, const json_t *status);
