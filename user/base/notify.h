/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the service manager how we are: the sd_notify(3) protocol. */
#pragma once

#include "user/base/util.h"

/*
 * Sends @state, lines such as "READY=1\nSTATUS=...", to $NOTIFY_SOCKET. Returns 1 when
 * sent, 0 when nobody listens, or a negative errno; a failure need not be acted upon.
 */
int notify_send(const char *state);
