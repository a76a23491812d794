/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys shared with other nodes. A key is written while no program may use it: first the
 * valid bits of all phases that change are taken away, then all running programs are waited
 * for, once for any number of nodes, then keys are written and marked valid, and only then
 * may the phase to send with change. Keys that are over are zeroed in the same step.
 */
#include "user/datapath/internal.h"

#define OWN_NODE_SLOT 1 /* of cs_nodes */

static struct cs_node_keys *node_at(const struct datapath *dp, uint32_t slot)
{
	return &dp->view.nodes[slot];
}

int nodes_own_new(struct datapath *dp, uint16_t node)
{
	struct cs_node_keys *own = node_at(dp, OWN_NODE_SLOT);
	int r = datapath_random(&own->send[0], sizeof(own->send[0]));

	if (r < 0)
		return r;
	own->node = node;
	own->receive[0] = own->send[0];
	own->send_valid = own->receive_valid = 1 << 0;
	dp->view.node_index[node].slot = OWN_NODE_SLOT;
	return slots_claim(&dp->tables[TABLE_NODES].slots, OWN_NODE_SLOT, &node);
}

/* ---- adopting ---- */

/* A slot that its number does not lead to is free. */
int nodes_adopt(struct datapath *dp)
{
	struct slots *slots = &dp->tables[TABLE_NODES].slots;
	int r = 0;

	for (uint32_t slot = 1; r >= 0 && slot < CS_NODES_MAX; slot++) {
		uint16_t number = node_at(dp, slot)->node;

		if (number && dp->view.node_index[number].slot == slot)
			r = slots_claim(slots, slot, &number);
	}
	slots_claimed(slots);
	return r;
}

/* ---- changing ---- */

static bool same_key(const struct cs_key *a, const struct cs_key *b)
{
	return a->k0 == b->k0 && a->k1 == b->k1;
}

/* Phases of @now whose keys stay as they are in @wanted. */
static uint8_t kept(uint8_t valid_now, uint8_t valid_wanted, const struct cs_key *now,
		    const struct cs_key *wanted)
{
	uint8_t bits = 0;

	for (int phase = 0; phase < CS_PHASES; phase++)
		if (valid_now & valid_wanted & 1 << phase && same_key(&now[phase], &wanted[phase]))
			bits |= 1 << phase;
	return bits;
}

/* Takes back what does not stay; refusals count at once. Whether anything was taken back. */
static bool withdraw(struct cs_node_keys *now, const struct cs_node_keys *wanted)
{
	uint8_t send = kept(now->send_valid, wanted->send_valid, now->send, wanted->send);
	uint8_t receive =
		kept(now->receive_valid, wanted->receive_valid, now->receive, wanted->receive);
	bool changed = send != now->send_valid || receive != now->receive_valid;

	if (wanted->refusal)
		__atomic_store_n(&now->refusal, wanted->refusal, __ATOMIC_RELEASE);
	__atomic_store_n(&now->send_valid, send, __ATOMIC_RELEASE);
	__atomic_store_n(&now->receive_past, wanted->receive_past, __ATOMIC_RELEASE);
	__atomic_store_n(&now->receive_valid, receive, __ATOMIC_RELEASE);
	return changed;
}

static void put_keys(struct cs_key *now, const struct cs_key *wanted, uint8_t valid_now,
		     uint8_t valid_wanted)
{
	for (int phase = 0; phase < CS_PHASES; phase++) {
		if (valid_now & 1 << phase)
			continue;
		if (valid_wanted & 1 << phase)
			now[phase] = wanted[phase];
		else
			explicit_bzero(&now[phase], sizeof(now[phase]));
	}
}

static void install(struct cs_node_keys *now, const struct cs_node_keys *wanted)
{
	put_keys(now->receive, wanted->receive, now->receive_valid, wanted->receive_valid);
	put_keys(now->send, wanted->send, now->send_valid, wanted->send_valid);
	__atomic_store_n(&now->receive_valid, wanted->receive_valid, __ATOMIC_RELEASE);
	__atomic_store_n(&now->send_valid, wanted->send_valid, __ATOMIC_RELEASE);
	__atomic_store_n(&now->send_phase, wanted->send_phase, __ATOMIC_RELEASE);
	__atomic_store_n(&now->refusal, wanted->refusal, __ATOMIC_RELEASE);
}

