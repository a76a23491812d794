/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose socket is this? A socket belongs to the workload of the cgroup that created it,
 * or of the nearest ancestor that is one. Remembered in socket storage; looked up again
 * when the workload's slot changed hands.
 */
#pragma once

#include "maps.h"

#define CS_SLOT_TORN (~0U)

/* The workload slot of exactly this cgroup, or a special one, or CS_SLOT_TORN. */
__verified_once __u32 cs_slot_of(__u64 cgroup_id)
{
	__u32 *slot = bpf_map_lookup_elem(&cs_cgroups, &cgroup_id);
	const struct cs_workload *workload;
	__u32 index;

	if (!slot)
		return CS_SLOT_UNMANAGED;
	index = READ_ONCE(*slot);
	if (index >= CS_SLOT_WAITING)
		return index; /* nothing repeats the cgroup there; it holds for one stamp only */
	workload = bpf_map_lookup_elem(&cs_workloads, &index);
	if (workload && READ_ONCE(workload->cgroup_id) == cgroup_id)
		return index;
	cs_stat(CS_STAT_TORN_READS);
	return CS_SLOT_TORN;
}

/* Merges the finding at one level into the finding so far: the deepest workload wins. The
 * levels are gone through one by one, so: no branch. */
__inline __u32 cs_deeper_slot(__u32 so_far, __u32 here)
{
	__u64 none = cs_equal(here, CS_SLOT_UNMANAGED);

	return (so_far & -none) | here;
}

/* Of the running task; in process context only. */
__inline __u32 cs_current_slot(__u64 *ret_cgroup)
{
	__u64 id = bpf_get_current_cgroup_id();
	__u32 slot = cs_slot_of(id);

	*ret_cgroup = id;
	if (slot != CS_SLOT_UNMANAGED)
		return slot;
	for (__u32 level = 1; level <= CS_CGROUP_DEPTH_MAX; level++) {
		id = bpf_get_current_ancestor_cgroup_id(cs_root_level + level);
		if (!id)
			break;
		slot = cs_deeper_slot(slot, cs_slot_of(id));
	}
	return slot;
}

/* Of a full socket that a cgroup_skb program sees. */
__inline __u32 cs_sk_slot(struct bpf_sock *sk, __u64 *ret_cgroup)
{
	__u64 id = bpf_sk_cgroup_id(sk);
	__u32 slot = cs_slot_of(id);

	*ret_cgroup = id;
	if (slot != CS_SLOT_UNMANAGED)
		return slot;
	for (__u32 level = 1; level <= CS_CGROUP_DEPTH_MAX; level++) {
		id = bpf_sk_ancestor_cgroup_id(sk, cs_root_level + level);
		if (!id)
			break;
		slot = cs_deeper_slot(slot, cs_slot_of(id));
	}
	return slot;
}

/* Of a socket that only the kernel's own types describe (sock_ops, iterators). */
__inline __u32 cs_core_slot(const void *sk, __u64 *ret_cgroup)
{
	struct cgroup *cgroup = BPF_CORE_READ((const struct sock *)sk, sk_cgrp_data.cgroup);
	int depth = BPF_CORE_READ(cgroup, level);
	__u64 id = BPF_CORE_READ(cgroup, kn, id);
	__u32 slot = cs_slot_of(id);

	*ret_cgroup = id;
	if (slot != CS_SLOT_UNMANAGED)
		return slot;
	for (__u32 level = 1; level <= CS_CGROUP_DEPTH_MAX; level++) {
		struct cgroup *ancestor = NULL;

		if ((int)(cs_root_level + level) >= depth)
			break;
		bpf_core_read(&ancestor, sizeof(ancestor),
			      &cgroup->ancestors[cs_root_level + level]);
		id = BPF_CORE_READ(ancestor, kn, id);
		slot = cs_deeper_slot(slot, cs_slot_of(id));
	}
	return slot;
}

/*
 * Makes @s belong to workload @slot. @stamp is what it was before the slot was looked up:
 * a cgroup that became a workload's since then is looked up again.
 */
__inline void cs_socket_assign(struct cs_socket *s, __u32 slot, __u64 cgroup_id, __u32 stamp)
{
	const struct cs_workload *workload;
	__u64 identity = CS_ENTITY_UNMANAGED;

	s->cgroup_id = cgroup_id;
	s->workload = CS_SLOT_UNMANAGED;
	s->generation = stamp;
	if (slot == CS_SLOT_TORN) {
		s->generation = 0; /* never current: looked up again, denied until then */
	} else if (slot == CS_SLOT_WAITING) {
		s->workload = slot;
	} else if (slot) {
		workload = bpf_map_lookup_elem(&cs_workloads, &slot); /* none: CS_SLOT_EXEMPT */
		if (workload) {
			s->workload = slot;
			s->generation = READ_ONCE(workload->generation);
			identity = READ_ONCE(workload->identity);
		}
	}
	s->tag = cs_tag(cs_control.node, 0, identity);
}

/* Of a pod that is not known yet. */
__inline int cs_is_waiting(const struct cs_socket *s)
{
	return s->workload == CS_SLOT_WAITING;
}

/* Whether what @s says of its workload still holds. */
__inline int cs_socket_is_current(const struct cs_socket *s)
{
	const struct cs_workload *workload;
	__u32 slot = s->workload;

	/* Unmanaged or waiting, in one comparison: until the next stamp. */
	if ((slot - CS_SLOT_WAITING) % CS_WORKLOADS_MAX <= 1)
		return s->generation == READ_ONCE(cs_control.stamp);
	workload = bpf_map_lookup_elem(&cs_workloads, &slot);
	return workload && READ_ONCE(workload->generation) == s->generation;
}

/* The storage of a socket, made when @create; NULL without (memory is short: counted). */
__inline struct cs_socket *cs_socket_get(void *sk, __u64 flags)
{
	struct cs_socket *s = bpf_sk_storage_get(&cs_sockets, sk, NULL, flags);

	if (!s && flags)
		cs_stat(CS_STAT_STORAGE_FAILED);
	return s;
}

/* The storage of a socket at a cgroup_skb hook, up to date; NULL when memory is short. */
__subprog struct cs_socket *cs_socket_at_hook(struct bpf_sock *sk, struct cs_socket *s)
{
	__u32 slot, stamp;
	__u64 cgroup_id;

	if (!s)
		s = cs_socket_get(sk, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s || (s->tag && cs_socket_is_current(s)))
		return s;
	stamp = READ_ONCE(cs_control.stamp);
	slot = cs_sk_slot(sk, &cgroup_id);
	cs_socket_assign(s, slot, cgroup_id, stamp);
	return s;
}

__inline __u64 cs_own_identity(const struct cs_socket *s)
{
	return cs_tag_identity(s->tag);
}
