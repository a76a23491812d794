/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * Everything that the BPF programs and the agent share: map layouts, limits, events.
 *
 * How no reader acts on a torn or recycled value (docs/architecture.md says more):
 *  - What policy compiles to lies in two banks. A commit writes only the bank that is
 *    not in force, then stores the new epoch, one aligned word: bank = epoch % 2.
 *    After an RCU grace period no program can still read the old bank.
 *  - Hash maps hold indexes only. The array slot an index points to repeats the key;
 *    a reader trusts the slot only when the key matches. A slot is rewritten only
 *    after a grace period has passed since it was last reachable.
 *  - State that programs write themselves is one 64-bit word, belongs to one socket,
 *    or carries a keyed check word over key and payload.
 */
#ifndef COUNTERSIGN_ABI_H
#define COUNTERSIGN_ABI_H

#include <linux/types.h>

#include "reasons.h"
#include "siphash.h"
#include "verdict.h"
#include "wire.h"

/* Bump on any change of a pinned map's layout; part of every pin's name. */
#define CS_ABI_VERSION 4

/* Limits. The agent refuses what does not fit, names the limit and keeps the last state. */
#define CS_BANKS 2
#define CS_WORKLOADS_MAX 1024 /* slots of workloads on this node; see enum cs_special_slot */
#define CS_WORKLOADS_USABLE (CS_WORKLOADS_MAX - 2) /* workloads on this node */
#define CS_CGROUPS_MARKED_MAX 256 /* cgroups that have a special slot */
#define CS_RULESETS_MAX 512 /* distinct rulesets per bank; identical ones are shared */
#define CS_BITMAPS_MAX 4096 /* distinct bitmaps per bank; row 0 has no bit set */
#define CS_IDENTITIES_MAX 131072 /* known identities in the cluster */
#define CS_ENDPOINTS_MAX 262144 /* known workload addresses */
#define CS_CLASSES_MAX 16384 /* CIDR classes, tag networks included */
#define CS_NODES_MAX 8192 /* nodes with keys; slot 0 is unused */
#define CS_SCOPE_MAX 262144 /* pairs of a node and an identity that runs there */
#define CS_VAULT_BYTES 256 /* of a sealed ring of node keys */
#define CS_SERVICES_MAX 16384 /* addresses and ports of Services; slot 0 is unused */
#define CS_BACKENDS_MAX 64 /* kinds of backends behind one of them; no two are alike */
#define CS_NAMES_MAX 32768 /* distinct SPIFFE IDs; slot 0 is empty */
#define CS_RULE_IDS_MAX 65536 /* rule ids with a hit counter */
#define CS_HANDSHAKES_MAX 16384 /* SYNs whose SYN-ACK may still be sent; power of two */
#define CS_REFUSALS_MAX 4096 /* refused SYNs remembered to merge retransmissions */
#define CS_DECISIONS_MAX 8192 /* decisions remembered; power of two */
#define CS_FLOWS_MAX 65536 /* datagram flows */
#define CS_EVENTS_BYTES (4 << 20)
#define CS_CGROUP_DEPTH_MAX 12 /* levels searched for a workload's cgroup */
#define CS_SPIFFE_ID_MAX 224 /* bytes, with the final NUL */

/* IPv6, or IPv4 as ::ffff:a.b.c.d. Network order. */
struct cs_addr {
	union {
		__u8 byte[16];
		__u32 word[4];
		__u64 half[2];
	};
};

/* Reserved identities: entities. Numbers 1..255 (CS_IDENTITY_FIRST - 1).
 * X(number, NAME, text as in policies) */
#define CS_ENTITIES(X)                        \
	X(1, HOST, "Host")                    \
	X(2, REMOTE_NODE, "RemoteNode")       \
	X(3, WORLD, "World")                  \
	X(4, KUBE_APISERVER, "KubeAPIServer") \
	X(5, UNMANAGED, "Unmanaged")

/* Stands for whoever is at the address of a revoked workload. */
#define CS_IDENTITY_REVOKED 255

enum cs_entity {
#define X(num, name, text) CS_ENTITY_##name = (num),
	CS_ENTITIES(X)
#undef X
};