static int new_slot(struct datapath *dp, uint16_t number, uint32_t *ret)
{
	struct table *table = &dp->tables[TABLE_NODES];
	int r = table_take(dp, table, ret);

	if (r < 0)
		return r;
	memset(node_at(dp, *ret), 0, sizeof(struct cs_node_keys));
	node_at(dp, *ret)->node = number;
	slots_bind(&table->slots, *ret, &number);
	return 0;
}

/* Whether the node may do less than before. */
static bool is_restricted(const struct cs_node_keys *now, const struct cs_node_keys *wanted)
{
	if (wanted->refusal && wanted->refusal != now->refusal)
		return true;
	return now->receive_valid && !wanted->receive_valid;
}

/* What a change of keys takes. */
struct effect {
	bool wait; /* something was taken back: a program may still use it */
	bool restricts;
};

/* Finds the slots, makes those that are missing, and takes back what changes. */
static int prepare(struct datapath *dp, const struct cs_node_keys *wanted, size_t n, uint32_t *slot,
		   struct effect *ret)
{
	const struct slots *slots = &dp->tables[TABLE_NODES].slots;

	for (size_t i = 0; i < n; i++) {
		uint16_t number = wanted[i].node;
		int r = 0;

		if (number == dp->control->node)
			return datapath_fail(-EINVAL, "node %u is this node", number);
		slot[i] = slots_find(slots, &number);
		if (!slot[i])
			r = new_slot(dp, number, &slot[i]);
		if (r < 0)
			return r;
		ret->restricts |= is_restricted(node_at(dp, slot[i]), &wanted[i]);
		ret->wait |= withdraw(node_at(dp, slot[i]), &wanted[i]);
	}
	return 0;
}

int datapath_set_nodes(struct datapath *dp, const struct cs_node_keys *wanted, size_t n)
{
	_cleanup_free_ uint32_t *slot = calloc(n + 1, sizeof(*slot));
	struct effect effect = { 0 };
	int r = slot ? prepare(dp, wanted, n, slot, &effect)
		     : datapath_fail(-ENOMEM, "no memory for node keys");

	if (r >= 0 && effect.wait)
		r = datapath_grace(dp);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		install(node_at(dp, slot[i]), &wanted[i]);
		__atomic_store_n(&dp->view.node_index[wanted[i].node].slot, slot[i],
				 __ATOMIC_RELEASE);
	}
	if (effect.restricts)
		datapath_stamp(dp);
	return effect.restricts;
}

int datapath_keep_nodes(struct datapath *dp, bool (*keep)(void *arg, uint16_t node), void *arg)
{
	struct slots *slots = &dp->tables[TABLE_NODES].slots;
	bool gone = false;
	int r;

	for (uint32_t slot = 1; slot < slots->top; slot++) {
		uint16_t number = node_at(dp, slot)->node;

		if (slot == OWN_NODE_SLOT || !slots_is_bound(slots, slot) || keep(arg, number))
			continue;
		__atomic_store_n(&dp->view.node_index[number].slot, 0, __ATOMIC_RELEASE);
		slots_unbind(slots, slot);
		slots_retire(slots, slot);
		withdraw(node_at(dp, slot), &(struct cs_node_keys){ .node = number });
		gone = true;
	}
	if (!gone)
		return 0;
	datapath_stamp(dp);
	r = datapath_grace(dp);
	if (r < 0)
		return r;
	for (uint32_t slot = 1; slot < slots->top; slot++)
		if (!slots_is_bound(slots, slot))
			explicit_bzero(node_at(dp, slot), sizeof(struct cs_node_keys));
	return 1;
}

/* ---- what an agent leaves for the one after it ---- */

int datapath_vault_write(struct datapath *dp, const struct cs_vault *vault)
{
	const uint32_t index = 0;

	if (bpf_map_update_elem(dp->vault, &index, vault, BPF_ANY) < 0)
		return datapath_fail(-errno, "cannot keep the node's keys: %s", strerror(errno));
	return 0;
}

int datapath_vault_read(struct datapath *dp, struct cs_vault *ret)
{
	const uint32_t index = 0;

	if (bpf_map_lookup_elem(dp->vault, &index, ret) < 0)
		return datapath_fail(-errno, "cannot read the node's keys: %s", strerror(errno));
	return 0;
}
