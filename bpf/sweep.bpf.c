/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Iterators over the TCP sockets of one network namespace, run by the agent.
 *
 * cs_sweep: after a policy change, finds the connections that are denied now, even when
 * they are idle; user space destroys them (SOCK_DESTROY), so both applications learn it.
 * cs_adopt: makes listeners that are older than the programs tag their SYN-ACKs, where
 * the kernel has TCP_BPF_SOCK_OPS_CB_FLAGS (Linux 6.9).
 */
#include "ask.h"
#include "tag.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net___cookie {
	__u64 net_cookie; /* Linux 5.12 */
};

struct sock_common___addr {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	__u16 skc_family;
	int skc_bound_dev_if;
	struct {
		struct net___cookie *net;
	} skc_net;
	struct {
		__u8 bytes[16];
	} skc_v6_daddr, skc_v6_rcv_saddr;
};
#pragma clang attribute pop

/* Both ends of a connection, as its socket knows them. */
struct cs_ends {
	struct cs_addr local;
	struct cs_addr remote;
	__u16 local_port;
	__u16 remote_port;
	__u16 family;
	__u16 pad;
	__u64 cookie;
};

__inline void cs_ends_of(const struct sock_common *sk, struct cs_ends *ret)
{
	const struct sock_common___addr *c = (const void *)sk;

	ret->family = BPF_CORE_READ(c, skc_family);
	ret->local_port = BPF_CORE_READ(c, skc_num);
	ret->remote_port = bpf_ntohs(BPF_CORE_READ(c, skc_dport));
	if (ret->family == AF_INET) {
		cs_map_ipv4(&ret->local, BPF_CORE_READ(c, skc_rcv_saddr));
		cs_map_ipv4(&ret->remote, BPF_CORE_READ(c, skc_daddr));
		return;
	}
	bpf_core_read(&ret->local, sizeof(ret->local), &c->skc_v6_rcv_saddr);
	bpf_core_read(&ret->remote, sizeof(ret->remote), &c->skc_v6_daddr);
}

/* The connection's flow, as its client sends. */
__inline void cs_flow_at(const struct cs_socket *s, const struct cs_ends *e, struct cs_packet *ret)
{
	int server = s->role == CS_ROLE_SERVER;

	__builtin_memset(ret, 0, sizeof(*ret));
	ret->src = server ? e->remote : e->local;
	ret->dst = server ? e->local : e->remote;
	ret->sport = server ? e->remote_port : e->local_port;
	ret->dport = server ? e->local_port : e->remote_port;
	ret->protocol = IPPROTO_TCP;
	ret->family = cs_is_mapped(&ret->src) ? 4 : 6;
}

/* The event of a connection that is cut: it may be idle, with no packet to say it. */
__subprog int cs_report_cut(const struct cs_socket *s, const struct cs_packet *p,
			    const struct cs_decision *d, __u64 cookie)
{
	struct cs_report r = {
		.peer = s->peer,
		.cookie = cookie,
		.direction = s->role == CS_ROLE_SERVER ? CS_INGRESS : CS_EGRESS,
		.auth = s->auth,
		.flags = CS_EVENT_LIVE,
	};

	return cs_report_decision(&r, s, p, d);
}

/* Decides a connection by the policy in force; whether it is denied. */
__subprog int cs_is_denied_now(struct cs_socket *s, const struct cs_ends *e)
{
	struct cs_who who = { .peer = s->peer, .auth = s->auth, .class_ = cs_class_of(&e->remote) };
	struct cs_packet p;
	struct cs_decision d;
	struct cs_leg leg = {};
	__u8 flaw;

	cs_flow_at(s, e, &p);
	leg.direction = s->role == CS_ROLE_SERVER ? CS_INGRESS : CS_EGRESS;
	leg.port = p.dport;
	flaw = who.auth == CS_AUTH_VERIFIED ? cs_claim_flaw(who.peer) : CS_REASON_NONE;
	if (flaw)
		cs_conclude(&d, CS_VERDICT_DENY, flaw);
	else if (cs_ask_policy(s, &p, &who, &leg, &d) < 0)
		return 0;
	if (d.result.verdict != CS_VERDICT_DENY)
		return 0;
	/* From now on no packet of it passes, and none says so again. */
	cs_settle(s, &d);
	cs_report_cut(s, &p, &d, e->cookie);
	return 1;
}

