/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys and slots, made new or learned from the maps of an earlier agent. */
#include "user/datapath/internal.h"

struct table_spec {
	const char *map; /* from key to slot, NULL: only known here */
	uint32_t key_size;
	uint32_t max;
	const char *what;
	const char *limit;
};

static const struct table_spec table_specs[TABLES] = {
	[TABLE_WORKLOADS] = { NULL, WORKLOAD_KEY_MAX, CS_SLOT_WAITING, "workloads",
			      "CS_WORKLOADS_MAX" },
	[TABLE_NAMES] = { NULL, CS_SPIFFE_ID_MAX, CS_NAMES_MAX, "SPIFFE IDs", "CS_NAMES_MAX" },
	[TABLE_PEERS] = { "cs_identities", sizeof(uint64_t), CS_IDENTITIES_MAX, "identities",
			  "CS_IDENTITIES_MAX" },
	[TABLE_CLASSES] = { "cs_cidrs", sizeof(struct cs_cidr), CS_CLASSES_MAX, "CIDR classes",
			    "CS_CLASSES_MAX" },
	[TABLE_ENDPOINTS] = { "cs_addresses", sizeof(struct cs_addr), CS_ENDPOINTS_MAX, "addresses",
			      "CS_ENDPOINTS_MAX" },
	[TABLE_SERVICES] = { "cs_services", sizeof(struct cs_service_key), CS_SERVICES_MAX,
			     "Service addresses", "CS_SERVICES_MAX" },
	[TABLE_NODES] = { NULL, sizeof(uint16_t), CS_NODES_MAX, "nodes", "CS_NODES_MAX" },
	[TABLE_SCOPE] = { "cs_scope", sizeof(uint64_t), CS_SCOPE_MAX, "pairs of node and identity",
			  "CS_SCOPE_MAX" },
};

int tables_init(struct datapath *dp)
{
	const struct table_spec *spec;
	struct table *table;
	int r;

	for (int i = 0; i < TABLES; i++) {
		spec = &table_specs[i];
		table = &dp->tables[i];
		*table = (struct table){ .map = -1, .what = spec->what, .limit = spec->limit };
		if (spec->map)
			table->map = bpf_object__find_map_fd_by_name(dp->object, spec->map);
		if (spec->map && table->map < 0)
			return datapath_fail(-ENOENT, "the programs have no map %s", spec->map);
		r = slots_init(&table->slots, spec->key_size, spec->max);
		if (r < 0)
			return r;
	}
	return 0;
}

void tables_done(struct datapath *dp)
{
	for (int i = 0; i < TABLES; i++)
		slots_done(&dp->tables[i].slots);
}

/*
 * The kernel waits for an RCU grace period when user space updates a map of maps
 * (kernel/bpf/syscall.c, maybe_wait_bpf_programs(): synchronize_rcu()), so that no
 * program still uses the former inner map. Nothing uses this one; we want the wait.
 */
int datapath_grace(struct datapath *dp)
{
	const uint32_t index = 0;

	if (bpf_map_update_elem(dp->grace[0], &index, &dp->grace[1], BPF_ANY) < 0)
		return datapath_fail(-errno, "cannot wait for running programs: %s",
				     strerror(errno));
	return 0;
}

int table_take(struct datapath *dp, struct table *table, uint32_t *ret)
{
	int r = slots_take(&table->slots, ret);

	if (r == -ENOSPC && table->slots.retired) {
		r = datapath_grace(dp);
		if (r < 0)
			return r;
		slots_release(&table->slots);
		r = slots_take(&table->slots, ret);
	}
	if (r == -ENOSPC)
		return datapath_fail(r,
				     "too many %s: %u fit (%s), those of the policy in force "
				     "included",
				     table->what, table->slots.max - 1, table->limit);
	return r;
}

int workload_key(const char *namespace, const char *name, char ret[static WORKLOAD_KEY_MAX])
{
	memset(ret, 0, WORKLOAD_KEY_MAX);
	if (snprintf(ret, WORKLOAD_KEY_MAX, "%s/%s", namespace, name) >= WORKLOAD_KEY_MAX)
		return datapath_fail(-ENAMETOOLONG, "workload %s/%s: the name is too long",
				     namespace, name);
	return 0;
}

void workload_key_unmatched(uint32_t slot, char ret[static WORKLOAD_KEY_MAX])
{
	memset(ret, 0, WORKLOAD_KEY_MAX);
	snprintf(ret, WORKLOAD_KEY_MAX, "\1%u", slot);
}

/* ---- adopting ---- */

/* Whether the array's element @slot belongs to @key. */
typedef bool (*repeats_fn)(const struct views *view, uint32_t slot, const void *key);

static bool peer_repeats(const struct views *view, uint32_t slot, const void *key)
{
	return view->peers[slot].identity == *(const uint64_t *)key;
}

