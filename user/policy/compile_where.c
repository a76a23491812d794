/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where identities run. A node speaks for those that run on it and for no others, so each
 * pair of a node and an identity is told to the kernel, this node's own among them.
 */
#include "user/identity/spiffe.h"
#include "user/policy/compile.h"

bool workload_is_local(const struct policy_options *options, const struct workload *workload)
{
	if (workload_is_foreign(options, workload))
		return false;
	if (workload->host_unit && !workload_has_place(workload))
		return false;
	if (options->node_name && workload->node)
		return streq(workload->node, options->node_name);
	return workload_has_place(workload);
}

int workload_spiffe_id(const struct policy_options *options, const struct workload *workload,
		       char ret[static CS_SPIFFE_ID_MAX])
{
	const char *domain = workload->trust_domain ?: options->trust_domain;

	if (workload->host_unit)
		return spiffe_build_unit(domain, workload->node, workload->host_unit, ret);
	return spiffe_build(domain, workload->namespace, workload->service_account, ret);
}

int compile_alloc_placements(struct compile *c)
{
	if (!c->options->node_name)
		return 0;
	c->placements_room = c->kept ? CS_SCOPE_MAX : c->set->workloads.n + 1;
	c->image->placements = calloc(c->placements_room, sizeof(*c->image->placements));
	c->placement_changed = calloc(c->placements_room, sizeof(*c->placement_changed));
	return c->image->placements && c->placement_changed ? 0 : -ENOMEM;
}

/* NULL: nobody's; or there are no nodes. */
static const char *node_of(const struct compile *c, const struct workload *workload)
{
	if (!c->placements_room)
		return NULL;
	if (workload->node)
		return workload->node;
	return workload_is_local(c->options, workload) ? c->options->node_name : NULL;
}

/* The text's copy in the store: there are far fewer nodes than placements. */
static char *keep_text(struct compile *c, const char *text)
{
	uint32_t i;
	char *kept;

	if (keymap_get(&c->by_text, text, strlen(text), &i))
		return c->texts.item[i];
	kept = arena_strdup(&c->store->arena, text);
	if (!kept || !GROW(c, &c->texts) ||
	    keymap_put(&c->by_text, kept, strlen(kept), (uint32_t)c->texts.n) < 0)
		return NULL;
	c->texts.item[c->texts.n++] = kept;
	return kept;
}

static uint32_t hash(uint64_t identity, const char *domain, const char *node)
{
	return hashindex_hash(&identity, sizeof(identity)) ^ hashindex_hash_texts(domain, node);
}

static bool find_placement(const struct compile *c, const struct image_placement *like,
			   uint32_t *ret)
{
	uint32_t wanted = hash(like->identity, like->trust_domain, like->node);
	size_t position = 0;

	while (hashindex_next(&c->by_placement, wanted, &position, ret)) {
		const struct image_placement *placement = &c->image->placements[*ret];

		if (placement->identity == like->identity && streq(placement->node, like->node) &&
		    streq(placement->trust_domain, like->trust_domain))
			return true;
	}
	return false;
}

/* A place that is free since before this update, or one more at the end. */
static int take_placement(struct compile *c, const struct workload *workload, uint32_t *ret)
{
	static const struct limit limit = { "CS_SCOPE_MAX", CS_SCOPE_MAX,
					    "pairs of a node and an identity that runs there",
					    "give workloads of one kind the same labels" };
	uint32_t *free = c->free_placements.item;

	if (c->n_free_placements_ready) {
		*ret = free[--c->n_free_placements_ready];
		free[c->n_free_placements_ready] = free[--c->free_placements.n];
		return 0;
	}
	if (c->image->n_placements >= MIN(c->placements_room, (size_t)CS_SCOPE_MAX))
		return compile_limit(c, &limit, &workload->place);
	*ret = (uint32_t)c->image->n_placements++;
	c->placement_changed[*ret] = 0;
	c->image->placements[*ret] = (struct image_placement){ .gone = true };
	c->n_gone++;
	return 0;
}

/* What changes in @delta is noted there as it was; NULL: this is a compile. */
static int note_change(struct compile *c, uint32_t i, struct image_delta *delta)
{
	int r = 0;

	if (!delta || c->placement_changed[i] == c->update)
		return 0;
	r = image_delta_placement(delta, c->image, i);
	c->placement_changed[i] = c->update;
	return r;
}

int compile_placement(struct compile *c, const struct workload *workload, uint32_t identity,
		      struct image_delta *delta, uint32_t *ret)
{
	struct image_placement from = {
		.identity = c->image->identities[identity].identity,
		.trust_domain = (char *)(workload->trust_domain ?: c->options->trust_domain),
		.node = (char *)node_of(c, workload),
		.gone = true, /* until somebody is counted */
	};
	uint32_t i;
	int r = 0;

	*ret = 0;
	if (!from.node)
		return 0;
	if (!find_placement(c, &from, &i)) {
		r = take_placement(c, workload, &i);
		if (r == 0)
			r = note_change(c, i, delta);
		if (r < 0)
			return r;
		from.trust_domain = keep_text(c, from.trust_domain);
		from.node = keep_text(c, from.node);
		if (!from.trust_domain || !from.node)
			return -ENOMEM;
		c->image->placements[i] = from;
		r = hashindex_add(&c->by_placement,
				  hash(from.identity, from.trust_domain, from.node), i);
	}
	if (r == 0)
		r = note_change(c, i, delta);
	*ret = i + 1;
	return r;
}

int compile_free_placement(struct compile *c, uint32_t i)
{
	const struct image_placement *placement = &c->image->placements[i];

	if (!placement->gone)
		return 0;
	if (!hashindex_remove(&c->by_placement,
			      hash(placement->identity, placement->trust_domain, placement->node),
			      i))
		return -ESTALE;
	if (!GROW(c, &c->free_placements))
		return -ENOMEM;
	c->free_placements.item[c->free_placements.n++] = i;
	return 0;
}

void compile_count_placement(struct compile *c, uint32_t index, bool revoked, bool comes)
{
	struct image_placement *placement = &c->image->placements[index];
	bool gone = placement->gone;

	placement->workloads += comes ? 1 : -1U;
	placement->revoked += !revoked ? 0 : comes ? 1 : -1U;
	placement->gone = !placement->workloads;
	c->n_gone += (size_t)placement->gone - (size_t)gone;
}
