/* SPDX-License-Identifier: Apache-2.0 */
/* Which identities run on which node, by number, for the kernel. */
#include "user/agent/trust_internal.h"

/* The number of the node of a placement; 0: no record of it is accepted. */
static uint16_t number_of(const struct agent *agent, const struct image_placement *placement)
{
	const struct agent_options *options = agent->options;

	if (streq(placement->node, agent->node_name) &&
	    streq(placement->trust_domain, options->trust_domain))
		return agent->number;
	return node_table_number(agent->trust->table, placement->trust_domain, placement->node);
}

/* Where several run and one is revoked, all are: nobody can tell them apart by their tags. */
static uint32_t flags_of(const struct image_placement *placement)
{
	if (placement->gone || !placement->workloads)
		return 0;
	return placement->revoked ? CS_SCOPE_REVOKED : CS_SCOPE_KNOWN;
}

/* Whether @ret says something: no claim can come from a node without a number. */
static bool entry_of(const struct agent *agent, const struct image_placement *placement,
		     struct datapath_scope *ret)
{
	uint16_t number = number_of(agent, placement);

	*ret = (struct datapath_scope){ .tag = cs_tag(number, 0, placement->identity),
					.flags = flags_of(placement) };
	return number != 0;
}

static int failed(const struct agent *agent, int r)
{
	if (r < 0)
		log_error("cannot say which identities run where",
			  "error=\"%s\" effect=\"claims of other nodes are refused\"",
			  r == -ENOMEM ? strerror(ENOMEM) : datapath_error(agent->dp));
	return r;
}

int scope_rebuild(struct agent *agent, const struct image *image)
{
	_cleanup_free_ struct datapath_scope *entry =
		calloc(image->n_placements + 1, sizeof(*entry));
	size_t n = 0;
	int r;

	if (!entry)
		return failed(agent, -ENOMEM);
	for (size_t i = 0; i < image->n_placements; i++)
		n += entry_of(agent, &image->placements[i], &entry[n]) && entry[n].flags;
	r = datapath_set_scope(agent->dp, entry, n);
	log_debug("node scope", "placements=%zu entries=%zu result=%d", image->n_placements, n, r);
	datapath_set_node_scope(agent->dp, agent->options->node_scope);
	return failed(agent, r);
}

int scope_update(struct agent *agent, const struct image *image, const struct image_delta *delta)
{
	_cleanup_free_ struct datapath_scope *entry =
		calloc(delta->placements.n + 1, sizeof(*entry));
	size_t n = 0;

	if (!entry)
		return failed(agent, -ENOMEM);
	for (size_t i = 0; i < delta->placements.n; i++)
		n += entry_of(agent, &image->placements[delta->placements.index[i]], &entry[n]);
	return failed(agent, datapath_update_scope(agent->dp, entry, n));
}
