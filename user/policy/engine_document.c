/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: parsed once, and kept in as little memory as what they say takes. */
#include "user/policy/engine_internal.h"

#define REPARSE_MAX ((size_t)1 << 16) /* bytes of objects that are worth a second parse */

/* ---- numbers ---- */

static int reserve_id(struct policy_engine *engine)
{
	size_t room = engine->documents_room ? engine->documents_room + engine->documents_room / 2
					     : 64;
	void *more;

	if (engine->n_free || engine->n_documents < engine->documents_room)
		return 0;
	if (room > UINT32_MAX / 2)
		return -ENOSPC;
	more = reallocarray(engine->document, room, sizeof(struct engine_document *));
	if (!more)
		return -ENOMEM;
	engine->document = more;
	more = reallocarray(engine->free_ids, room, sizeof(*engine->free_ids));
	if (!more)
		return -ENOMEM;
	engine->free_ids = more;
	engine->documents_room = room;
	return 0;
}

/* After reserve_id(). */
static void give_id(struct policy_engine *engine, struct engine_document *document)
{
	document->id = engine->n_free ? engine->free_ids[--engine->n_free]
				      : (uint32_t)engine->n_documents++;
	engine->document[document->id] = document;
}

/* ---- documents of one workload ---- */

static size_t align_addresses(size_t at)
{
	size_t align = _Alignof(struct cs_addr);

	return (at + align - 1) / align * align;
}

static struct cs_addr *addresses_of(const struct engine_document *document)
{
	size_t n = strlen(document->name) + 1;

	if (document->name_at >= n)
		n = document->name_at + strlen(document->name + document->name_at) + 1;
	return (struct cs_addr *)((char *)document +
				  align_addresses(offsetof(struct engine_document, name) + n));
}

static bool is_brief(const struct policy_set *set, const struct policy_document *from)
{
	size_t others = set->policies.n + set->namespaces.n + set->nodes.n + set->services.n +
			set->slices.n + set->tests.n + set->revocations.n;

	return set->workloads.n == 1 && !others && strlen(from->name) < UINT16_MAX / 2 &&
	       set->workloads.item[0]->n_addresses <= UINT8_MAX;
}

/* Where the workload's name is within the document's, which ends with it mostly. */
static size_t find_name(const char *document, const char *name)
{
	size_t n = strlen(document), m = strlen(name);

	return n >= m && streq(document + n - m, name) ? n - m : n + 1;
}

/* What few workloads have: where they are on this node. In this order behind the addresses. */
enum { PLACE_CGROUP, PLACE_UNIT, PLACE_POD, PLACE_HOST_UNIT, PLACES };

static void places(const struct workload *workload, const char *ret[static PLACES])
{
	ret[PLACE_CGROUP] = workload->cgroup ?: "";
	ret[PLACE_UNIT] = workload->systemd_unit ?: "";
	ret[PLACE_POD] = workload->pod_uid ?: "";
	ret[PLACE_HOST_UNIT] = workload->host_unit ?: "";
}

static size_t places_size(const struct workload *workload)
{
	const char *place[PLACES];
	size_t size = 0;

	places(workload, place);
	for (size_t i = 0; i < PLACES; i++)
		size += strlen(place[i]) + 1;
	return size > PLACES ? size : 0;
}

static char *places_of(const struct engine_document *document)
{
	return document->placed ? (char *)(addresses_of(document) + document->n_addresses) : NULL;
}

static void put_places(struct engine_document *document, const struct workload *workload)
{
	const char *place[PLACES];
	char *to;

	document->placed = places_size(workload) > 0;
	to = places_of(document);
	places(workload, place);
	for (size_t i = 0; to && i < PLACES; i++)
		to = stpcpy(to, place[i]) + 1;
}

static void free_brief(struct policy_engine *engine, struct engine_document *document)
{
	engine_unshare_template(&engine->shared, document->template);
	if (document->node)
		engine_unshare_text(&engine->shared, document->node - 1);
}

/* What it shares with others, and where it is; nothing is left after a failure. */
static int fill_brief(struct policy_engine *engine, struct engine_document *document,
		      const struct workload *workload)
{
	uint32_t node = 0;
	int r = engine_share_template(&engine->shared, workload, &document->template);

	if (r < 0)
		return r;
	if (workload->node)
		r = engine_share_text(&engine->shared, workload->node, &node);
	document->node = r == 0 && workload->node ? node + 1 : 0;
	if (r < 0)
		free_brief(engine, document);
	return r;
}

