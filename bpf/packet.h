/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a packet to a struct of plain numbers. Works from the network header, which is
 * where cgroup_skb programs see the packet begin. Fragments never get here: egress runs
 * before the kernel fragments, ingress after it has put a packet together.
 */
#pragma once

#include "kernel.h"

#define CS_IPV6_EXTENSIONS_MAX 6

struct cs_packet {
	struct cs_addr src;
	struct cs_addr dst;
	__u32 l4; /* offset of the transport header */
	__u32 length; /* of the packet, from the network header on */
	__u32 seq; /* TCP, host order */
	__u32 ack;
	__u16 sport; /* host order; 0 without ports */
	__u16 dport;
	__u8 protocol;
	__u8 family; /* 4 or 6 */
	__u8 tcp_flags;
	__u8 doff; /* bytes of TCP header */
	__u8 icmp_type;
	__u8 pad[3];
};

struct cs_ipv4_header {
	__u8 version_ihl, tos;
	__be16 length, id, fragment;
	__u8 ttl, protocol;
	__be16 check;
	__be32 src, dst;
};

struct cs_ipv6_header {
	__be32 flow;
	__be16 payload;
	__u8 next, hops;
	struct cs_addr src, dst;
} __attribute__((packed));

struct cs_tcp_header {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 doff, flags;
	__be16 window, check, urgent;
};

__inline void cs_map_ipv4(struct cs_addr *addr, __be32 ipv4)
{
	addr->word[0] = 0;
	addr->word[1] = 0;
	addr->word[2] = bpf_htonl(0xffff);
	addr->word[3] = ipv4;
}

__inline int cs_same_addr(const struct cs_addr *a, const struct cs_addr *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/* ::ffff:a.b.c.d */
__inline int cs_is_mapped(const struct cs_addr *a)
{
	return !a->half[0] && a->word[2] == bpf_htonl(0xffff);
}

/* 127.0.0.0/8 or ::1 */
__inline int cs_is_loopback(const struct cs_addr *a)
{
	if (cs_is_mapped(a))
		return (a->word[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return !a->half[0] && a->word[2] == 0 && a->word[3] == bpf_htonl(1);
}

__inline int cs_parse_ipv4(struct __sk_buff *skb, struct cs_packet *p)
{
	struct cs_ipv4_header ip;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return -1;
	p->l4 = (ip.version_ihl & 0xf) * 4;
	if (p->l4 < sizeof(ip))
		return -1;
	p->family = 4;
	p->protocol = ip.protocol;
	cs_map_ipv4(&p->src, ip.src);
	cs_map_ipv4(&p->dst, ip.dst);
	return 0;
}

__inline int cs_is_ipv6_extension(__u8 next)
{
	return next == 0 || next == 43 || next == 44 || next == 60;
}

/* Hop-by-hop, routing, fragment and destination options; others end the walk. */
__inline int cs_parse_ipv6(struct __sk_buff *skb, struct cs_packet *p)
{
	struct cs_ipv6_header ip;
	__u8 ext[2];

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return -1;
	p->l4 = sizeof(ip);
	p->family = 6;
	p->protocol = ip.next;
	p->src = ip.src;
	p->dst = ip.dst;
	for (int i = 0; i < CS_IPV6_EXTENSIONS_MAX; i++) {
		if (!cs_is_ipv6_extension(p->protocol))
			return 0;
		if (bpf_skb_load_bytes(skb, p->l4, ext, sizeof(ext)))
			return -1;
		p->l4 += p->protocol == 44 ? 8 : (ext[1] + 1) * 8;
		p->protocol = ext[0];
	}
	return cs_is_ipv6_extension(p->protocol) ? -1 : 0;
}

__inline int cs_parse_tcp(struct __sk_buff *skb, struct cs_packet *p)
{
	struct cs_tcp_header tcp;

	if (bpf_skb_load_bytes(skb, p->l4, &tcp, sizeof(tcp)))
		return -1;
	p->sport = bpf_ntohs(tcp.sport);
	p->dport = bpf_ntohs(tcp.dport);
	p->seq = bpf_ntohl(tcp.seq);
	p->ack = bpf_ntohl(tcp.ack);
	p->doff = (tcp.doff >> 4) * 4;
	p->tcp_flags = tcp.flags;
	return p->doff < sizeof(tcp) ? -1 : 0;
}

__inline int cs_parse_ports(struct __sk_buff *skb, struct cs_packet *p)
{
	__be16 port[2];

	if (bpf_skb_load_bytes(skb, p->l4, port, sizeof(port)))
		return -1;
	p->sport = bpf_ntohs(port[0]);
	p->dport = bpf_ntohs(port[1]);
	return 0;
}

__inline int cs_parse_transport(struct __sk_buff *skb, struct cs_packet *p)
{
	if (p->protocol == IPPROTO_TCP)
		return cs_parse_tcp(skb, p);
	if (p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_SCTP)
		return cs_parse_ports(skb, p);
	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6)
		return bpf_skb_load_bytes(skb, p->l4, &p->icmp_type, 1) ? -1 : 0;
	return 0;
}

/* Fills @p. Returns 0, or -1 when the packet cannot be read. */
__verified_once int cs_parse(struct __sk_buff *skb, struct cs_packet *p)
{
	int r;

	if (!p)
		return -1;
	__builtin_memset(p, 0, sizeof(*p));
	p->length = skb->len;
	r = skb->protocol == bpf_htons(0x0800) ? cs_parse_ipv4(skb, p) : cs_parse_ipv6(skb, p);
	return r ? r : cs_parse_transport(skb, p);
}

/* Whether a TCP segment carries data. */
__inline int cs_has_payload(const struct cs_packet *p)
{
	return p->length > p->l4 + p->doff;
}
