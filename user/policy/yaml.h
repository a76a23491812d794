/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as small trees that know their lines. Only what manifests need: mappings with
 * plain keys, lists, text. Refused, each with its line: aliases (one small file could
 * make billions of nodes), tags, keys given twice, what is not UTF-8, deep nesting.
 */
#pragma once

#include "user/identity/arena.h"

#define YAML_SIZE_MAX ((size_t)64 << 20) /* bytes of one stream */
#define YAML_DEPTH_MAX 32 /* nested lists and mappings */
#define YAML_NODES_MAX 1000000 /* nodes of one document */
#define YAML_PROBLEM_MAX 256

enum node_type {
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_type type;
	unsigned int line;
	bool quoted; /* text in quotes or a block, so surely meant as text */
	const char *text; /* never with a NUL inside */
	struct node **item; /* list: elements; map: key, value, key, value, ... */
	size_t n; /* elements, or pairs */
	size_t capacity;
};

/* Pair @i of a map. */
static inline const struct node *node_key(const struct node *map, size_t i)
{
	return map->item[2 * i];
}

static inline const struct node *node_value(const struct node *map, size_t i)
{
	return map->item[2 * i + 1];
}

/* The value of @key in a map, or NULL. */
const struct node *node_get(const struct node *map, const char *key);

/* Whether @node is text that YAML reads as null: nothing at all, or ~. */
bool node_is_null(const struct node *node);

/* Whether plain text is no string for YAML 1.1: a number, a truth value or null. */
bool node_is_typed(const struct node *node);

/* "a list", "a mapping", "text" or "nothing". */
const char *node_kind(const struct node *node);

struct yaml_stream;

int yaml_stream_new(const char *text, size_t length, struct yaml_stream **ret);
struct yaml_stream *yaml_stream_free(struct yaml_stream *stream); /* returns NULL */
static inline void yaml_stream_freep(struct yaml_stream **stream)
{
	yaml_stream_free(*stream);
}

/*
 * The next document into @ret, in @arena; *ret is NULL at the end. -EBADMSG: see
 * yaml_stream_problem(); the stream cannot go on after it.
 */
int yaml_stream_next(struct yaml_stream *stream, struct arena *arena, const struct node **ret);

/* What was wrong, and on which line. */
const char *yaml_stream_problem(const struct yaml_stream *stream, unsigned int *ret_line);
