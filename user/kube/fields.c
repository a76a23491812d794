/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/fields.h"

#define SEGMENT_MAX 256 /* bytes of a name in a path */

static const struct kube_field whole = { .others = true };

struct kube_field *kube_field_free(struct kube_field *field)
{
	while (field) {
		struct kube_field *next = field->next;

		kube_field_free(field->child);
		free(field->name);
		free(field);
		field = next;
	}
	return NULL;
}

static struct kube_field *find(const struct kube_field *field, const char *name, size_t length)
{
	for (struct kube_field *child = field->child; child; child = child->next)
		if (strncmp(child->name, name, length) == 0 && child->name[length] == '\0')
			return child;
	return NULL;
}

const struct kube_field *kube_field_member(const struct kube_field *field, const char *name,
					   size_t length)
{
	const struct kube_field *child = find(field, name, length);

	if (child)
		return child->dropped ? NULL : child;
	return field->others ? &whole : NULL;
}

/* The member @name, made when it is missing. */
static struct kube_field *member(struct kube_field *field, const char *name)
{
	struct kube_field *child = find(field, name, strlen(name));

	if (child)
		return child;
	child = calloc(1, sizeof(*child));
	if (!child)
		return NULL;
	child->name = strdup(name);
	if (!child->name) {
		free(child);
		return NULL;
	}
	child->next = field->child;
	field->child = child;
	return child;
}

/* The next name of a path into @ret; brackets say for people that an array is in between. */
static const char *segment(const char *path, char ret[SEGMENT_MAX])
{
	size_t n = 0;

	for (; *path && *path != '.'; path++) {
		if (path[0] == '[' && path[1] == ']') {
			path++;
			continue;
		}
		if (path[0] == '\\' && path[1])
			path++;
		if (n + 1 == SEGMENT_MAX)
			return NULL;
		ret[n++] = *path;
	}
	ret[n] = '\0';
	return n == 0 ? NULL : *path ? path + 1 : path;
}

static int add(struct kube_field *field, const char *path)
{
	char name[SEGMENT_MAX];

	while (*path) {
		/* All below it is in already. */
		if (field->others)
			return 0;
		path = segment(path, name);
		if (!path)
			return -EINVAL;
		field = member(field, name);
		if (!field)
			return -ENOMEM;
	}
	field->others = true;
	field->child = kube_field_free(field->child);
	return 0;
}

static int add_all(struct kube_field *root, const char *const *paths)
{
	for (; *paths; paths++) {
		int r = add(root, *paths);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Everything but what the API server notes about who owns which field. */
static int add_whole(struct kube_field *root)
{
	struct kube_field *metadata = member(root, "metadata"), *managed;

	managed = metadata ? member(metadata, "managedFields") : NULL;
	if (!managed)
		return -ENOMEM;
	root->others = metadata->others = true;
	managed->dropped = true;
	return 0;
}

static int fill(struct kube_field *root, const char *const *paths)
{
	static const char *const always[] = {
		"apiVersion",
		"kind",
		"metadata.name",
		"metadata.namespace",
		"metadata.resourceVersion",
		"metadata.annotations.k8s\\.io/initial-events-end",
		"message",
		"reason",
		"code",
		NULL,
	};
	int r = paths ? add_all(root, paths) : add_whole(root);

	return r < 0 ? r : add_all(root, always);
}

int kube_fields_new(const char *const *paths, struct kube_field **ret)
{
	_cleanup_(kube_field_freep) struct kube_field *root = calloc(1, sizeof(*root));
	int r;

	if (!root)
		return -ENOMEM;
	r = fill(root, paths);
	if (r == 0)
		*ret = TAKE_PTR(root);
	return r;
}

/* @around, with the object's fields below @name. */
static int wrap(const char *const *around, const char *name, bool items, const char *const *paths,
		struct kube_field **ret)
{
	_cleanup_(kube_field_freep) struct kube_field *root = calloc(1, sizeof(*root));
	struct kube_field *object;
	int r;

	if (!root)
		return -ENOMEM;
	r = add_all(root, around);
	object = r == 0 ? member(root, name) : NULL;
	if (!object)
		return r < 0 ? r : -ENOMEM;
	object->items = items;
	r = fill(object, paths);
	if (r == 0)
		*ret = TAKE_PTR(root);
	return r;
}

int kube_fields_event(const char *const *paths, struct kube_field **ret)
{
	static const char *const around[] = { "type", NULL };

	return wrap(around, "object", false, paths, ret);
}

int kube_fields_list(const char *const *paths, struct kube_field **ret)
{
	static const char *const around[] = { "kind", "apiVersion", "metadata", NULL };

	return wrap(around, "items", true, paths, ret);
}
