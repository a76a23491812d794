/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic capture --iface=NAME: {"capturing":"NAME"}, then each tagged TCP segment as
 *	{"src":"a:p","dst":"a:p","flags":N,"seq":N,"ack":N,"tag":"fd0c4353..."}
 * and on SIGTERM {"segments":N,"tagged":N,"datagrams":N}. With --report also untagged ones.
 */
#include "tools/traffic/raw.h"

struct totals {
	unsigned long segments, tagged, datagrams;
};

static void print_segment(const struct frame *f)
{
	char src[80], dst[80], tag[2 * TCP_OPTIONS_MAX + 1] = "";

	address_text(&f->src, src, sizeof(src));
	address_text(&f->dst, dst, sizeof(dst));
	if (f->tag)
		hex_text(f->tag, f->tag_length, tag);
	printf("{\"src\":\"%s\",\"dst\":\"%s\",\"flags\":%d,\"seq\":%u,\"ack\":%u,\"payload\":%zu,\"tag\":\"%s\"}\n",
	       src, dst, f->flags, f->seq, f->ack, f->payload, tag);
}

static void look(const struct options *o, struct frame *f, struct totals *t)
{
	t->datagrams += f->protocol == IPPROTO_UDP;
	if (f->protocol != IPPROTO_TCP)
		return;
	t->segments++;
	t->tagged += f->tag != NULL;
	if ((f->tag || o->report) && !o->summary)
		print_segment(f);
}

int run_capture(int argc, char **argv)
{
	static uint8_t bytes[FRAME_MAX];
	struct totals totals = { 0 };
	struct frame frame;
	struct options o;
	ssize_t n;
	int fd;

	options_parse(argc, argv, &o);
	stop_on_signals();
	fd = raw_open(o.iface, NULL);
	printf("{\"capturing\":\"%s\"}\n", o.iface);
	for (;;) {
		n = raw_receive(fd, bytes, sizeof(bytes), 20, true);
		if (n == -ETIMEDOUT && stopped())
			break; /* what had arrived is counted */
		if (n <= 0)
			continue;
		frame_parse(bytes, n, &frame);
		look(&o, &frame, &totals);
	}
	printf("{\"segments\":%lu,\"tagged\":%lu,\"datagrams\":%lu}\n", totals.segments,
	       totals.tagged, totals.datagrams);
	return 0;
}
