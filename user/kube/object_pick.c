/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of objects, and their text. */
#include "user/kube/object_internal.h"

#define KEY_MAX 64 /* of one step of a path */

bool kube_object_named(const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const json_t *namespace = json_object_get(metadata, "namespace");
	const char *name = json_string_value(json_object_get(metadata, "name"));

	return name && *name && (!namespace || json_is_string(namespace));
}

/* A value is shared with the object it comes from, which only lives longer for it. */
static int share(json_t *to, const char *key, const json_t *value)
{
	return json_object_set(to, key, (json_t *)value) < 0 ? -ENOMEM : 0;
}

/* The value of @key of @to, made when it is not there. */
static json_t *enter(json_t *to, const char *key, json_t *(*make)(void))
{
	json_t *value = json_object_get(to, key);

	if (value)
		return value;
	value = make();
	return json_object_set_new(to, key, value) < 0 ? NULL : value;
}

static int pick_each(json_t *to, const json_t *from, const char *path)
{
	for (size_t i = 0; i < json_array_size(from); i++) {
		json_t *element = json_array_get(to, i);
		int r;

		if (!element) {
			element = json_object();
			if (json_array_append_new(to, element) < 0)
				return -ENOMEM;
		}
		r = kube_pick(element, json_array_get(from, i), path);
		if (r < 0)
			return r;
	}
	return 0;
}

int kube_pick(json_t *to, const json_t *from, const char *path)
{
	size_t length = strcspn(path, ".["), list = path[length] == '[' ? strlen("[]") : 0;
	const char *rest = path + length + list;
	const json_t *value;
	char key[KEY_MAX];
	json_t *below;

	/* Not an object where one is expected: the kind is not what it says. */
	if (!json_is_object(from) || length >= sizeof(key))
		return -EINVAL;
	memcpy(key, path, length);
	key[length] = 0;
	value = json_object_get(from, key);
	if (!value || json_is_null(value))
		return 0;
	if (!*rest)
		return share(to, key, value);
	if (list && !json_is_array(value))
		return -EINVAL;
	below = enter(to, key, list ? json_array : json_object);
	if (!below)
		return -ENOMEM;
	return list ? pick_each(below, value, rest + 1) : kube_pick(below, value, rest + 1);
}

int kube_document_text(const json_t *document, char **ret)
{
	char *text = json_dumps(document, JSON_SORT_KEYS | JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}
