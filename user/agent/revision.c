/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/revision.h"

#include <jansson.h>

#include "user/agent/json_text.h"
#include "user/agent/sealed.h"

/* A name as json_text() would have it: the same before and after the way to the disk. */
static struct cs_key name_digest(const char *name)
{
	_cleanup_free_ char *copy = strdup(name);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return sealed_digest(copy ?: "", copy ? strlen(copy) : 0);
}

struct cs_key revision_digest(const struct source_documents *documents)
{
	struct cs_key sum = { .k0 = documents->n, .k1 = 1 };

	for (size_t i = 0; i < documents->n; i++) {
		const struct source_document *d = &documents->item[i];
		const struct cs_key parts[] = {
			sum,
			name_digest(d->name),
			sealed_digest(d->text, d->length),
		};

		sum = sealed_digest(parts, sizeof(parts));
	}
	return sum;
}

static json_t *header(const struct revision *revision, const struct source_documents *documents)
{
	json_t *list = json_array();

	for (size_t i = 0; i < documents->n; i++)
		json_array_append_new(list, json_pack("{s:o, s:I}", "name",
						      json_text(documents->item[i].name), "length",
						      (json_int_t)documents->item[i].length));
	return json_pack("{s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:o}", "revision",
			 (json_int_t)revision->number, "time_ns", (json_int_t)revision->realtime_ns,
			 "author", json_text(revision->origin.author), "note",
			 json_text(revision->origin.note), "workloads",
			 (json_int_t)revision->workloads, "policies",
			 (json_int_t)revision->policies, "rules", (json_int_t)revision->rules,
			 "documents", list);
}

int revision_encode(const struct revision *revision, const struct source_documents *documents,
		    char **ret, size_t *ret_length)
{
	json_auto_t *object = header(revision, documents);
	_cleanup_free_ char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
	size_t length = line ? strlen(line) : 0, total = length + 1;
	char *bytes, *to;

	if (!line)
		return -ENOMEM;
	if (length >= REVISION_HEADER_BYTES_MAX)
		return -EFBIG;
	for (size_t i = 0; i < documents->n; i++)
		total += documents->item[i].length;
	bytes = malloc(total + 1);
	if (!bytes)
		return -ENOMEM;
	to = mempcpy(bytes, line, length);
	*to++ = '\n';
	for (size_t i = 0; i < documents->n; i++)
		to = mempcpy(to, documents->item[i].text, documents->item[i].length);
	*to = '\0';
	*ret = bytes;
	*ret_length = total;
	return 0;
}

static int copy_text(const char *text, size_t size, char ret[static size])
{
	if (!text || strlen(text) >= size)
		return -EBADMSG;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static int take_header(json_t *object, struct revision *ret)
{
	json_int_t number, time_ns, workloads, policies, rules;
	const char *author, *note;
	int r;

	if (json_unpack(object, "{s:I, s:I, s:s, s:s, s:I, s:I, s:I}", "revision", &number,
			"time_ns", &time_ns, "author", &author, "note", &note, "workloads",
			&workloads, "policies", &policies, "rules", &rules) < 0)
		return -EBADMSG;
	if (number < 1 || number > UINT32_MAX || workloads < 0 || policies < 0 || rules < 0)
		return -EBADMSG;
	*ret = (struct revision){
		.number = number,
		.realtime_ns = time_ns,
		.workloads = workloads,
		.policies = policies,
		.rules = rules,
	};
	r = copy_text(author, sizeof(ret->origin.author), ret->origin.author);
	return r < 0 ? r : copy_text(note, sizeof(ret->origin.note), ret->origin.note);
}

static int take_document(const json_t *entry, const char **at, const char *end,
			 struct source_document *ret)
{
	const char *name = json_string_value(json_object_get(entry, "name"));
	json_int_t length = json_integer_value(json_object_get(entry, "length"));

	if (!name || length < 0 || length > end - *at || length > SOURCE_DOCUMENT_BYTES_MAX)
		return -EBADMSG;
	ret->name = strdup(name);
	ret->text = malloc(length + 1);
	if (!ret->name || !ret->text)
		return -ENOMEM;
	memcpy(ret->text, *at, length);
	ret->text[length] = '\0';
	ret->length = length;
	*at += length;
	return 0;
}

static int take_documents(const json_t *list, const char *at, const char *end,
			  struct source_documents *ret)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	size_t n = json_array_size(list);
	int r;

	if (!json_is_array(list) || n > SOURCE_DOCUMENTS_MAX)
		return -EBADMSG;
	documents.item = calloc(n + 1, sizeof(*documents.item));
	if (!documents.item)
		return -ENOMEM;
	while (documents.n < n) {
		const json_t *entry = json_array_get(list, documents.n);

		r = take_document(entry, &at, end, &documents.item[documents.n++]);
		if (r < 0)
			return r;
	}
	if (at != end)
		return -EBADMSG;
	*ret = documents;
	documents = (struct source_documents){ 0 };
	return 0;
}

int revision_decode(const char *bytes, size_t length, struct revision *ret,
		    struct source_documents *ret_documents)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	const char *line_end = memchr(bytes, '\n', length);
	json_auto_t *object = NULL;
	struct revision revision;
	int r;

	if (!line_end)
		return -EBADMSG;
	object = json_loadb(bytes, line_end - bytes, JSON_REJECT_DUPLICATES, NULL);
	r = json_is_object(object) ? take_header(object, &revision) : -EBADMSG;
	if (r == 0)
		r = take_documents(json_object_get(object, "documents"), line_end + 1,
				   bytes + length, &documents);
	if (r < 0)
		return r;
	revision.digest = revision_digest(&documents);
	*ret = revision;
	if (ret_documents) {
		*ret_documents = documents;
		documents = (struct source_documents){ 0 };
	}
	return 0;
}
