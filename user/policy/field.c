/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/field.h"

#include <stdarg.h>

#define PLAIN_KEY_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define KNOWN_TEXT_MAX 256 /* bytes of "one of a, b, c" in a message */

struct place parse_place(const struct parse *p, const struct node *node)
{
	return (struct place){ .file = p->file, .line = node->line };
}

void parse_error(struct parse *p, const struct node *node, const char *format, ...)
{
	struct place place = parse_place(p, node);
	char message[ERROR_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	policy_errors_add(p->errors, &place, p->path, "%s", message);
}

void parse_wrong_type(struct parse *p, const struct node *node, const char *expected)
{
	parse_error(p, node, "expected %s, got %s%s", expected, node_kind(node),
		    node_is_null(node) ? ": give it a value or leave the field out" : "");
}

static _printf_(2, 3) size_t path_add(struct parse *p, const char *format, ...)
{
	size_t before = strlen(p->path);
	va_list args;

	va_start(args, format);
	vsnprintf(p->path + before, sizeof(p->path) - before, format, args);
	va_end(args);
	return before;
}

/* Keys with dots or slashes, as of labels, are put in brackets. */
size_t parse_enter(struct parse *p, const char *field)
{
	if (!*field || strspn(field, PLAIN_KEY_CHARS) < strlen(field))
		return path_add(p, "[\"%.64s\"]", field);
	return path_add(p, "%s%.64s", *p->path ? "." : "", field);
}

size_t parse_enter_index(struct parse *p, size_t i)
{
	return path_add(p, "[%zu]", i);
}

void parse_leave(struct parse *p, size_t before)
{
	p->path[before] = 0;
}

/* ", " between, "or " before the last: for fields and choices alike. */
static void known_add(char text[static KNOWN_TEXT_MAX], const char *name, bool first, bool last)
{
	size_t n = strlen(text);

	snprintf(text + n, KNOWN_TEXT_MAX - n, "%s%s", first ? "" : last ? " or " : ", ", name);
}

static void known_fields(char text[static KNOWN_TEXT_MAX], const struct field *fields)
{
	text[0] = 0;
	for (const struct field *f = fields; f->name; f++)
		if (f->parse)
			known_add(text, f->name, !*text, !f[1].name);
}

static void unknown_field(struct parse *p, const struct node *key, const struct field *fields)
{
	char known[KNOWN_TEXT_MAX];
	size_t before;

	known_fields(known, fields);
	before = parse_enter(p, key->text);
	parse_error(p, key, "unknown field, expected %s", known);
	parse_leave(p, before);
}

static const struct field *find_field(const struct field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (streq(fields->name, name))
			return fields;
	return NULL;
}

/* Whether a value counts as none. */
static bool is_none(const struct parse *p, const struct node *value)
{
	return p->upstream && node_is_null(value);
}

const struct node *parse_given(const struct parse *p, const struct node *map, const char *key)
{
	const struct node *value = node_get(map, key);

	return value && !is_none(p, value) ? value : NULL;
}

static int check_required(struct parse *p, const struct node *node, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++) {
		size_t before;

		if (!f->required || parse_given(p, node, f->name))
			continue;
		before = parse_enter(p, f->name);
		parse_error(p, node, "is missing");
		parse_leave(p, before);
	}
	return 0;
}

int parse_fields(struct parse *p, const struct node *node, const struct field *fields, void *target)
{
	if (node->type != NODE_MAP) {
		parse_wrong_type(p, node, "a mapping");
		return 0;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct node *key = node_key(node, i);
		const struct field *field = find_field(fields, key->text);
		size_t before;
		int r = 0;

		if (!field && !p->tolerant)
			unknown_field(p, key, fields);
		if (!field || is_none(p, node_value(node, i)))
			continue;
		before = parse_enter(p, key->text);
		if (field->parse)
			r = field->parse(p, node_value(node, i), (char *)target + field->offset);
		parse_leave(p, before);
		if (r < 0)
			return r;
	}
	return check_required(p, node, fields);
}

size_t parse_count_given(const struct parse *p, const struct node *map)
{
	size_t n = 0;

	for (size_t i = 0; map->type == NODE_MAP && i < map->n; i++)
		n += !is_none(p, node_value(map, i));
	return n;
}

