/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/yaml.h"

#include <stdarg.h>
#include <yaml.h>

#define YAML_BOM "\xef\xbb\xbf" /* byte order mark; some editors write one */

struct yaml_stream {
	yaml_parser_t parser;
	const char *text;
	size_t length;
	struct arena *arena; /* of the document being read */
	size_t nodes;
	unsigned int depth;
	unsigned int line; /* of the problem */
	bool ended;
	char problem[YAML_PROBLEM_MAX];
};

static _printf_(3, 4) int yaml_fail(struct yaml_stream *stream, unsigned int line,
				    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(stream->problem, sizeof(stream->problem), format, args);
	va_end(args);
	stream->line = line;
	return -EBADMSG;
}

int yaml_stream_new(const char *text, size_t length, struct yaml_stream **ret)
{
	struct yaml_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	if (length >= strlen(YAML_BOM) && memcmp(text, YAML_BOM, strlen(YAML_BOM)) == 0) {
		text += strlen(
			YAML_BOM); /* the parser skips it only when it guesses the encoding */
		length -= strlen(YAML_BOM);
	}
	if (!yaml_parser_initialize(&stream->parser)) {
		free(stream);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&stream->parser, (const unsigned char *)text, length);
	yaml_parser_set_encoding(&stream->parser, YAML_UTF8_ENCODING);
	stream->text = text;
	stream->length = length;
	*ret = stream;
	return 0;
}

struct yaml_stream *yaml_stream_free(struct yaml_stream *stream)
{
	if (!stream)
		return NULL;
	yaml_parser_delete(&stream->parser);
	free(stream);
	return NULL;
}

const char *yaml_stream_problem(const struct yaml_stream *stream, unsigned int *ret_line)
{
	*ret_line = stream->line;
	return stream->problem;
}

/* The reader knows a byte offset only. */
static unsigned int yaml_line_at(const struct yaml_stream *stream, size_t offset)
{
	unsigned int line = 1;

	for (size_t i = 0; i < MIN(offset, stream->length); i++)
		line += stream->text[i] == '\n';
	return line;
}

static int yaml_parser_failed(struct yaml_stream *stream)
{
	const yaml_parser_t *parser = &stream->parser;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR)
		return yaml_fail(stream, yaml_line_at(stream, parser->problem_offset),
				 "is no YAML in UTF-8: %s", parser->problem);
	return yaml_fail(stream, parser->problem_mark.line + 1, "is no YAML: %s%s%s",
			 parser->context ? parser->context : "", parser->context ? ", " : "",
			 parser->problem ? parser->problem : "syntax error");
}

static int yaml_event(struct yaml_stream *stream, yaml_event_t *ret)
{
	return yaml_parser_parse(&stream->parser, ret) ? 0 : yaml_parser_failed(stream);
}

static int yaml_push(struct yaml_stream *stream, struct node *parent, size_t n, struct node *child)
{
	struct node **item;

	item = arena_grow(stream->arena, parent->item, n, &parent->capacity, sizeof(*item));
	if (!item)
		return -ENOMEM;
	parent->item = item;
	parent->item[n] = child;
	return 0;
}

static int yaml_read(struct yaml_stream *stream, const yaml_event_t *event, struct node **ret);

static int yaml_read_list(struct yaml_stream *stream, struct node *list)
{
	for (;;) {
		yaml_event_t event;
		struct node *child;
		bool end;
		int r;

		r = yaml_event(stream, &event);
		if (r < 0)
			return r;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!end)
			r = yaml_read(stream, &event, &child);
		yaml_event_delete(&event);
		if (r < 0 || end)
			return r;
		r = yaml_push(stream, list, list->n, child);
		if (r < 0)
			return r;
		list->n++;
	}
}

