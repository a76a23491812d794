/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic flood: --count SYNs (with --claim when given), each from a port of its own, one
 * every --interval microseconds, never answered. Prints {"sent":N}.
 */
#include "tools/traffic/raw.h"

#include <stdlib.h>

#define FIRST_PORT 1024

int run_flood(int argc, char **argv)
{
	static uint8_t bytes[FRAME_MAX];
	struct segment s = { .flags = TCP_SYN };
	unsigned long sent = 0;
	struct options o;
	int fd;

	options_parse(argc, argv, &o);
	stop_on_signals();
	fd = raw_open(o.iface, s.src_mac);
	mac_parse(o.mac, s.dst_mac);
	s.src = o.bind;
	s.dst = o.target;
	s.options_length = hex_parse(o.claim, s.options, sizeof(s.options));
	for (int i = 0; (o.count == 0 || i < o.count) && !stopped(); i++) {
		address_set_port(&s.src, FIRST_PORT + i % (65536 - FIRST_PORT));
		s.seq = (uint32_t)random();
		sent += send(fd, bytes, segment_build(&s, bytes), 0) > 0;
		if (o.interval_ms)
			usleep(o.interval_ms);
	}
	printf("{\"sent\":%lu}\n", sent);
	return 0;
}
