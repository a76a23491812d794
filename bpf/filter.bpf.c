/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup_skb, ingress and egress: every packet of every guarded socket.
 *
 * Decides: whether this packet may reach or leave this socket.
 * An attacker controls: every byte of an arriving packet; of a leaving one as much as a
 * raw socket lets it write. It does not control which socket (hence which workload) the
 * kernel names, nor anything in socket storage.
 * Ignores on purpose: what a decided connection carries.
 */
#include "client.h"
#include "datagram.h"
#include "server.h"

/* A raw socket may not speak TCP, or it could play any handshake. What the kernel sends
 * for no socket (resets, answers from TIME_WAIT) comes from a raw socket of its own. */
__inline int cs_raw_tcp(struct cs_hook *h)
{

	if (h->direction == CS_INGRESS)
		return CS_CODE_PASS; /* a copy for a sniffer; no connection is behind it */
	if (h->p->tcp_flags & TCP_RST)
		return CS_CODE_PASS;
	if (!(h->p->tcp_flags & TCP_SYN) && !cs_has_payload(h->p))
		return CS_CODE_PASS;
	return cs_refuse_unread(h, CS_REASON_RAW_SOCKET);
}

__inline int cs_tcp_packet(struct cs_hook *h)
{
	__u32 state = h->sk->state;

	if (h->sk->type != SOCK_STREAM)
		return cs_raw_tcp(h);
	if (state == BPF_TCP_LISTEN)
		return h->direction == CS_INGRESS ? cs_listener_packet(h) : CS_CODE_PASS;
	if (state == BPF_TCP_SYN_SENT)
		return h->direction == CS_INGRESS ? cs_client_packet(h) : cs_client_syn(h);
	return cs_stream_packet(h);
}

__inline int cs_slow_path(struct __sk_buff *skb, struct bpf_sock *sk, struct cs_socket *s,
			  __u8 direction)
{
	struct cs_packet p;
	struct cs_hook h = { .skb = skb, .sk = sk, .p = &p, .direction = direction };

	h.s = cs_socket_at_hook(sk, s);
	if (!h.s) {
		cs_count(CS_VERDICT_DENY, CS_REASON_NO_STORAGE, direction);
		return cs_drop_code(direction);
	}
	if (cs_parse(skb, &p))
		return cs_refuse_unread(&h, CS_REASON_MALFORMED_PACKET);
	if (cs_is_waiting(h.s)) { /* whatever --deny says: what is sent again may pass */
		cs_refuse_unread(&h, CS_REASON_POD_UNKNOWN);
		return CS_CODE_DROP_SILENTLY;
	}
	if (p.protocol == IPPROTO_TCP)
		return cs_tcp_packet(&h);
	if (p.protocol == IPPROTO_UDP || p.protocol == IPPROTO_SCTP)
		return cs_datagram_packet(&h);
	return cs_other_packet(&h);
}

/* What a listener sends is the SYN-ACK to a SYN that was let in, or a reset. */
__inline int cs_answers_syn(struct bpf_sock *sk)
{
	return sk->state == BPF_TCP_LISTEN && sk->type == SOCK_STREAM &&
	       sk->protocol == IPPROTO_TCP;
}

__inline int cs_filter(struct __sk_buff *skb, __u8 direction)
{
	struct bpf_sock *sk = skb->sk;
	struct cs_socket *s;

	if (!sk)
		return cs_drop_code(direction); /* the kernel calls us for sockets only */
	s = cs_socket_get(sk, 0);
	if (s && READ_ONCE(s->state) == ((__u64)READ_ONCE(cs_control.stamp) << 32 | CS_STATE_ALLOW))
		return CS_CODE_PASS;
	if (s && s->role == CS_ROLE_DATAGRAM && cs_is_last_flow(skb, s, direction))
		return CS_CODE_PASS;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return cs_drop_code(direction);
	if (direction == CS_EGRESS && cs_answers_syn(sk))
		return CS_CODE_PASS;
	return cs_slow_path(skb, sk, s, direction);
}

SEC("cgroup_skb/ingress")
int cs_ingress(struct __sk_buff *skb)
{
	return cs_filter(skb, CS_INGRESS) == CS_CODE_PASS;
}

SEC("cgroup_skb/egress")
int cs_egress(struct __sk_buff *skb)
{
	int code = cs_filter(skb, CS_EGRESS);

	/* The verifier wants to see the range. */
	if (code == CS_CODE_PASS)
		return CS_CODE_PASS;
	return code == CS_CODE_DROP ? CS_CODE_DROP : CS_CODE_DROP_SILENTLY;
}
