/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic forge: an attacker with a raw socket who knows everything but a key; or who is root
 * on a node and so knows its keys, too. Each try sends a SYN with --claim; every SYN-ACK is
 * answered by an ACK with data whose tag is
 *	--mode=replay	--tag as it was captured
 *	--mode=flip	--tag with one bit turned, each bit in turn
 *	--mode=guess	--tag with a random MAC
 *	--mode=own	the MAC of the SYN-ACK, reflected
 *	--mode=reflect	the whole tag of the SYN-ACK, reflected
 *	--mode=key	the claim of --tag (by default, --claim) with the right MAC by --key
 *	--mode=none	no tag at all
 * and which --shape=truncated, doubled or oversized spoils.
 * Prints {"tries":N,"synacks":N,"acks":N,"accepted":N,"resets":N}. accepted counts answers
 * that only an accepted connection gives: data, or our data acknowledged.
 */
#include "tools/traffic/raw.h"

#include <countersign/wire.h>
#include <stdlib.h>
#include <sys/random.h>

#define PORTS 65536
#define FIRST_PORT 2000
#define BURST 32
#define PAYLOAD "forged"
#define WIRE_TAG CS_TAG_LEN_MAC
#define WIRE_CLAIM CS_TAG_LEN_SYN
#define WORD_AT 4
#define MAC_AT WIRE_CLAIM
#define LAST_WAIT_MS 1500

struct forger {
	const struct options *o;
	int fd;
	struct segment segment; /* with addresses filled in */
	uint32_t isn[PORTS]; /* by source port; 0: not used */
	uint8_t tag[TCP_OPTIONS_MAX];
	struct cs_key key;
	unsigned long tries, synacks, acks, accepted, resets;
};

static uint32_t random_word(void)
{
	uint32_t word = 0;

	if (getrandom(&word, sizeof(word), 0) != sizeof(word))
		exit(1);
	return word | 1;
}

static void transmit(struct forger *f)
{
	static uint8_t bytes[FRAME_MAX];
	size_t n = segment_build(&f->segment, bytes);

	while (send(f->fd, bytes, n, 0) < 0 && (errno == ENOBUFS || errno == EAGAIN))
		usleep(100);
}

static void send_syn(struct forger *f)
{
	struct segment *s = &f->segment;
	uint16_t port = FIRST_PORT + f->tries % (PORTS - FIRST_PORT);

	if (f->o->bind.length && address_port(&f->o->bind))
		port = address_port(&f->o->bind); /* the very tuple that was captured */
	f->isn[port] = f->o->isn ? (uint32_t)f->o->isn : random_word();
	address_set_port(&s->src, port);
	s->seq = f->isn[port];
	s->ack = 0;
	s->flags = TCP_SYN;
	s->payload = NULL;
	s->options_length = hex_parse(f->o->claim, s->options, sizeof(s->options));
	transmit(f);
	f->tries++;
}

static uint64_t word_at(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < sizeof(word); i++)
		word = word << 8 | bytes[i];
	return word;
}

/* What the node's own kernel would write for that claim. */
static void make_mac(const struct forger *f, const struct frame *synack, uint8_t *tag)
{
	struct cs_mac_input in = {
		.sender = word_at(tag + WORD_AT),
		.receiver = synack->tag_length == WIRE_TAG ? word_at(synack->tag + WORD_AT) : 0,
		.isn_client = synack->ack - 1,
		.isn_server = synack->seq,
		.label = CS_MAC_ACK,
	};
	uint64_t mac = cs_mac(&f->key, &in);

	for (size_t i = 0; i < sizeof(mac); i++)
		tag[MAC_AT + i] = mac >> (56 - 8 * i);
}

/* Spoils a whole tag; returns its new length. */
static size_t shape_tag(const struct forger *f, uint8_t *tag)
{
	const char *shape = f->o->shape ? f->o->shape : "";

	if (streq(shape, "truncated")) {
		tag[1] = WIRE_CLAIM;
		return WIRE_CLAIM;
	}
	if (streq(shape, "doubled")) {
		memcpy(tag + WIRE_TAG, tag, WIRE_TAG);
		return 2 * WIRE_TAG;
	}
	if (streq(shape, "oversized")) {
		memset(tag + WIRE_TAG, 0, 4);
		tag[1] = WIRE_TAG + 4;
		return WIRE_TAG + 4;
	}
	return WIRE_TAG;
}

