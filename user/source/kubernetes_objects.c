/* SPDX-License-Identifier: Apache-2.0 */
/* What the reflectors tell, kept as documents. */
#include "user/source/kubernetes_internal.h"

/* The document's name; what the store calls the object is what comes after the kind. */
struct name {
	char full[KUBE_DOCUMENT_NAME_MAX];
	const char *short_name;
};

static int name_of(const struct follower *f, const json_t *object, struct name *ret)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *namespace = json_string_value(json_object_get(metadata, "namespace"));
	const char *name = json_string_value(json_object_get(metadata, "name"));
	int r;

	if (!name)
		return -EINVAL;
	r = kube_document_name(f->kind->resource.kind, namespace, name, ret->full);
	if (r == 0)
		ret->short_name = ret->full + strlen(f->kind->resource.kind) + 1;
	return r;
}

static const char *why(int r)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{ -EINVAL, "is not what its kind says: a field has another type or form" },
		{ -ENAMETOOLONG, "has a name that is too long" },
		{ -EMSGSIZE, "is larger than 16 MiB" },
		{ -EFBIG, "is one too many: 1048576 objects are followed at most" },
		{ -ENOSPC, "found no room: 1 GiB of changes wait to be read" },
		{ -ENOMEM, "found no memory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].error == r)
			return texts[i].text;
	return strerror(-r);
}

static void accept_object(struct follower *f, struct store_object *object)
{
	if (!object->refused)
		return;
	object->refused = false;
	if (--f->refused + f->left_out == 0)
		f->refusal[0] = 0;
}

/*
 * Fail closed: what was known of the object stays. One that was never known stays unknown,
 * so a pod sends and receives nothing.
 */
static void refuse(struct follower *f, const struct name *name, int error)
{
	struct store *store = &f->owner->store;
	uint32_t at = *name->full ? store_find(store, f->index, name->short_name) : 0;

	if (!at && *name->full)
		store_add(store, f->index, name->short_name, &at);
	snprintf(f->refusal, sizeof(f->refusal), "%s %s; what was known of it stays",
		 *name->full ? name->full : f->kind->resource.kind, why(error));
	if (!at) {
		f->left_out++;
		return;
	}
	store_at(store, at)->told = true;
	f->refused += !store_at(store, at)->refused;
	store_at(store, at)->refused = true;
}

static void forget(struct follower *f, uint32_t at)
{
	struct store *store = &f->owner->store;
	struct store_object *object = store_at(store, at);
	bool had = store_has_document(store, object);

	accept_object(f, object);
	if (had)
		kubernetes_record_gone(f, object);
	if (store_gone(store, at) < 0)
		return; /* no memory: it is found gone by the next list */
	f->objects -= had;
	kubernetes_signal(f->owner);
}

static bool is_known(const struct store *store, const struct store_object *object,
		     const struct cs_key *digest)
{
	struct cs_key known = store_digest(store, object);

	return store_has_document(store, object) && memcmp(&known, digest, sizeof(known)) == 0;
}

/* Takes @text over when it returns 1: it is new. */
static int keep(struct follower *f, const struct name *name, char *text)
{
	struct store *store = &f->owner->store;
	struct store_text document = { .text = text, .length = strlen(text) };
	uint32_t at = store_find(store, f->index, name->short_name);
	bool had, news;
	int r = 0;

	if (document.length > SOURCE_DOCUMENT_BYTES_MAX)
		return -EMSGSIZE;
	document.digest = document_digest(name->full, text, document.length);
	if (!at)
		r = store_add(store, f->index, name->short_name, &at);
	if (r < 0)
		return r;
	store_at(store, at)->told = true;
	had = store_has_document(store, store_at(store, at));
	news = !is_known(store, store_at(store, at), &document.digest);
	if (news)
		r = store_set(store, at, &document);
	if (r < 0)
		return r;
	if (news || f->record_all)
		kubernetes_record_set(f, name->full, &document, had);
	accept_object(f, store_at(store, at));
	f->objects += !had;
	return news;
}

static void on_begin(void *arg)
{
	struct follower *f = arg;
	struct store *store = &f->owner->store;

	for (uint32_t at = store_next(store, 0); at; at = store_next(store, at))
		if (store_at(store, at)->kind == f->index)
			store_at(store, at)->told = false;
	/* They are in the list again, if they are still there. */
	f->left_out = 0;
	if (!f->refused)
		f->refusal[0] = 0;
	kubernetes_record_begin(f);
}

static void on_set(void *arg, json_t *object)
{
	struct follower *f = arg;
	_cleanup_free_ char *text = NULL;
	struct name name = { 0 };
	uint32_t at;
	int r;

	r = name_of(f, object, &name);
	if (r == 0)
		r = f->kind->document(object, &text);
	if (r < 0) {
		refuse(f, &name, r);
		return;
	}
	at = text ? 0 : store_find(&f->owner->store, f->index, name.short_name);
	if (at)
		forget(f, at);
	if (!text)
		return;
	r = keep(f, &name, text);
	if (r < 0)
		refuse(f, &name, r);
	if (r <= 0)
		return;
	TAKE_PTR(text);
	kubernetes_signal(f->owner);
}

static void on_gone(void *arg, json_t *object)
{
	struct follower *f = arg;
	struct name name = { 0 };
	uint32_t at = 0;

	if (name_of(f, object, &name) == 0)
		at = store_find(&f->owner->store, f->index, name.short_name);
	if (at)
		forget(f, at);
}

/* What the list did not name is gone. */
static void on_synced(void *arg)
{
	struct follower *f = arg;
	struct store *store = &f->owner->store;
	uint32_t next;

	for (uint32_t at = store_next(store, 0); at; at = next) {
		next = store_next(store, at);
		if (store_at(store, at)->kind == f->index && !store_at(store, at)->told)
			forget(f, at);
	}
	f->synced = true;
	f->known = true;
	kubernetes_record_whole(f);
	kubernetes_signal(f->owner);
}

static void on_trouble(void *arg, const char *text)
{
	struct follower *f = arg;

	snprintf(f->trouble, sizeof(f->trouble), "%s", text);
}

const struct kube_reflector_ops kubernetes_ops = {
	.begin = on_begin,
	.set = on_set,
	.gone = on_gone,
	.synced = on_synced,
	.trouble = on_trouble,
};
