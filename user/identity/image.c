/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/image.h"

static void image_free_workloads(struct image *image)
{
	for (size_t i = 0; i < image->n_workloads; i++) {
		free(image->workloads[i].namespace);
		free(image->workloads[i].name);
		free(image->workloads[i].cgroup);
		free(image->workloads[i].systemd_unit);
		free(image->workloads[i].pod_uid);
		for (int d = 0; d < CS_DIRECTIONS; d++)
			free(image->workloads[i].isolated_by[d]);
	}
	free(image->workloads);
}

static void image_free_identities(struct image *image)
{
	for (size_t i = 0; i < image->n_identities && !image->store; i++) {
		free(image->identities[i].namespace);
		free(image->identities[i].service_account);
		free(image->identities[i].workload);
		free(image->identities[i].labels);
	}
	free(image->identities);
}

static void image_free_rules(struct image *image)
{
	for (size_t i = 0; i < image->n_rules; i++) {
		free(image->rules[i].kind);
		free(image->rules[i].namespace);
		free(image->rules[i].policy);
		free(image->rules[i].rule);
		free(image->rules[i].file);
		free(image->rules[i].reason);
		free(image->rules[i].ticket);
		free(image->rules[i].approver);
	}
	free(image->rules);
}

static void image_free_services(struct image *image)
{
	for (size_t i = 0; i < image->n_services && !image->store; i++) {
		free(image->services[i].namespace);
		free(image->services[i].name);
	}
	free(image->services);
	free(image->backends);
}

