/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: one JSON request line from a client, JSON lines back, end.
 * Bounded in clients, in what each may send and in what is kept for each to read.
 */
#pragma once

#include <jansson.h>

#include "user/agent/origin.h"

#define CONTROL_CLIENTS_MAX 64
#define CONTROL_REQUEST_MAX 16384 /* bytes */
#define CONTROL_REQUEST_S 10 /* seconds to send a request in, or to take a reply in */
#define CONTROL_BACKLOG_BYTES (256 << 10) /* of a stream, kept for its reader */

struct agent;
struct control;
struct client;

/* Listens at @path with mode 0600; what a dead agent left there is removed. */
int control_new(struct agent *agent, const char *path, struct control **ret);
struct control *control_free(struct control *control); /* takes and returns NULL */

/* Lets every stream go on; to be called when there is something new. Takes NULL. */
void control_pump(struct control *control);

/* Whether any client reads a stream. Takes NULL. */
bool control_has_streams(const struct control *control);

/* For verbs: sends one line; takes @line over. */
void client_line(struct client *client, json_t *line);

/* For verbs: {"error": text}. */
void client_error(struct client *client, const char *text);

/* For verbs: who asks, with a note of theirs; see origin_of_peer(). */
int client_origin(const struct client *client, const json_t *request, struct origin *ret);

/*
 * For verbs that send many lines: @pump adds lines while client_has_room(), and
 * returns 1: again when there is room or something new, 2: again at once, after the
 * others had their turn, or 0: that was all. @free frees @stream.
 */
struct client_stream {
	int (*pump)(struct agent *agent, struct client *client, void *stream);
	void (*free)(void *stream);
};
void client_stream(struct client *client, const struct client_stream *ops, void *stream);
bool client_has_room(const struct client *client);
