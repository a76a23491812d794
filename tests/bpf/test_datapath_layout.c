/* SPDX-License-Identifier: Apache-2.0 */
/* The programs and the agent must mean the same bytes: BTF against the compiler. */
#include <bpf/btf.h>
#include <criterion/criterion.h>

#include <countersign/abi.h>

#include "countersign.skel.h"
#include "user/base/util.h"

struct layout {
	const char *type;
	const char *member; /* NULL: the whole struct */
	size_t value; /* size, or offset of the member */
};

#define SIZE(type)                               \
	{                                        \
#type, NULL, sizeof(struct type) \
	}
#define OFFSET(type, member)                                  \
	{                                                     \
#type, #member, offsetof(struct type, member) \
	}

static const struct layout layouts[] = {
	SIZE(cs_control),
	OFFSET(cs_control, epoch),
	OFFSET(cs_control, node),
	OFFSET(cs_control, node_scope),
	OFFSET(cs_control, deny_mode),
	OFFSET(cs_control, stamp),
	OFFSET(cs_control, secret),
	SIZE(cs_workload),
	OFFSET(cs_workload, cgroup_id),
	OFFSET(cs_workload, identity),
	OFFSET(cs_workload, generation),
	OFFSET(cs_workload, name),
	SIZE(cs_subject),
	OFFSET(cs_subject, ruleset),
	OFFSET(cs_subject, generation),
	OFFSET(cs_subject, standing),
	SIZE(cs_ruleset),
	OFFSET(cs_ruleset, count),
	OFFSET(cs_ruleset, default_rule),
	OFFSET(cs_ruleset, default_verdict),
	OFFSET(cs_ruleset, default_reason),
	OFFSET(cs_ruleset, flags),
	OFFSET(cs_ruleset, rules),
	SIZE(cs_rule),
	OFFSET(cs_rule, expires_ns),
	OFFSET(cs_rule, id),
	OFFSET(cs_rule, selector),
	OFFSET(cs_rule, port_min),
	OFFSET(cs_rule, port_max),
	OFFSET(cs_rule, protocol),
	OFFSET(cs_rule, action),
	OFFSET(cs_rule, flags),
	OFFSET(cs_rule, tier),
	SIZE(cs_bitmap),
	SIZE(cs_peer),
	OFFSET(cs_peer, identity),
	OFFSET(cs_peer, row),
	OFFSET(cs_peer, name),
	SIZE(cs_name),
	SIZE(cs_endpoint),
	OFFSET(cs_endpoint, addr),
	OFFSET(cs_endpoint, identity),
	OFFSET(cs_endpoint, class_),
	OFFSET(cs_endpoint, workload),
	OFFSET(cs_endpoint, flags),
	SIZE(cs_cidr),
	OFFSET(cs_cidr, prefixlen),
	OFFSET(cs_cidr, word),
	SIZE(cs_class),
	OFFSET(cs_class, row),
	OFFSET(cs_class, flags),
	SIZE(cs_node_keys),
	OFFSET(cs_node_keys, node),
	OFFSET(cs_node_keys, send_valid),
	OFFSET(cs_node_keys, receive_valid),
	OFFSET(cs_node_keys, send),
	OFFSET(cs_node_keys, receive),
	SIZE(cs_addr),
	SIZE(cs_socket),
	SIZE(cs_handshake),
	SIZE(cs_flow_key),
	SIZE(cs_flow),
};

/* Byte offset of the member in the kernel side's struct, or -1. */
static long offset_in(const struct btf *btf, const struct btf_type *type, const char *member)
{
	const struct btf_member *m = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++)
		if (streq(btf__name_by_offset(btf, m[i].name_off), member))
			return btf_member_bit_offset(type, i) / 8;
	return -1;
}

