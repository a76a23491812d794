/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the journal. A kind counts as known only when its list was whole once while the
 * journal was kept: policies of which some are missing are not those that were written.
 */
#include "user/source/kubernetes_internal.h"

#define RECORD_BYTES 64 /* about: a record without name and text, and some of the name */

static struct follower *find_kind(struct kubernetes *k, const char *name, size_t length)
{
	for (size_t i = 0; i < k->n; i++) {
		const char *kind = k->follower[i].kind->resource.kind;

		if (strlen(kind) == length && memcmp(kind, name, length) == 0)
			return &k->follower[i];
	}
	return NULL;
}

/* ---- from the journal ---- */

static void drop(struct follower *f, uint32_t at)
{
	struct store *store = &f->owner->store;

	f->objects -= store_has_document(store, store_at(store, at));
	/* Nothing was handed over yet, so this needs no memory. */
	store_gone(store, at);
}

static void drop_all(struct follower *f)
{
	struct store *store = &f->owner->store;
	uint32_t next;

	for (uint32_t at = store_next(store, 0); at; at = next) {
		next = store_next(store, at);
		if (store_at(store, at)->kind == f->index)
			drop(f, at);
	}
	f->whole = false;
}

static int set(struct follower *f, const struct journal_record *record, const char *short_name)
{
	struct store_text document = { .length = record->length };
	struct store *store = &f->owner->store;
	uint32_t at = store_find(store, f->index, short_name);
	bool had;
	int r = 0;

	if (!at)
		r = store_add(store, f->index, short_name, &at);
	if (r < 0)
		return r;
	had = store_has_document(store, store_at(store, at));
	document.digest = document_digest(record->name, record->text, record->length);
	document.text = strndup(record->text, record->length);
	r = document.text ? store_set(store, at, &document) : -ENOMEM;
	if (r < 0) {
		free(document.text);
		return r;
	}
	f->objects += !had;
	return 0;
}

/* Kinds that are unknown here are left out: another version followed them. */
static int on_record(void *arg, const struct journal_record *record)
{
	size_t length = strcspn(record->name, "/");
	struct follower *f = find_kind(arg, record->name, length);
	const char *short_name = record->name + length + (record->name[length] == '/');
	uint32_t at;

	if (!f)
		return 0;
	if (record->type == JOURNAL_BEGIN)
		drop_all(f);
	if (record->type == JOURNAL_WHOLE)
		f->whole = true;
	if (record->type == JOURNAL_SET)
		return *short_name ? set(f, record, short_name) : -EINVAL;
	at = record->type == JOURNAL_GONE ? store_find(&f->owner->store, f->index, short_name) : 0;
	if (at)
		drop(f, at);
	return 0;
}

static void on_reset(void *arg)
{
	struct kubernetes *k = arg;

	for (size_t i = 0; i < k->n; i++)
		drop_all(&k->follower[i]);
}

/* ---- to the journal ---- */

static void on_rewrite(void *arg)
{
	struct kubernetes *k = arg;

	for (uint32_t at = store_next(&k->store, 0); at; at = store_next(&k->store, at))
		store_at(&k->store, at)->kept = false;
	for (size_t i = 0; i < k->n; i++)
		k->follower[i].kept = false;
}

static bool is_live(const struct kubernetes *k, const struct store_object *object,
		    const struct journal_record *record)
{
	struct cs_key is = document_digest(record->name, record->text, record->length);
	struct cs_key known = store_digest(&k->store, object);

	return store_has_document(&k->store, object) && memcmp(&is, &known, sizeof(is)) == 0;
}

static bool on_live(void *arg, const struct journal_record *record)
{
	size_t length = strcspn(record->name, "/");
	struct kubernetes *k = arg;
	struct follower *f = find_kind(k, record->name, length);
	struct store_object *object;
	uint32_t at;

	if (!f)
		return false;
	if (record->type == JOURNAL_WHOLE) {
		bool first = f->whole && !f->kept;

		f->kept |= first;
		return first;
	}
	at = record->name[length] ? store_find(&k->store, f->index, record->name + length + 1) : 0;
	object = at ? store_at(&k->store, at) : NULL;
	if (!object || object->kept || !is_live(k, object, record))
		return false;
	object->kept = true;
	return true;
}

/* Everything is asked from the server again, as no text is in memory any more. */
static void on_begun(void *arg)
{
	struct kubernetes *k = arg;

	for (size_t i = 0; i < k->n; i++) {
		k->follower[i].recorded = false;
		k->follower[i].record_all = false;
		k->follower[i].whole = false;
	}
	if (k->client)
		kubernetes_follow(k);
}

static void add(struct follower *f, const struct journal_record *record, bool replaces)
{
	journal_add(f->owner->journal, record, replaces);
	kubernetes_schedule(f->owner);
}

void kubernetes_record_begin(struct follower *f)
{
	const struct journal_record record = {
		.type = JOURNAL_BEGIN,
		.name = f->kind->resource.kind,
	};

	if (!f->owner->journal || !journal_is_open(f->owner->journal) || f->whole)
		return;
	f->recorded = f->record_all = true;
	add(f, &record, false);
}

void kubernetes_record_whole(struct follower *f)
{
	const struct journal_record record = {
		.type = JOURNAL_WHOLE,
		.name = f->kind->resource.kind,
	};

	if (!f->recorded || f->whole)
		return;
	f->record_all = false;
	f->whole = true;
	add(f, &record, false);
}

void kubernetes_record_set(struct follower *f, const char *name, const struct store_text *text,
			   bool replaces)
{
	const struct journal_record record = {
		.type = JOURNAL_SET,
		.name = name,
		.text = text->text,
		.length = text->length,
	};

	if (f->recorded)
		add(f, &record, replaces && f->whole);
}

void kubernetes_record_gone(struct follower *f, const struct store_object *object)
{
	char name[STORE_FULL_NAME_MAX];
	const struct journal_record record = { .type = JOURNAL_GONE, .name = name };

	if (!f->recorded)
		return;
	store_name(&f->owner->store, object, name);
	add(f, &record, f->whole);
}

int kubernetes_open_journal(struct kubernetes *k, const char *path, const char *cluster)
{
	static const struct journal_ops ops = {
		.record = on_record,
		.reset = on_reset,
		.rewrite = on_rewrite,
		.live = on_live,
		.begun = on_begun,
	};
	int r = journal_new(path, cluster, &ops, k, &k->journal);

	if (r < 0)
		return r;
	for (size_t i = 0; i < k->n; i++) {
		struct follower *f = &k->follower[i];

		if (!f->whole)
			drop_all(f);
		f->known = f->recorded = f->whole;
	}
	journal_set_live(k->journal, k->store.change_bytes + k->store.n * RECORD_BYTES);
	return 0;
}

const char *source_kubernetes_journal_trouble(const struct source *source)
{
	const struct kubernetes *k = (const struct kubernetes *)source;

	return k->journal ? journal_trouble(k->journal) : "";
}
