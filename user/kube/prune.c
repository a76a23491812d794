/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/prune.h"

#include <jansson.h>

#define KEEP_CAPACITY (64 << 10) /* bytes of the buffer that are not given back */

enum state {
	S_VALUE, /* a value, or the end of an array that is still empty */
	S_NAME, /* a member's name, or the end of an object that is still empty */
	S_COLON,
	S_AFTER, /* a value has ended: a comma, or the end of what it is in */
	S_STRING,
	S_ESCAPE,
	S_HEX,
	S_NUMBER,
	S_WORD, /* true, false, null */
};

/* What may come next in a number; the last four may be its end. */
enum number { N_MINUS, N_POINT, N_E, N_SIGN, N_ZERO, N_INTEGER, N_FRACTION, N_EXPONENT };

struct level {
	const struct kube_field *field; /* NULL: dropped */
	bool array, empty, kept; /* nothing in it; something of it was kept */
};

struct kube_pruner {
	const struct kube_field *root;
	size_t max;
	kube_prune_fn fn;
	void *arg;
	enum state state;
	enum number number;
	bool in_name, escaped; /* the text is a member's name; it has escapes */
	unsigned int hex; /* digits to come */
	const char *word; /* letters to come */
	const struct kube_field *field; /* of the value at hand */
	struct level level[KUBE_DEPTH_MAX];
	unsigned int depth;
	unsigned int items; /* depth of the array that is told one by one; 0: not in one */
	char *text;
	size_t length, capacity, mark; /* where the item began */
	bool too_large;
	char name[KUBE_NAME_MAX];
	size_t name_length;
};

int kube_pruner_new(const struct kube_field *fields, size_t max, kube_prune_fn fn, void *arg,
		    struct kube_pruner **ret)
{
	struct kube_pruner *pruner = calloc(1, sizeof(*pruner));

	if (!pruner)
		return -ENOMEM;
	pruner->root = fields;
	pruner->max = max;
	pruner->fn = fn;
	pruner->arg = arg;
	*ret = pruner;
	return 0;
}

struct kube_pruner *kube_pruner_free(struct kube_pruner *pruner)
{
	if (pruner)
		free(pruner->text);
	free(pruner);
	return NULL;
}

bool kube_pruner_idle(const struct kube_pruner *pruner)
{
	return pruner->depth == 0 && pruner->state == S_VALUE;
}

static int put(struct kube_pruner *p, const char *data, size_t n)
{
	size_t capacity = MAX(p->capacity, (size_t)1024);
	char *more;

	if (p->length - p->mark + n > p->max)
		p->too_large = true;
	if (p->too_large)
		return 0;
	while (capacity < p->length + n + 1)
		capacity *= 2;
	if (capacity != p->capacity) {
		more = realloc(p->text, capacity);
		if (!more)
			return -ENOMEM;
		p->text = more;
		p->capacity = capacity;
	}
	memcpy(p->text + p->length, data, n);
	p->length += n;
	return 0;
}

static struct level *top(struct kube_pruner *p)
{
	return &p->level[p->depth - 1];
}

/* A part of a text or name, as it stands in the input. */
static int take(struct kube_pruner *p, const char *data, size_t n)
{
	if (!p->in_name)
		return p->field ? put(p, data, n) : 0;
	/* What is dropped as a whole needs no names. */
	if (!top(p)->field)
		return 0;
	if (p->name_length + n > sizeof(p->name))
		return -EBADMSG;
	memcpy(p->name + p->name_length, data, n);
	p->name_length += n;
	return 0;
}

/* One large object must not cost its memory for ever. */
static void give_back(struct kube_pruner *p)
{
	char *less;

	if (p->capacity <= KEEP_CAPACITY || p->length > KEEP_CAPACITY)
		return;
	less = realloc(p->text, KEEP_CAPACITY);
	if (!less)
		return;
	p->text = less;
	p->capacity = KEEP_CAPACITY;
}

static int tell(struct kube_pruner *p, bool item)
{
	int r;

	if (!p->too_large)
		p->text[p->length] = '\0';
	r = p->fn(p->arg, item, p->too_large ? NULL : p->text + p->mark, p->length - p->mark);
	p->too_large = false;
	p->length = p->mark;
	p->mark = 0;
	give_back(p);
	return MIN(r, 0);
}

