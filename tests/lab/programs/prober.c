/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prober NAME PORT FIFO [TARGET=ADDR4,ADDR6]...
 *
 * One end of a truth table: serves TCP and UDP on PORT and PORT + 1, both families,
 * answering with NAME, and on each line of FIFO
 *	NUMBER TIMEOUT_MS LETTERS
 * asks all targets for whom LETTERS (of prober.h) does not say '-', all at once: whoever
 * is expected to be silent ('X') is waited for until the time-out, the others no longer
 * than they need. Prints
 *	{"number":N,"letters":"..X.","errno":N}		errno: of the first '!'
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lab/programs/prober.h"

#define NAME_SIZE 32
#define EVENTS_AT_ONCE 64
#define RESEND_MS 60 /* a lost datagram is asked for again */
#define TAG_PROBE (1ULL << 32) /* epoll data: a probe's index */
#define TAG_LISTENER (2ULL << 32) /* a TCP server socket's descriptor */
#define TAG_DATAGRAM (3ULL << 32) /* a UDP server socket's descriptor */
#define TAG_COMMAND (4ULL << 32)
#define TAG_CLIENT (5ULL << 32) /* an accepted connection's descriptor */

struct target {
	char name[NAME_SIZE];
	struct sockaddr_storage address[PROBER_FAMILIES];
	socklen_t length[PROBER_FAMILIES];
};

struct probe {
	int fd; /* -1: over */
	bool udp;
	bool asked; /* TCP: connected, and the question is sent */
	char expected;
	char letter;
};

struct prober {
	const char *name;
	uint16_t port;
	int epoll;
	int commands;
	struct target targets[PROBER_TARGETS_MAX];
	size_t n_targets;
	struct probe probes[PROBER_PROBES_MAX];
	size_t n_probes;
	int error; /* of the first '!' */
	uint64_t end_ms;
	uint64_t resend_ms;
	unsigned long number;
	bool probing;
};

static void die(const char *what)
{
	fprintf(stderr, "prober: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void watch(struct prober *p, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event event = { .events = events, .data.u64 = tag };

	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

/* ---- serving ---- */

static void serve_socket(struct prober *p, int family, int type, uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	const void *address = family == AF_INET ? (const void *)&v4 : (const void *)&v6;
	socklen_t length = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int one = 1, fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, address, length) < 0)
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 256) < 0)
		die("listen");
	watch(p, fd, EPOLLIN, (type == SOCK_STREAM ? TAG_LISTENER : TAG_DATAGRAM) | (uint64_t)fd);
}

static void accept_all(struct prober *p, int listener)
{
	int fd;

	/* cppcheck-suppress nullPointer ; accept4() takes NULL for an address nobody wants */
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		watch(p, fd, EPOLLIN, TAG_CLIENT | (uint64_t)fd);
}

/* The question is answered with our name; what comes then is the client's end. */
static void answer_client(const struct prober *p, int fd)
{
	char question[8];

	if (recv(fd, question, sizeof(question), 0) > 0)
		send(fd, p->name, strlen(p->name), MSG_NOSIGNAL);
	else
		close(fd);
}

static void answer_datagrams(const struct prober *p, int fd)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char question[8];

	while (recvfrom(fd, question, sizeof(question), 0, (struct sockaddr *)&from, &length) >=
	       0) {
		sendto(fd, p->name, strlen(p->name), MSG_NOSIGNAL, (struct sockaddr *)&from,
		       length);
		length = sizeof(from);
	}
}

/* ---- probing ---- */

static void probe_over(struct prober *p, struct probe *probe, char letter, int error)
{
	struct linger reset = { .l_onoff = 1 }; /* no TIME_WAIT */

	probe->letter = letter;
	if (letter == PROBER_ERROR && !p->error)
		p->error = error;
	setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(probe->fd);
	probe->fd = -1;
}

static bool is_silence(int error)
{
	return error == EAGAIN || error == EINPROGRESS || error == ETIMEDOUT;
}

