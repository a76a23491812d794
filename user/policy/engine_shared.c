/* SPDX-License-Identifier: Apache-2.0 */
/* What documents have in common is kept once, for as long as one of them has it. */
#include "user/policy/engine_internal.h"

/* ---- numbers ---- */

static int reserve(struct object_list *list)
{
	size_t capacity = list->capacity ? list->capacity + list->capacity / 2 : 16;
	void *more;

	if (list->n_free || list->n < list->capacity)
		return 0;
	more = reallocarray(list->item, capacity, sizeof(*list->item));
	if (!more)
		return -ENOMEM;
	list->item = more;
	more = reallocarray(list->free, capacity, sizeof(*list->free));
	if (!more)
		return -ENOMEM;
	list->free = more;
	list->capacity = capacity;
	return 0;
}

/* After reserve(). */
static uint32_t add(struct object_list *list, const void *item)
{
	uint32_t i = list->n_free ? list->free[--list->n_free] : (uint32_t)list->n++;

	list->item[i] = item;
	return i;
}

static void forget(struct object_list *list, uint32_t i)
{
	list->item[i] = NULL;
	list->free[list->n_free++] = i;
}

/* ---- templates ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? streq(a, b) : a == b;
}

bool engine_same_template(const struct workload *a, const struct workload *b)
{
	return streq(a->namespace, b->namespace) && streq(a->service_account, b->service_account) &&
	       same_text(a->trust_domain, b->trust_domain) &&
	       labels_equal(&a->labels, &b->labels) && named_ports_equal(&a->ports, &b->ports) &&
	       a->host_network == b->host_network;
}

static uint32_t template_hash(const struct workload *workload)
{
	uint32_t hash = hashindex_hash_texts(workload->namespace, workload->service_account);

	for (size_t i = 0; i < workload->labels.n; i++)
		hash = hash * 31 + hashindex_hash_texts(workload->labels.item[i].key,
							workload->labels.item[i].value);
	return hash;
}

static bool copy_labels(struct arena *arena, const struct labels *from, struct labels *ret)
{
	ret->item = arena_alloc(arena, from->n * sizeof(*ret->item));
	for (size_t i = 0; ret->item && i < from->n; i++) {
		ret->item[i].key = arena_strdup(arena, from->item[i].key);
		ret->item[i].value = arena_strdup(arena, from->item[i].value);
		if (!ret->item[i].key || !ret->item[i].value)
			return false;
		ret->n = i + 1;
	}
	return ret->item;
}

static bool copy_ports(struct arena *arena, const struct named_ports *from, struct named_ports *ret)
{
	ret->item = arena_alloc(arena, from->n * sizeof(*ret->item));
	for (size_t i = 0; ret->item && i < from->n; i++) {
		ret->item[i] = from->item[i];
		ret->item[i].name = arena_strdup(arena, from->item[i].name);
		if (!ret->item[i].name)
			return false;
		ret->n = i + 1;
	}
	return ret->item;
}

static bool copy_template(struct arena *arena, const struct workload *from, struct workload *ret)
{
	*ret = (struct workload){ .host_network = from->host_network };
	ret->namespace = arena_strdup(arena, from->namespace);
	ret->service_account = arena_strdup(arena, from->service_account);
	ret->trust_domain = from->trust_domain ? arena_strdup(arena, from->trust_domain) : NULL;
	return ret->namespace && ret->service_account &&
	       (ret->trust_domain || !from->trust_domain) &&
	       copy_labels(arena, &from->labels, &ret->labels) &&
	       copy_ports(arena, &from->ports, &ret->ports);
}

static size_t template_size(const struct workload *workload)
{
	size_t size = strlen(workload->namespace) + strlen(workload->service_account) + 2;

	size += workload->trust_domain ? strlen(workload->trust_domain) + 1 : 0;
	for (size_t i = 0; i < workload->labels.n; i++)
		size += sizeof(struct label) + strlen(workload->labels.item[i].key) +
			strlen(workload->labels.item[i].value) + 2;
	for (size_t i = 0; i < workload->ports.n; i++)
		size += sizeof(struct named_port) + strlen(workload->ports.item[i].name) + 1;
	return size;
}

int engine_share_template(struct engine_shared *shared, const struct workload *workload,
			  uint32_t *ret)
{
	uint32_t hash = template_hash(workload);
	struct engine_template *template;
	size_t position = 0;

	while (hashindex_next(&shared->template_of, hash, &position, ret)) {
		template = (void *)shared->templates.item[*ret];
		if (!engine_same_template(&template->workload, workload))
			continue;
		template->uses++;
		return 0;
	}
	if (reserve(&shared->templates) < 0 || hashindex_reserve(&shared->template_of) < 0)
		return -ENOMEM;
	template = calloc(1, sizeof(*template));
	if (!template || arena_reserve(&template->arena, template_size(workload)) < 0 ||
	    !copy_template(&template->arena, workload, &template->workload)) {
		if (template)
			arena_done(&template->arena);
		free(template);
		return -ENOMEM;
	}
	template->uses = 1;
	*ret = add(&shared->templates, template);
	return hashindex_add(&shared->template_of, hash, *ret);
}

static void free_template(struct engine_template *template)
{
	if (template)
		arena_done(&template->arena);
	free(template);
}

void engine_unshare_template(struct engine_shared *shared, uint32_t i)
{
	struct engine_template *template = (void *)shared->templates.item[i];

	if (--template->uses)
		return;
	hashindex_remove(&shared->template_of, template_hash(&template->workload), i);
	forget(&shared->templates, i);
	free_template(template);
}

/* ---- texts ---- */

int engine_share_text(struct engine_shared *shared, const char *text, uint32_t *ret)
{
	size_t size = strlen(text) + 1, position = 0;
	uint32_t hash = hashindex_hash(text, size);
	struct engine_text *kept;

	while (hashindex_next(&shared->text_of, hash, &position, ret)) {
		kept = (void *)shared->texts.item[*ret];
		if (!streq(kept->text, text))
			continue;
		kept->uses++;
		return 0;
	}
	if (reserve(&shared->texts) < 0 || hashindex_reserve(&shared->text_of) < 0)
		return -ENOMEM;
	kept = malloc(sizeof(*kept) + size);
	if (!kept)
		return -ENOMEM;
	kept->uses = 1;
	memcpy(kept->text, text, size);
	*ret = add(&shared->texts, kept);
	return hashindex_add(&shared->text_of, hash, *ret);
}

void engine_unshare_text(struct engine_shared *shared, uint32_t i)
{
	struct engine_text *text = (void *)shared->texts.item[i];

	if (--text->uses)
		return;
	hashindex_remove(&shared->text_of, hashindex_hash(text->text, strlen(text->text) + 1), i);
	forget(&shared->texts, i);
	free(text);
}

void engine_shared_done(struct engine_shared *shared)
{
	for (size_t i = 0; i < shared->templates.n; i++)
		free_template((void *)shared->templates.item[i]);
	for (size_t i = 0; i < shared->texts.n; i++)
		free((void *)shared->texts.item[i]);
	free(shared->templates.item);
	free(shared->templates.free);
	free(shared->texts.item);
	free(shared->texts.free);
	hashindex_done(&shared->template_of);
	hashindex_done(&shared->text_of);
	*shared = (struct engine_shared){ 0 };
}