static int key_compare(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
	int order = strcmp(x->text, y->text);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* A key given twice: one of the two would be lost without a word. */
static int yaml_check_keys(struct yaml_stream *stream, const struct node *map)
{
	_cleanup_free_ const struct node **key = calloc(map->n + 1, sizeof(*key));

	if (!key)
		return -ENOMEM;
	for (size_t i = 0; i < map->n; i++) {
		key[i] = node_key(map, i);
		if (key[i]->type != NODE_TEXT)
			return yaml_fail(stream, key[i]->line, "a key must be text, not %s",
					 node_kind(key[i]));
	}
	qsort(key, map->n, sizeof(*key), key_compare);
	for (size_t i = 1; i < map->n; i++)
		if (streq(key[i - 1]->text, key[i]->text))
			return yaml_fail(stream, key[i]->line,
					 "the key \"%.64s\" is given twice, first on line %u",
					 key[i]->text, key[i - 1]->line);
	return 0;
}

static int yaml_read_map(struct yaml_stream *stream, struct node *map)
{
	for (size_t n = 0;; n++) {
		yaml_event_t event;
		struct node *child;
		bool end;
		int r;

		r = yaml_event(stream, &event);
		if (r < 0)
			return r;
		end = event.type == YAML_MAPPING_END_EVENT;
		if (!end)
			r = yaml_read(stream, &event, &child);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
		if (end)
			return yaml_check_keys(stream, map);
		r = yaml_push(stream, map, n, child);
		if (r < 0)
			return r;
		map->n = (n + 1) / 2;
	}
}

static int yaml_read_text(struct yaml_stream *stream, const yaml_event_t *event, struct node *node)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;

	if (memchr(text, 0, length))
		return yaml_fail(stream, node->line, "text with a NUL character");
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text = arena_strndup(stream->arena, text, length);
	return node->text ? 0 : -ENOMEM;
}

static int yaml_read_nested(struct yaml_stream *stream, struct node *node)
{
	int r;

	if (++stream->depth > YAML_DEPTH_MAX)
		return yaml_fail(stream, node->line, "nested deeper than %u levels",
				 YAML_DEPTH_MAX);
	r = node->type == NODE_LIST ? yaml_read_list(stream, node) : yaml_read_map(stream, node);
	stream->depth--;
	return r;
}

/* The tag that an event carries, or NULL. */
static const yaml_char_t *event_tag(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.tag;
	default:
		return NULL;
	}
}

/* The node that starts with @event. */
static int yaml_read(struct yaml_stream *stream, const yaml_event_t *event, struct node **ret)
{
	unsigned int line = event->start_mark.line + 1;
	struct node *node;
	int r;

	if (event->type == YAML_ALIAS_EVENT)
		return yaml_fail(stream, line, "aliases (*%.64s) are not supported: %s",
				 event->data.alias.anchor, "write the value out");
	if (event_tag(event))
		return yaml_fail(stream, line, "tags (%.64s) are not supported: leave it out",
				 event_tag(event));
	if (++stream->nodes > YAML_NODES_MAX)
		return yaml_fail(stream, line, "more than %u nodes in one document",
				 YAML_NODES_MAX);
	node = arena_alloc(stream->arena, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->line = line;
	node->type = event->type == YAML_SCALAR_EVENT		? NODE_TEXT
		     : event->type == YAML_SEQUENCE_START_EVENT ? NODE_LIST
								: NODE_MAP;
	r = node->type == NODE_TEXT ? yaml_read_text(stream, event, node)
				    : yaml_read_nested(stream, node);
	if (r == 0)
		*ret = node;
	return r;
}

int yaml_stream_next(struct yaml_stream *stream, struct arena *arena, const struct node **ret)
{
	struct node *root = NULL;

	if (stream->length > YAML_SIZE_MAX)
		return yaml_fail(stream, 0, "is larger than %zu bytes: split it", YAML_SIZE_MAX);
	stream->arena = arena;
	stream->nodes = 0;
	stream->depth = 0;
	while (!root && !stream->ended) {
		yaml_event_t event;
		int r;

		r = yaml_event(stream, &event);
		if (r < 0)
			return r;
		stream->ended = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_SCALAR_EVENT || event.type == YAML_ALIAS_EVENT ||
		    event.type == YAML_SEQUENCE_START_EVENT ||
		    event.type == YAML_MAPPING_START_EVENT)
			r = yaml_read(stream, &event, &root);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	}
	*ret = root;
	return 0;
}
