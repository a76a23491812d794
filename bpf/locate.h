/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an address says: whose it probably is, which CIDR selectors cover it, and
 * whether tags may be written towards it. */
#pragma once

#include "maps.h"
#include "packet.h"

struct cs_where {
	__u64 identity; /* inferred; 0: nothing can be inferred */
	__u32 class_; /* slot of cs_classes */
	__u32 workload; /* slot, when the address is a local workload's; else 0 */
	__u8 taggable;
	__u8 known; /* the address of a known workload */
	__u8 pad[6];
};

__inline void cs_locate_endpoint(const struct cs_endpoint *e, struct cs_where *ret)
{
	ret->identity = e->flags & CS_ENDPOINT_SHARED ? 0 : READ_ONCE(e->identity);
	if (e->flags & CS_ENDPOINT_REVOKED)
		ret->identity = CS_IDENTITY_REVOKED;
	ret->class_ = e->class_;
	ret->workload = e->workload;
	ret->taggable = 1;
	ret->known = 1;
}

/* Loopback: same host, so tags are harmless; nothing can be inferred from it. */
__inline void cs_locate_prefix(const struct cs_addr *addr, struct cs_where *ret)
{
	struct cs_cidr key = { .prefixlen = 128 };
	const struct cs_class *class_;
	__u32 *slot, index;

	__builtin_memcpy(key.word, addr->word, sizeof(key.word));
	ret->identity = CS_ENTITY_WORLD;
	slot = bpf_map_lookup_elem(&cs_cidrs, &key);
	if (slot) {
		index = READ_ONCE(*slot);
		ret->class_ = index;
		class_ = bpf_map_lookup_elem(&cs_classes, &index);
		if (class_ && class_->flags & CS_CLASS_TAG)
			ret->taggable = 1;
		if (class_ && class_->flags & CS_CLASS_HOST) {
			ret->identity = CS_ENTITY_HOST;
			ret->taggable =
				1; /* a workload in the node's own namespace answers with its tag */
		}
	}
	if (cs_is_loopback(addr)) {
		ret->identity = 0;
		ret->taggable = 1;
	}
}

__verified_once int cs_locate(const struct cs_addr *addr, struct cs_where *ret)
{
	const struct cs_endpoint *endpoint;
	__u32 *slot, index;
	struct cs_addr key; /* Linux 6.1 takes no key from a global function's argument */

	if (!addr || !ret)
		return -1;
	key = *addr;
	__builtin_memset(ret, 0, sizeof(*ret));
	slot = bpf_map_lookup_elem(&cs_addresses, &key);
	if (slot) {
		index = READ_ONCE(*slot);
		endpoint = bpf_map_lookup_elem(&cs_endpoints, &index);
		if (endpoint && cs_same_addr(&endpoint->addr, addr)) {
			cs_locate_endpoint(endpoint, ret);
			return 0;
		}
		/* The slot changed hands meanwhile: infer nothing rather than the wrong one. */
		cs_stat(CS_STAT_TORN_READS);
		return 0;
	}
	cs_locate_prefix(addr, ret);
	return 0;
}

/* The class of the address of a peer that is known without it. Without CIDR peers in any
 * policy nobody asks for it, and the look-up is spared. */
__inline __u32 cs_class_of(const struct cs_addr *addr)
{
	struct cs_where where;

	if (!READ_ONCE(cs_control.cidrs))
		return 0;
	cs_locate(addr, &where);
	return where.class_;
}
