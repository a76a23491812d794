/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is revoked: in tables for the compile and the changes after it, and in lists for those
 * who judge node records. A Revocation may name what is not there: it outlives workloads.
 */
#include "user/policy/compile.h"

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A text of a list that has room; NULL stands for no text. */
static int add_text(char **list, size_t *n, const char *text)
{
	list[*n] = strdup(text);
	return list[(*n)++] ? 0 : -ENOMEM;
}

/* Sorts, and drops what is there twice. */
static void make_unique(char **list, size_t *n)
{
	size_t kept = 0;

	if (*n)
		qsort(list, *n, sizeof(*list), name_compare);
	for (size_t i = 0; i < *n; i++) {
		if (kept && streq(list[kept - 1], list[i]))
			free(list[i]);
		else
			list[kept++] = list[i];
	}
	*n = kept;
}

static int note_key(struct keymap *map, const char *key)
{
	int r = keymap_put(map, key, strlen(key), 0);

	return r == -EEXIST ? 0 : r;
}

static int note_workload(struct compile *c, const struct workload_name *name)
{
	char full[OBJECT_NAME_MAX];
	char *kept;

	snprintf(full, sizeof(full), "%s/%s", name->namespace, name->name);
	kept = arena_strdup(&c->arena, full);
	return kept ? note_key(&c->revoked_names, kept) : -ENOMEM;
}

static int note_document(struct image_revocations *ret, const struct revocation *from)
{
	struct image_revocation_note *note = &ret->notes[ret->n_notes++];

	note->file = strdup(from->place.file ?: "");
	note->line = from->place.line;
	note->name = strdup(from->name);
	note->reason = strdup(from->reason);
	note->ticket = from->ticket ? strdup(from->ticket) : NULL;
	return note->file && note->name && note->reason && (note->ticket || !from->ticket)
		       ? 0
		       : -ENOMEM;
}

static int add_revocation(struct compile *c, const struct revocation *from)
{
	struct image_revocations *ret = &c->image->revocations;
	int r = note_document(ret, from);

	for (size_t i = 0; i < from->n_workloads && r == 0; i++)
		r = note_workload(c, &from->workloads[i]);
	for (size_t i = 0; i < from->n_spiffe_ids && r == 0; i++) {
		char *kept = arena_strdup(&c->arena, from->spiffe_ids[i]);

		r = kept ? note_key(&c->revoked_ids, kept) : -ENOMEM;
		if (r == 0)
			r = add_text(ret->spiffe_ids, &ret->n_spiffe_ids, from->spiffe_ids[i]);
	}
	for (size_t i = 0; i < from->n_serials && r == 0; i++)
		r = add_text(ret->serials, &ret->n_serials, from->serials[i]);
	for (size_t i = 0; i < from->n_nodes && r == 0; i++)
		r = add_text(ret->nodes, &ret->n_nodes, from->nodes[i]);
	return r;
}

static int alloc_lists(struct compile *c)
{
	struct image_revocations *ret = &c->image->revocations;
	size_t ids = 1, serials = 1, nodes = 1;

	for (size_t i = 0; i < c->set->revocations.n; i++) {
		ids += c->set->revocations.item[i]->n_spiffe_ids;
		serials += c->set->revocations.item[i]->n_serials;
		nodes += c->set->revocations.item[i]->n_nodes;
	}
	ret->spiffe_ids = calloc(ids, sizeof(*ret->spiffe_ids));
	ret->serials = calloc(serials, sizeof(*ret->serials));
	ret->nodes = calloc(nodes, sizeof(*ret->nodes));
	ret->notes = calloc(c->set->revocations.n + 1, sizeof(*ret->notes));
	return ret->spiffe_ids && ret->serials && ret->nodes && ret->notes ? 0 : -ENOMEM;
}

int compile_revocations(struct compile *c)
{
	struct image_revocations *ret = &c->image->revocations;
	int r = alloc_lists(c);

	for (size_t i = 0; i < c->set->revocations.n && r == 0; i++)
		r = add_revocation(c, c->set->revocations.item[i]);
	if (r < 0)
		return r;
	make_unique(ret->spiffe_ids, &ret->n_spiffe_ids);
	make_unique(ret->serials, &ret->n_serials);
	make_unique(ret->nodes, &ret->n_nodes);
	return 0;
}

bool compile_is_revoked(const struct compile *c, const struct workload *workload,
			uint32_t name_index)
{
	const char *id = c->image->names[name_index];
	char full[OBJECT_NAME_MAX];
	uint32_t unused;

	if (c->revoked_ids.n && keymap_get(&c->revoked_ids, id, strlen(id), &unused))
		return true;
	if (!c->revoked_names.n)
		return false;
	snprintf(full, sizeof(full), "%s/%s", workload->namespace, workload->name);
	return keymap_get(&c->revoked_names, full, strlen(full), &unused);
}
