/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map. maps.bpf.c defines them (CS_MAP empty), the other objects refer to them;
 * bpftool links all objects into one. Layouts and the law of who may read what when
 * are in include/countersign/abi.h.
 */
#pragma once

#include "kernel.h"

#ifndef CS_MAP
#define CS_MAP extern
#endif

CS_MAP struct cs_control cs_control SEC(".data.control");

/* Depth of the guarded cgroup below the hierarchy's root; set before loading. */
CS_MAP const volatile __u32 cs_root_level;

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CS_WORKLOADS_MAX + CS_CGROUPS_MARKED_MAX);
	__type(key, __u64);
	__type(value, __u32);
} cs_cgroups SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_WORKLOADS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_workload);
} cs_workloads SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_BANKS *CS_WORKLOADS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_subject);
} cs_subjects SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_BANKS *CS_RULESETS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_ruleset);
} cs_rulesets SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_BANKS *CS_BITMAPS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_bitmap);
} cs_bitmaps SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CS_IDENTITIES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u32);
} cs_identities SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_IDENTITIES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_peer);
} cs_peers SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_NAMES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_name);
} cs_names SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CS_ENDPOINTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cs_addr);
	__type(value, __u32);
} cs_addresses SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_ENDPOINTS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_endpoint);
} cs_endpoints SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, CS_CLASSES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cs_cidr);
	__type(value, __u32);
} cs_cidrs SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_CLASSES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_class);
} cs_classes SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CS_SERVICES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cs_service_key);
	__type(value, __u32);
} cs_services SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_SERVICES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_service);
} cs_service_slots SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CS_SCOPE_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u32);
} cs_scope SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cs_vault);
} cs_vault SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u32);
} cs_node_index SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_NODES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cs_node_keys);
} cs_nodes SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct cs_socket);
} cs_sockets SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_HANDSHAKES_MAX);
	__type(key, __u32);
	__type(value, struct cs_handshake);
} cs_handshakes SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_REFUSALS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} cs_refusals SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CS_DECISIONS_MAX);
	__type(key, __u32);
	__type(value, struct cs_remembered);
} cs_decisions SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cs_accepting);
} cs_accepting SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CS_FLOWS_MAX);
	__type(key, struct cs_flow_key);
	__type(value, struct cs_flow);
} cs_flows SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CS_EVENTS_BYTES);
} cs_events SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CS_COUNTERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} cs_counters SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CS_STAT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} cs_stats SEC(".maps");

CS_MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CS_RULE_IDS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} cs_rule_hits SEC(".maps");

/* Adds one to a counter. */
__inline void cs_count(__u8 verdict, __u8 reason, __u8 direction)
{
	__u32 index = CS_COUNTER(verdict, reason, direction);
	__u64 *value = bpf_map_lookup_elem(&cs_counters, &index);

	if (value)
		*value += 1;
}

__inline void cs_stat(__u32 stat)
{
	__u64 *value = bpf_map_lookup_elem(&cs_stats, &stat);

	if (value)
		*value += 1;
}

__inline void cs_hit(__u32 rule)
{
	__u64 *value = bpf_map_lookup_elem(&cs_rule_hits, &rule);

	if (value)
		*value += 1;
}
