/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a SYN said, for the SYN-ACK that answers it. In the callback that writes a
 * SYN-ACK there is only a request socket: no storage, no listener. The ingress program
 * that let the SYN through leaves the claim and the listener's workload here.
 *
 * A slot is found by the client's address and the ports and is trusted only when its
 * check word, a keyed digest of those, the claim and the workload, is right: a slot that
 * another handshake took over, or that is half written, reads as empty.
 */
#pragma once

#include "event.h"

/* The client's side of a handshake, as both hooks can know it. */
struct cs_caller {
	struct cs_addr remote;
	__u16 remote_port; /* host order */
	__u16 local_port;
	__u32 pad;
};

__inline __u64 cs_caller_digest(const struct cs_caller *c)
{
	__u64 h = cs_mix(cs_control.secret.k1, c->remote.half[0]);

	h = cs_mix(h, c->remote.half[1]);
	return cs_mix(h, (__u64)c->remote_port << 16 | c->local_port);
}

__inline __u64 cs_handshake_check(__u64 caller, __u64 claim, __u32 workload)
{
	__u64 h = cs_mix(cs_mix(caller ^ cs_control.secret.k0, claim), workload);

	return (h & ~0xffffULL) | (workload & 0xffff);
}

__inline struct cs_handshake *cs_handshake_slot(__u64 caller)
{
	__u32 index = (caller >> 20) % CS_HANDSHAKES_MAX;

	return bpf_map_lookup_elem(&cs_handshakes, &index);
}

__inline void cs_handshake_put(const struct cs_caller *c, __u64 claim, __u32 workload)
{
	__u64 caller = cs_caller_digest(c);
	struct cs_handshake *h = cs_handshake_slot(caller);

	if (!h)
		return;
	WRITE_ONCE(h->claim, claim);
	WRITE_ONCE(h->check, cs_handshake_check(caller, claim, workload));
}

/* The claim of the SYN that @c sent, 0 when it is not known or was untagged. */
__inline __u64 cs_handshake_get(const struct cs_caller *c, __u32 *ret_workload)
{
	__u64 caller = cs_caller_digest(c);
	struct cs_handshake *h = cs_handshake_slot(caller);
	__u64 claim, check;

	if (!h)
		return 0;
	claim = READ_ONCE(h->claim);
	check = READ_ONCE(h->check);
	*ret_workload = check & 0xffff;
	return check == cs_handshake_check(caller, claim, *ret_workload) ? claim : 0;
}