/* A workload that changed since has another slot: find it before its policy is asked. */
__inline void cs_find_again(struct cs_socket *s, const void *sk)
{
	__u32 slot, stamp = READ_ONCE(cs_control.stamp);
	__u64 cgroup_id;

	if (cs_socket_is_current(s))
		return;
	slot = cs_core_slot(sk, &cgroup_id);
	cs_socket_assign(s, slot, cgroup_id, stamp);
}

__inline int cs_is_doomed(struct cs_socket *s, const void *sk, const struct cs_ends *e)
{
	__u32 standing;

	if (s->role != CS_ROLE_CLIENT && s->role != CS_ROLE_SERVER)
		return 0;
	if (!(s->flags & CS_SOCKET_ESTABLISHED))
		return 0;
	standing = cs_standing(s);
	if (standing != CS_STATE_NONE)
		return standing == CS_STATE_DENY;
	cs_find_again(s, sk);
	return !cs_is_waiting(s) && cs_is_denied_now(s, e);
}

__subprog void cs_say_doomed(struct seq_file *seq, const struct sock_common *sk,
			     const struct cs_ends *e)
{
	struct cs_doomed doomed = {
		.cookie = e->cookie,
		.local = e->local,
		.remote = e->remote,
		.local_port = e->local_port,
		.remote_port = e->remote_port,
		.family = e->family,
	};

	doomed.interface = BPF_CORE_READ((const struct sock_common___addr *)sk, skc_bound_dev_if);
	doomed.state = BPF_CORE_READ(sk, skc_state);
	bpf_seq_write(seq, &doomed, sizeof(doomed));
}

SEC("iter/tcp")
int cs_sweep(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct cs_ends ends = {};
	struct cs_socket *s;
	void *sk;

	if (!common)
		return 0;
	sk = bpf_skc_to_tcp_sock(common);
	if (!sk)
		return 0;
	s = bpf_sk_storage_get(&cs_sockets, sk, NULL, 0);
	if (!s)
		return 0;
	cs_ends_of(common, &ends);
	ends.cookie = bpf_get_socket_cookie(sk);
	if (cs_is_doomed(s, sk, &ends))
		cs_say_doomed(ctx->meta->seq, common, &ends);
	return 0;
}

/* Turns the callbacks of a listener on; whether the kernel could. */
__inline int cs_adopt_listener(void *sk)
{
	int flags = BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;

	return !bpf_setsockopt(sk, SOL_TCP, CS_TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, sizeof(flags));
}

SEC("iter/tcp")
int cs_adopt(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	__u32 slot, stamp = READ_ONCE(cs_control.stamp);
	struct cs_adopted adopted = {};
	struct cs_socket *s;
	__u64 cgroup_id;
	void *sk;

	if (!common || BPF_CORE_READ(common, skc_state) != BPF_TCP_LISTEN)
		return 0;
	sk = bpf_skc_to_tcp_sock(common);
	if (!sk)
		return 0;
	s = bpf_sk_storage_get(&cs_sockets, sk, NULL, 0);
	if (s && s->role == CS_ROLE_LISTENER && s->tag)
		return 0;
	slot = cs_core_slot(sk, &cgroup_id);
	if (!slot)
		return 0; /* of no workload; it may even live outside the guarded subtree */
	s = bpf_sk_storage_get(&cs_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!s)
		return 0;
	cs_socket_assign(s, slot, cgroup_id, stamp);
	s->netns_cookie =
		BPF_CORE_READ((struct sock_common___addr *)common, skc_net.net, net_cookie);
	s->role = CS_ROLE_LISTENER;
	adopted.cookie = bpf_get_socket_cookie(sk);
	adopted.adopted = cs_adopt_listener(sk);
	if (adopted.adopted)
		cs_stat(CS_STAT_ADOPTED);
	bpf_seq_write(ctx->meta->seq, &adopted, sizeof(adopted));
	return 0;
}
