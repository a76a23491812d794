/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that knows who its clients are, with libcountersign:
 *
 *	cc peer_server.c -lcountersign -o peer_server
 *	./peer_server 8080
 *
 * It tells each client, in one line, who it is, and lets in whom the kernel has verified.
 */
#include <countersign/peer.h>

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *authentication(const struct countersign_peer *peer)
{
	static const char *const words[] = {
		[COUNTERSIGN_UNKNOWN] = "unknown",
		[COUNTERSIGN_INFERRED] = "inferred",
		[COUNTERSIGN_VERIFIED] = "verified",
	};

	return words[peer->authentication]; /* countersign_peer() gives no other value */
}

static void serve(int fd)
{
	struct countersign_peer peer;
	int r = countersign_peer(fd, &peer);

	if (r < 0) {
		dprintf(fd, "no identity: %s\n", strerror(-r));
		printf("no identity: %s\n", strerror(-r));
		return;
	}
	/* An inferred identity is a guess from an address: never base trust on it. */
	dprintf(fd, "%s %s identity %llu: %s\n", authentication(&peer),
		*peer.spiffe_id ? peer.spiffe_id : "-", (unsigned long long)peer.identity,
		peer.authentication == COUNTERSIGN_VERIFIED ? "welcome" : "go away");
	printf("%s %s identity %llu node %u\n", authentication(&peer),
	       *peer.spiffe_id ? peer.spiffe_id : "-", (unsigned long long)peer.identity,
	       peer.node);
}

static int listen_on(unsigned short port)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_ANY_INIT, /* IPv4, too */
	};
	int on = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, SOMAXCONN) < 0) {
		perror("peer_server: cannot listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	int listener;
	long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

	if (port < 1 || port > 65535) {
		fprintf(stderr, "Usage: peer_server PORT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN); /* a client may be gone before its line is written */
	listener = listen_on((unsigned short)port);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			perror("peer_server: accept");
			return 1;
		}
		serve(fd);
		close(fd);
	}
}
