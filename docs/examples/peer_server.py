#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that knows who its clients are, with the standard library alone.

    ./peer_server.py 8080

It tells each client, in one line, who it is, and lets in whom the kernel has verified.
"""
import collections
import os
import socket
import struct
import sys

# From <countersign/peer.h>
COUNTERSIGN_SOL = 0x4353
COUNTERSIGN_PEER = 1
LAYOUT = struct.Struct("=IIQH6x224s")  # size, authentication, identity, node, spiffe_id
AUTHENTICATION = ("unknown", "inferred", "verified")

Peer = collections.namedtuple("Peer", "authentication identity node spiffe_id")


def peer_of(connection):
    """Who is at the other end. OSError when no agent guards the socket."""
    answer = connection.getsockopt(COUNTERSIGN_SOL, COUNTERSIGN_PEER, LAYOUT.size)
    _, how, identity, node, name = LAYOUT.unpack(answer.ljust(LAYOUT.size, b"\0"))
    return Peer(AUTHENTICATION[how], identity, node, name.split(b"\0")[0].decode())


def serve(connection):
    try:
        peer = peer_of(connection)
    except OSError as error:
        print(f"no identity: {os.strerror(error.errno)}", flush=True)
        connection.sendall(f"no identity: {os.strerror(error.errno)}\n".encode())
        return
    name = peer.spiffe_id or "-"
    # An inferred identity is a guess from an address: never base trust on it.
    answer = "welcome" if peer.authentication == "verified" else "go away"
    print(f"{peer.authentication} {name} identity {peer.identity} node {peer.node}", flush=True)
    connection.sendall(
        f"{peer.authentication} {name} identity {peer.identity}: {answer}\n".encode())


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("Usage: peer_server.py PORT")
    address = ("::", int(sys.argv[1]))
    with socket.create_server(address, family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    serve(connection)
                except OSError as error:  # the client may be gone before its line is written
                    print(f"lost a client: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
