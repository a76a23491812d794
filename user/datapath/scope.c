/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which identity may be claimed by which node: the map cs_scope, with a copy here of what
 * it holds, so that only differences are written. In the copy a slot's mark is the number
 * of the last datapath_set_scope() that wanted it, and its flags.
 */
#include "user/datapath/internal.h"

#define FLAG_BITS 2

static uint32_t mark_of(const struct datapath *dp, uint32_t flags)
{
	return dp->scope_round << FLAG_BITS | flags;
}

static uint32_t flags_of(uint32_t mark)
{
	return mark & ((1U << FLAG_BITS) - 1);
}

int scope_adopt(struct datapath *dp)
{
	struct slots *slots = &dp->tables[TABLE_SCOPE].slots;
	int map = dp->tables[TABLE_SCOPE].map, r;
	uint64_t key, next;
	void *from = NULL;
	uint32_t flags, slot = 0;

	while (bpf_map_get_next_key(map, from, &next) == 0) {
		key = next;
		from = &key;
		if (bpf_map_lookup_elem(map, &key, &flags) < 0 || ++slot >= slots->max)
			return datapath_fail(-EUCLEAN, "the pinned map of node scopes is damaged; "
						       "run --uninstall first");
		r = slots_claim(slots, slot, &key);
		if (r < 0)
			return r;
		slots->mark[slot] = mark_of(dp, flags);
	}
	slots_claimed(slots);
	return 0;
}

static int no_room(const struct datapath *dp, int r)
{
	const struct table *table = &dp->tables[TABLE_SCOPE];

	return datapath_fail(r, "too many %s: %u fit (%s)", table->what, table->slots.max - 1,
			     table->limit);
}

static int put(struct datapath *dp, const struct datapath_scope *wanted, bool *restricts)
{
	struct table *table = &dp->tables[TABLE_SCOPE];
	uint32_t slot = slots_find(&table->slots, &wanted->tag);
	uint32_t flags = wanted->flags & (CS_SCOPE_KNOWN | CS_SCOPE_REVOKED);
	int r;

	if (slot && flags_of(table->slots.mark[slot]) == flags) {
		table->slots.mark[slot] = mark_of(dp, flags);
		return 0;
	}
	if (!slot) {
		r = slots_take(&table->slots, &slot);
		if (r < 0)
			return no_room(dp, r);
		slots_bind(&table->slots, slot, &wanted->tag);
	}
	if (bpf_map_update_elem(table->map, &wanted->tag, &flags, BPF_ANY) < 0)
		return no_room(dp, -errno);
	table->slots.mark[slot] = mark_of(dp, flags);
	*restricts |= (flags & CS_SCOPE_REVOKED) != 0;
	return 1;
}

/* Slots are only numbers here: the map has no array behind it, nothing is retired. */
static int take_away(struct datapath *dp, uint32_t slot)
{
	struct table *table = &dp->tables[TABLE_SCOPE];
	uint64_t key;

	memcpy(&key, slots_key(&table->slots, slot), sizeof(key));
	if (bpf_map_delete_elem(table->map, &key) < 0 && errno != ENOENT)
		return datapath_fail(-errno, "cannot remove a node scope: %s", strerror(errno));
	slots_unbind(&table->slots, slot);
	slots_drop(&table->slots, slot);
	return 1;
}

static int end(struct datapath *dp, int r, bool restricts)
{
	if (restricts)
		datapath_stamp(dp);
	return r < 0 ? r : restricts;
}

int datapath_update_scope(struct datapath *dp, const struct datapath_scope *changes, size_t n)
{
	const struct slots *slots = &dp->tables[TABLE_SCOPE].slots;
	bool restricts = false;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		uint32_t slot = slots_find(slots, &changes[i].tag);

		if (changes[i].flags) {
			r = put(dp, &changes[i], &restricts);
		} else if (slot) {
			r = take_away(dp, slot);
			restricts = true;
		}
	}
	return end(dp, r, restricts);
}

int datapath_set_scope(struct datapath *dp, const struct datapath_scope *wanted, size_t n)
{
	const struct slots *slots = &dp->tables[TABLE_SCOPE].slots;
	bool restricts = false;
	int r = 0;

	dp->scope_round++;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = put(dp, &wanted[i], &restricts);
	for (uint32_t slot = 1; slot < slots->top && r >= 0; slot++) {
		if (!slots_is_bound(slots, slot) ||
		    slots->mark[slot] == mark_of(dp, flags_of(slots->mark[slot])))
			continue;
		r = take_away(dp, slot);
		restricts = true;
	}
	return end(dp, r, restricts);
}

void datapath_set_node_scope(struct datapath *dp, uint8_t mode)
{
	__atomic_store_n(&dp->control->node_scope, mode, __ATOMIC_RELEASE);
}
