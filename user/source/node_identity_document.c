/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/node_identity_document.h"

#define RECORD_FIELDS(X) \
	X(trustDomain)   \
	X(node)          \
	X(number)        \
	X(issued)        \
	X(certificates)  \
	X(signature)
#define KEY_FIELDS(X) \
	X(parity)     \
	X(publicKey)  \
	X(notBefore)  \
	X(active)     \
	X(notAfter)

const char *const node_identity_fields[] = {
	"metadata.name",
#define X(field) "spec." #field,
	RECORD_FIELDS(X)
#undef X
#define X(field) "spec.keys[]." #field,
		KEY_FIELDS(X)
#undef X
			NULL,
};

int node_identity_name(const json_t *object, char ret_name[static NODE_IDENTITY_NAME_MAX])
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *name = json_string_value(json_object_get(metadata, "name"));
	size_t digits = name ? strspn(name, "0123456789") : 0;

	if (!digits || name[digits] || digits + sizeof(".json") > NODE_IDENTITY_NAME_MAX)
		return -EINVAL;
	snprintf(ret_name, NODE_IDENTITY_NAME_MAX, "%s.json", name);
	return 0;
}

/* Of @from those members that are in @names; what is missing the parser of records misses. */
static json_t *pick(const json_t *from, const char *const *names, size_t n)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < n; i++) {
		json_t *value = json_object_get(from, names[i]);

		if (value && json_object_set(object, names[i], value) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *keys_of(const json_t *spec)
{
	static const char *const names[] = {
#define X(field) #field,
		KEY_FIELDS(X)
#undef X
	};
	const json_t *keys = json_object_get(spec, "keys");
	json_t *list = json_array();
	const json_t *key;
	size_t i;

	json_array_foreach(keys, i, key)
		if (json_array_append_new(list, pick(key, names, ARRAY_SIZE(names))) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *spec_of(const json_t *object)
{
	static const char *const names[] = {
#define X(field) #field,
		RECORD_FIELDS(X)
#undef X
	};
	const json_t *spec = json_object_get(object, "spec");
	json_t *picked = pick(spec, names, ARRAY_SIZE(names));

	if (picked && json_is_array(json_object_get(spec, "keys")) &&
	    json_object_set_new(picked, "keys", keys_of(spec)) < 0) {
		json_decref(picked);
		return NULL;
	}
	return picked;
}

int node_identity_document(const json_t *object, char ret_name[static NODE_IDENTITY_NAME_MAX],
			   char **ret)
{
	const json_t *metadata = json_object_get(object, "metadata");
	json_auto_t *document = NULL;
	int r = node_identity_name(object, ret_name);

	if (r < 0)
		return r;
	if (!json_object_get(json_object_get(object, "spec"), "signature"))
		return -ENODATA;
	document = json_pack("{s:O*, s:O*, s:{s:O}, s:o}", "apiVersion",
			     json_object_get(object, "apiVersion"), "kind",
			     json_object_get(object, "kind"), "metadata", "name",
			     json_object_get(metadata, "name"), "spec", spec_of(object));
	*ret = document ? json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	return *ret ? 0 : -ENOMEM;
}
