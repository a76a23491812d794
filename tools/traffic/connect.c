/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic connect: each attempt prints
 *	{"connected":B,"answered":B,"errno":N,"error":"text","ms":X,"local":"a:p","peer":{...}}
 * connected: connect() succeeded; answered: the server's bytes came back as well. With
 * --summary one line at the end counts the attempts instead.
 */
#include "tools/traffic/traffic.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

#define SIZE_MAX_BYTES 65536
#define ERRORS_MAX 256 /* errno values */

struct attempt {
	int fd;
	int error; /* errno of what failed, 0: nothing did */
	bool connected;
	bool answered;
	double ms;
};

struct tally {
	unsigned long attempts, answered, connected;
	unsigned long errors[ERRORS_MAX];
	double max_ms, sum_ms;
};

static int connect_error(int fd)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return errno;
	return error;
}

/* connect() with a time limit; 0 or an errno. */
static int dial(int fd, const struct options *o)
{
	int one = 1;

	if (o->udp && o->unconnected)
		return 0;
	if (o->fastopen)
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (const struct sockaddr *)&o->target.sa, o->target.length) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (wait_for(fd, POLLOUT, o->timeout_ms) < 0)
		return ETIMEDOUT;
	return connect_error(fd);
}

/* Sends the request; 0 or an errno. */
static int ask(int fd, const struct options *o, const char *bytes)
{
	const struct sockaddr *to = o->unconnected ? (const struct sockaddr *)&o->target.sa : NULL;
	ssize_t n;

	if (o->banner)
		return 0; /* the server speaks first */
	do {
		n = sendto(fd, bytes, o->size, MSG_NOSIGNAL, to, to ? o->target.length : 0);
	} while (n < 0 && (errno == EAGAIN || errno == EINPROGRESS) &&
		 wait_for(fd, POLLOUT, o->timeout_ms) == 0);
	return n == o->size ? 0 : errno ? errno : EIO;
}

static int await_answer(int fd, const struct options *o, char *bytes)
{
	double end = now_ms() + o->timeout_ms;
	int got = 0;
	ssize_t n;

	while (got < o->size) {
		if (wait_for(fd, POLLIN, (int)(end - now_ms())) < 0)
			return ETIMEDOUT;
		n = recv(fd, bytes, o->size, MSG_DONTWAIT);
		if (n == 0)
			return ECONNRESET;
		if (n < 0 && errno != EAGAIN)
			return errno;
		got += n > 0 ? n : 0;
	}
	return 0;
}

static void wait_for_file(const char *path)
{
	while (path && access(path, F_OK) < 0 && !stopped())
		usleep(1000);
}

static void attempt(const struct options *o, struct attempt *a)
{
	static char bytes[SIZE_MAX_BYTES];
	double start = now_ms();

	*a = (struct attempt){ .fd = open_socket(o) };
	a->error = dial(a->fd, o);
	a->connected = a->error == 0;
	wait_for_file(o->before);
	if (!a->error)
		a->error = ask(a->fd, o, bytes);
	if (!a->error)
		a->error = await_answer(a->fd, o, bytes);
	a->answered = a->error == 0;
	a->ms = now_ms() - start;
}

static void print_attempt(const struct attempt *a)
{
	struct address local = { .length = sizeof(local.sa) };
	char text[80];

	getsockname(a->fd, (struct sockaddr *)&local.sa, &local.length);
	address_text(&local, text, sizeof(text));
	printf("{\"connected\":%s,\"answered\":%s,\"errno\":%d,\"error\":\"%s\",\"ms\":%.3f,\"local\":\"%s\",",
	       a->connected ? "true" : "false", a->answered ? "true" : "false", a->error,
	       strerror(a->error), a->ms, text);
	print_peer(a->fd);
	printf("}\n");
}

static void hang_up(const struct options *o, const struct attempt *a)
{
	struct linger linger = { 1, 0 };

	if (o->linger_ms)
		usleep(o->linger_ms * 1000);
	if (o->reset)
		setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(a->fd);
}

static void count(struct tally *t, const struct attempt *a)
{
	t->attempts++;
	t->connected += a->connected;
	t->answered += a->answered;
	t->sum_ms += a->ms;
	t->max_ms = MAX(t->max_ms, a->ms);
	if (a->error)
		t->errors[a->error % ERRORS_MAX]++;
}

static void print_tally(const struct tally *t)
{
	const char *comma = "";

	printf("{\"attempts\":%lu,\"connected\":%lu,\"answered\":%lu,\"failed\":%lu,\"mean_ms\":%.3f,"
	       "\"max_ms\":%.3f,\"errors\":{",
	       t->attempts, t->connected, t->answered, t->attempts - t->answered,
	       t->attempts ? t->sum_ms / t->attempts : 0, t->max_ms);
	for (int i = 0; i < ERRORS_MAX; i++) {
		if (!t->errors[i])
			continue;
		printf("%s\"%s\":%lu", comma, strerrorname_np(i) ? strerrorname_np(i) : "?",
		       t->errors[i]);
		comma = ",";
	}
	printf("}}\n");
}

int run_connect(int argc, char **argv)
{
	struct tally tally = { 0 };
	struct attempt a;
	struct options o;

	options_parse(argc, argv, &o);
	o.size = MIN(MAX(o.size, 1), SIZE_MAX_BYTES);
	stop_on_signals();
	for (int i = 0; (o.count == 0 || i < o.count) && !stopped(); i++) {
		attempt(&o, &a);
		if (stopped() && !a.answered) {
			close(a.fd); /* interrupted: says nothing about the network */
			break;
		}
		count(&tally, &a);
		if (!o.summary)
			print_attempt(&a);
		hang_up(&o, &a);
		if (o.interval_ms)
			usleep(o.interval_ms * 1000);
	}
	if (o.summary)
		print_tally(&tally);
	return tally.answered == tally.attempts ? 0 : 1;
}
