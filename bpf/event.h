/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Says what was decided: counters always, an event when there is room, the loss counted. */
#pragma once

#include "decide.h"
#include "maps.h"
#include "packet.h"

/* The agent looks at the ring on a timer; it is woken only when this much waits. */
#define CS_EVENTS_WAKEUP (CS_EVENTS_BYTES / 4)

/* What is said beside the packet, the socket and the decision. */
struct cs_report {
	__u64 peer; /* tag word, or the bare identity when not verified */
	__u64 cookie; /* of the socket, 0: not known */
	__u8 direction; /* enum cs_direction */
	__u8 auth; /* enum cs_auth */
	__u8 flags; /* enum cs_event_flags */
	__u8 reversed; /* the packet goes from server to client */
	__u8 pad[4];
};

__inline void cs_event_flow(struct cs_event *e, const struct cs_packet *p, __u8 reversed)
{
	e->source = reversed ? p->dst : p->src;
	e->destination = reversed ? p->src : p->dst;
	e->source_port = reversed ? p->dport : p->sport;
	e->destination_port = reversed ? p->sport : p->dport;
	e->protocol = p->protocol;
	e->tcp_flags = p->tcp_flags;
	e->family = p->family;
}

__inline void cs_event_subject(struct cs_event *e, const struct cs_socket *s)
{
	e->identity = cs_own_identity(s);
	e->cgroup_id = s->cgroup_id;
	e->netns_cookie = s->netns_cookie;
	e->original_dst = s->original_dst;
	e->original_port = s->original_port;
	e->pid = s->pid;
	e->workload = s->workload;
}

__inline void cs_event_decision(struct cs_event *e, const struct cs_decision *d)
{
	e->rule = d->result.rule;
	e->epoch = d->epoch;
	e->verdict = d->result.verdict;
	e->reason = d->result.reason;
}

/* Emits the event of the decision @d for the socket @s. */
__verified_once int cs_emit(const struct cs_report *r, const struct cs_socket *s,
			    const struct cs_packet *p, const struct cs_decision *d)
{
	struct cs_event *e;

	if (!r || !s || !p || !d)
		return -1;
	e = bpf_ringbuf_reserve(&cs_events, sizeof(*e), 0);
	if (!e) {
		cs_stat(CS_STAT_EVENTS_LOST);
		return 0;
	}
	e->time_ns = bpf_ktime_get_boot_ns();
	e->peer = r->peer;
	e->socket_cookie = r->cookie;
	e->auth = r->auth;
	e->direction = r->direction;
	e->flags = r->flags;
	e->pad[0] = e->pad[1] = 0;
	cs_event_flow(e, p, r->reversed);
	cs_event_subject(e, s);
	cs_event_decision(e, d);
	bpf_ringbuf_submit(e, bpf_ringbuf_query(&cs_events, BPF_RB_AVAIL_DATA) > CS_EVENTS_WAKEUP
				      ? BPF_RB_FORCE_WAKEUP
				      : BPF_RB_NO_WAKEUP);
	return 0;
}

/* Counts and reports a decision. */
__verified_once int cs_report_decision(const struct cs_report *r, const struct cs_socket *s,
				       const struct cs_packet *p, const struct cs_decision *d)
{
	if (!r || !s || !p || !d)
		return -1;
	if (d->result.rule)
		cs_hit(d->result.rule);
	if (d->result.verdict != CS_VERDICT_DENY)
		cs_count(d->result.verdict, d->result.reason, r->direction);
	return cs_emit(r, s, p, d);
}

__inline __u64 cs_tuple_digest(const struct cs_packet *p)
{
	__u64 h = cs_mix(cs_control.secret.k0, p->src.half[0]);

	h = cs_mix(h, p->src.half[1]);
	h = cs_mix(h, p->dst.half[0]);
	h = cs_mix(h, p->dst.half[1]);
	return cs_mix(h, (__u64)p->sport << 32 | (__u64)p->dport << 16 | p->protocol);
}

/*
 * Whether this refusal was said before: the same segment sent again, or another datagram
 * of a flow that is refused under the same policy. Counters count it all the same.
 */
__verified_once int cs_said_before(const struct cs_packet *p, const struct cs_decision *d)
{
	__u64 digest, *slot;
	__u32 index;

	if (!p || !d)
		return 0;
	digest = cs_mix(cs_tuple_digest(p), (__u64)p->seq << 32 | d->stamp);
	digest = cs_mix(digest ^ cs_control.secret.k1, d->result.reason);
	index = digest % CS_REFUSALS_MAX;
	slot = bpf_map_lookup_elem(&cs_refusals, &index);
	if (!slot)
		return 0;
	if (READ_ONCE(*slot) == digest) {
		cs_stat(CS_STAT_EVENTS_MERGED);
		return 1;
	}
	WRITE_ONCE(*slot, digest);
	return 0;
}

/* Reports a refusal of a segment unless it was said before. */
__inline void cs_report_refusal(const struct cs_report *r, const struct cs_socket *s,
				const struct cs_packet *p, const struct cs_decision *d)
{
	if (!cs_said_before(p, d))
		cs_report_decision(r, s, p, d);
}
