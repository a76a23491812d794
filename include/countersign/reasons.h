/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * Why a verdict fell as it did: the one list behind events, counters, metrics,
 * documentation and the CLI's texts. A number is never reused: 4 to 6, 31 and 38 named
 * reasons that nothing ever gave.
 *
 * X(number, NAME, hubble drop_reason_desc, text, remedy)
 */
#ifndef COUNTERSIGN_REASONS_H
#define COUNTERSIGN_REASONS_H

#define CS_REASONS(X)                                                                              \
	X(0, NONE, "", "no decision yet", "")                                                      \
	X(1, RULE, "", "a rule allows it", "")                                                     \
	X(2, NOT_ISOLATED, "", "no policy isolates this direction", "")                            \
	X(3, SELF, "", "a workload talks to itself", "")                                           \
	X(7, OWN_NODE, "", "between a workload and the node that it runs on", "")                  \
	X(16, POLICY_DENY, "POLICY_DENY", "a rule denies it", "change the rule that is named")     \
	X(17, DEFAULT_DENY, "POLICY_DENIED", "isolated by policy and no rule allows it",           \
	  "add an allow rule to a policy that isolates the workload")                              \
	X(18, DEFAULT_ACTION, "POLICY_DENIED", "no policy applies and the default action denies",  \
	  "write a policy for the workload, or start the agent with --default-action allow")       \
	X(19, AUTH_REQUIRED, "AUTH_REQUIRED",                                                      \
	  "the rule wants a verified peer and this one is only inferred",                          \
	  "run an agent on the peer's node, or set authentication: IfAvailable on the rule")       \
	X(20, BAD_MAC, "INVALID_IDENTITY", "the tag's MAC is wrong: forged, replayed or misbound", \
	  "look for a host that forges tags, or for one whose clock or keys are off")              \
	X(21, TAG_TRUNCATED, "INVALID_IDENTITY", "the tag is too short for its segment",           \
	  "look for a device that rewrites TCP options")                                           \
	X(22, TAG_DUPLICATE, "INVALID_IDENTITY", "the segment carries more than one tag",          \
	  "look for a host that forges tags")                                                      \
	X(23, UNKNOWN_NODE, "UNKNOWN_SENDER", "the tag names a node that is not known",            \
	  "check that the peer's node record has arrived and is accepted")                         \
	X(24, NO_KEY, "INVALID_IDENTITY", "no valid key for the tag's node and key phase",         \
	  "check the clocks and the key rotation of both nodes")                                   \
	X(25, UNKNOWN_IDENTITY, "UNKNOWN_SENDER", "the peer's identity is not known here yet",     \
	  "wait for the peer's workload to be learned, or check its manifest")                     \
	X(26, WORKLOAD_UNKNOWN, "INVALID_IDENTITY", "the socket's own workload is not known",      \
	  "write a Workload for its cgroup, or wait until the agent has seen it")                  \
	X(27, SOURCE_ADDRESS, "INVALID_SOURCE_IP",                                                 \
	  "sends untagged from an address that belongs to another workload",                       \
	  "give the workload an address of its own, or use TCP without MPTCP and Fast Open")       \
	X(28, MALFORMED_PACKET, "INVALID_PACKET_DROPPED", "the packet's headers cannot be read",   \
	  "look for a host that sends broken packets")                                             \
	X(29, PROTOCOL, "UNSUPPORTED_L4_PROTOCOL",                                                 \
	  "isolated by policy, and this IP protocol has no rules",                                 \
	  "only TCP, UDP, SCTP and ICMP can be allowed")                                           \
	X(30, RAW_SOCKET, "INVALID_IDENTITY", "a raw socket wrote a TCP segment",                  \
	  "use a stream socket")                                                                   \
	X(32, TORN_READ, "INVALID_IDENTITY", "a table entry changed while it was read",            \
	  "nothing: the retransmission passes")                                                    \
	X(33, UNEXPECTED_SEGMENT, "CT_INVALID_HEADER", "a segment that no handshake step expects", \
	  "nothing when rare: reordered segments are sent again")                                  \
	X(34, SIMULTANEOUS_OPEN, "CT_INVALID_HEADER", "both sides opened at once; not supported",  \
	  "let one side listen")                                                                   \
	X(35, NO_STORAGE, "MAP_INSERTION_FAILED", "no memory to remember the socket's identity",   \
	  "free memory on the node")                                                               \
	X(36, NO_POLICY, "POLICY_DENIED", "the agent has not put a policy in force yet",           \
	  "look at the agent's log")                                                               \
	X(37, FAST_OPEN_DATA, "AUTH_REQUIRED",                                                     \
	  "Fast Open data came before the peer could be verified",                                 \
	  "the client's retry without Fast Open passes")                                           \
	X(39, FAST_OPEN_COOKIE, "AUTH_REQUIRED",                                                   \
	  "the Fast Open cookie leaves no room for the tag",                                       \
	  "the client's retry without Fast Open passes")                                           \
	X(40, NO_BACKEND, "SERVICE_BACKEND_NOT_FOUND", "the Service has no ready backend",         \
	  "look at the Service's EndpointSlices")                                                  \
	X(41, TAG_OVERSIZED, "INVALID_IDENTITY", "the tag is too long for its segment",            \
	  "look for a host that forges tags")                                                      \
	X(42, TAG_REFLECTED, "INVALID_IDENTITY", "the tag is the receiver's own, sent back to it", \
	  "look for a host that forges tags")                                                      \
	X(43, KEY_EXPIRED, "INVALID_IDENTITY", "the tag was made with a key whose time is over",   \
	  "check the clocks and the key rotation of both nodes")                                   \
	X(44, WRONG_NODE, "INVALID_IDENTITY",                                                      \
	  "the peer's node claims an identity that does not run there",                            \
	  "look at the node: it may be compromised; or at the Workload's node field")              \
	X(45, REVOKED, "INVALID_IDENTITY", "the workload, its SPIFFE ID or its node is revoked",   \
	  "see the Revocation; remove it to let the identity in again")                            \
	X(46, NODE_EXPIRED, "INVALID_IDENTITY", "the certificate of the peer's node has expired",  \
	  "see why that node's agent got no new one: countersign nodes")                           \
	X(47, POD_UNKNOWN, "INVALID_IDENTITY", "the socket's pod is not known yet",                \
	  "nothing: it goes on when the agent has learned of the pod; if it does not, see status")