Test(datapath_layout, structs_agree_with_the_programs)
{
	struct countersign_bpf *skeleton = countersign_bpf__open();
	const struct btf *btf;

	cr_assert_not_null(skeleton);
	btf = bpf_object__btf(skeleton->obj);
	cr_assert_not_null(btf);
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		const struct layout *l = &layouts[i];
		int id = btf__find_by_name_kind(btf, l->type, BTF_KIND_STRUCT);

		cr_assert_gt(id, 0, "the programs know struct %s", l->type);
		if (l->member)
			cr_expect_eq(offset_in(btf, btf__type_by_id(btf, id), l->member),
				     (long)l->value, "struct %s, %s", l->type, l->member);
		else
			cr_expect_eq(btf__resolve_size(btf, id), (long long)l->value, "struct %s",
				     l->type);
	}
	countersign_bpf__destroy(skeleton);
}

struct map_layout {
	const char *map;
	enum bpf_map_type type;
	size_t key, value, entries;
};

static const struct map_layout map_layouts[] = {
	{ "cs_cgroups", BPF_MAP_TYPE_HASH, 8, 4, CS_WORKLOADS_MAX + CS_CGROUPS_MARKED_MAX },
	{ "cs_workloads", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_workload), CS_WORKLOADS_MAX },
	{ "cs_subjects", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_subject),
	  CS_BANKS *CS_WORKLOADS_MAX },
	{ "cs_rulesets", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_ruleset),
	  CS_BANKS *CS_RULESETS_MAX },
	{ "cs_bitmaps", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_bitmap), CS_BANKS *CS_BITMAPS_MAX },
	{ "cs_identities", BPF_MAP_TYPE_HASH, 8, 4, CS_IDENTITIES_MAX },
	{ "cs_peers", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_peer), CS_IDENTITIES_MAX },
	{ "cs_names", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_name), CS_NAMES_MAX },
	{ "cs_addresses", BPF_MAP_TYPE_HASH, sizeof(struct cs_addr), 4, CS_ENDPOINTS_MAX },
	{ "cs_endpoints", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_endpoint), CS_ENDPOINTS_MAX },
	{ "cs_cidrs", BPF_MAP_TYPE_LPM_TRIE, sizeof(struct cs_cidr), 4, CS_CLASSES_MAX },
	{ "cs_classes", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_class), CS_CLASSES_MAX },
	{ "cs_node_index", BPF_MAP_TYPE_ARRAY, 4, 4, 65536 },
	{ "cs_nodes", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_node_keys), CS_NODES_MAX },
	{ "cs_sockets", BPF_MAP_TYPE_SK_STORAGE, 4, sizeof(struct cs_socket), 0 },
	{ "cs_handshakes", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_handshake), CS_HANDSHAKES_MAX },
	{ "cs_flows", BPF_MAP_TYPE_LRU_HASH, sizeof(struct cs_flow_key), sizeof(struct cs_flow),
	  CS_FLOWS_MAX },
	{ "cs_events", BPF_MAP_TYPE_RINGBUF, 0, 0, CS_EVENTS_BYTES },
	{ "cs_counters", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, CS_COUNTERS_MAX },
	{ "cs_stats", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, CS_STAT_MAX },
	{ "cs_rule_hits", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, CS_RULE_IDS_MAX },
	{ ".data.control", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct cs_control), 1 },
};

Test(datapath_layout, maps_agree_with_the_contract)
{
	struct countersign_bpf *skeleton = countersign_bpf__open();

	cr_assert_not_null(skeleton);
	for (size_t i = 0; i < ARRAY_SIZE(map_layouts); i++) {
		const struct map_layout *l = &map_layouts[i];
		struct bpf_map *map = bpf_object__find_map_by_name(skeleton->obj, l->map);

		cr_assert_not_null(map, "map %s", l->map);
		cr_expect_eq(bpf_map__type(map), l->type, "%s: type", l->map);
		cr_expect_eq(bpf_map__key_size(map), l->key, "%s: key", l->map);
		cr_expect_eq(bpf_map__value_size(map), l->value, "%s: value", l->map);
		cr_expect_eq(bpf_map__max_entries(map), l->entries, "%s: entries", l->map);
	}
	countersign_bpf__destroy(skeleton);
}