int parse_one_of(struct parse *p, const struct node *node, const struct field *fields, void *target)
{
	size_t before = p->errors->total, given = parse_count_given(p, node);
	char known[KNOWN_TEXT_MAX];
	int r;

	r = parse_fields(p, node, fields, target);
	if (r < 0 || p->errors->total != before || given == 1)
		return r;
	known_fields(known, fields);
	parse_error(p, node, "expected exactly one of %s, got %zu", known, given);
	return 0;
}

/* Whether @node is a list of a length that @spec allows; reports if not. */
static bool list_fits(struct parse *p, const struct node *node, const struct list_spec *spec)
{
	if (node->type != NODE_LIST)
		parse_wrong_type(p, node, "a list");
	else if (node->n > spec->max)
		parse_error(p, node, "%zu %s, at most %zu are allowed: split it", node->n, spec->of,
			    spec->max);
	else if (node->n < spec->min)
		parse_error(p, node, "is empty: expected %s, or leave the field out", spec->of);
	else
		return true;
	return false;
}

int parse_list(struct parse *p, const struct node *node, const struct list_spec *spec, void **ret,
	       size_t *ret_n)
{
	char *items;

	if (!list_fits(p, node, spec))
		return 0;
	items = arena_alloc(&p->set->arena, node->n * spec->size);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < node->n; i++) {
		size_t before = parse_enter_index(p, i);
		int r = spec->parse(p, node->item[i], items + i * spec->size);

		parse_leave(p, before);
		if (r < 0)
			return r;
	}
	*ret = items;
	*ret_n = node->n;
	return 0;
}

const char *parse_text_of(struct parse *p, const struct node *node, const char *what)
{
	if (node->type != NODE_TEXT || node_is_null(node)) {
		parse_wrong_type(p, node, what);
		return NULL;
	}
	if (node_is_typed(node)) {
		parse_error(p, node,
			    "expected %s, but %.64s without quotes is a number or truth value: "
			    "write \"%.64s\"",
			    what, node->text, node->text);
		return NULL;
	}
	return node->text;
}

int parse_checked_text(struct parse *p, const struct node *node, const struct text_spec *spec,
		       const char **ret)
{
	const char *text = parse_text_of(p, node, spec->what), *problem;

	if (!text)
		return 0;
	problem = spec->problem(text);
	if (problem) {
		parse_error(p, node, "\"%.64s\" %s", text, problem);
		return 0;
	}
	text = arena_strdup(&p->set->arena, text);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

int parse_choice(struct parse *p, const struct node *node, const struct choice *choices,
		 uint8_t *ret)
{
	char known[KNOWN_TEXT_MAX] = "";

	for (const struct choice *c = choices; c->name; c++) {
		if (node->type == NODE_TEXT && streq(node->text, c->name)) {
			*ret = c->value;
			return 0;
		}
		known_add(known, c->name, c == choices, !c[1].name);
	}
	if (node->type == NODE_TEXT && !node_is_null(node))
		parse_error(p, node, "expected %s, got \"%.64s\"", known, node->text);
	else
		parse_wrong_type(p, node, known);
	return 0;
}

/* The core schema's words; YAML 1.1's "yes" and "on" are a trap that nobody needs. */
int parse_bool(struct parse *p, const struct node *node, void *target)
{
	bool *ret = target;

	if (node->type == NODE_TEXT && !node->quoted &&
	    (streq(node->text, "true") || streq(node->text, "false")))
		*ret = streq(node->text, "true");
	else if (node->type == NODE_TEXT && !node_is_null(node))
		parse_error(p, node, "expected true or false%s, got \"%.64s\"",
			    node->quoted ? " without quotes" : "", node->text);
	else
		parse_wrong_type(p, node, "true or false");
	return 0;
}

bool parse_number(struct parse *p, const struct node *node, uint32_t min, uint32_t max,
		  uint32_t *ret)
{
	char expected[64];
	uint64_t value = 0;

	snprintf(expected, sizeof(expected), "a whole number from %u to %u", min, max);
	if (node->type != NODE_TEXT || node_is_null(node)) {
		parse_wrong_type(p, node, expected);
		return false;
	}
	for (const char *s = node->text; *s && value <= max; s++)
		value = *s >= '0' && *s <= '9' ? value * 10 + (*s - '0') : UINT64_MAX / 2;
	if (node->quoted || !*node->text || (node->text[0] == '0' && node->text[1]) ||
	    value < min || value > max) {
		parse_error(p, node, "expected %s%s, got \"%.64s\"", expected,
			    node->quoted ? " without quotes" : "", node->text);
		return false;
	}
	*ret = (uint32_t)value;
	return true;
}
