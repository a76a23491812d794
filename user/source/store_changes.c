/* SPDX-License-Identifier: Apache-2.0 */
/* What changed and was not handed over yet: the newest text of each object, once. */
#include "user/source/store.h"

struct cs_key store_digest(const struct store *store, const struct store_object *object)
{
	return object->changed ? store->change[object->change].digest : object->digest;
}

bool store_has_document(const struct store *store, const struct store_object *object)
{
	return object->changed ? !store->change[object->change].gone : object->handed;
}

static void drop_text(struct store *store, struct store_change *change)
{
	store->change_bytes -= change->length;
	free(change->text);
	change->text = NULL;
	change->length = 0;
}

/* The change of an object, made when there is none. */
static int change_of(struct store *store, uint32_t at, struct store_change **ret)
{
	struct store_object *object = store_at(store, at);

	if (!object->changed && store->n_changes == store->changes_room) {
		size_t room = MAX(2 * store->changes_room, 64U);
		struct store_change *more = reallocarray(store->change, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		store->change = more;
		store->changes_room = room;
	}
	if (!object->changed) {
		object->change = (uint32_t)store->n_changes;
		object->changed = true;
		store->change[store->n_changes++] = (struct store_change){ .object = at };
	}
	*ret = &store->change[object->change];
	return 0;
}

/* The last change takes the place of one that is nobody's business any more. */
static void drop_change(struct store *store, uint32_t at)
{
	struct store_object *object = store_at(store, at);
	struct store_change *change = &store->change[object->change];

	drop_text(store, change);
	store->n_changes--;
	if (object->change < store->n_changes) {
		*change = store->change[store->n_changes];
		store_at(store, change->object)->change = object->change;
	}
	object->changed = false;
	object->digest = (struct cs_key){ 0 };
}

int store_set(struct store *store, uint32_t at, const struct store_text *text)
{
	struct store_change *change;
	int r;

	if (text->length > STORE_CHANGE_BYTES_MAX - store->change_bytes)
		return -ENOSPC;
	r = change_of(store, at, &change);
	if (r < 0)
		return r;
	drop_text(store, change);
	change->gone = false;
	change->text = text->text;
	change->length = text->length;
	change->digest = text->digest;
	store->change_bytes += text->length;
	return 0;
}

int store_gone(struct store *store, uint32_t at)
{
	struct store_object *object = store_at(store, at);
	struct store_change *change;
	int r;

	if (!object->handed) {
		if (object->changed)
			drop_change(store, at);
		store_remove(store, at);
		return 0;
	}
	r = change_of(store, at, &change);
	if (r < 0)
		return r;
	drop_text(store, change);
	change->gone = true;
	change->digest = (struct cs_key){ 0 };
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct source_document *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void sort(struct source_documents *documents)
{
	if (documents->n)
		qsort(documents->item, documents->n, sizeof(*documents->item), by_name);
}

/* A document for each of @n changes, with the names only, so that nothing can fail later. */
static int name_changes(const struct store *store, struct source_document *item)
{
	char name[STORE_FULL_NAME_MAX];

	for (size_t i = 0; i < store->n_changes; i++) {
		store_name(store, store_at(store, store->change[i].object), name);
		item[i].name = strdup(name);
		if (item[i].name)
			continue;
		while (i > 0)
			free(item[--i].name);
		return -ENOMEM;
	}
	return 0;
}

/* What every change has become once its document is with the reader. */
static void settle(struct store *store, struct source_document *item)
{
	for (size_t i = 0; i < store->n_changes; i++) {
		struct store_change *change = &store->change[i];
		struct store_object *object = store_at(store, change->object);

		item[i].text = change->text;
		item[i].length = change->length;
		item[i].digest = change->digest;
		object->changed = false;
		object->digest = change->digest;
		object->handed = !change->gone;
		if (change->gone && !object->refused)
			store_remove(store, change->object);
	}
	store->n_changes = store->change_bytes = 0;
	if (store->changes_room > 1024) {
		free(store->change);
		store->change = NULL;
		store->changes_room = 0;
	}
}

int store_take_changes(struct store *store, struct source_documents *ret)
{
	struct source_documents documents = { .n = store->n_changes };
	int r;

	documents.item = calloc(MAX(documents.n, 1U), sizeof(*documents.item));
	if (!documents.item)
		return -ENOMEM;
	r = name_changes(store, documents.item);
	if (r < 0) {
		free(documents.item);
		return r;
	}
	settle(store, documents.item);
	sort(&documents);
	*ret = documents;
	return 0;
}

/* Objects whose document the reader has, and which it still has afterwards. */
static bool is_unchanged(const struct store_object *object)
{
	return object->handed && !object->changed;
}

static void count_unchanged(const struct store *store, size_t *ret_n, size_t *ret_bytes)
{
	char name[STORE_FULL_NAME_MAX];

	*ret_n = *ret_bytes = 0;
	for (uint32_t at = store_next(store, 0); at; at = store_next(store, at)) {
		const struct store_object *object = store_at(store, at);

		if (!is_unchanged(object))
			continue;
		store_name(store, object, name);
		*ret_n += 1;
		*ret_bytes += strlen(name) + 1;
	}
}

static void name_unchanged(const struct store *store, struct source_document *item, char *names)
{
	for (uint32_t at = store_next(store, 0); at; at = store_next(store, at)) {
		const struct store_object *object = store_at(store, at);

		if (!is_unchanged(object))
			continue;
		store_name(store, object, names);
		*item++ = (struct source_document){
			.name = names,
			.digest = object->digest,
			.borrowed = true,
		};
		names += strlen(names) + 1;
	}
}

/* Without those that went: who is not named is gone. */
static void leave_out_gone(struct source_documents *documents, size_t n_unchanged)
{
	size_t n = n_unchanged;

	for (size_t i = n_unchanged; i < documents->n; i++) {
		if (documents->item[i].text)
			documents->item[n++] = documents->item[i];
		else
			free(documents->item[i].name);
	}
	documents->n = n;
}

int store_take_all(struct store *store, struct source_documents *ret, char **ret_names)
{
	struct source_documents documents = { 0 };
	_cleanup_free_ char *names = NULL;
	size_t n, bytes;
	int r;

	count_unchanged(store, &n, &bytes);
	documents.n = n + store->n_changes;
	documents.item = calloc(MAX(documents.n, 1U), sizeof(*documents.item));
	names = malloc(bytes + STORE_FULL_NAME_MAX);
	r = documents.item && names ? name_changes(store, documents.item + n) : -ENOMEM;
	if (r < 0) {
		free(documents.item);
		return r;
	}
	name_unchanged(store, documents.item, names);
	settle(store, documents.item + n);
	leave_out_gone(&documents, n);
	sort(&documents);
	*ret_names = TAKE_PTR(names);
	*ret = documents;
	return 0;
}
