/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/ticker.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 5

struct ticks {
	int64_t last_ms;
	unsigned int count;
};

int64_t ticker_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct sockaddr_in ticker_addr(const struct ticker_spec *spec)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(spec->port) };

	inet_pton(AF_INET, spec->address, &addr.sin_addr);
	return addr;
}

static int ticker_report(const struct ticks *t)
{
	printf("{\"last\": %lld, \"count\": %u}\n", (long long)t->last_ms, t->count);
	fflush(stdout);
	return 0;
}

/* What arrived within a tick; whoever it came from gets it back when @echo. */
static void ticker_receive(int fd, bool echo, struct ticks *t)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	char bytes[512];
	ssize_t n;

	if (poll(&wait, 1, TICK_MS) <= 0)
		return;
	n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &size);
	if (n <= 0) {
		poll(NULL, 0, TICK_MS);
		return;
	}
	t->last_ms = ticker_now_ms();
	t->count += n;
	if (echo)
		sendto(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&from, size);
}

static int ticker_server(void *arg)
{
	const struct ticker_spec *spec = arg;
	struct sockaddr_in addr = ticker_addr(spec);
	int fd = socket(AF_INET, spec->udp ? SOCK_DGRAM : SOCK_STREAM, 0), one = 1;
	struct ticks t = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    (!spec->udp && listen(fd, 1) < 0))
		return 1;
	puts("{}");
	fflush(stdout);
	if (!spec->udp)
		fd = accept(fd, NULL, NULL);
	while (ticker_now_ms() < spec->until_ms)
		ticker_receive(fd, true, &t);
	return ticker_report(&t);
}

static int ticker_client(void *arg)
{
	const struct ticker_spec *spec = arg;
	struct sockaddr_in addr = ticker_addr(spec);
	int fd = socket(AF_INET, spec->udp ? SOCK_DGRAM : SOCK_STREAM, 0), one = 1;
	struct ticks t = { 0 };

	if (!spec->udp)
		setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return 1;
	while (ticker_now_ms() < spec->until_ms) {
		send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		ticker_receive(fd, false, &t);
	}
	return ticker_report(&t);
}

static struct lab_process *ticker_start(struct lab *lab, struct lab_place place,
					const struct ticker_spec *spec, int (*fn)(void *))
{
	return lab_spawn(lab,
			 &(struct lab_spawn){
				 .place = place, .fn = fn, .arg = (void *)spec, .log = "ticker" });
}

struct lab_process *ticker_serve(struct lab *lab, struct lab_place place,
				 const struct ticker_spec *spec)
{
	struct lab_process *p = ticker_start(lab, place, spec, ticker_server);

	lab_check(lab, lab_read(p, LAB_WAIT_MS), "the ticker does not listen");
	return p;
}

struct lab_process *ticker_connect(struct lab *lab, struct lab_place place,
				   const struct ticker_spec *spec)
{
	return ticker_start(lab, place, spec, ticker_client);
}