static int value_ended(struct kube_pruner *p)
{
	p->state = p->depth ? S_AFTER : S_VALUE;
	if (p->depth == 0)
		return tell(p, false);
	return p->depth == p->items ? tell(p, true) : 0;
}

/* Before an element of an array; members got theirs with their name. */
static int begin_element(struct kube_pruner *p)
{
	struct level *in = top(p);

	p->field = in->field;
	in->empty = false;
	if (!p->field)
		return 0;
	if (p->depth == p->items) {
		p->mark = p->length;
		return 0;
	}
	if (!in->kept) {
		in->kept = true;
		return 0;
	}
	return put(p, ",", 1);
}

static int push(struct kube_pruner *p, char c)
{
	if (p->depth == KUBE_DEPTH_MAX)
		return -EBADMSG;
	p->level[p->depth++] =
		(struct level){ .field = p->field, .array = c == '[', .empty = true };
	p->state = c == '[' ? S_VALUE : S_NAME;
	/* What is nested in an item is part of it. */
	if (p->items == 0 && c == '[' && p->field && p->field->items)
		p->items = p->depth;
	return p->field ? put(p, &c, 1) : 0;
}

static int pop(struct kube_pruner *p, char c)
{
	const struct level *level = p->depth ? top(p) : NULL;

	if (!level || level->array != (c == ']'))
		return -EBADMSG;
	p->field = level->field;
	if (p->field && put(p, &c, 1) < 0)
		return -ENOMEM;
	if (p->depth == p->items)
		p->items = 0;
	p->depth--;
	return value_ended(p);
}

static int begin_scalar(struct kube_pruner *p, char c)
{
	static const char *const words[] = { "true", "false", "null" };

	if (c == '"') {
		p->state = S_STRING;
		return take(p, &c, 1);
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		p->state = S_NUMBER;
		p->number = c == '-' ? N_MINUS : c == '0' ? N_ZERO : N_INTEGER;
		return take(p, &c, 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i][0] != c)
			continue;
		p->state = S_WORD;
		p->word = words[i] + 1;
		return take(p, &c, 1);
	}
	return -EBADMSG;
}

static int on_value(struct kube_pruner *p, char c)
{
	int r;

	if (c == ']' && p->depth && top(p)->array && top(p)->empty)
		return pop(p, c);
	/* At the top there are objects only. */
	if (p->depth == 0 && c != '{')
		return -EBADMSG;
	p->in_name = false;
	if (p->depth == 0) {
		p->field = p->root;
		r = 0;
	} else {
		r = top(p)->array ? begin_element(p) : 0;
	}
	if (r < 0)
		return r;
	return c == '{' || c == '[' ? push(p, c) : begin_scalar(p, c);
}

static int on_name(struct kube_pruner *p, char c)
{
	if (c == '}' && top(p)->empty)
		return pop(p, c);
	if (c != '"')
		return -EBADMSG;
	top(p)->empty = false;
	p->in_name = true;
	p->escaped = false;
	p->name_length = 0;
	p->state = S_STRING;
	return take(p, &c, 1);
}

/* Escapes hide which member it is; they are rare in names. */
static int find_escaped(struct kube_pruner *p, const struct level *in)
{
	json_t *name = json_loadb(p->name, p->name_length, JSON_DECODE_ANY, NULL);

	if (!name)
		return -EBADMSG;
	p->field = kube_field_member(in->field, json_string_value(name), json_string_length(name));
	json_decref(name);
	return 0;
}

/* The name is whole, quotes and all: whether its value is wanted. */
static int name_ended(struct kube_pruner *p)
{
	struct level *in = top(p);
	int r = 0;

	p->state = S_COLON;
	p->field = NULL;
	if (!in->field)
		return 0;
	if (p->escaped)
		r = find_escaped(p, in);
	else
		p->field = kube_field_member(in->field, p->name + 1, p->name_length - 2);
	if (r < 0 || !p->field)
		return r;
	r = in->kept ? put(p, ",", 1) : 0;
	in->kept = true;
	if (r == 0)
		r = put(p, p->name, p->name_length);
	return r < 0 ? r : put(p, ":", 1);
}

