/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of many lines: a head, then an object a line, as fast as the client reads. */
#pragma once

#include "user/agent/control.h"

/* Takes @head and @list, an array, over. */
void list_stream_send(struct client *client, json_t *head, json_t *list);
