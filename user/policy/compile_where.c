/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where identities run. A node speaks for those that run on it and for no others, so each
 * pair of a node and an identity is told to the kernel, this node's own among them.
 */
#include "user/policy/compile.h"

bool workload_is_local(const struct policy_options *options, const struct workload *workload)
{
	if (workload_is_foreign(options, workload))
		return false;
	if (options->node_name && workload->node)
		return streq(workload->node, options->node_name);
	return workload->cgroup || workload->systemd_unit;
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

/* The key's copy has the placement's texts: they are as old as the store. */
static int add_placement(struct compile *c, const struct bytes *key,
			 const struct image_placement *from, uint32_t *ret)
{
	struct image_placement *placement = &c->image->placements[c->image->n_placements];
	char *kept = arena_strndup(&c->store->arena, (char *)key->data, key->n);
	int r;

	if (!kept)
		return -ENOMEM;
	*placement = *from;
	placement->trust_domain = kept + sizeof(from->identity);
	placement->node = placement->trust_domain + strlen(placement->trust_domain) + 1;
	placement->gone = true; /* until somebody is counted */
	r = keymap_put(&c->by_placement, kept, key->n, (uint32_t)c->image->n_placements);
	if (r < 0)
		return r;
	c->n_gone++;
	c->placement_changed[c->image->n_placements] = 0;
	*ret = (uint32_t)++c->image->n_placements;
	return 0;
}

int compile_placement(struct compile *c, const struct workload *workload, uint32_t identity,
		      uint32_t *ret)
{
	static const struct limit limit = { "CS_SCOPE_MAX", CS_SCOPE_MAX,
					    "pairs of a node and an identity that runs there",
					    "give workloads of one kind the same labels" };
	const struct image_placement from = { .identity = c->image->identities[identity].identity };
	const char *domain = workload->trust_domain ?: c->options->trust_domain;
	const char *node = node_of(c, workload);
	_cleanup_bytes_ struct bytes key = { 0 };
	uint32_t i;

	*ret = 0;
	if (!node)
		return 0;
	bytes_put(&key, &from.identity, sizeof(from.identity));
	bytes_put(&key, domain, strlen(domain) + 1);
	bytes_put(&key, node, strlen(node) + 1);
	if (key.failed)
		return -ENOMEM;
	if (keymap_get(&c->by_placement, key.data, key.n, &i)) {
		*ret = i + 1;
		return 0;
	}
	if (c->image->n_placements >= MIN(c->placements_room, (size_t)CS_SCOPE_MAX))
		return compile_limit(c, &limit, &workload->place);
	return add_placement(c, &key, &from, ret);
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
