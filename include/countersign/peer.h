/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * Who is at the other end of my connection? One call on a connected or accepted TCP
 * socket, answered by the kernel. With libcountersign:
 *
 *	struct countersign_peer peer;
 *
 *	if (countersign_peer(fd, &peer) == 0 && peer.authentication == COUNTERSIGN_VERIFIED)
 *		printf("%s\n", peer.spiffe_id);
 *
 * Without it: getsockopt(fd, COUNTERSIGN_SOL, COUNTERSIGN_PEER, &peer, &length).
 */
#ifndef COUNTERSIGN_PEER_H
#define COUNTERSIGN_PEER_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A private getsockopt level, "CS" */
#define COUNTERSIGN_SOL 0x4353
#define COUNTERSIGN_PEER 1

enum countersign_authentication {
	COUNTERSIGN_UNKNOWN = 0, /* nothing is known of the peer */
	COUNTERSIGN_INFERRED = 1, /* guessed from its address: do not base trust on it */
	COUNTERSIGN_VERIFIED = 2, /* proved by a MAC in the connection's own handshake */
};

struct countersign_peer {
	__u32 size; /* bytes that the kernel filled in */
	__u32 authentication; /* enum countersign_authentication */
	__u64 identity; /* 46-bit identity number; below 256: an entity such as World */
	__u16 node; /* node number that vouches for it, 0 unless verified */
	__u16 reserved[3];
	char spiffe_id[224]; /* NUL-terminated; empty for entities and unknown peers */
} __attribute__((aligned(8)));

#ifndef __bpf__
/*
 * Fills @ret_peer for the TCP socket @fd. Returns 0, or a negative errno:
 *   -ENOPROTOOPT  no agent guards this socket
 *   -ENOTCONN     the socket has no decided connection
 *   -EBADF, -ENOTSOCK, -EFAULT as getsockopt(2)
 * @ret_peer is not touched on failure.
 */
int countersign_peer(int fd, struct countersign_peer *ret_peer);
#endif

#ifdef __cplusplus
}
#endif

#endif