enum cs_reason {
#define X(num, name, desc, text, remedy) CS_REASON_##name = (num),
	CS_REASONS(X)
#undef X
		CS_REASON_MAX = 64, /* numbers stay below; sizes the counter table */
};

/*
 * How the peer's identity is known, and if not by a valid tag, why not.
 * X(number, NAME, level, text); level is what people see as "authentication".
 */
#define CS_AUTHS(X)                                                                        \
	X(0, UNKNOWN, "unknown", "the peer is not known at all")                           \
	X(1, VERIFIED, "verified", "valid tag")                                            \
	X(2, UNTAGGED, "inferred", "the peer sent no tag: no agent on its node")           \
	X(3, FAST_OPEN, "inferred", "TCP Fast Open left no room for the tag")              \
	X(4, MPTCP, "inferred", "MPTCP left no room for the tag")                          \
	X(5, NOT_TAGGED, "inferred", "address is no known workload and in no tag network") \
	X(6, DATAGRAM, "inferred", "datagrams carry no tag")                               \
	X(7, OLDER, "inferred", "the connection is older than the agent")                  \
	X(8, NO_ROOM, "inferred", "other TCP options left no room for the tag")            \
	X(9, CLAIMED, "claimed", "an unverified claim in a SYN, refused before any state") \
	X(10, LOCAL, "inferred", "known from the sender's socket on this node")

enum cs_auth {
#define X(num, name, level, text) CS_AUTH_##name = (num),
	CS_AUTHS(X)
#undef X
		CS_AUTH_MAX = 11,
};

/*
 * Things that are counted beside verdicts. X(number, NAME, metric name, text)
 */
#define CS_STATS(X)                                                                                \
	X(0, EVENTS_LOST, "events_lost", "verdict events that did not fit the ring")               \
	X(1, EVENTS_MERGED, "events_merged", "retransmissions of a refused segment, not repeated") \
	X(2, TAGS_SENT, "tags_sent", "tags written into segments")                                 \
	X(3, TAGS_VERIFIED, "tags_verified", "tags whose MAC was right")                           \
	X(4, TAG_NO_ROOM, "tag_no_room", "segments without room for the tag")                      \
	X(5, FLOWS_FULL, "flows_full", "datagram flows that could not be remembered")              \
	X(6, STORAGE_FAILED, "storage_failed", "sockets without memory for their identity")        \
	X(7, TORN_READS, "torn_reads", "table entries that changed while they were read")          \
	X(8, ADOPTED, "adopted", "sockets older than the agent that were adopted")                 \
	X(9, SCOPE_AUDITED, "scope_audited",                                                       \
	  "claims of identities that do not run on the claiming node, let through")

enum cs_stat {
#define X(num, name, metric, text) CS_STAT_##name = (num),
	CS_STATS(X)
#undef X
		CS_STAT_MAX = 16,
};

#endif