enum cs_direction {
	CS_INGRESS = 0,
	CS_EGRESS = 1,
	CS_DIRECTIONS = 2,
};

enum cs_deny_mode {
	CS_DENY_DROP = 0,
	CS_DENY_REJECT = 1,
};

/* Whether a tag's identity must be known to run on the tag's node. */
enum cs_node_scope {
	CS_NODE_SCOPE_OFF = 0, /* there are no other nodes */
	CS_NODE_SCOPE_AUDIT = 1, /* counted, let through */
	CS_NODE_SCOPE_ENFORCE = 2,
};

/* ---- cs_control: one element, written by the agent. ---- */
struct cs_control {
	__u32 epoch; /* of the policy in force; its bank is epoch % CS_BANKS; 0: none yet */
	__u16 node; /* own node number */
	__u8 node_scope; /* enum cs_node_scope */
	__u8 deny_mode; /* enum cs_deny_mode */
	__u32 stamp; /* bumped after any change that decided sockets must be decided anew for */
	__u32 cidrs; /* 1: some policy has a CIDR peer, so addresses of verified peers matter */
	struct cs_key secret; /* per boot; keys the check words of cs_handshakes and cs_flows */
	__u64 netns_cookie; /* of the agent's network namespace: the node's own */
	__u8 own_node; /* 1: the node and its pods may always talk to each other */
	__u8 services; /* 1: there are Services, so destinations are looked up among them */
	__u8 pad[6];
};

/* ---- cs_cgroups: hash, u64 cgroup id -> u32 slot of cs_workloads, or a special one ---- */
enum cs_special_slot {
	CS_SLOT_UNMANAGED = 0,
	/* Pods' cgroups: who is in one of no known pod sends and receives nothing until it is
	 * known. No workload gets this slot, so what forgets to ask for it finds no policy. */
	CS_SLOT_WAITING = CS_WORKLOADS_MAX - 1,
	/* Below such a cgroup and unmanaged all the same. Never a socket's slot. */
	CS_SLOT_EXEMPT = CS_WORKLOADS_MAX,
};

/* cs_workloads: array by slot. A slot in use has generation > 0. */
struct cs_workload {
	__u64 cgroup_id; /* repeats the key of cs_cgroups */
	__u64 identity; /* 46-bit number */
	__u32 generation; /* bumped when the slot gets another workload */
	__u32 name; /* slot of cs_names, its SPIFFE ID */
};

/* cs_subjects: array, index = bank * CS_WORKLOADS_MAX + workload slot. */
struct cs_subject {
	__u32 ruleset[CS_DIRECTIONS]; /* index within the bank's rulesets */
	__u32 generation; /* the workload slot's; another one: not for this workload */
	__u32 standing; /* enum cs_subject_standing */
};

enum cs_subject_standing {
	CS_SUBJECT_NONE = 0, /* not written for this bank */
	CS_SUBJECT_VALID = 1,
	CS_SUBJECT_REVOKED = 2, /* nothing of it passes, whatever the rules say */
};

/* cs_rulesets: array of struct cs_ruleset, index = bank * CS_RULESETS_MAX + ruleset. */
/* cs_bitmaps: array of struct cs_bitmap, index = bank * CS_BITMAPS_MAX + row. */

/* cs_identities: hash, u64 identity -> u32 slot of cs_peers (entities included) */
struct cs_peer {
	__u64 identity; /* repeats the key */
	__u32 row[CS_BANKS]; /* of cs_bitmaps */
	__u32 name; /* slot of cs_names, 0: none */
	__u32 pad;
};

/* cs_names: array of the SPIFFE IDs; the identity word guards against reuse. */
struct cs_name {
	char spiffe_id[CS_SPIFFE_ID_MAX];
} __attribute__((aligned(8)));

/* cs_addresses: hash, struct cs_addr -> u32 slot of cs_endpoints */
enum cs_endpoint_flags {
	CS_ENDPOINT_SHARED = 1 << 0, /* several workloads claim it: infer nothing from it */
	CS_ENDPOINT_REVOKED = 1 << 1, /* its workload is revoked: nothing from or to it passes */
};

