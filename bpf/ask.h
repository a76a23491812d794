/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asks the policy of a socket's workload about its peer: what never is a question first
 * (itself, its own node), then the backends of a Service, else the evaluator.
 */
#pragma once

#include "event.h"
#include "flow.h"
#include "service.h"

/* Which leg of a flow is asked about. */
struct cs_leg {
	__u16 port; /* of the server, host order */
	__u8 direction; /* enum cs_direction: whose policy, the sender's or the receiver's */
	__u8 reply; /* the packet goes from server to client */
	__u8 wished; /* connect(): one backend that may be talked to is enough */
	__u8 tagged; /* connect(): the peer is going to be verified */
	__u8 pad[2];
};

/* Whether the peer's identity counts as proved when the policy is asked. */
__inline int cs_is_proved(__u8 auth)
{
	return auth == CS_AUTH_VERIFIED || auth == CS_AUTH_CLAIMED;
}

/* What the flow table says of the packet's flow. */
__subprog __u64 cs_flow_of(const struct cs_packet *p, int reply, __u64 netns_cookie)
{
	struct cs_flow_key key;

	cs_flow_key_of(p, reply, netns_cookie, &key);
	return cs_flow_get(&key, CS_INGRESS);
}

/* From an address to itself, or over loopback. */
__inline int cs_goes_nowhere(const struct cs_packet *p)
{
	return cs_same_addr(&p->src, &p->dst) || cs_is_loopback(&p->src);
}

/*
 * A workload talks to itself: same host, same identity, loopback or its own address. Not so
 * when it asked for a Service that led back to it: its egress has left a mark then.
 */
__inline int cs_is_self(const struct cs_socket *s, const struct cs_packet *p,
			const struct cs_who *who, __u64 word)
{
	if (!cs_is_proved(who->auth) && who->auth != CS_AUTH_LOCAL)
		return 0;
	if (!s->workload || cs_tag_identity(who->peer) != cs_own_identity(s) || !cs_goes_nowhere(p))
		return 0;
	return !(word & CS_FLOW_HAIRPIN);
}

/*
 * A guarded process of no workload proves to be just that. To a pod of its node, one in the
 * node's own namespace is the node: a client has said so at its egress, a server is at one
 * of the node's addresses.
 */
__subprog int cs_is_host_process(const struct cs_socket *s, const struct cs_packet *p,
				 const struct cs_who *who, const struct cs_leg *leg, __u64 word)
{
	struct cs_where where;

	if (!cs_is_proved(who->auth) || !cs_is_pod(s) ||
	    cs_tag_identity(who->peer) != CS_ENTITY_UNMANAGED ||
	    cs_tag_node(who->peer) != cs_control.node)
		return 0;
	if (leg->direction == CS_INGRESS)
		return !!(word & CS_FLOW_HOST);
	cs_locate(leg->reply ? &p->src : &p->dst, &where);
	return where.identity == CS_ENTITY_HOST;
}

/* A pod and the node that it runs on. */
__inline int cs_is_own_node(const struct cs_socket *s, const struct cs_who *who)
{
	return READ_ONCE(cs_control.own_node) && who->peer == CS_ENTITY_HOST && cs_is_pod(s);
}

/* A revoked workload does not even reach itself or its node. */
__inline int cs_is_revoked(const struct cs_socket *s)
{
	__u32 bank = READ_ONCE(cs_control.epoch) % CS_BANKS;
	__u32 index = bank * CS_WORKLOADS_MAX + s->workload % CS_WORKLOADS_MAX;
	const struct cs_subject *subject = bpf_map_lookup_elem(&cs_subjects, &index);

	return subject && subject->standing == CS_SUBJECT_REVOKED &&
	       subject->generation == s->generation;
}

/*
 * What is settled without a look at policy: into @d, and 1. Else 0; what turned out to be
 * known better of the peer is in @who.
 */
__verified_once int cs_needs_no_policy(const struct cs_socket *s, const struct cs_packet *p,
				       struct cs_who *who, const struct cs_leg *leg,
				       struct cs_decision *d)
{
	__u64 word = 0;

	if (!s || !p || !who || !leg || !d)
		return 0;
	if (cs_is_revoked(s)) {
		cs_conclude(d, CS_VERDICT_DENY, CS_REASON_REVOKED);
		return 1;
	}
	if (cs_goes_nowhere(p) || cs_tag_identity(who->peer) == CS_ENTITY_UNMANAGED)
		word = cs_flow_of(p, leg->reply, s->netns_cookie);
	if (cs_is_self(s, p, who, word)) {
		cs_conclude(d, CS_VERDICT_ALLOW, CS_REASON_SELF);
		return 1;
	}
	if (cs_is_host_process(s, p, who, leg, word)) {
		who->peer = CS_ENTITY_HOST;
		who->auth = CS_AUTH_LOCAL;
	}
	if (!cs_is_own_node(s, who))
		return 0;
	cs_conclude(d, CS_VERDICT_ALLOW, CS_REASON_OWN_NODE);
	return 1;
}

/* How the backends of a Service are asked about: enum cs_service_how. A function of its
 * own, so that the verifier goes round them once, for any answer. */
__verified_once __u32 cs_how(const struct cs_who *who, const struct cs_leg *leg)
{
	if (!who || !leg)
		return 0;
	return (cs_is_proved(who->auth) ? CS_HOW_PROVED : 0) | (leg->wished ? CS_HOW_ANY : 0);
}

/* The answer of policy, when the peer is a Service or not. */
__inline void cs_consult(const struct cs_packet *p, struct cs_who *who, const struct cs_leg *leg,
			 struct cs_inquiry *x, struct cs_decision *d)
{
	const struct cs_service *service = NULL;
	int torn = 0;
	__u32 how;

	if (leg->direction == CS_EGRESS)
		service = cs_service_at(leg->reply ? &p->src : &p->dst, leg->port, p->protocol,
					&torn);
	if (torn) {
		cs_conclude(d, CS_VERDICT_DENY, CS_REASON_TORN_READ);
		return;
	}
	if (!service) {
		cs_decide(&x->c, d, &x->walk);
		return;
	}
	how = cs_how(who, leg);
	if (!(how & CS_HOW_PROVED)) {
		who->peer = service->identity;
		who->auth = service->n ? who->auth : CS_AUTH_UNKNOWN;
	}
	cs_decide_service(service, x, who, d, how);
}

/*
 * Asks about the peer @who of the packet @p's flow. What turns out to be known better of
 * the peer is written to @who.
 */
__verified_once int cs_ask_policy(const struct cs_socket *s, const struct cs_packet *p,
				  struct cs_who *who, const struct cs_leg *leg,
				  struct cs_decision *d)
{
	struct cs_inquiry x = {};

	if (!s || !p || !who || !leg || !d)
		return -1;
	if (cs_needs_no_policy(s, p, who, leg, d))
		return 0;
	x.c.peer = cs_tag_identity(who->peer);
	x.c.workload = s->workload;
	x.c.generation = s->generation;
	x.c.class_ = who->class_;
	x.c.port = leg->port;
	x.c.protocol = p->protocol;
	x.c.direction = leg->direction;
	x.c.authenticated = cs_is_proved(who->auth) || leg->tagged;
	cs_consult(p, who, leg, &x, d);
	return 0;
}
