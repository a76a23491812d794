/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that change the policy in force: all ask with a note and answer alike. */
#pragma once

#include "user/cli/client.h"

#define OUTCOME_NOTE_HELP "what the history says of this change, one line"

/* Says on cli->err what a note must be, CLI_OK when @note (NULL: none) is one. */
int outcome_check_note(const struct cli *cli, const struct cli_verb *verb, const char *note);

/* Sends @body (taken over); prints @title, then epoch and connections that were cut. */
int outcome_call(const struct cli *cli, json_t *body, const char *title);