static int on_after(struct kube_pruner *p, char c)
{
	if (c == '}' || c == ']')
		return pop(p, c);
	if (c != ',')
		return -EBADMSG;
	p->state = top(p)->array ? S_VALUE : S_NAME;
	return 0;
}

static int on_colon(struct kube_pruner *p, char c)
{
	p->state = S_VALUE;
	return c == ':' ? 0 : -EBADMSG;
}

static int on_escape(struct kube_pruner *p, char c)
{
	if (c == '\0' || !strchr("\"\\/bfnrtu", c))
		return -EBADMSG;
	p->escaped = true;
	p->hex = 4;
	p->state = c == 'u' ? S_HEX : S_STRING;
	return take(p, &c, 1);
}

static int on_hex(struct kube_pruner *p, char c)
{
	if (c == '\0' || !strchr("0123456789abcdefABCDEF", c))
		return -EBADMSG;
	if (--p->hex == 0)
		p->state = S_STRING;
	return take(p, &c, 1);
}

static int on_word(struct kube_pruner *p, char c)
{
	int r;

	if (c != *p->word)
		return -EBADMSG;
	r = take(p, &c, 1);
	if (r < 0 || *++p->word)
		return r;
	return value_ended(p);
}

/* The state after @c, or -1 when it is no part of the number. */
static int number_next(enum number now, char c)
{
	if (c >= '0' && c <= '9') {
		static const int digit[] = {
			[N_POINT] = N_FRACTION, [N_FRACTION] = N_FRACTION, [N_E] = N_EXPONENT,
			[N_SIGN] = N_EXPONENT,	[N_EXPONENT] = N_EXPONENT, [N_INTEGER] = N_INTEGER,
			[N_ZERO] = -1,
		};

		return now == N_MINUS ? (c == '0' ? N_ZERO : N_INTEGER) : digit[now];
	}
	if (c == '.' && (now == N_ZERO || now == N_INTEGER))
		return N_POINT;
	if ((c == 'e' || c == 'E') && (now == N_ZERO || now == N_INTEGER || now == N_FRACTION))
		return N_E;
	return (c == '+' || c == '-') && now == N_E ? N_SIGN : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int on_char(struct kube_pruner *p, char c);

static int on_number(struct kube_pruner *p, char c)
{
	int next = number_next(p->number, c), r;

	if (next >= 0) {
		p->number = (enum number)next;
		return take(p, &c, 1);
	}
	if (p->number < N_ZERO)
		return -EBADMSG;
	r = value_ended(p);
	return r < 0 ? r : on_char(p, c);
}

static int on_char(struct kube_pruner *p, char c)
{
	static int (*const on[])(struct kube_pruner *, char) = {
		[S_VALUE] = on_value,	[S_NAME] = on_name,	[S_COLON] = on_colon,
		[S_AFTER] = on_after,	[S_ESCAPE] = on_escape, [S_HEX] = on_hex,
		[S_NUMBER] = on_number, [S_WORD] = on_word,
	};

	if (p->state <= S_AFTER && is_space(c))
		return 0;
	return on[p->state](p, c);
}

/* Most bytes are inside of texts: those go by in runs. Returns how many were taken. */
static ssize_t in_string(struct kube_pruner *p, const char *data, size_t length)
{
	size_t n = 0;
	int r;

	while (n < length && data[n] != '"' && data[n] != '\\' && (unsigned char)data[n] >= ' ')
		n++;
	if (n == length)
		return (r = take(p, data, n)) < 0 ? r : (ssize_t)n;
	if (data[n] != '"' && data[n] != '\\')
		return -EBADMSG;
	p->state = S_ESCAPE;
	r = take(p, data, n + 1);
	if (r == 0 && data[n] == '"')
		r = p->in_name ? name_ended(p) : value_ended(p);
	return r < 0 ? r : (ssize_t)n + 1;
}

int kube_pruner_feed(struct kube_pruner *p, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n;

		if (p->state == S_STRING) {
			n = in_string(p, data, length);
		} else {
			n = on_char(p, *data);
			n = n < 0 ? n : 1;
		}
		if (n < 0)
			return (int)n;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}