static bool endpoint_repeats(const struct views *view, uint32_t slot, const void *key)
{
	return memcmp(&view->endpoints[slot].addr, key, sizeof(struct cs_addr)) == 0;
}

static bool service_repeats(const struct views *view, uint32_t slot, const void *key)
{
	const struct cs_service *service = &view->services[slot];

	return memcmp(&service->key, key, sizeof(service->key)) == 0 &&
	       service->n <= CS_BACKENDS_MAX;
}

static bool class_repeats(const struct views *view, uint32_t slot, const void *key)
{
	const struct cs_cidr *cidr = key;

	(void)view;
	(void)slot;
	return cidr->prefixlen <= 128;
}

static int damaged(const char *what)
{
	return datapath_fail(-EUCLEAN, "the pinned map of %s is damaged; run --uninstall first",
			     what);
}

static int adopt_table(struct datapath *dp, struct table *table, repeats_fn repeats)
{
	uint64_t key[4], next[4]; /* no key is longer; aligned for all */
	void *from = NULL;
	uint32_t slot;
	int r;

	while (bpf_map_get_next_key(table->map, from, next) == 0) {
		memcpy(key, next, table->slots.key_size);
		from = key;
		if (bpf_map_lookup_elem(table->map, key, &slot) < 0)
			return damaged(table->what);
		if (slot >= table->slots.max || !repeats(&dp->view, slot, key))
			return damaged(table->what);
		r = slots_claim(&table->slots, slot, key);
		if (r < 0)
			return r == -ENOMEM ? r : damaged(table->what);
	}
	if (errno != ENOENT)
		return datapath_fail(-errno, "cannot read the pinned map of %s: %s", table->what,
				     strerror(errno));
	slots_claimed(&table->slots);
	return 0;
}

/*
 * Names that nothing refers to are free. A commit that was cut short may have left one
 * name in two slots: then one of them is used.
 */
static int adopt_name(struct datapath *dp, uint32_t *slot)
{
	struct table *table = &dp->tables[TABLE_NAMES];
	const char *name;
	uint32_t known;

	if (*slot == 0 || slots_is_bound(&table->slots, *slot))
		return 0;
	if (*slot >= CS_NAMES_MAX)
		return damaged(table->what);
	name = dp->view.names[*slot].spiffe_id;
	if (!memchr(name, '\0', CS_SPIFFE_ID_MAX))
		return damaged(table->what);
	known = slots_find(&table->slots, name);
	if (!known)
		return slots_claim(&table->slots, *slot, name);
	__atomic_store_n(slot, known, __ATOMIC_RELEASE);
	return 0;
}

/* A slot whose cgroup does not lead back to it has none. */
static int adopt_workload(struct datapath *dp, uint32_t slot)
{
	struct cs_workload *workload = &dp->view.workloads[slot];
	char key[WORKLOAD_KEY_MAX];
	uint32_t back;

	if (workload->cgroup_id &&
	    (bpf_map_lookup_elem(dp->cgroups, &workload->cgroup_id, &back) < 0 || back != slot))
		workload->cgroup_id = 0;
	workload_key_unmatched(slot, key);
	return slots_claim(&dp->tables[TABLE_WORKLOADS].slots, slot, key);
}

static int adopt_workloads(struct datapath *dp)
{
	int r = 0;

	for (uint32_t slot = 1; r >= 0 && slot < CS_SLOT_WAITING; slot++) {
		if (!dp->view.workloads[slot].identity)
			continue;
		r = adopt_workload(dp, slot);
		if (r >= 0)
			r = adopt_name(dp, &dp->view.workloads[slot].name);
	}
	slots_claimed(&dp->tables[TABLE_WORKLOADS].slots);
	dp->unmatched = true;
	return r;
}

int tables_adopt(struct datapath *dp)
{
	struct slots *peers = &dp->tables[TABLE_PEERS].slots;
	int r = datapath_grace(dp); /* the agent before us may have died in the middle of one */

	if (r >= 0)
		r = adopt_table(dp, &dp->tables[TABLE_PEERS], peer_repeats);
	if (r >= 0)
		r = adopt_table(dp, &dp->tables[TABLE_CLASSES], class_repeats);
	if (r >= 0)
		r = adopt_table(dp, &dp->tables[TABLE_ENDPOINTS], endpoint_repeats);
	if (r >= 0)
		r = adopt_table(dp, &dp->tables[TABLE_SERVICES], service_repeats);
	if (r >= 0)
		r = nodes_adopt(dp);
	if (r >= 0)
		r = scope_adopt(dp);
	if (r >= 0)
		r = adopt_workloads(dp);
	if (r >= 0)
		r = marks_adopt(dp);
	for (uint32_t slot = 1; r >= 0 && slot < peers->top; slot++)
		if (slots_is_bound(peers, slot))
			r = adopt_name(dp, &dp->view.peers[slot].name);
	slots_claimed(&dp->tables[TABLE_NAMES].slots);
	return r;
}
