/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer's way into what the API server sends: any bytes as a watch or a list, in pieces. What
 * the pruner leaves must be what is left of the same JSON read whole and pruned as a tree. The
 * first byte says which tree of fields, and how long the pieces are.
 */
#include <jansson.h>

#include "user/kube/prune.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)
#define KEPT_MAX (1 << 20)

/* What must come, in order; what came. */
struct expected {
	json_t *texts;
	size_t told;
	bool checked; /* false: only that nothing breaks */
};

static json_t *prune(const json_t *value, const struct kube_field *field)
{
	json_t *pruned, *child;
	const char *name;
	size_t i;

	if (json_is_array(value)) {
		pruned = json_array();
		json_array_foreach(value, i, child)
			json_array_append_new(pruned, prune(child, field));
		return pruned;
	}
	if (!json_is_object(value))
		return json_deep_copy(value);
	pruned = json_object();
	json_object_foreach((json_t *)value, name, child) {
		const struct kube_field *member = kube_field_member(field, name, strlen(name));

		if (member)
			json_object_set_new(pruned, name, prune(child, member));
	}
	return pruned;
}

/* The elements of the list alone, then the list without them. */
static void expect_list(json_t *texts, json_t *pruned)
{
	json_t *items = json_object_get(pruned, "items"), *item;
	size_t i;

	if (json_is_array(items)) {
		json_array_foreach(items, i, item)
			json_array_append(texts, item);
		json_array_clear(items);
	}
	json_array_append(texts, pruned);
}

/* How many of @size bytes hold whole objects; all that are in them is expected. */
static size_t expect(struct expected *expected, const struct kube_field *field, bool list,
		     const char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		json_error_t error;
		json_t *root, *pruned;

		root = json_loadb(data + done, size - done,
				  JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
		if (!json_is_object(root)) {
			json_decref(root);
			break;
		}
		pruned = prune(root, field);
		if (list)
			expect_list(expected->texts, pruned);
		else
			json_array_append(expected->texts, pruned);
		json_decref(pruned);
		json_decref(root);
		done += (size_t)error.position;
	}
	return done;
}

static int on_text(void *arg, bool item, const char *text, size_t length)
{
	struct expected *expected = arg;
	json_t *root;

	(void)item;
	PROMISE(text && strlen(text) <= length);
	root = json_loadb(text, length, JSON_DECODE_ANY, NULL);
	if (expected->told < json_array_size(expected->texts) && expected->checked) {
		PROMISE(root);
		PROMISE(json_equal(root, json_array_get(expected->texts, expected->told)));
	}
	expected->told++;
	json_decref(root);
	return 0;
}

static int feed(struct kube_pruner *pruner, const char *data, size_t size, size_t piece)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < size; at += piece)
		r = kube_pruner_feed(pruner, data + at, MIN(piece, size - at));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const some[] = { "metadata.labels", "spec.containers[].ports",
					    "status.podIPs", NULL };
	struct expected expected = { .texts = json_array() };
	struct kube_field *field = NULL;
	struct kube_pruner *pruner = NULL;
	const char *text = (const char *)data + 1;
	size_t whole;
	bool list;
	int r;

	if (size < 2) {
		json_decref(expected.texts);
		return 0;
	}
	list = data[0] & 1;
	r = (list ? kube_fields_list : kube_fields_event)(data[0] & 2 ? some : NULL, &field);
	PROMISE(r == 0);
	PROMISE(kube_pruner_new(field, KEPT_MAX, on_text, &expected, &pruner) == 0);
	whole = expect(&expected, field, list, text, size - 1);
	/* Long names, deep nesting, and NUL behind a number are refused by the one alone. */
	expected.checked = size < 4 * KUBE_DEPTH_MAX && !memchr(text, 0, size - 1);
	r = feed(pruner, text, size - 1, (data[0] >> 2) + 1u);
	PROMISE(r == 0 || r == -EBADMSG);
	if (expected.checked && json_array_size(expected.texts) > 0)
		PROMISE(expected.told >= json_array_size(expected.texts));
	if (r == 0 && expected.checked && whole == size - 1)
		PROMISE(kube_pruner_idle(pruner));
	kube_pruner_free(pruner);
	kube_field_free(field);
	json_decref(expected.texts);
	return 0;
}
