/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic relay --iface=CLIENTS --other=SERVERS: the only wire between two interfaces, and
 * not an honest one. What it does to tags, by --mode:
 *	none		nothing
 *	flip-syn, flip-synack, flip-ack	turns one bit of the tag of that segment; which
 *			one follows from the client's port, so that each connection has its own
 *	strip		replaces every tag by padding
 * Prints {"relaying":"MODE"} and on SIGTERM {"frames":N,"damaged":N}.
 */
#include "tools/traffic/raw.h"

#include <poll.h>

#define TAG_SYN 12
#define TAG_MAC 20
#define NOP 1

struct relay {
	const char *mode;
	unsigned long frames, damaged;
};

static bool is_target(const struct relay *r, const struct frame *f, bool from_client)
{
	uint8_t kind = f->flags & (TCP_SYN | TCP_ACK);

	if (!f->tag)
		return false;
	if (streq(r->mode, "strip"))
		return true;
	if (streq(r->mode, "flip-syn"))
		return from_client && kind == TCP_SYN && f->tag_length == TAG_SYN;
	if (streq(r->mode, "flip-synack"))
		return !from_client && kind == (TCP_SYN | TCP_ACK) && f->tag_length == TAG_MAC;
	if (streq(r->mode, "flip-ack"))
		return from_client && kind == TCP_ACK && f->tag_length == TAG_MAC;
	return false;
}

static void damage(struct relay *r, struct frame *f, bool from_client)
{
	uint16_t port = address_port(from_client ? &f->src : &f->dst);
	unsigned int bit = port % (f->tag_length * 8);

	if (!is_target(r, f, from_client))
		return;
	if (streq(r->mode, "strip"))
		memset(f->tag, NOP, f->tag_length);
	else
		f->tag[bit / 8] ^= 1 << bit % 8;
	r->damaged++;
}

static void pass(struct relay *r, int from, int to, bool from_client)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame;
	ssize_t n = raw_receive(from, bytes, sizeof(bytes), 0, false);

	if (n <= 0)
		return;
	frame_parse(bytes, n, &frame);
	damage(r, &frame, from_client);
	frame_checksum(&frame);
	if (send(to, bytes, frame.length, 0) > 0)
		r->frames++;
}

int run_relay(int argc, char **argv)
{
	struct relay relay = { 0 };
	struct pollfd fds[2];
	struct options o;

	options_parse(argc, argv, &o);
	stop_on_signals();
	relay.mode = o.mode ? o.mode : "none";
	fds[0] = (struct pollfd){ .fd = raw_open(o.iface, NULL), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = raw_open(o.other, NULL), .events = POLLIN };
	printf("{\"relaying\":\"%s\"}\n", relay.mode);
	while (!stopped()) {
		poll(fds, 2, 100);
		for (int i = 0; i < 2; i++)
			if (fds[i].revents & POLLIN)
				pass(&relay, fds[i].fd, fds[!i].fd, i == 0);
	}
	printf("{\"frames\":%lu,\"damaged\":%lu}\n", relay.frames, relay.damaged);
	return 0;
}
