/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the kernel/user contract as words for people; user/flow/text.h has others. */
#pragma once

#include <countersign/abi.h>

#include "user/base/util.h"

const char *verdict_word(unsigned int verdict); /* "allow", "deny", "audit" */
const char *direction_word(unsigned int direction); /* "ingress", "egress" */
const char *deny_mode_word(unsigned int mode); /* "drop", "reject" */
const char *action_word(unsigned int action); /* "Allow", "Deny", "Pass" */
const char *stat_word(unsigned int stat); /* "events_lost", NULL when there is none */

/* The number of a word, or -EINVAL. */
int verdict_from_word(const char *word);
int deny_mode_from_word(const char *word);
int protocol_from_word(const char *word); /* "TCP", "udp", "SCTP" */
const char *protocol_word(unsigned int protocol);