struct cs_endpoint {
	struct cs_addr addr; /* repeats the key */
	__u64 identity;
	__u32 class_; /* slot of cs_classes that covers the address */
	__u32 workload; /* slot of cs_workloads when local, else 0 */
	__u32 flags; /* enum cs_endpoint_flags */
	__u32 pad;
};

/* cs_cidrs: LPM trie, struct cs_cidr -> u32 slot of cs_classes */
struct cs_cidr {
	__u32 prefixlen; /* 0..128; IPv4 prefixes add 96 */
	__u32 word[4]; /* as struct cs_addr, which would be padded here */
};

enum cs_class_flags {
	CS_CLASS_TAG = 1 << 0, /* inside a --tag-networks prefix */
	CS_CLASS_HOST = 1 << 1, /* an address of this node itself */
};

/* cs_classes: array; which CIDR selectors an address matches. Slot 0: none. */
struct cs_class {
	__u32 row[CS_BANKS]; /* of cs_bitmaps */
	__u32 flags; /* enum cs_class_flags */
	__u32 pad;
};

/* cs_services: hash, struct cs_service_key -> u32 slot of cs_service_slots */
struct cs_service_key {
	struct cs_addr addr;
	__u16 port; /* host order */
	__u8 protocol; /* IPPROTO_* */
	__u8 pad[5];
};

struct cs_backend {
	__u64 identity; /* 46-bit number, or an entity's */
	__u32 class_; /* slot of cs_classes that covers its address */
	__u16 port; /* its own, host order */
	__u16 pad;
};

struct cs_service {
	struct cs_service_key key; /* repeats the key */
	__u64 identity; /* that all backends have, else 0 */
	__u32 n; /* of backend[] in use; 0: none is ready */
	__u32 pad;
	struct cs_backend backend[CS_BACKENDS_MAX];
};

/*
 * A phase names a pair of keys: the sender's parity * 2 + the receiver's parity.
 * cs_node_index: array, u16 node number -> u32 slot of cs_nodes, 0: unknown node
 */
struct cs_node_keys {
	__u32 node; /* repeats the number */
	__u8 send_phase; /* to send with: whose keys are the newest that both sides have */
	__u8 send_valid; /* bit per phase */
	__u8 receive_valid;
	__u8 receive_past; /* bit per phase: was valid, and its time is over */
	__u8 refusal; /* enum cs_reason: why no tag of this node counts; 0: they do */
	__u8 pad[7];
	struct cs_key send[CS_PHASES]; /* this node -> that node */
	struct cs_key receive[CS_PHASES]; /* that node -> this node */
};

/*
 * cs_scope: hash, u64 tag word with the phase cleared (node and identity) -> u32 enum
 * cs_scope_flags. Who may be claimed by which node.
 */
enum cs_scope_flags {
	CS_SCOPE_KNOWN = 1 << 0, /* runs there */
	CS_SCOPE_REVOKED = 1 << 1, /* ran there, and is revoked */
};

/* cs_vault: array of one; what the agent leaves for the one after it. Programs never read it. */
struct cs_vault {
	__u8 byte[CS_VAULT_BYTES];
};

/* ---- sockets ---- */
enum cs_role {
	CS_ROLE_NONE = 0,
	CS_ROLE_CLIENT = 1, /* egress decides */
	CS_ROLE_SERVER = 2, /* ingress decides */
	CS_ROLE_LISTENER = 3,
	CS_ROLE_DATAGRAM = 4,
};

/*
 * cs_sockets: socket storage, cloned from a listener to what it accepts. `state` is the
 * only word that other CPUs act upon: stamp << 32 | enum cs_state, 0 while undecided. A
 * packet passes at once when it equals the current stamp << 32 | CS_STATE_ALLOW.
 */
enum cs_state {
	CS_STATE_NONE = 0,
	CS_STATE_ALLOW = 1, /* every packet passes */
	CS_STATE_DENY = 2, /* no packet passes, and that was said */
	CS_STATE_TIMED = 3, /* every packet passes until expires_ns */
	CS_STATE_TIMED_DENY = 4, /* no packet passes until expires_ns, and that was said */
};