static int make_brief(struct policy_engine *engine, const struct policy_document *from,
		      const struct workload *workload, struct engine_document **ret)
{
	size_t n = strlen(from->name) + 1, at = find_name(from->name, workload->name);
	size_t names = at >= n ? n + strlen(workload->name) + 1 : n;
	size_t addresses = align_addresses(offsetof(struct engine_document, name) + names);
	size_t places = addresses + workload->n_addresses * sizeof(struct cs_addr);
	struct engine_document *document =
		calloc(1, MAX(sizeof(*document), places + places_size(workload)));
	int r;

	if (!document)
		return -ENOMEM;
	document->brief = true;
	document->name_at = (uint16_t)at;
	document->line = workload->place.line;
	document->n_addresses = (uint8_t)workload->n_addresses;
	memcpy(document->name, from->name, n);
	if (at >= n)
		memcpy(document->name + at, workload->name, strlen(workload->name) + 1);
	if (workload->n_addresses)
		memcpy(addresses_of(document), workload->addresses,
		       workload->n_addresses * sizeof(struct cs_addr));
	put_places(document, workload);
	r = fill_brief(engine, document, workload);
	if (r < 0)
		free(document);
	else
		*ret = document;
	return r;
}

void engine_expand(const struct policy_engine *engine, const struct engine_document *document,
		   struct workload *ret)
{
	const struct engine_template *template = engine->shared.templates.item[document->template];
	const struct engine_text *node =
		document->node ? engine->shared.texts.item[document->node - 1] : NULL;
	const char *place[PLACES] = { NULL }, *at = places_of(document);

	for (size_t i = 0; at && i < PLACES; i++) {
		place[i] = *at ? at : NULL;
		at += strlen(at) + 1;
	}

	*ret = template->workload;
	ret->place = (struct place){ document->name, document->line };
	ret->name = document->name + document->name_at;
	ret->node = node ? node->text : NULL;
	ret->cgroup = place[PLACE_CGROUP];
	ret->systemd_unit = place[PLACE_UNIT];
	ret->pod_uid = place[PLACE_POD];
	ret->host_unit = place[PLACE_HOST_UNIT];
	ret->n_addresses = document->n_addresses;
	ret->addresses = document->n_addresses ? addresses_of(document) : NULL;
}

/* ---- all others ---- */

/* The same once more, into just as much memory as it took. */
static int parse_again(const struct policy_document *from, size_t size, struct policy_set **set,
		       struct policy_errors *errors)
{
	struct policy_set *again = NULL;
	int r = policy_set_new(&again);

	if (r == 0)
		r = arena_reserve(&again->arena, size);
	if (r == 0)
		r = policy_set_parse(again, from->name, from->text, from->length, errors);
	if (r < 0) {
		policy_set_free(again);
		return r;
	}
	policy_set_free(*set);
	*set = again;
	return 0;
}

static int make_full(const struct policy_document *from, struct policy_set **set,
		     struct engine_document **ret, struct policy_errors *errors)
{
	size_t n = strlen(from->name) + 1, size = arena_used(&(*set)->arena);
	struct engine_document *document;
	int r = 0;

	if (size <= REPARSE_MAX)
		r = parse_again(from, size, set, errors);
	if (r < 0)
		return r;
	document = calloc(1, MAX(sizeof(*document), offsetof(struct engine_document, name) + n));
	if (!document)
		return -ENOMEM;
	memcpy(document->name, from->name, n);
	r = engine_take_objects(document, *set);
	if (r < 0)
		free(document);
	else
		*ret = document;
	return r;
}

/* ---- both ---- */

static void set_freep(struct policy_set **set)
{
	policy_set_free(*set);
}

int engine_document_new(struct policy_engine *engine, const struct policy_document *from,
			struct engine_document **ret, struct policy_errors *errors)
{
	_cleanup_(set_freep) struct policy_set *set = NULL;
	struct engine_document *document;
	int r = reserve_id(engine);

	if (r == 0)
		r = policy_set_new(&set);
	if (r == 0)
		r = policy_set_parse(set, from->name, from->text, from->length, errors);
	if (r < 0)
		return r;
	if (is_brief(set, from))
		r = make_brief(engine, from, set->workloads.item[0], &document);
	else
		r = make_full(from, &set, &document, errors);
	if (r < 0)
		return r;
	document->digest = from->digest;
	give_id(engine, document);
	*ret = document;
	return 0;
}

void engine_document_free(struct policy_engine *engine, struct engine_document *document)
{
	if (!document)
		return;
	if (document->brief) {
		free_brief(engine, document);
	} else {
		arena_done(&document->full->arena);
		free(document->full);
	}
	engine->document[document->id] = NULL;
	engine->free_ids[engine->n_free++] = document->id;
	free(document);
}
