/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small changes of the policy in force: who is there, at which addresses and behind which
 * Services, not what they may do. Rulesets,
 * subjects and classes stay, so there is no bank to fill, no epoch and no grace period:
 * what is new becomes reachable by the one write of its key, and what is gone is retired
 * until the next commit has waited.
 *
 * Sockets that were decided before are only told to decide anew when the change can deny
 * what was allowed (delta->restricts).
 */
#include "user/datapath/commit.h"

/* ---- bitmaps and names: unreachable until an identity has them ---- */

static void write_rows(const struct commit *c)
{
	struct datapath *dp = c->dp;
	struct cs_bitmap *bitmaps = dp->view.bitmaps + (size_t)c->bank * CS_BITMAPS_MAX;
	size_t n = c->image->n_bitmaps - dp->n_bitmaps;

	memcpy(bitmaps + dp->n_bitmaps, c->image->bitmaps + dp->n_bitmaps, n * sizeof(*bitmaps));
}

static int name_slot(struct commit *c, uint32_t index, uint32_t *ret)
{
	struct table *table = commit_table(c, TABLE_NAMES);
	char name[CS_SPIFFE_ID_MAX] = "";
	int r;

	*ret = 0;
	if (!index)
		return 0;
	strncpy(name, c->image->names[index], sizeof(name) - 1);
	*ret = slots_find(&table->slots, name);
	if (*ret)
		return 0;
	r = table_take(c->dp, table, ret);
	if (r < 0)
		return r;
	memcpy(c->dp->view.names[*ret].spiffe_id, name, sizeof(name));
	return commit_change(c, (struct change){ .table = table, .to = *ret }, name);
}

/* ---- who came ---- */

static int add_identity(struct commit *c, const struct image_identity *identity)
{
	struct change change = { .table = commit_table(c, TABLE_PEERS) };
	uint32_t slot = slots_find(&change.table->slots, &identity->identity), name;
	struct cs_peer *peer;
	int r;

	if (slot) {
		commit_want(c, change.table, slot);
		__atomic_store_n(&c->dp->view.peers[slot].row[c->bank], identity->row,
				 __ATOMIC_RELEASE);
		return 0;
	}
	r = name_slot(c, identity->name_index, &name);
	if (r >= 0)
		r = table_take(c->dp, change.table, &change.to);
	if (r < 0)
		return r;
	peer = &c->dp->view.peers[change.to];
	*peer = (struct cs_peer){ .identity = identity->identity, .name = name };
	peer->row[c->bank] = identity->row;
	return commit_change(c, change, &identity->identity);
}

static int add_endpoint(struct commit *c, const struct image_endpoint *wanted)
{
	struct change change = { .table = commit_table(c, TABLE_ENDPOINTS) };
	struct cs_endpoint endpoint = {
		.addr = wanted->addr,
		.identity = wanted->identity,
		.flags = wanted->flags,
	};
	int r;

	if (wanted->workload_index)
		endpoint.workload = c->dp->workload_slot[wanted->workload_index - 1];

	if (wanted->class_index)
		endpoint.class_ = slots_find(&commit_table(c, TABLE_CLASSES)->slots,
					     &c->image->classes[wanted->class_index - 1].prefix);
	change.from = slots_find(&change.table->slots, &wanted->addr);
	if (change.from &&
	    memcmp(&c->dp->view.endpoints[change.from], &endpoint, sizeof(endpoint)) == 0) {
		commit_want(c, change.table, change.from);
		return 0;
	}
	r = table_take(c->dp, change.table, &change.to);
	if (r < 0)
		return r;
	c->dp->view.endpoints[change.to] = endpoint;
	return commit_change(c, change, &wanted->addr);
}

static int add_all(struct commit *c, const struct image_delta *delta)
{
	int r = 0;

	for (size_t i = 0; i < delta->identities.n && r >= 0; i++)
		r = add_identity(c, &c->image->identities[delta->identities.index[i]]);
	for (size_t i = 0; i < delta->endpoints.n && r >= 0; i++)
		if (!c->image->endpoints[delta->endpoints.index[i]].gone)
			r = add_endpoint(c, &c->image->endpoints[delta->endpoints.index[i]]);
	for (size_t i = 0; i < delta->services.n && r >= 0; i++)
		if (!c->image->services[delta->services.index[i]].gone)
			r = commit_change_service(c, &c->image->services[delta->services.index[i]]);
	return r;
}