struct cs_socket {
	__u64 state;
	__u64 expires_ns; /* when the decision ends; such a socket never takes the fast path */
	__u64 tag; /* own tag word, as last sent */
	__u64 peer; /* tag word of the peer; node 0 when not verified */
	union {
		__u64 ack_mac; /* client: the MAC for its ACKs */
		__u64 flow; /* datagrams: keyed digest of the last allowed flow and its stamp */
	};
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u32 workload; /* slot */
	__u32 generation; /* of the slot; for slot 0 the stamp it was resolved at */
	__u32 class_; /* of the address that connect() was for */
	__u32 class_stamp; /* when that was looked up */
	__u32 rule; /* that decided */
	__u32 pid; /* that made the socket */
	__u32 isn_local; /* of the handshake, host order */
	__u32 isn_remote;
	__u16 remote_port; /* host order */
	__u16 local_port;
	__u8 role; /* enum cs_role */
	__u8 auth; /* enum cs_auth */
	__u8 reason; /* enum cs_reason */
	__u8 verdict; /* enum cs_verdict of the last decision */
	struct cs_addr original_dst; /* as the application named it, before DNAT */
	__u16 original_port; /* host order, 0: not recorded */
	__u16 syn_data; /* bytes of data in the SYN (Fast Open) */
	__u8 flags; /* enum cs_socket_flags */
	__u8 pad[3];
};

enum cs_socket_flags {
	CS_SOCKET_TAGGABLE = 1 << 0, /* tags may be written towards the destination */
	CS_SOCKET_NO_ROOM = 1 << 1, /* the tag did not fit */
	CS_SOCKET_ESTABLISHED = 1 << 2, /* was let through once: a denial now cuts it */
	CS_SOCKET_TAGGING = 1 << 3, /* still tags its ACKs */
	CS_SOCKET_SERVICE = 1 << 4, /* connect() was for a Service */
};

/* cs_handshakes: array by hash of the tuple. Written at the SYN, read for the SYN-ACK. */
struct cs_handshake {
	__u64 claim; /* tag word of the SYN, 0: untagged */
	__u64 check; /* keyed digest of tuple, claim and slot; low 16 bits: workload slot */
};

/* cs_flows: LRU hash for datagrams; key as the initiator sends. */
struct cs_flow_key {
	struct cs_addr src;
	struct cs_addr dst;
	__u64 netns_cookie; /* for loopback addresses, else 0 */
	__u16 sport; /* host order */
	__u16 dport;
	__u8 protocol;
	__u8 pad[3];
};

enum cs_flow_bits {
	CS_FLOW_EGRESS = 1 << 0, /* the initiator's policy lets it send */
	CS_FLOW_INGRESS = 1 << 1, /* the receiver's policy lets it in */
	CS_FLOW_LOCAL = 1 << 2, /* the initiator is the local workload `slot` */
	CS_FLOW_HOST = 1 << 3, /* of no workload, in the node's own network namespace */
	CS_FLOW_HAIRPIN = 1 << 4, /* to itself, but asked for as a Service */
	/* Only in what cs_flow_get() returns: */
	CS_FLOW_TIMED = 1 << 5, /* the leg that was asked about expires */
	CS_FLOW_ENDED = 1 << 6, /* and has */
};

struct cs_flow {
	__u64 word; /* stamp << 32 | workload slot of the initiator << 8 | enum cs_flow_bits */
	__u64 expires_ns[CS_DIRECTIONS]; /* of the ingress and the egress bit, 0: never */
	__u64 check; /* keyed digest of key and the above */
};

/* cs_decisions: array by hash of the question; the same questions come again and again. */
struct cs_remembered {
	__u64 word; /* rule << 32 | reason << 8 | verdict */
	__u64 check; /* keyed digest of question, stamp and word */
};

/* cs_accepting: per CPU; what ingress decided on the ACK that is about to make a socket. */
struct cs_accepting {
	struct cs_addr remote;
	__u64 state; /* for the new socket */
	__u64 peer;
	__u64 expires_ns;
	__u32 isn_local;
	__u32 isn_remote;
	__u32 rule;
	__u32 epoch;
	__u16 remote_port;
	__u16 local_port;
	__u8 auth;
	__u8 reason;
	__u8 verdict;
	__u8 valid;
};

