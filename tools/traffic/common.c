/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/traffic/traffic.h"

#include <poll.h>
#include <signal.h>
#include <sys/un.h>
#include <time.h>

static volatile sig_atomic_t stop_requested;

static void on_signal(int sig)
{
	(void)sig;
	stop_requested = 1;
}

bool stopped(void)
{
	return stop_requested;
}

void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

int wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	double end = now_ms() + timeout_ms;
	double left = timeout_ms;

	while (left >= 0) {
		if (poll(&p, 1, (int)left + 1) > 0)
			return 0;
		if (stopped())
			return -EINTR;
		left = end - now_ms();
	}
	return -ETIMEDOUT;
}

int open_socket(const struct options *o)
{
	int family = o->target.sa.ss_family;
	int type = o->udp ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(family, type | SOCK_CLOEXEC, o->mptcp ? IPPROTO_MPTCP : 0);
	int one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (o->reuseport)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (o->bind.length && bind(fd, (const struct sockaddr *)&o->bind.sa, o->bind.length) < 0)
		die("bind");
	return fd;
}

void print_peer(int fd)
{
	static const char *const words[] = { "unknown", "inferred", "verified" };
	struct countersign_peer peer = { 0 };
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, COUNTERSIGN_SOL, COUNTERSIGN_PEER, &peer, &length) < 0) {
		printf("\"peer_errno\":%d", errno);
		return;
	}
	peer.spiffe_id[sizeof(peer.spiffe_id) - 1] = 0;
	printf("\"peer\":{\"authentication\":\"%s\",\"identity\":%llu,\"node\":%u,\"spiffe_id\":\"%s\"}",
	       peer.authentication < ARRAY_SIZE(words) ? words[peer.authentication] : "?",
	       (unsigned long long)peer.identity, peer.node, peer.spiffe_id);
}

static int unix_socket(const char *path, struct sockaddr_un *ret)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path);
	if (fd < 0)
		die("socket");
	return fd;
}

union rights {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

void give_descriptor(const char *path, int fd)
{
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	union rights rights = { .header = { .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
	struct sockaddr_un addr;
	int listener = unix_socket(path, &addr);
	int taker;

	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 1) < 0)
		die(path);
	printf("{\"giving\":\"%s\"}\n", path);
	taker = accept(listener, NULL, NULL);
	memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
	if (taker < 0 || sendmsg(taker, &message, 0) != 1)
		die("giving the listener away");
	close(taker);
	close(listener);
}

int take_descriptor(const char *path)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union rights rights;
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
	struct sockaddr_un addr;
	int giver = unix_socket(path, &addr);
	int fd;

	if (connect(giver, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(path);
	if (recvmsg(giver, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
		die("taking the listener");
	memcpy(&fd, CMSG_DATA(&rights.header), sizeof(fd));
	close(giver);
	return fd;
}
