/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parsers of bpf/, run on packets that the tests make up; results in globals. */
#define CS_MAP

#include "tag.h"

#include "parse_result.h"

struct parse_result result;

__inline void say_packet(const struct cs_packet *p)
{
	result.src = p->src;
	result.dst = p->dst;
	result.length = p->length;
	result.seq = p->seq;
	result.ack = p->ack;
	result.sport = p->sport;
	result.dport = p->dport;
	result.protocol = p->protocol;
	result.family = p->family;
	result.tcp_flags = p->tcp_flags;
	result.doff = p->doff;
}

__inline void say_options(const struct cs_options *o)
{
	result.tag = o->tag;
	result.mac = o->mac;
	result.tags = o->tags;
	result.tag_length = o->length;
	result.seen = o->seen;
}

SEC("cgroup_skb/ingress")
int parse(struct __sk_buff *skb)
{
	struct cs_packet p;
	struct cs_options o = {};

	result.parse = cs_parse(skb, &p);
	say_packet(&p);
	result.read = -2;
	if (!result.parse && p.protocol == IPPROTO_TCP)
		result.read = cs_read_options(skb, &p, &o);
	say_options(&o);
	return 1;
}

char cs_license[] SEC("license") = "Dual BSD/GPL";