/* ---- who went ---- */

/* What cannot be removed now, the next commit removes. */
static size_t remove_key(struct commit *c, enum table_id id, const void *key)
{
	struct table *table = commit_table(c, id);
	uint32_t slot = slots_find(&table->slots, key);

	if (!slot || commit_wants(c, table, slot))
		return 0;
	if (bpf_map_delete_elem(table->map, key) < 0 && errno != ENOENT)
		return 0;
	slots_unbind(&table->slots, slot);
	slots_retire(&table->slots, slot);
	return 1;
}

/* Services and addresses first, so that none leads to an identity that is not there. */
static size_t remove_all(struct commit *c, const struct image_delta *delta)
{
	const struct image *image = c->image;
	size_t n = 0;

	for (size_t i = 0; i < delta->services.n; i++) {
		const struct image_service *service = &image->services[delta->services.index[i]];
		const struct cs_service_key key = {
			.addr = service->addr,
			.port = service->port,
			.protocol = service->protocol,
		};

		if (service->gone)
			n += remove_key(c, TABLE_SERVICES, &key);
	}
	for (size_t i = 0; i < delta->endpoints.n; i++) {
		const struct image_endpoint *endpoint =
			&image->endpoints[delta->endpoints.index[i]];

		if (endpoint->gone)
			n += remove_key(c, TABLE_ENDPOINTS, &endpoint->addr);
	}
	for (size_t i = 0; i < delta->gone_identities.n; i++)
		n += remove_key(c, TABLE_PEERS,
				&image->identities[delta->gone_identities.index[i]].identity);
	return n;
}

/* ---- all of it ---- */

static void count_writes(const struct commit *c, struct datapath_update *ret)
{
	for (size_t i = 0; i < c->done.n; i++) {
		ret->identity_writes += c->done.list[i].table == commit_table(c, TABLE_PEERS);
		ret->address_writes += c->done.list[i].table == commit_table(c, TABLE_ENDPOINTS);
		ret->service_writes += c->done.list[i].table == commit_table(c, TABLE_SERVICES);
	}
}

static int check(const struct datapath *dp, const struct image *image,
		 const struct image_delta *delta)
{
	if (!dp->control->epoch || dp->unmatched || dp->grace_owed)
		return datapath_fail(-ESTALE, "the policy in force must be committed again first");
	if (delta->n_bitmaps != dp->n_bitmaps || image->n_bitmaps > CS_BITMAPS_MAX)
		return datapath_fail(-ESTALE, "the change is not of the policy in force");
	if (delta->services.n && !dp->control->services)
		return datapath_fail(-ESTALE, "the first Service is announced by a commit");
	return 0;
}

int datapath_update(struct datapath *dp, const struct image *image, const struct image_delta *delta,
		    struct datapath_update *ret)
{
	struct commit c = { .dp = dp, .image = image, .bank = datapath_bank(dp) };
	struct datapath_update done = { .stamped = delta->restricts };
	int r = check(dp, image, delta);

	if (r < 0)
		return r;
	dp->commit = dp->commit + 1 ? dp->commit + 1 : 1;
	write_rows(&c);
	r = add_all(&c, delta);
	if (r < 0) {
		if (r == -ENOMEM)
			datapath_fail(r, "no memory for the change");
		commit_undo(&c);
	} else {
		count_writes(&c, &done);
		commit_retire_replaced(&c);
		done.removals = remove_all(&c, delta);
		dp->n_bitmaps = image->n_bitmaps;
		if (delta->restricts)
			datapath_stamp(dp);
		*ret = done;
	}
	free(c.done.list);
	return r;
}

uint32_t datapath_epoch(const struct datapath *dp)
{
	return dp->control->epoch;
}
