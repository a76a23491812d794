/* SPDX-License-Identifier: Apache-2.0 */
/* See test_source_kubernetes.h. */
#include "test_source_kubernetes.h"

struct follower *follower_of(struct kubernetes *k, const char *kind)
{
	for (size_t i = 0; i < k->n; i++)
		if (streq(k->follower[i].kind->resource.kind, kind))
			return &k->follower[i];
	cr_assert(false, "no kind %s", kind);
	return NULL;
}

void sync_all_but(struct kubernetes *k, const char *kind)
{
	for (size_t i = 0; i < k->n; i++) {
		if (kind && streq(k->follower[i].kind->resource.kind, kind))
			continue;
		kubernetes_ops.begin(&k->follower[i]);
		kubernetes_ops.synced(&k->follower[i]);
	}
}

static json_t *pod(const char *namespace, const char *name, int version)
{
	char text[16];
	json_t *object;

	snprintf(text, sizeof(text), "%d", version);
	object = json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s}}, s:{s:s}, s:{s:s}}", "kind", "Pod",
			   "metadata", "name", name, "namespace", namespace, "uid", "u", "labels",
			   "version", text, "spec", "nodeName", "n1", "status", "phase",
			   version ? "Running" : "Succeeded");
	cr_assert_not_null(object);
	return object;
}

void tell_pod(struct kubernetes *k, const char *namespace, const char *name, int version)
{
	json_t *object = pod(namespace, name, version);

	kubernetes_ops.set(follower_of(k, "Pod"), object);
	json_decref(object);
}

void tell_gone(struct kubernetes *k, const char *namespace, const char *name)
{
	json_t *object = pod(namespace, name, 1);

	kubernetes_ops.gone(follower_of(k, "Pod"), object);
	json_decref(object);
}

void tell_bad_pod(struct kubernetes *k, const char *namespace, const char *name)
{
	json_t *object = pod(namespace, name, 1);

	json_object_set_new(json_object_get(object, "spec"), "nodeName", json_integer(1));
	kubernetes_ops.set(follower_of(k, "Pod"), object);
	json_decref(object);
}

void list_pods(struct kubernetes *k, int n)
{
	char name[16];

	sync_all_but(k, "Pod");
	kubernetes_ops.begin(follower_of(k, "Pod"));
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "web-%d", i);
		tell_pod(k, "shop", name, 1);
	}
	kubernetes_ops.synced(follower_of(k, "Pod"));
}

static size_t find(const struct reader *reader, const char *name)
{
	size_t i = 0;

	while (i < reader->n && !streq(reader->item[i].name, name))
		i++;
	return i;
}

const char *reader_get(const struct reader *reader, const char *name)
{
	size_t i = find(reader, name);

	return i < reader->n ? reader->item[i].text : NULL;
}

int reader_version(const struct reader *reader, const char *namespace, const char *name)
{
	char full[KUBE_DOCUMENT_NAME_MAX];
	const char *text, *at;

	cr_assert_eq(kube_document_name("Pod", namespace, name, full), 0);
	text = reader_get(reader, full);
	at = text ? strstr(text, "\"version\":\"") : NULL;
	return at ? atoi(at + strlen("\"version\":\"")) : -1;
}

static void put(struct reader *reader, const struct source_document *document)
{
	size_t i = find(reader, document->name);

	if (i == reader->n) {
		cr_assert_lt(reader->n, MODEL_MAX);
		reader->item[reader->n++].name = strdup(document->name);
	} else {
		free(reader->item[i].text);
	}
	reader->item[i].text = strdup(document->text);
}

static void drop(struct reader *reader, size_t i)
{
	free(reader->item[i].name);
	free(reader->item[i].text);
	reader->item[i] = reader->item[--reader->n];
}

static void check(const struct source_documents *documents, size_t i)
{
	const struct source_document *document = &documents->item[i];
	struct cs_key digest;

	if (i)
		cr_assert_lt(strcmp(documents->item[i - 1].name, document->name), 0,
			     "%s: not sorted, or twice", document->name);
	if (!document->text)
		return;
	cr_assert_eq(strlen(document->text), document->length);
	digest = document_digest(document->name, document->text, document->length);
	cr_assert_eq(memcmp(&digest, &document->digest, sizeof(digest)), 0);
}

void reader_read(struct reader *reader, struct source *source)
{
	_cleanup_(source_documents_done) struct source_documents all = { 0 };
	struct reader now = { 0 };

	cr_assert_eq(source_read(source, &all), 0, "%s", source_error(source));
	for (size_t i = 0; i < all.n; i++) {
		struct source_document document = all.item[i];

		check(&all, i);
		if (!document.text) {
			document.text = (char *)reader_get(reader, document.name);
			cr_assert_not_null(document.text, "%s is not known", document.name);
			document.length = strlen(document.text);
			cr_assert_eq(memcmp(&document.digest, &(struct cs_key){ 0 },
					    sizeof(struct cs_key)) != 0,
				     1);
			document.digest =
				document_digest(document.name, document.text, document.length);
			cr_assert_eq(memcmp(&document.digest, &all.item[i].digest,
					    sizeof(document.digest)),
				     0, "%s is not what it was", document.name);
		}
		put(&now, &document);
	}
	reader_done(reader);
	*reader = now;
}

size_t reader_changes(struct reader *reader, struct source *source)
{
	_cleanup_(source_documents_done) struct source_documents changes = { 0 };

	cr_assert_eq(source_changes(source, &changes), 0, "%s", source_error(source));
	for (size_t i = 0; i < changes.n; i++) {
		const struct source_document *document = &changes.item[i];
		size_t at = find(reader, document->name);

		check(&changes, i);
		if (document->text)
			put(reader, document);
		else if (at < reader->n)
			drop(reader, at);
		else
			cr_assert(false, "%s went and was never there", document->name);
	}
	return changes.n;
}

void reader_done(struct reader *reader)
{
	while (reader->n)
		drop(reader, reader->n - 1);
}
