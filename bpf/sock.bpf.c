/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup/sock_create, connect, sendmsg and getsockopt: the hooks in process context.
 *
 * sock_create names the socket's workload while the creating task is known. connect and
 * sendmsg remember the destination that the application asked for, before any DNAT, and
 * in `deny: reject` mode refuse at once with EPERM what policy would drop. getsockopt
 * tells an application who its peer is.
 */
#include "ask.h"

#include <countersign/peer.h>

#define CS_SOCK_OK 1
#define CS_SOCK_EPERM 0

SEC("cgroup/sock_create")
int cs_sock_create(struct bpf_sock *sk)
{
	struct cs_socket *s = cs_socket_get(sk, BPF_SK_STORAGE_GET_F_CREATE);
	__u32 slot, stamp = READ_ONCE(cs_control.stamp);
	__u64 cgroup_id;

	if (!s)
		return CS_SOCK_OK; /* without storage its packets are dropped */
	slot = cs_current_slot(&cgroup_id);
	cs_socket_assign(s, slot, cgroup_id, stamp);
	s->netns_cookie = bpf_get_netns_cookie(sk);
	s->pid = bpf_get_current_pid_tgid() >> 32;
	return CS_SOCK_OK;
}

/* What an application asks for: one place, one shape for IPv4 and IPv6. */
struct cs_wish {
	struct cs_addr dst;
	__u16 port; /* host order */
	__u8 protocol;
	__u8 family;
	__u32 pad;
};

__subprog struct cs_socket *cs_socket_at_call(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	__u32 slot, stamp = READ_ONCE(cs_control.stamp);
	struct cs_socket *s;
	__u64 cgroup_id;

	if (!sk)
		return NULL;
	s = cs_socket_get(sk, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s)
		return NULL;
	if (!s->netns_cookie)
		s->netns_cookie = bpf_get_netns_cookie(ctx);
	if (s->tag && cs_socket_is_current(s))
		return s;
	slot = cs_current_slot(&cgroup_id); /* a socket older than the agent, or it changed */
	cs_socket_assign(s, slot, cgroup_id, stamp);
	return s;
}

/* The local workload that would receive, by what listens here; 0 when none is found. */
__inline __u32 cs_listener_slot(struct bpf_sock_addr *ctx, const struct cs_wish *w)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *listener;
	struct cs_socket *s;
	__u32 size = sizeof(tuple.ipv6), slot = 0;

	if (w->protocol != IPPROTO_TCP)
		return 0;
	if (w->family == 4) {
		size = sizeof(tuple.ipv4);
		tuple.ipv4.daddr = w->dst.word[3];
		tuple.ipv4.dport = bpf_htons(w->port);
	} else {
		__builtin_memcpy(tuple.ipv6.daddr, &w->dst, 16);
		tuple.ipv6.dport = bpf_htons(w->port);
	}
	listener = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!listener)
		return 0;
	s = cs_socket_get(listener, 0);
	if (s)
		slot = s->workload;
	bpf_sk_release(listener);
	return slot;
}

__inline void cs_wish_packet(const struct cs_wish *w, struct cs_packet *ret)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->dst = w->dst;
	ret->dport = w->port;
	ret->protocol = w->protocol;
	ret->family = w->family;
}

/* Says why the application gets EPERM. */
__subprog int cs_report_wish(struct bpf_sock_addr *ctx, const struct cs_socket *s,
			     const struct cs_wish *w, __u64 peer, const struct cs_decision *d)
{
	struct cs_report r = {
		.peer = peer,
		.cookie = bpf_get_socket_cookie(ctx),
		.direction = CS_EGRESS,
		.auth = peer ? CS_AUTH_UNTAGGED : CS_AUTH_UNKNOWN,
		.flags = CS_EVENT_CONNECT,
	};
	struct cs_packet p;

	cs_wish_packet(w, &p);
	cs_count(CS_VERDICT_DENY, d->result.reason, CS_EGRESS);
	return cs_report_decision(&r, s, &p, d);
}