static void image_free_placements(struct image *image)
{
	for (size_t i = 0; i < image->n_placements && !image->store; i++) {
		free(image->placements[i].trust_domain);
		free(image->placements[i].node);
	}
	free(image->placements);
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void image_free_revocations(struct image_revocations *revocations)
{
	free_texts(revocations->nodes, revocations->n_nodes);
	free_texts(revocations->serials, revocations->n_serials);
	free_texts(revocations->spiffe_ids, revocations->n_spiffe_ids);
	for (size_t i = 0; i < revocations->n_notes; i++) {
		free(revocations->notes[i].file);
		free(revocations->notes[i].name);
		free(revocations->notes[i].reason);
		free(revocations->notes[i].ticket);
	}
	free(revocations->notes);
}

/* Gives back what @n elements do not need; a smaller place may be another place. */
static void *shrink(void *items, size_t n, size_t size)
{
	void *less = realloc(items, MAX(n, (size_t)1) * size);

	return less ? less : items;
}

void image_keep_names(struct image *image)
{
	size_t n = 0;

	for (size_t i = 0; i < image->n_endpoints; i++)
		if (image->endpoints[i].workload_index && !image->endpoints[i].gone)
			image->endpoints[n++] = image->endpoints[i];
	image->n_endpoints = n;
	image->endpoints = shrink(image->endpoints, n, sizeof(*image->endpoints));
	image_free_services(image);
	image->services = NULL;
	image->backends = NULL;
	image->n_services = image->n_backends = 0;
	image_free_placements(image);
	image->placements = NULL;
	image->n_placements = 0;
	image->identities =
		shrink(image->identities, image->n_identities, sizeof(*image->identities));
	image->names = shrink(image->names, image->n_names, sizeof(*image->names));
	image->rulesets = shrink(image->rulesets, image->n_rulesets, sizeof(*image->rulesets));
	image->bitmaps = shrink(image->bitmaps, image->n_bitmaps, sizeof(*image->bitmaps));
}

void image_free(struct image *image)
{
	if (!image)
		return;
	image_free_workloads(image);
	image_free_identities(image);
	image_free_rules(image);
	image_free_services(image);
	image_free_placements(image);
	image_free_revocations(&image->revocations);
	free(image->rulesets);
	free(image->bitmaps);
	free(image->names);
	free(image->endpoints);
	free(image->classes);
	image_store_unref(image->store);
	free(image);
}

/* ---- what images share ---- */

struct image_store *image_store_new(void)
{
	struct image_store *store = calloc(1, sizeof(*store));

	if (store)
		store->users = 1;
	return store;
}

struct image_store *image_store_ref(struct image_store *store)
{
	store->users++;
	return store;
}

struct image_store *image_store_unref(struct image_store *store)
{
	if (!store || --store->users)
		return NULL;
	arena_done(&store->arena);
	free(store);
	return NULL;
}

/* ---- small changes ---- */

#define INDEXES_FIRST 8

int image_indexes_add(struct image_indexes *indexes, uint32_t index)
{
	size_t capacity = indexes->capacity ? indexes->capacity * 2 : INDEXES_FIRST;
	uint32_t *more;

	if (indexes->n == indexes->capacity) {
		more = reallocarray(indexes->index, capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		indexes->index = more;
		indexes->capacity = capacity;
	}
	indexes->index[indexes->n++] = index;
	return 0;
}

/* Appends @index to @list, and the @size bytes at @item to the array @before beside it. */
static int add_before(struct image_indexes *list, uint32_t index, void **before, const void *item,
		      size_t size)
{
	size_t n = list->n;
	void *more;
	int r;

	more = n & (n - 1) ? *before : NULL; /* room doubles at each power of two */
	if (!more)
		more = reallocarray(*before, n ? 2 * n : 1, size);
	if (!more)
		return -ENOMEM;
	*before = more;
	r = image_indexes_add(list, index);
	if (r < 0)
		return r;
	memcpy((char *)more + n * size, item, size);
	return 0;
}

#define ADD_BEFORE(list, index, before, item)                                            \
	({                                                                               \
		void *_before = (before);                                                \
		int _r = add_before((list), (index), &_before, (item), sizeof(*(item))); \
		(before) = _before;                                                      \
		_r;                                                                      \
	})

int image_delta_endpoint(struct image_delta *delta, const struct image *image, uint32_t index)
{
	return ADD_BEFORE(&delta->endpoints, index, delta->endpoints_before,
			  &image->endpoints[index]);
}

int image_delta_placement(struct image_delta *delta, const struct image *image, uint32_t index)
{
	return ADD_BEFORE(&delta->placements, index, delta->before, &image->placements[index]);
}

int image_delta_service(struct image_delta *delta, const struct image *image, uint32_t index)
{
	return ADD_BEFORE(&delta->services, index, delta->services_before, &image->services[index]);
}

void image_delta_done(struct image_delta *delta)
{
	free(delta->identities.index);
	free(delta->gone_identities.index);
	free(delta->endpoints.index);
	free(delta->endpoints_before);
	free(delta->placements.index);
	free(delta->before);
	free(delta->services.index);
	free(delta->services_before);
	*delta = (struct image_delta){ 0 };
}

void image_delta_undo(const struct image_delta *delta, struct image *image)
{
	for (size_t i = 0; i < delta->identities.n; i++)
		image->identities[delta->identities.index[i]].gone = true;
	for (size_t i = 0; i < delta->gone_identities.n; i++)
		image->identities[delta->gone_identities.index[i]].gone = false;
	for (size_t i = 0; i < delta->endpoints.n; i++)
		image->endpoints[delta->endpoints.index[i]] = delta->endpoints_before[i];
	for (size_t i = 0; i < delta->placements.n; i++)
		image->placements[delta->placements.index[i]] = delta->before[i];
	for (size_t i = delta->services.n; i-- > 0;) /* one may be there twice */
		image->services[delta->services.index[i]] = delta->services_before[i];
	image->n_identities = delta->n_identities;
	image->n_endpoints = delta->n_endpoints;
	image->n_bitmaps = delta->n_bitmaps;
	image->n_names = delta->n_names;
	image->n_placements = delta->n_placements;
	image->n_services = delta->n_services;
	image->n_backends = delta->n_backends;
}
