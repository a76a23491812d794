/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sock_ops: writes the tags and carries what ingress decided onto the accepted socket.
 * It can refuse nothing; a tag that is not written makes the other side infer or refuse.
 *
 * Callback order and option space: net/ipv4/tcp_output.c (bpf_skops_hdr_opt_len,
 * bpf_skops_write_hdr_opt), net/ipv4/tcp_input.c (bpf_skops_established).
 */
#include "handshake.h"
#include "service.h"
#include "tag.h"
#include "workload.h"

#define CS_CB_FLAGS BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG

struct cs_tag_option {
	__u8 kind;
	__u8 length;
	__be16 exid;
	__be32 word[2]; /* network order */
	__be32 mac[2];
} __attribute__((packed));

__inline void cs_callbacks(struct bpf_sock_ops *ops, int on)
{
	__u32 flags = ops->bpf_sock_ops_cb_flags;

	bpf_sock_ops_cb_flags_set(ops, on ? flags | CS_CB_FLAGS : flags & ~CS_CB_FLAGS);
}

/* The fields of the ctx are all read first: the verifier allows constant offsets only, and
 * the compiler would merge loads in two branches into one with a computed offset. */
__inline void cs_remote_addr(struct bpf_sock_ops *ops, struct cs_addr *ret)
{
	__be32 ipv4 = READ_ONCE(ops->remote_ip4);

	ret->word[0] = READ_ONCE(ops->remote_ip6[0]);
	ret->word[1] = READ_ONCE(ops->remote_ip6[1]);
	ret->word[2] = READ_ONCE(ops->remote_ip6[2]);
	ret->word[3] = READ_ONCE(ops->remote_ip6[3]);
	if (ops->family == AF_INET)
		cs_map_ipv4(ret, ipv4);
}

__inline void cs_local_addr(struct bpf_sock_ops *ops, struct cs_addr *ret)
{
	__be32 ipv4 = READ_ONCE(ops->local_ip4);

	ret->word[0] = READ_ONCE(ops->local_ip6[0]);
	ret->word[1] = READ_ONCE(ops->local_ip6[1]);
	ret->word[2] = READ_ONCE(ops->local_ip6[2]);
	ret->word[3] = READ_ONCE(ops->local_ip6[3]);
	if (ops->family == AF_INET)
		cs_map_ipv4(ret, ipv4);
}

__inline void cs_caller_at_ops(struct bpf_sock_ops *ops, struct cs_caller *ret)
{
	cs_remote_addr(ops, &ret->remote);
	ret->remote_port = bpf_ntohl(ops->remote_port);
	ret->local_port = ops->local_port;
	ret->pad = 0;
}

__inline void cs_write_tag(struct bpf_sock_ops *ops, __u64 tag, __u64 mac, __u8 length)
{
	struct cs_tag_option option = {
		.kind = CS_TCPOPT_KIND,
		.length = length,
		.exid = bpf_htons(CS_TCPOPT_EXID),
		.word = { bpf_htonl(tag >> 32), bpf_htonl((__u32)tag) },
		.mac = { bpf_htonl(mac >> 32), bpf_htonl((__u32)mac) },
	};

	if (length == CS_TAG_LEN_SYN) {
		if (!bpf_store_hdr_opt(ops, &option, CS_TAG_LEN_SYN, 0))
			cs_stat(CS_STAT_TAGS_SENT);
	} else if (!bpf_store_hdr_opt(ops, &option, CS_TAG_LEN_MAC, 0)) {
		cs_stat(CS_STAT_TAGS_SENT);
	}
}

/* Storage of a socket at its birth or at the latest now: its workload, its namespace. */
__inline struct cs_socket *cs_socket_at_ops(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct cs_socket *s = cs_socket_get(sk, BPF_SK_STORAGE_GET_F_CREATE);
	__u32 slot, stamp = READ_ONCE(cs_control.stamp);
	void *kernel_sk;
	__u64 cgroup_id;

	if (!s)
		return NULL;
	if (!s->netns_cookie)
		s->netns_cookie = bpf_get_netns_cookie(ops);
	if (s->tag && cs_socket_is_current(s))
		return s;
	kernel_sk = bpf_skc_to_tcp_sock(sk);
	if (!kernel_sk)
		return NULL;
	slot = cs_core_slot(kernel_sk, &cgroup_id);
	cs_socket_assign(s, slot, cgroup_id, stamp);
	return s;
}

