/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic relay --iface=CLIENTS --other=SERVERS: the only wire between two interfaces, and
 * not an honest one. What it does to tags, by --mode:
 *	none		nothing
 *	flip-syn, flip-synack, flip-ack	turns one bit of the tag of that segment; which
 *			one follows from the client's port, so that each connection has its own
 *	replay-synack, replay-ack	gives every such segment the tag of the first one
 *	swap-synack, swap-ack	exchanges the tags of the first two connections: such segments
 *			are lost until both have been seen
 *	reflect-synack	names the client itself as the sender of the SYN-ACK's tag
 *	strip		replaces every tag by padding
 * Prints {"relaying":"MODE"} and on SIGTERM {"frames":N,"damaged":N}.
 */
#include "tools/traffic/raw.h"

#include <countersign/wire.h>
#include <poll.h>

#define WORD_AT 4
#define WORD 8
#define NOP 1
#define SEEN_MAX 2

/* Which tags a mode is after: of the first segment of that kind, or of any. */
enum segment_kind { KIND_ANY, KIND_SYN, KIND_SYNACK, KIND_ACK };

/* A tag that was seen, and the client's port of its connection. */
struct seen {
	uint16_t port;
	uint8_t tag[CS_TAG_LEN_MAC];
};

struct relay;

/* Changes the tag; false: the frame is lost. */
typedef bool (*damage_fn)(struct relay *r, struct frame *f, uint16_t port);

struct relay {
	const struct mode *mode;
	struct seen seen[SEEN_MAX];
	size_t n_seen;
	uint8_t claim[WORD]; /* the client's, of its last SYN */
	unsigned long frames, damaged;
};

static bool flip(struct relay *r, struct frame *f, uint16_t port)
{
	unsigned int bit = port % (f->tag_length * 8);

	f->tag[bit / 8] ^= 1 << bit % 8;
	r->damaged++;
	return true;
}

static bool strip(struct relay *r, struct frame *f, uint16_t port)
{
	(void)port;
	memset(f->tag, NOP, f->tag_length);
	r->damaged++;
	return true;
}

/* Remembers the tags of the first connections, one each. */
static void remember(struct relay *r, const struct frame *f, uint16_t port)
{
	for (size_t i = 0; i < r->n_seen; i++)
		if (r->seen[i].port == port)
			return;
	if (r->n_seen == SEEN_MAX)
		return;
	r->seen[r->n_seen].port = port;
	memcpy(r->seen[r->n_seen++].tag, f->tag, CS_TAG_LEN_MAC);
}

static bool replay(struct relay *r, struct frame *f, uint16_t port)
{
	remember(r, f, port);
	if (r->seen[0].port == port)
		return true; /* the one that is copied */
	memcpy(f->tag, r->seen[0].tag, CS_TAG_LEN_MAC);
	r->damaged++;
	return true;
}

static bool swap(struct relay *r, struct frame *f, uint16_t port)
{
	remember(r, f, port);
	if (r->n_seen < SEEN_MAX)
		return false;
	for (size_t i = 0; i < SEEN_MAX; i++) {
		if (r->seen[i].port != port)
			continue;
		memcpy(f->tag, r->seen[!i].tag, CS_TAG_LEN_MAC);
		r->damaged++;
	}
	return true;
}

static bool reflect(struct relay *r, struct frame *f, uint16_t port)
{
	(void)port;
	memcpy(f->tag + WORD_AT, r->claim, WORD);
	r->damaged++;
	return true;
}

static const struct mode {
	const char *name;
	enum segment_kind kind;
	damage_fn damage; /* NULL: none */
} modes[] = {
	{ "none", KIND_ANY, NULL },	    { "strip", KIND_ANY, strip },
	{ "flip-syn", KIND_SYN, flip },	    { "flip-synack", KIND_SYNACK, flip },
	{ "flip-ack", KIND_ACK, flip },	    { "replay-synack", KIND_SYNACK, replay },
	{ "replay-ack", KIND_ACK, replay }, { "swap-synack", KIND_SYNACK, swap },
	{ "swap-ack", KIND_ACK, swap },	    { "reflect-synack", KIND_SYNACK, reflect },
};

static const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (streq(modes[i].name, name))
			return &modes[i];
	fprintf(stderr, "traffic relay: no such mode: %s\n", name);
	exit(2);
}

/* KIND_ANY: none of those that carry a tag of their own. */
static enum segment_kind kind_of(const struct frame *f, bool from_client)
{
	uint8_t flags = f->flags & (TCP_SYN | TCP_ACK);

	if (from_client && flags == TCP_SYN && f->tag_length == CS_TAG_LEN_SYN)
		return KIND_SYN;
	if (!from_client && flags == (TCP_SYN | TCP_ACK) && f->tag_length == CS_TAG_LEN_MAC)
		return KIND_SYNACK;
	if (from_client && flags == TCP_ACK && f->tag_length == CS_TAG_LEN_MAC)
		return KIND_ACK;
	return KIND_ANY;
}

/* False: the frame is lost. */
static bool treat(struct relay *r, struct frame *f, bool from_client)
{
	uint16_t port = address_port(from_client ? &f->src : &f->dst);
	enum segment_kind kind;

	if (!f->tag)
		return true;
	kind = kind_of(f, from_client);
	if (kind == KIND_SYN)
		memcpy(r->claim, f->tag + WORD_AT, WORD);
	if (!r->mode->damage || (r->mode->kind != KIND_ANY && r->mode->kind != kind))
		return true;
	return r->mode->damage(r, f, port);
}

static void pass(struct relay *r, int from, int to, bool from_client)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame;
	ssize_t n = raw_receive(from, bytes, sizeof(bytes), 0, false);

	if (n <= 0)
		return;
	frame_parse(bytes, n, &frame);
	if (!treat(r, &frame, from_client))
		return;
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
	relay.mode = mode_find(o.mode ? o.mode : "none");
	fds[0] = (struct pollfd){ .fd = raw_open(o.iface, NULL), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = raw_open(o.other, NULL), .events = POLLIN };
	printf("{\"relaying\":\"%s\"}\n", relay.mode->name);
	while (!stopped()) {
		poll(fds, 2, 100);
		for (int i = 0; i < 2; i++)
			if (fds[i].revents & POLLIN)
				pass(&relay, fds[i].fd, fds[!i].fd, i == 0);
	}
	printf("{\"frames\":%lu,\"damaged\":%lu}\n", relay.frames, relay.damaged);
	return 0;
}
