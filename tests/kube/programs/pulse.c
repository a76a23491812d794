/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pulse ADDRESS:PORT [--once MS]: tells to the millisecond when a way opens and when it closes.
 *
 * It tries to connect, with a socket of its own each time, until somebody answers: {"event":
 * "open","ms":M,"tries":N}. Then a byte goes there and back all the time, until the connection
 * breaks or nothing comes back: {"event":"closed","ms":M}. And again. Moments are milliseconds of
 * CLOCK_REALTIME. --once: a single opening, given up after MS; exit code 1 then.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "user/base/clock.h"
#include "user/base/util.h"

#define TRY_MS 20 /* a SYN that is dropped is sent again by a new try, not by the kernel */
#define SILENCE_MS 40
#define PAUSE_US 500

static double now_ms(void)
{
	return clock_ns(CLOCK_REALTIME) / 1e6;
}

static int wait_for(int fd, short what, int ms)
{
	struct pollfd p = { .fd = fd, .events = what };

	return poll(&p, 1, ms) == 1 && p.revents & what ? 0 : -ETIMEDOUT;
}

static int error_of(int fd)
{
	socklen_t length = sizeof(int);
	int error = 0;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return -error;
}

/* A byte to the echo server and back. */
static int beat(int fd, int ms)
{
	char byte = 'x';

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || wait_for(fd, POLLIN, ms) < 0)
		return -ECONNABORTED;
	return recv(fd, &byte, 1, 0) == 1 ? 0 : -ECONNRESET;
}

static int dial(const struct sockaddr_in *to)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const struct linger reset = { .l_onoff = 1 };

	if (fd < 0)
		return -errno;
	/* No FIN to wait for: ports would run out. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS)
		return -errno;
	if (wait_for(fd, POLLOUT, TRY_MS) < 0 || error_of(fd) < 0)
		return -ETIMEDOUT;
	return beat(fd, TRY_MS) < 0 ? -ETIMEDOUT : TAKE_FD(fd);
}

static int open_way(const struct sockaddr_in *to, double until_ms)
{
	unsigned long tries = 0;
	int fd;

	do {
		tries++;
		fd = dial(to);
		if (fd < 0)
			usleep(PAUSE_US);
	} while (fd < 0 && now_ms() < until_ms);
	if (fd >= 0)
		printf("{\"event\":\"open\",\"ms\":%.3f,\"tries\":%lu}\n", now_ms(), tries);
	return fd;
}

static void use_way(int fd)
{
	double last = now_ms();

	while (beat(fd, SILENCE_MS) == 0) {
		last = now_ms();
		usleep(PAUSE_US);
	}
	printf("{\"event\":\"closed\",\"ms\":%.3f}\n", last);
	close(fd);
}

static int parse(char *text, struct sockaddr_in *ret)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	ret->sin_family = AF_INET;
	ret->sin_port = htons((uint16_t)atoi(colon + 1));
	return inet_pton(AF_INET, text, &ret->sin_addr) == 1 ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	bool once = argc == 4 && streq(argv[2], "--once");
	struct sockaddr_in to = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if ((argc != 2 && !once) || parse(argv[1], &to) < 0) {
		fputs("usage: pulse ADDRESS:PORT [--once MS]\n", stderr);
		return 2;
	}
	if (once)
		return open_way(&to, now_ms() + atoi(argv[3])) < 0;
	for (;;)
		use_way(open_way(&to, 1e18));
}
