/* SPDX-License-Identifier: Apache-2.0 */
#include <countersign/peer.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* An answer without all the fixed fields is none; spiffe_id may be cut by an older agent. */
#define PEER_SIZE_MIN offsetof(struct countersign_peer, spiffe_id)

int countersign_peer(int fd, struct countersign_peer *ret_peer)
{
	struct countersign_peer peer;
	socklen_t length = sizeof(peer);

	memset(&peer, 0, sizeof(peer));
	if (getsockopt(fd, COUNTERSIGN_SOL, COUNTERSIGN_PEER, &peer, &length) < 0)
		/* Protocols that know no levels but their own say EOPNOTSUPP for the same thing */
		return errno == EOPNOTSUPP ? -ENOPROTOOPT : -errno;
	/* Somebody else's option of that number would be read as an identity. */
	if (length < PEER_SIZE_MIN || length > sizeof(peer) ||
	    peer.authentication > COUNTERSIGN_VERIFIED)
		return -ENOPROTOOPT;
	peer.spiffe_id[sizeof(peer.spiffe_id) - 1] = '\0';
	peer.size = length;
	*ret_peer = peer;
	return 0;
}
