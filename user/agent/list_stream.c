/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/list_stream.h"

#include "user/base/util.h"

struct list_stream {
	json_t *list;
	size_t next;
};

static int pump(struct agent *agent, struct client *client, void *arg)
{
	struct list_stream *stream = arg;

	(void)agent;
	for (; stream->next < json_array_size(stream->list); stream->next++) {
		if (!client_has_room(client))
			return 1;
		client_line(client, json_incref(json_array_get(stream->list, stream->next)));
	}
	return 0;
}

static void stream_free(void *arg)
{
	struct list_stream *stream = arg;

	json_decref(stream->list);
	free(stream);
}

void list_stream_send(struct client *client, json_t *head, json_t *list)
{
	static const struct client_stream ops = { .pump = pump, .free = stream_free };
	struct list_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		json_decref(head);
		json_decref(list);
		client_error(client, strerror(ENOMEM));
		return;
	}
	stream->list = list;
	client_line(client, head);
	client_stream(client, &ops, stream);
}