static void probe_ask(struct prober *p, struct probe *probe)
{
	if (send(probe->fd, "q", 1, MSG_NOSIGNAL) < 0 && !is_silence(errno))
		probe_over(p, probe, PROBER_ERROR, errno);
	else
		probe->asked = true;
}

static void probe_begin(struct prober *p, size_t i, char expected)
{
	const struct target *target = &p->targets[i / PROBER_PER_TARGET];
	size_t family = i / (PROBER_PROTOCOLS * PROBER_PORTS) % PROBER_FAMILIES;
	struct sockaddr_storage to = target->address[family];
	struct probe *probe = &p->probes[i];

	*probe = (struct probe){ .fd = -1, .letter = PROBER_SKIPPED, .expected = expected };
	if (expected == PROBER_SKIPPED)
		return;
	probe->udp = i / PROBER_PORTS % PROBER_PROTOCOLS;
	probe->letter = PROBER_SILENT;
	/* sin6_port is at the same place. */
	((struct sockaddr_in *)&to)->sin_port = htons((uint16_t)(p->port + i % PROBER_PORTS));
	probe->fd = socket(to.ss_family,
			   (probe->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC,
			   0);
	if (probe->fd < 0)
		die("socket");
	if (connect(probe->fd, (struct sockaddr *)&to, target->length[family]) < 0 &&
	    errno != EINPROGRESS) {
		probe_over(p, probe, PROBER_ERROR, errno);
		return;
	}
	watch(p, probe->fd, probe->udp ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLET, TAG_PROBE | i);
	if (probe->udp)
		probe_ask(p, probe);
}

static void probe_read(struct prober *p, struct probe *probe, const struct target *target)
{
	char name[NAME_SIZE];
	ssize_t n = recv(probe->fd, name, sizeof(name) - 1, 0);

	if (n > 0) {
		name[n] = '\0';
		probe_over(p, probe,
			   strcmp(name, target->name) == 0 ? PROBER_ANSWERED : PROBER_STRANGER, 0);
	} else if (n == 0 || !is_silence(errno)) {
		probe_over(p, probe, PROBER_ERROR, n == 0 ? ECONNRESET : errno);
	}
}

static void probe_event(struct prober *p, size_t i, uint32_t events)
{
	struct probe *probe = &p->probes[i];
	socklen_t length = sizeof(int);
	int error = 0;

	if (probe->fd < 0)
		return;
	if (events & EPOLLERR) {
		getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
		if (error && !is_silence(error)) {
			probe_over(p, probe, PROBER_ERROR, error);
			return;
		}
	}
	if ((events & EPOLLOUT) && !probe->asked)
		probe_ask(p, probe);
	if ((events & EPOLLIN) && probe->fd >= 0)
		probe_read(p, probe, &p->targets[i / PROBER_PER_TARGET]);
}

/* Datagrams may be lost: asks again who is not yet heard. */
static void resend(struct prober *p)
{
	for (size_t i = 0; i < p->n_probes; i++)
		if (p->probes[i].fd >= 0 && p->probes[i].udp)
			probe_ask(p, &p->probes[i]);
	p->resend_ms = now_ms() + RESEND_MS;
}

/* ---- commands ---- */

static void begin(struct prober *p, const char *line)
{
	char letters[PROBER_PROBES_MAX + 1];
	unsigned int timeout;

	if (sscanf(line, "%lu %u %128s", &p->number, &timeout, letters) != 3 ||
	    strlen(letters) != p->n_probes) {
		fprintf(stderr, "prober: no command: %s", line);
		exit(1);
	}
	p->error = 0;
	p->probing = true;
	for (size_t i = 0; i < p->n_probes; i++)
		probe_begin(p, i, letters[i]);
	p->end_ms = now_ms() + timeout;
	p->resend_ms = now_ms() + RESEND_MS;
}

static bool is_open(const struct prober *p)
{
	for (size_t i = 0; i < p->n_probes; i++)
		if (p->probes[i].fd >= 0)
			return true;
	return false;
}

static void finish(struct prober *p)
{
	char letters[PROBER_PROBES_MAX + 1] = "";

	for (size_t i = 0; i < p->n_probes; i++) {
		if (p->probes[i].fd >= 0)
			probe_over(p, &p->probes[i], PROBER_SILENT, 0);
		letters[i] = p->probes[i].letter;
	}
	p->probing = false;
	printf("{\"number\":%lu,\"letters\":\"%s\",\"errno\":%d}\n", p->number, letters, p->error);
	fflush(stdout);
}

static void read_command(struct prober *p)
{
	char line[PROBER_PROBES_MAX + 64];
	ssize_t n = read(p->commands, line, sizeof(line) - 1);

	if (n <= 0)
		return;
	line[n] = '\0';
	begin(p, line);
}

static void on_event(struct prober *p, const struct epoll_event *event)
{
	uint64_t tag = event->data.u64 & ~0xffffffffULL;
	uint32_t value = (uint32_t)event->data.u64;

	if (tag == TAG_PROBE)
		probe_event(p, value, event->events);
	else if (tag == TAG_LISTENER)
		accept_all(p, (int)value);
	else if (tag == TAG_DATAGRAM)
		answer_datagrams(p, (int)value);
	else if (tag == TAG_CLIENT)
		answer_client(p, (int)value);
	else
		read_command(p);
}

static int next_wait(const struct prober *p)
{
	uint64_t now = now_ms(), next = p->resend_ms < p->end_ms ? p->resend_ms : p->end_ms;

	if (!p->probing)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

static void run(struct prober *p)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n;

	for (;;) {
		n = epoll_wait(p->epoll, events, EVENTS_AT_ONCE, next_wait(p));
		for (int i = 0; i < n; i++)
			on_event(p, &events[i]);
		if (p->probing && (!is_open(p) || now_ms() >= p->end_ms))
			finish(p);
		else if (p->probing && now_ms() >= p->resend_ms)
			resend(p);
	}
}

/* "x/a=10.88.0.9,fd88::1:1" */
static void add_target(struct prober *p, const char *text)
{
	struct target *target = &p->targets[p->n_targets++];
	struct sockaddr_in *v4 = (struct sockaddr_in *)&target->address[0];
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target->address[1];
	char a4[INET_ADDRSTRLEN], a6[INET6_ADDRSTRLEN];

	if (p->n_targets > PROBER_TARGETS_MAX ||
	    sscanf(text, "%31[^=]=%15[^,],%45s", target->name, a4, a6) != 3 ||
	    inet_pton(AF_INET, a4, &v4->sin_addr) != 1 ||
	    inet_pton(AF_INET6, a6, &v6->sin6_addr) != 1) {
		fprintf(stderr, "prober: no target: %s\n", text);
		exit(1);
	}
	v4->sin_family = AF_INET;
	v6->sin6_family = AF_INET6;
	target->length[0] = sizeof(*v4);
	target->length[1] = sizeof(*v6);
}

int main(int argc, char **argv)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static struct prober p;

	if (argc < 4)
		return 1;
	p.name = argv[1];
	p.port = (uint16_t)strtoul(argv[2], NULL, 10);
	p.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 4; i < argc; i++)
		add_target(&p, argv[i]);
	p.n_probes = p.n_targets * PROBER_PER_TARGET;
	/* Also for writing, so that it never ends. */
	p.commands = open(argv[3], O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p.epoll < 0 || p.commands < 0)
		die(argv[3]);
	watch(&p, p.commands, EPOLLIN, TAG_COMMAND);
	for (size_t f = 0; f < 2; f++) {
		for (uint16_t port = p.port; port < p.port + PROBER_PORTS; port++) {
			serve_socket(&p, families[f], SOCK_STREAM, port);
			serve_socket(&p, families[f], SOCK_DGRAM, port);
		}
	}
	printf("{\"ready\":\"%s\"}\n", p.name);
	fflush(stdout);
	run(&p);
}
