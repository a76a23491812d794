/* SPDX-License-Identifier: Apache-2.0 */
/* Words that the policy verbs share. */
#pragma once

#include <jansson.h>

#include "user/base/util.h"
#include "user/identity/image.h"

const char *policy_protocol_word(uint8_t protocol); /* "TCP"; "other" for one that is unknown */

/* IPPROTO_* of "TCP", "UDP", "SCTP", or 0. */
uint8_t policy_protocol_number(const char *word);

const char *policy_direction_word(unsigned int direction); /* "ingress", "egress" */

/* "by shop/payments#x: a rule allows it" and the like, for people; the caller's. */
char *policy_decider_text(const char *rule, uint8_t reason);

/* JSON text, also for bytes that are no UTF-8: they become '?'. New reference. */
json_t *policy_json_text(const char *text);

/* Bytes of the UTF-8 character at @text, 0: it is none. */
size_t policy_utf8_length(const char *text);

/* Prints a JSON object, indented; takes the reference. CLI_OK or CLI_FAILED. */
int policy_print_json(FILE *out, json_t *object);
