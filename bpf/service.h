/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Services: an address and port that somebody rewrites to a backend's. What policy says of
 * a connection to one, it says of the backends behind it.
 */
#pragma once

#include "decide.h"

/* The Service at this address; NULL when there is none, or *@ret_torn. */
__subprog const struct cs_service *cs_service_at(const struct cs_addr *addr, __u16 port,
						 __u8 protocol, int *ret_torn)
{
	struct cs_service_key key = { .addr = *addr, .port = port, .protocol = protocol };
	const struct cs_service *service;
	__u32 *slot, index;

	*ret_torn = 0;
	if (!READ_ONCE(cs_control.services))
		return NULL;
	slot = bpf_map_lookup_elem(&cs_services, &key);
	if (!slot)
		return NULL;
	index = READ_ONCE(*slot);
	service = bpf_map_lookup_elem(&cs_service_slots, &index);
	if (service && cs_same_addr(&service->key.addr, addr) && service->key.port == port &&
	    service->key.protocol == protocol)
		return service;
	cs_stat(CS_STAT_TORN_READS);
	*ret_torn = 1;
	return NULL;
}

/* Who the peer is and how that is known. */
struct cs_who {
	__u64 peer; /* tag word when verified or claimed, else the bare identity */
	__u32 class_;
	__u8 auth; /* enum cs_auth */
	__u8 pad[3];
};

/* A question with the memory that its answer takes. */
struct cs_inquiry {
	struct cs_case c;
	struct cs_walk walk;
};

enum cs_service_kind {
	CS_SERVICE_NO = 0, /* not the address of a Service */
	CS_SERVICE_EMPTY = 1, /* of one without a ready backend */
	CS_SERVICE_READY = 2,
};

/* What kind of Service this address is of. */
__verified_once int cs_service_kind(const struct cs_addr *addr, __u16 port, __u8 protocol)
{
	const struct cs_service *service;
	int torn;

	if (!addr)
		return CS_SERVICE_NO;
	service = cs_service_at(addr, port, protocol, &torn);
	if (!service)
		return CS_SERVICE_NO;
	return service->n ? CS_SERVICE_READY : CS_SERVICE_EMPTY;
}

struct cs_search {
	const struct cs_service *service;
	__u64 peer;
	__u64 found;
};

static long cs_search_round(__u32 i, void *ctx)
{
	struct cs_search *search = ctx;

	search->found |=
		cs_equal(search->service->backend[i % CS_BACKENDS_MAX].identity, search->peer);
	return 0;
}

/* Whether a backend has the identity @peer: 0 or 1. */
__subprog __u32 cs_is_behind(const struct cs_service *service, __u64 peer, __u32 n)
{
	struct cs_search search = { .service = service, .peer = peer };

	bpf_loop(n < CS_BACKENDS_MAX ? n : CS_BACKENDS_MAX, cs_search_round, &search, 0);
	return search.found;
}

enum cs_service_how {
	CS_HOW_PROVED = 1 << 0, /* the peer is verified: it is asked about at the backend's port */
	CS_HOW_BEHIND = 1 << 1, /* and is one of the backends: the others do not count */
	CS_HOW_ANY = 1 << 2, /* one backend that may be talked to is enough */
};

/* How the decision about one backend adds to those before. Returns 1 when that is all. */
__inline int cs_weigh(struct cs_decision *d, const struct cs_decision *one, __u32 how)
{
	int denied = one->result.verdict == CS_VERDICT_DENY;
	__u64 expires_ns = cs_earlier(d->result.expires_ns, one->result.expires_ns);
	int over = denied != !!(how & CS_HOW_ANY);

	if (over || d->result.reason == CS_REASON_NO_BACKEND ||
	    (one->result.verdict == CS_VERDICT_AUDIT && d->result.verdict == CS_VERDICT_ALLOW))
		*d = *one;
	d->result.expires_ns = expires_ns;
	return over;
}

/* Asks about one backend; when it is the one that is denied, it is the peer. Returns 1 when
 * that is all. */
__verified_once int cs_ask_backend(const struct cs_backend *b, struct cs_inquiry *x,
				   struct cs_who *who, struct cs_decision *d, __u32 how)
{
	struct cs_decision one;

	if (!b || !x || !who || !d)
		return 1;
	if (how & CS_HOW_BEHIND && b->identity != x->c.peer)
		return 0;
	if (!(how & CS_HOW_PROVED))
		x->c.peer = b->identity;
	x->c.class_ = b->class_;
	x->c.port = b->port;
	if (cs_decide(&x->c, &one, &x->walk) < 0)
		return 1;
	if (!(how & CS_HOW_PROVED) && one.result.verdict == CS_VERDICT_DENY)
		who->peer = b->identity;
	return cs_weigh(d, &one, how);
}

/*
 * Asks about every backend that may be the peer: those with the verified identity, or all.
 * The first denial decides, or with CS_HOW_ANY the first that is none. A verified peer of a
 * Service without backends is asked about at the Service's own port. @x is used up.
 */
__inline void cs_decide_service(const struct cs_service *service, struct cs_inquiry *x,
				struct cs_who *who, struct cs_decision *d, __u32 how)
{
	__u32 n = service->n;

	cs_conclude(d, CS_VERDICT_DENY, CS_REASON_NO_BACKEND);
	if (!n && how & CS_HOW_PROVED) {
		cs_decide(&x->c, d, &x->walk);
		return;
	}
	if (how & CS_HOW_PROVED)
		how |= cs_is_behind(service, x->c.peer, n) * CS_HOW_BEHIND;
	for (__u32 i = 0; i < CS_BACKENDS_MAX; i++)
		if (i >= n || cs_ask_backend(&service->backend[i], x, who, d, how))
			return;
}
