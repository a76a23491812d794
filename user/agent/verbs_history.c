/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"verb":"history"}: one object with all revisions that are kept, the newest first.
 * {"verb":"history", "revision":N}: that one's description, then its documents in pieces,
 * {"file":...,"text":...}; pieces of one file follow each other.
 */
#include "user/agent/json_text.h"
#include "user/agent/verbs.h"
#include "user/base/clock.h"

#define HISTORY_READERS_MAX 4 /* each holds one revision's documents in memory */
#define HISTORY_PIECE_BYTES (32u << 10)

/* The documents on their way to one reader. */
struct documents_stream {
	struct source_documents documents;
	size_t next; /* document, */
	size_t at; /* and byte of it */
};

static unsigned int readers;

static json_t *revision_json(const struct agent *agent, const struct revisions_item *item)
{
	const struct rollback *rollback = &agent->rollback;
	const struct revision *is = &item->is;
	char time[CLOCK_TEXT_MAX];
	json_t *object = json_pack("{s:I, s:b, s:b, s:I}", "revision", (json_int_t)item->number,
				   "in_force", item->number == rollback->in_force, "pinned",
				   item->number == rollback->pin.revision, "bytes",
				   (json_int_t)item->bytes);

	if (item->damage) {
		json_object_set_new(object, "damaged",
				    json_string(revisions_damage_text(item->damage)));
		return object;
	}
	clock_text(is->realtime_ns, time);
	json_object_set_new(object, "time", json_string(time));
	json_object_set_new(object, "author", json_text(is->origin.author));
	json_object_set_new(object, "note", json_text(is->origin.note));
	json_object_set_new(object, "workloads", json_integer(is->workloads));
	json_object_set_new(object, "policies", json_integer(is->policies));
	json_object_set_new(object, "rules", json_integer(is->rules));
	return object;
}

static void serve_list(struct agent *agent, struct client *client)
{
	const struct revisions *revisions = agent->rollback.revisions;
	json_t *list = json_array();

	for (size_t i = revisions_count(revisions); i-- > 0;)
		json_array_append_new(list, revision_json(agent, revisions_at(revisions, i)));
	client_line(client, json_pack("{s:o}", "revisions", list));
}

/* Up to @max bytes; not through a character, and at a line's end when there is one. */
static size_t piece_length(const char *text, size_t left, size_t max)
{
	const char *end;
	size_t n = max;

	if (left <= max)
		return left;
	end = memrchr(text, '\n', max);
	if (end)
		return end + 1 - text;
	while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static int pump(struct agent *agent, struct client *client, void *arg)
{
	struct documents_stream *stream = arg;

	(void)agent;
	while (stream->next < stream->documents.n) {
		const struct source_document *d = &stream->documents.item[stream->next];
		size_t n;

		if (!client_has_room(client))
			return 1;
		n = piece_length(d->text + stream->at, d->length - stream->at, HISTORY_PIECE_BYTES);
		client_line(client, json_pack("{s:o, s:o}", "file", json_text(d->name), "text",
					      json_stringn(d->text + stream->at, n)));
		stream->at += n;
		if (stream->at < d->length)
			continue;
		stream->at = 0;
		stream->next++;
	}
	return 0;
}

static void stream_free(void *arg)
{
	struct documents_stream *stream = arg;

	source_documents_done(&stream->documents);
	free(stream);
	readers--;
}

static void serve_documents(struct agent *agent, struct client *client, json_int_t number)
{
	static const struct client_stream ops = { .pump = pump, .free = stream_free };
	struct revisions *revisions = agent->rollback.revisions;
	struct documents_stream *stream = calloc(1, sizeof(*stream));
	int r = stream ? 0 : -ENOMEM;

	if (r == 0)
		r = number < 1 || number > UINT32_MAX
			    ? -ENOENT
			    : revisions_read(revisions, number, &stream->documents);
	if (r < 0) {
		client_error(client, r == -ENOENT ? "there is no such revision: see history"
						  : revisions_damage_text(r));
		free(stream);
		return;
	}
	client_line(client, revision_json(agent, revisions_find(revisions, number)));
	readers++;
	client_stream(client, &ops, stream);
}

void serve_history(struct agent *agent, struct client *client, const json_t *request)
{
	const json_t *number = json_object_get(request, "revision");

	if (!number)
		serve_list(agent, client);
	else if (readers >= HISTORY_READERS_MAX)
		client_error(client, "too many read the history: try again");
	else
		serve_documents(agent, client, json_integer_value(number));
}
