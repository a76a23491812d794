/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic serve: an echo server. Prints {"listening":"a:p"} when ready and with --report
 *	{"accepted":"a:p","peer":{...}}		a connection was accepted
 *	{"received":"a:p","bytes":N,"peer":{...}}	its first bytes (UDP: each datagram)
 *	{"closed":"a:p","errno":N}		it ended, with an error or 0
 */
#include "tools/traffic/traffic.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#define CONNECTIONS_MAX 4096 /* by descriptor */
#define EVENTS_AT_ONCE 64

struct server {
	const struct options *o;
	int epoll;
	int listener;
	struct address remotes[CONNECTIONS_MAX];
	bool heard[CONNECTIONS_MAX];
};

static void report(const struct server *s, const char *what, const struct address *remote, int fd)
{
	char text[80];

	if (!s->o->report)
		return;
	address_text(remote, text, sizeof(text));
	printf("{\"%s\":\"%s\",", what, text);
	print_peer(fd);
	printf("}\n");
}

static void hang_up(struct server *s, int fd, int error)
{
	char text[80];

	if (s->o->report) {
		address_text(&s->remotes[fd], text, sizeof(text));
		printf("{\"closed\":\"%s\",\"errno\":%d}\n", text, error);
	}
	close(fd);
}

static void accept_one(struct server *s)
{
	struct address remote = { .length = sizeof(remote.sa) };
	struct epoll_event event = { .events = EPOLLIN };
	int fd = accept4(s->listener, (struct sockaddr *)&remote.sa, &remote.length,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);
	int one = 1;

	if (fd < 0 || fd >= CONNECTIONS_MAX) {
		if (fd >= 0)
			close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->remotes[fd] = remote;
	s->heard[fd] = false;
	report(s, "accepted", &remote, fd);
	event.data.fd = fd;
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
	if (s->o->banner && send(fd, "b", 1, MSG_NOSIGNAL) != 1)
		hang_up(s, fd, errno);
}

static void echo_stream(struct server *s, int fd)
{
	char bytes[65536];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(s, fd, n < 0 ? errno : 0);
		return;
	}
	if (!s->heard[fd])
		report(s, "received", &s->remotes[fd], fd);
	s->heard[fd] = true;
	if (!s->o->banner && send(fd, bytes, n, MSG_NOSIGNAL) != n)
		hang_up(s, fd, errno);
}

static void echo_datagram(struct server *s)
{
	struct address remote = { .length = sizeof(remote.sa) };
	char bytes[65536];
	ssize_t n = recvfrom(s->listener, bytes, sizeof(bytes), 0, (struct sockaddr *)&remote.sa,
			     &remote.length);

	if (n < 0)
		return;
	report(s, "received", &remote, s->listener);
	sendto(s->listener, bytes, n, MSG_NOSIGNAL, (struct sockaddr *)&remote.sa, remote.length);
}

static void die(const char *what)
{
	fprintf(stderr, "traffic serve: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_listener(const struct options *o)
{
	int fd;

	if (o->fd >= 0)
		return o->fd;
	if (o->take)
		return take_descriptor(o->take);
	fd = open_socket(o);
	if (bind(fd, (const struct sockaddr *)&o->target.sa, o->target.length) < 0)
		die("bind");
	if (o->udp)
		return fd;
	if (o->defer_s)
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &o->defer_s, sizeof(int));
	if (o->queue)
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &o->queue, sizeof(int));
	if (listen(fd, o->backlog) < 0)
		die("listen");
	return fd;
}

static void serve(struct server *s)
{
	struct epoll_event events[EVENTS_AT_ONCE], event = { .events = EPOLLIN };
	int n;

	event.data.fd = s->listener;
	fcntl(s->listener, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &event) < 0)
		die("epoll");
	while (!stopped()) {
		n = epoll_wait(s->epoll, events, EVENTS_AT_ONCE, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd != s->listener)
				echo_stream(s, events[i].data.fd);
			else if (s->o->udp)
				echo_datagram(s);
			else
				accept_one(s);
		}
	}
}

int run_serve(int argc, char **argv)
{
	static struct server server;
	struct options o;
	char text[80];

	options_parse(argc, argv, &o);
	stop_on_signals();
	server.o = &o;
	server.listener = open_listener(&o);
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	address_text(&o.target, text, sizeof(text));
	printf("{\"listening\":\"%s\"}\n", text);
	if (o.give) {
		give_descriptor(o.give, server.listener);
		while (!stopped())
			pause(); /* the giver stays, so that its cgroup does */
		return 0;
	}
	serve(&server);
	return 0;
}
