/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/image.h"

static void image_free_workloads(struct image *image)
{
	for (size_t i = 0; i < image->n_workloads; i++) {
		free(image->workloads[i].namespace);
		free(image->workloads[i].name);
		free(image->workloads[i].cgroup);
		free(image->workloads[i].systemd_unit);
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
	for (size_t i = 0; i < image->n_services; i++) {
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

int image_delta_placement(struct image_delta *delta, const struct image *image, uint32_t index)
{
	size_t n = delta->placements.n;
	struct image_placement *more;
	int r;

	more = n & (n - 1) ? delta->before : NULL; /* room doubles at each power of two */
	if (!more)
		more = reallocarray(delta->before, n ? 2 * n : 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	delta->before = more;
	r = image_indexes_add(&delta->placements, index);
	if (r < 0)
		return r;
	delta->before[n] = image->placements[index];
	return 0;
}

void image_delta_done(struct image_delta *delta)
{
	free(delta->identities.index);
	free(delta->endpoints.index);
	free(delta->gone_identities.index);
	free(delta->gone_endpoints.index);
	free(delta->placements.index);
	free(delta->before);
	*delta = (struct image_delta){ 0 };
}

void image_delta_undo(const struct image_delta *delta, struct image *image)
{
	for (size_t i = 0; i < delta->identities.n; i++)
		image->identities[delta->identities.index[i]].gone = true;
	for (size_t i = 0; i < delta->endpoints.n; i++)
		image->endpoints[delta->endpoints.index[i]].gone = true;
	for (size_t i = 0; i < delta->gone_identities.n; i++)
		image->identities[delta->gone_identities.index[i]].gone = false;
	for (size_t i = 0; i < delta->gone_endpoints.n; i++)
		image->endpoints[delta->gone_endpoints.index[i]].gone = false;
	for (size_t i = 0; i < delta->placements.n; i++)
		image->placements[delta->placements.index[i]] = delta->before[i];
	image->n_identities = delta->n_identities;
	image->n_endpoints = delta->n_endpoints;
	image->n_bitmaps = delta->n_bitmaps;
	image->n_names = delta->n_names;
	image->n_placements = delta->n_placements;
}