/* What the cs_sweep iterator writes for each socket that policy now denies. */
struct cs_doomed {
	__u64 cookie;
	struct cs_addr local;
	struct cs_addr remote;
	__u32 interface; /* SO_BINDTODEVICE, 0: none */
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u8 family; /* AF_INET or AF_INET6, as the socket's */
	__u8 state;
	__u8 pad[6];
};

/* What the cs_adopt iterator writes for each listener older than the programs. */
struct cs_adopted {
	__u64 cookie;
	__u32 adopted; /* 1: tags its SYN-ACKs from now on */
	__u32 pad;
};

/* ---- events: ring buffer, one per decision ---- */
enum cs_event_flags {
	CS_EVENT_LIVE = 1 << 0, /* an established connection was decided anew */
	CS_EVENT_EARLY = 1 << 1, /* refused at the SYN, on its claim */
	CS_EVENT_CONNECT = 1 << 2, /* refused at connect() or sendmsg() */
};

struct cs_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 identity; /* of the subject */
	__u64 peer; /* tag word of the peer; node 0 when not verified */
	__u64 cgroup_id; /* of the subject */
	__u64 socket_cookie;
	__u64 netns_cookie;
	struct cs_addr source; /* of the flow: the client's */
	struct cs_addr destination;
	struct cs_addr original_dst;
	__u16 source_port; /* host order */
	__u16 destination_port;
	__u16 original_port;
	__u8 protocol; /* IPPROTO_* */
	__u8 tcp_flags;
	__u32 rule; /* id, with the epoch it belongs to */
	__u32 epoch;
	__u32 pid;
	__u32 workload; /* slot of the subject */
	__u8 verdict; /* enum cs_verdict */
	__u8 reason; /* enum cs_reason */
	__u8 auth; /* enum cs_auth: how the peer is known */
	__u8 direction; /* enum cs_direction */
	__u8 flags; /* enum cs_event_flags */
	__u8 family; /* 4 or 6 */
	__u8 pad[2];
};

/* cs_counters: per CPU; verdicts by reason and direction, in decisions and in packets. */
#define CS_COUNTER(verdict, reason, direction)                                         \
	((((verdict) % CS_VERDICT_MAX) * CS_REASON_MAX + ((reason) % CS_REASON_MAX)) * \
		 CS_DIRECTIONS +                                                       \
	 ((direction) % CS_DIRECTIONS))
#define CS_COUNTERS_MAX (CS_VERDICT_MAX * CS_REASON_MAX * CS_DIRECTIONS)

/* ---- getsockopt(fd, COUNTERSIGN_SOL, COUNTERSIGN_PEER, ...): see peer.h ---- */

#define CS_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has a hole")

CS_ASSERT_SIZE(struct cs_rule, 24);
CS_ASSERT_SIZE(struct cs_ruleset, 16 + 24 * CS_RULES_MAX);
CS_ASSERT_SIZE(struct cs_bitmap, CS_SELECTORS_MAX / 8);
CS_ASSERT_SIZE(struct cs_control, 48);
CS_ASSERT_SIZE(struct cs_workload, 24);
CS_ASSERT_SIZE(struct cs_subject, 16);
CS_ASSERT_SIZE(struct cs_peer, 24);
CS_ASSERT_SIZE(struct cs_endpoint, 40);
CS_ASSERT_SIZE(struct cs_cidr, 20);
CS_ASSERT_SIZE(struct cs_class, 16);
CS_ASSERT_SIZE(struct cs_service_key, 24);
CS_ASSERT_SIZE(struct cs_backend, 16);
CS_ASSERT_SIZE(struct cs_service, 40 + 16 * CS_BACKENDS_MAX);
CS_ASSERT_SIZE(struct cs_node_keys, 144);
CS_ASSERT_SIZE(struct cs_socket, 120);
CS_ASSERT_SIZE(struct cs_flow_key, 48);
CS_ASSERT_SIZE(struct cs_flow, 32);
CS_ASSERT_SIZE(struct cs_accepting, 64);
CS_ASSERT_SIZE(struct cs_doomed, 56);
CS_ASSERT_SIZE(struct cs_event, 128);

#endif