/* The tag of the next ACK, by mode; returns its length. */
static size_t forge_tag(struct forger *f, const struct frame *synack, uint8_t *tag)
{
	const char *mode = f->o->mode ? f->o->mode : "guess";
	bool answered = synack->tag_length == WIRE_TAG;
	unsigned int bit = f->acks % (WIRE_TAG * 8);

	if (streq(mode, "none"))
		return 0;
	memcpy(tag, f->tag, WIRE_TAG);
	if (streq(mode, "flip"))
		tag[bit / 8] ^= 1 << bit % 8;
	else if (streq(mode, "own") && answered)
		memcpy(tag + MAC_AT, synack->tag + MAC_AT, WIRE_TAG - MAC_AT);
	else if (streq(mode, "reflect") && answered)
		memcpy(tag, synack->tag, WIRE_TAG);
	else if (streq(mode, "key"))
		make_mac(f, synack, tag);
	else if (streq(mode, "guess") && getrandom(tag + MAC_AT, WIRE_TAG - MAC_AT, 0) < 0)
		exit(1);
	return shape_tag(f, tag);
}

static void send_ack(struct forger *f, const struct frame *synack)
{
	struct segment *s = &f->segment;
	uint16_t port = address_port(&synack->dst);

	address_set_port(&s->src, port);
	s->seq = f->isn[port] + 1;
	s->ack = synack->seq + 1;
	s->flags = TCP_ACK;
	s->payload = PAYLOAD;
	s->options_length = forge_tag(f, synack, s->options);
	transmit(f);
	f->acks++;
}

static void answer(struct forger *f, const struct frame *frame)
{
	uint32_t isn = f->isn[address_port(&frame->dst)];

	if (frame->protocol != IPPROTO_TCP || !isn ||
	    address_port(&frame->src) != address_port(&f->o->target) ||
	    !address_same_host(&frame->dst, &f->o->bind))
		return;
	if (frame->flags & TCP_RST) {
		f->resets++;
	} else if ((frame->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
		f->synacks++;
		if (frame->ack == isn + 1)
			send_ack(f, frame);
	} else if (frame->payload || frame->ack == isn + 1 + strlen(PAYLOAD)) {
		f->accepted++;
	}
}

static void listen_for(struct forger *f, int ms)
{
	static uint8_t bytes[FRAME_MAX];
	double end = now_ms() + ms;
	struct frame frame;
	ssize_t n;

	do {
		n = raw_receive(f->fd, bytes, sizeof(bytes), 1, false);
		if (n <= 0)
			continue;
		frame_parse(bytes, n, &frame);
		answer(f, &frame);
	} while (now_ms() < end && (n != -ETIMEDOUT || ms > 10));
}

/* --tag and --key; false when one of them is wrong. */
static bool read_secrets(struct forger *f)
{
	const struct options *o = f->o;

	/* Without a captured tag, the claim's with room for a MAC. */
	if (!o->tag && o->claim && hex_parse(o->claim, f->tag, sizeof(f->tag)) >= WIRE_CLAIM)
		f->tag[1] = WIRE_TAG;
	if (o->tag && hex_parse(o->tag, f->tag, sizeof(f->tag)) != WIRE_TAG) {
		fprintf(stderr, "traffic forge: --tag must have %d bytes\n", WIRE_TAG);
		return false;
	}
	if (o->key && hex_parse(o->key, (uint8_t *)&f->key, sizeof(f->key)) != sizeof(f->key)) {
		fprintf(stderr, "traffic forge: --key must have %zu bytes\n", sizeof(f->key));
		return false;
	}
	return true;
}

int run_forge(int argc, char **argv)
{
	static struct forger f;
	struct options o;

	options_parse(argc, argv, &o);
	stop_on_signals();
	f.o = &o;
	f.fd = raw_open(o.iface, f.segment.src_mac);
	mac_parse(o.mac, f.segment.dst_mac);
	f.segment.src = o.bind;
	f.segment.dst = o.target;
	if (!o.bind.length || !o.target.length) {
		fprintf(stderr, "traffic forge: needs --bind=ADDRESS:PORT and a target\n");
		return 2;
	}
	if (!read_secrets(&f))
		return 2;
	while (f.tries < (unsigned long)o.count && !stopped()) {
		for (int i = 0; i < BURST && f.tries < (unsigned long)o.count; i++)
			send_syn(&f);
		listen_for(&f, 5);
	}
	listen_for(&f, LAST_WAIT_MS);
	printf("{\"tries\":%lu,\"synacks\":%lu,\"acks\":%lu,\"accepted\":%lu,\"resets\":%lu}\n",
	       f.tries, f.synacks, f.acks, f.accepted, f.resets);
	return f.accepted ? 1 : 0;
}