/* Whether our own policy refuses the wish. */
__subprog int cs_wish_egress(struct bpf_sock_addr *ctx, const struct cs_socket *s,
			     const struct cs_wish *w, const struct cs_where *where)
{
	struct cs_who who = { .peer = where->identity, .class_ = where->class_ };
	struct cs_leg leg = { .port = w->port, .direction = CS_EGRESS, .wished = 1 };
	struct cs_decision d;
	struct cs_packet p;

	cs_wish_packet(w, &p);
	who.auth = where->identity ? CS_AUTH_UNTAGGED : CS_AUTH_UNKNOWN;
	leg.tagged = w->protocol == IPPROTO_TCP &&
		     (where->taggable || cs_service_kind(&w->dst, w->port, w->protocol));
	if (cs_ask_policy(s, &p, &who, &leg, &d) < 0 || d.result.verdict != CS_VERDICT_DENY)
		return 0;
	cs_report_wish(ctx, s, w, who.peer, &d);
	return 1;
}

/* Whether the policy of a receiver on this node refuses it. */
__subprog int cs_wish_ingress(struct bpf_sock_addr *ctx, const struct cs_socket *s,
			      const struct cs_wish *w, __u32 slot)
{
	const struct cs_workload *workload = bpf_map_lookup_elem(&cs_workloads, &slot);
	struct cs_decision d;
	struct cs_walk walk;
	struct cs_case c = {
		.peer = cs_own_identity(s),
		.workload = slot,
		.port = w->port,
		.protocol = w->protocol,
		.direction = CS_INGRESS,
		.authenticated = w->protocol == IPPROTO_TCP,
	};

	c.generation = workload ? READ_ONCE(workload->generation) : 0;
	cs_decide(&c, &d, &walk);
	if (d.result.verdict != CS_VERDICT_DENY)
		return 0;
	cs_report_wish(ctx, s, w, workload ? READ_ONCE(workload->identity) : 0, &d);
	return 1;
}

/*
 * `deny: reject`: whether either policy refuses what the application wishes. Who receives
 * what is sent to a Service is not known yet.
 */
__subprog int cs_is_refused(struct bpf_sock_addr *ctx, struct cs_socket *s, const struct cs_wish *w)
{
	struct cs_where where;
	__u32 slot = 0;

	cs_locate(&w->dst, &where);
	if (!cs_service_kind(&w->dst, w->port, w->protocol))
		slot = where.workload ? where.workload : cs_listener_slot(ctx, w);
	if (slot && slot == s->workload)
		return 0; /* itself */
	if (cs_wish_egress(ctx, s, w, &where))
		return 1;
	return slot && slot != CS_SLOT_WAITING && cs_wish_ingress(ctx, s, w, slot);
}

__inline int cs_call(struct bpf_sock_addr *ctx, const struct cs_wish *w)
{
	struct cs_socket *s = cs_socket_at_call(ctx);

	if (!s)
		return CS_SOCK_OK; /* the packet filter drops what has no storage */
	s->original_dst = w->dst;
	s->original_port = w->port;
	if (cs_control.deny_mode != CS_DENY_REJECT || cs_is_waiting(s))
		return CS_SOCK_OK;
	return cs_is_refused(ctx, s, w) ? CS_SOCK_EPERM : CS_SOCK_OK;
}

__inline int cs_call4(struct bpf_sock_addr *ctx)
{
	struct cs_wish w = {
		.port = bpf_ntohs(ctx->user_port),
		.protocol = ctx->protocol,
		.family = 4,
	};

	cs_map_ipv4(&w.dst, ctx->user_ip4);
	return cs_call(ctx, &w);
}