/* connect(): nothing of an earlier attempt counts; tags go only where they are known. */
__inline void cs_ops_connect(struct bpf_sock_ops *ops)
{
	__u32 stamp = READ_ONCE(cs_control.stamp); /* before anything that it vouches for */
	struct bpf_sock *sk = ops->sk;
	struct cs_where where;
	struct cs_addr remote;
	struct cs_socket *s;

	if (!sk)
		return;
	s = cs_socket_at_ops(ops, sk);
	if (!s)
		return;
	cs_remote_addr(ops, &remote);
	cs_locate(&remote, &where);
	s->role = CS_ROLE_CLIENT;
	s->peer = 0;
	s->auth = CS_AUTH_UNKNOWN;
	s->verdict = CS_VERDICT_NONE;
	s->class_ = where.class_;
	s->class_stamp = stamp;
	s->flags = where.taggable ? CS_SOCKET_TAGGABLE : 0;
	if (cs_service_kind(&remote, bpf_ntohl(ops->remote_port), IPPROTO_TCP) != CS_SERVICE_NO)
		s->flags = CS_SOCKET_TAGGABLE | CS_SOCKET_SERVICE;
	s->tag = cs_tag(cs_control.node, 0, cs_own_identity(s));
	WRITE_ONCE(s->state, 0);
	cs_callbacks(ops, s->flags & CS_SOCKET_TAGGABLE);
}

__inline void cs_ops_listen(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct cs_socket *s;

	if (!sk)
		return;
	s = cs_socket_at_ops(ops, sk);
	if (s)
		s->role = CS_ROLE_LISTENER;
	cs_callbacks(ops, 1);
}

/* The server has answered as a connection: it knows us now. */
__inline int cs_server_has_spoken(struct bpf_sock_ops *ops, const struct cs_socket *s)
{
	return ops->rcv_nxt != s->isn_remote + 1 || ops->snd_una != s->isn_local + 1;
}

__inline void cs_reserve(struct bpf_sock_ops *ops, struct cs_socket *s, __u32 length)
{
	if (!bpf_reserve_hdr_opt(ops, length, 0)) {
		if (s)
			s->flags &= ~CS_SOCKET_NO_ROOM;
		return;
	}
	if (s)
		s->flags |= CS_SOCKET_NO_ROOM;
	cs_stat(CS_STAT_TAG_NO_ROOM);
}

/*
 * A SYN, perhaps sent again: its workload may have become known since the first one, so
 * a connection from a cgroup that is seconds old only waits.
 */
__inline void cs_ops_syn(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct cs_socket *s = cs_socket_at_ops(ops, sk);

	if (s)
		cs_reserve(ops, s, CS_TAG_LEN_SYN);
}

/* How much room the segment needs: 12 bytes in a SYN, 20 in what proves an identity. */
__inline void cs_ops_length(struct bpf_sock_ops *ops)
{
	struct cs_socket *s = NULL;
	struct bpf_sock *sk = ops->sk;
	struct cs_caller caller;
	__u32 workload;

	if (!sk) { /* a request socket: its SYN-ACK answers a tag with a tag */
		cs_caller_at_ops(ops, &caller);
		if (cs_handshake_get(&caller, &workload))
			cs_reserve(ops, NULL, CS_TAG_LEN_MAC);
		return;
	}
	s = cs_socket_get(sk, 0);
	if (!s || s->role != CS_ROLE_CLIENT)
		return;
	if (ops->state == BPF_TCP_SYN_SENT)
		cs_ops_syn(ops, sk);
	else if (!(s->flags & CS_SOCKET_TAGGING) || cs_server_has_spoken(ops, s))
		cs_callbacks(ops, 0);
	else
		cs_reserve(ops, s, CS_TAG_LEN_MAC);
}

/* The tag of the SYN-ACK that is being written: its header is there already. */
__inline void cs_write_synack(struct bpf_sock_ops *ops)
{
	struct cs_mac_input in = { .label = CS_MAC_SYNACK };
	struct cs_tcp_header *tcp = ops->skb_data;
	const struct cs_workload *workload;
	__u64 identity = CS_ENTITY_UNMANAGED, mac;
	struct cs_caller caller;
	__u32 slot;

	if ((void *)(tcp + 1) > ops->skb_data_end)
		return;
	in.isn_server = bpf_ntohl(tcp->seq);
	in.isn_client = bpf_ntohl(tcp->ack) - 1;
	cs_caller_at_ops(ops, &caller);
	in.receiver = cs_handshake_get(&caller, &slot);
	if (!in.receiver)
		return;
	workload = slot ? bpf_map_lookup_elem(&cs_workloads, &slot) : NULL;
	if (workload)
		identity = READ_ONCE(workload->identity);
	in.sender = cs_tag(cs_control.node, 0, identity);
	if (!cs_make_mac(cs_tag_node(in.receiver), &in, &mac))
		cs_write_tag(ops, in.sender, mac, CS_TAG_LEN_MAC);
}

