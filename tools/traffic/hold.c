/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic hold: one long connection, one byte to and fro every --interval ms. Prints
 *	{"established":true,"local":"a:p","peer":{...}}
 *	{"stalled":true,"exchanges":N}	when an answer takes longer than --timeout
 *	{"broken":true,"errno":N,"error":"text","exchanges":N}	and ends
 */
#include "tools/traffic/traffic.h"

#include <poll.h>

static int broken(int error, unsigned long exchanges)
{
	printf("{\"broken\":true,\"errno\":%d,\"error\":\"%s\",\"exchanges\":%lu}\n", error,
	       strerror(error), exchanges);
	return 1;
}

static void established(int fd)
{
	struct address local = { .length = sizeof(local.sa) };
	char text[80];

	getsockname(fd, (struct sockaddr *)&local.sa, &local.length);
	address_text(&local, text, sizeof(text));
	printf("{\"established\":true,\"local\":\"%s\",", text);
	print_peer(fd);
	printf("}\n");
}

static int hold(int fd, const struct options *o)
{
	unsigned long exchanges = 0;
	bool stalled = false;
	char byte = 'h';
	ssize_t n;

	while (!stopped()) {
		if (!stalled && send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			return broken(errno, exchanges);
		if (wait_for(fd, POLLIN, o->timeout_ms) < 0) {
			if (!stalled)
				printf("{\"stalled\":true,\"exchanges\":%lu}\n", exchanges);
			stalled = true;
			continue;
		}
		n = recv(fd, &byte, 1, 0);
		if (n <= 0)
			return broken(n < 0 ? errno : 0, exchanges);
		exchanges++;
		stalled = false;
		usleep(o->interval_ms * 1000);
	}
	printf("{\"broken\":false,\"exchanges\":%lu}\n", exchanges);
	return 0;
}

int run_hold(int argc, char **argv)
{
	struct options o;
	int fd;

	options_parse(argc, argv, &o);
	if (o.interval_ms == 0)
		o.interval_ms = 10;
	stop_on_signals();
	fd = open_socket(&o);
	if (connect(fd, (const struct sockaddr *)&o.target.sa, o.target.length) < 0)
		return broken(errno, 0);
	established(fd);
	return hold(fd, &o);
}