__inline int cs_call6(struct bpf_sock_addr *ctx)
{
	struct cs_wish w = {
		.port = bpf_ntohs(ctx->user_port),
		.protocol = ctx->protocol,
		.family = 6,
	};

	w.dst.word[0] = ctx->user_ip6[0];
	w.dst.word[1] = ctx->user_ip6[1];
	w.dst.word[2] = ctx->user_ip6[2];
	w.dst.word[3] = ctx->user_ip6[3];
	if (cs_is_mapped(&w.dst))
		w.family = 4;
	return cs_call(ctx, &w);
}

SEC("cgroup/connect4")
int cs_connect4(struct bpf_sock_addr *ctx)
{
	return cs_call4(ctx);
}

SEC("cgroup/connect6")
int cs_connect6(struct bpf_sock_addr *ctx)
{
	return cs_call6(ctx);
}

SEC("cgroup/sendmsg4")
int cs_sendmsg4(struct bpf_sock_addr *ctx)
{
	return cs_call4(ctx);
}

SEC("cgroup/sendmsg6")
int cs_sendmsg6(struct bpf_sock_addr *ctx)
{
	return cs_call6(ctx);
}

__inline void cs_answer_name(__u64 identity, struct countersign_peer *ret)
{
	__u32 *slot = bpf_map_lookup_elem(&cs_identities, &identity);
	const struct cs_peer *peer;
	const struct cs_name *name;
	__u32 index;

	if (!slot)
		return;
	index = READ_ONCE(*slot);
	peer = bpf_map_lookup_elem(&cs_peers, &index);
	if (!peer || READ_ONCE(peer->identity) != identity)
		return;
	index = READ_ONCE(peer->name);
	name = bpf_map_lookup_elem(&cs_names, &index);
	if (name)
		__builtin_memcpy(ret->spiffe_id, name->spiffe_id, sizeof(ret->spiffe_id));
}

__inline __u32 cs_answer_auth(__u8 auth)
{
	if (auth == CS_AUTH_VERIFIED)
		return COUNTERSIGN_VERIFIED;
	return auth == CS_AUTH_UNKNOWN ? COUNTERSIGN_UNKNOWN : COUNTERSIGN_INFERRED;
}

/* Fills the answer. Returns 0 or a negative errno for the application. */
__inline int cs_answer(struct bpf_sockopt *ctx, struct countersign_peer *peer)
{
	struct bpf_sock *sk = ctx->sk;
	struct cs_socket *s = sk ? cs_socket_get(sk, 0) : NULL;

	if (!s || (s->role != CS_ROLE_CLIENT && s->role != CS_ROLE_SERVER) ||
	    s->verdict == CS_VERDICT_NONE || s->verdict == CS_VERDICT_DENY)
		return -107; /* ENOTCONN */
	peer->size = sizeof(*peer);
	peer->authentication = cs_answer_auth(s->auth);
	peer->identity = cs_tag_identity(s->peer);
	peer->node = s->auth == CS_AUTH_VERIFIED ? cs_tag_node(s->peer) : 0;
	peer->reserved[0] = peer->reserved[1] = peer->reserved[2] = 0;
	__builtin_memset(peer->spiffe_id, 0, sizeof(peer->spiffe_id));
	cs_answer_name(peer->identity, peer);
	return 0;
}

SEC("cgroup/getsockopt")
int cs_getsockopt(struct bpf_sockopt *ctx)
{
	struct countersign_peer *peer = ctx->optval;
	int r;

	if (ctx->level != COUNTERSIGN_SOL || ctx->optname != COUNTERSIGN_PEER) {
		if (ctx->optlen > 4096)
			ctx->optlen = 0; /* not ours: leave a large answer alone */
		return 1;
	}
	if ((void *)(peer + 1) > ctx->optval_end)
		return 0; /* the buffer is too small: EPERM; see peer.h for the size */
	r = cs_answer(ctx, peer);
	if (r) {
		bpf_set_retval(r);
		return 1;
	}
	/* Volatile, or both become one 8-byte store, which the verifier refuses. */
	WRITE_ONCE(ctx->optlen, sizeof(*peer));
	WRITE_ONCE(ctx->retval, 0);
	return 1;
}