__inline void cs_ops_write(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct cs_socket *s;

	if (!sk) {
		cs_write_synack(ops);
		return;
	}
	s = cs_socket_get(sk, 0);
	if (!s || s->role != CS_ROLE_CLIENT)
		return;
	if (ops->state == BPF_TCP_SYN_SENT)
		cs_write_tag(ops, s->tag, 0, CS_TAG_LEN_SYN);
	else if (s->flags & CS_SOCKET_TAGGING)
		cs_write_tag(ops, s->tag, s->ack_mac, CS_TAG_LEN_MAC);
}

/* A client's handshake is done: go on tagging only if the server can check it. */
__inline void cs_ops_active(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct cs_socket *s = sk ? cs_socket_get(sk, 0) : NULL;

	if (!s || !(s->flags & CS_SOCKET_TAGGING))
		cs_callbacks(ops, 0);
}

__inline int cs_is_accepted(struct bpf_sock_ops *ops, const struct cs_accepting *a)
{
	struct cs_addr remote;

	cs_remote_addr(ops, &remote);
	return a->valid && cs_same_addr(&a->remote, &remote) &&
	       a->remote_port == bpf_ntohl(ops->remote_port) && a->local_port == ops->local_port;
}

/* Moves what ingress decided from its per-CPU place onto the new socket. */
__inline void cs_accept_take(struct cs_socket *s, struct cs_accepting *a)
{
	s->role = CS_ROLE_SERVER;
	s->peer = a->peer;
	s->auth = a->auth;
	s->rule = a->rule;
	s->reason = a->reason;
	s->verdict = a->verdict;
	s->expires_ns = a->expires_ns;
	s->flags = CS_SOCKET_ESTABLISHED;
	WRITE_ONCE(s->state, a->state);
	a->valid = 0;
}

/* The one event of an accepted connection: only now it is sure to exist. */
__inline void cs_report_accepted(struct bpf_sock_ops *ops, const struct cs_socket *s, __u32 epoch)
{
	struct cs_packet p = {
		.sport = bpf_ntohl(ops->remote_port),
		.dport = ops->local_port,
		.protocol = IPPROTO_TCP,
		.tcp_flags = TCP_SYN,
	};
	struct cs_decision d = {
		.result = { .verdict = s->verdict, .reason = s->reason, .rule = s->rule },
		.epoch = epoch,
	};
	struct cs_report r = {
		.peer = s->peer,
		.cookie = bpf_get_socket_cookie(ops),
		.direction = CS_INGRESS,
		.auth = s->auth,
	};

	cs_remote_addr(ops, &p.src);
	cs_local_addr(ops, &p.dst);
	p.family = cs_is_mapped(&p.src) ? 4 : 6;
	cs_report_decision(&r, s, &p, &d);
}

/* A connection is born. Ingress let its segment through on this CPU a moment ago. */
__inline void cs_ops_passive(struct bpf_sock_ops *ops)
{
	__u32 zero = 0;
	struct cs_accepting *a = bpf_map_lookup_elem(&cs_accepting, &zero);
	struct bpf_sock *sk = ops->sk;
	struct cs_socket *s;

	cs_callbacks(ops, 0); /* inherited from the listener */
	if (!sk || !a || !cs_is_accepted(ops, a))
		return; /* undecided: the filter decides with the next packet, inferred */
	s = cs_socket_at_ops(ops, sk);
	if (!s)
		return;
	cs_accept_take(s, a);
	cs_report_accepted(ops, s, a->epoch);
}

SEC("sockops")
int cs_sockops(struct bpf_sock_ops *ops)
{
	switch (ops->op) {
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		cs_ops_length(ops);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		cs_ops_write(ops);
		break;
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		cs_ops_connect(ops);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		cs_ops_active(ops);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		cs_ops_passive(ops);
		break;
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		cs_ops_listen(ops);
		break;
	}
	return 1;
}
