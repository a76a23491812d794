/* SPDX-License-Identifier: Apache-2.0 */
/* The packet and option parsers, in the kernel, on well-formed and hostile packets. */
#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "tests/bpf/packets.h"

#include "tests/bpf/parse_result.h"

#include "parse.skel.h"

static struct parse_bpf *skeleton;

static void setup(void)
{
	skeleton = parse_bpf__open_and_load();
	cr_assert_not_null(skeleton, "the parsers load");
}

static void teardown(void)
{
	parse_bpf__destroy(skeleton);
}

TestSuite(parse, .init = setup, .fini = teardown);

static void run(const struct packet_plan *plan)
{
	struct packet packet;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);

	packet_build(plan, &packet);
	opts.data_in = packet.byte;
	opts.data_size_in = packet.length;
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.parse), &opts), 0,
		     "the kernel takes the packet: %m");
}

#define TAG_WORD 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x12, 0x34
#define MAC_WORD 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8
#define SYN_TAG 253, 12, 0x43, 0x53, TAG_WORD
#define ACK_TAG 253, 20, 0x43, 0x53, TAG_WORD, MAC_WORD
#define TIMESTAMPS 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8
#define SYN_OPTIONS 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7

struct option_case {
	const char *name;
	uint8_t bytes[40];
	size_t length;
	int tags, tag_length, seen; /* expected */
	bool tag_read; /* tag word and, when 20 long, MAC are right */
};

enum { MPTCP = 1, FASTOPEN = 2, BROKEN = 4, COOKIE_REQUEST = 8 };

#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static const struct option_case option_cases[] = {
	{ "a default SYN with a tag", BYTES(SYN_OPTIONS, SYN_TAG), 1, 12, 0, true },
	{ "a default SYN-ACK with a tag", BYTES(SYN_OPTIONS, ACK_TAG), 1, 20, 0, true },
	{ "an ACK with a tag", BYTES(TIMESTAMPS, ACK_TAG), 1, 20, 0, true },
	{ "the tag first", BYTES(SYN_TAG, SYN_OPTIONS), 1, 12, 0, true },
	{ "only a tag", BYTES(SYN_TAG), 1, 12, 0, true },
	{ "a tag behind NOPs", BYTES(1, 1, 1, 1, 1, 1, 1, 1, SYN_TAG), 1, 12, 0, true },
	{ "no options", { 0 }, 0, 0, 0, 0, false },
	{ "no tag", BYTES(SYN_OPTIONS), 0, 0, 0, false },
	{ "two tags", BYTES(SYN_TAG, SYN_TAG), 2, 12, 0, true },
	{ "two tags of different length", BYTES(SYN_TAG, ACK_TAG), 2, 12, 0, true },
	{ "a tag behind the end of options", BYTES(0, SYN_TAG), 0, 0, 0, false },
	{ "kind 253 of another experiment", BYTES(253, 12, 0x43, 0x54, TAG_WORD), 0, 0, 0, false },
	{ "kind 254 with our ExID", BYTES(254, 12, 0x43, 0x53, TAG_WORD), 0, 0, 0, false },
	{ "a tag too short", BYTES(253, 11, 0x43, 0x53, 0, 1, 0, 0, 0, 0, 0), 1, 11, 0, false },
	{ "a tag of four bytes", BYTES(253, 4, 0x43, 0x53), 1, 4, 0, false },
	{ "a tag of three bytes", BYTES(253, 3, 0x43), 0, 0, 0, false },
	{ "a tag too long", BYTES(253, 21, 0x43, 0x53, TAG_WORD, MAC_WORD, 0), 1, 21, 0, false },
	{ "a tag cut by the header", BYTES(1, 1, 1, 1, 253, 20, 0x43, 0x53, TAG_WORD), 0, 0, BROKEN,
	  false },
	{ "an option of length 0", BYTES(5, 0, 1, 1), 0, 0, BROKEN, false },
	{ "an option of length 1", BYTES(5, 1, 1, 1), 0, 0, BROKEN, false },
	{ "an option of length 255", BYTES(5, 255, 1, 1), 0, 0, BROKEN, false },
	{ "a kind as the last byte", BYTES(1, 1, 1, 253), 0, 0, BROKEN, false },
	{ "MP_CAPABLE", BYTES(30, 4, 1, 0x81, SYN_TAG), 1, 12, MPTCP, true },
	{ "a Fast Open cookie", BYTES(34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1), 0, 0, FASTOPEN,
	  false },
	{ "a Fast Open cookie request", BYTES(34, 2, 1, 1, SYN_TAG), 1, 12, COOKIE_REQUEST, true },
	{ "forty NOPs",
	  BYTES(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
	  0, 0, 0, false },
	{ "a tag in the last bytes",
	  BYTES(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ACK_TAG), 1, 20, 0,
	  true },
};

static void check_options(const struct option_case *c)
{
	struct packet_plan plan = { .options = c->bytes, .options_length = c->length };

	for (int v6 = 0; v6 < 2; v6++) {
		plan.ipv6 = v6;
		run(&plan);
		cr_assert_eq(skeleton->bss->result.parse, 0, "%s", c->name);
		cr_assert_eq(skeleton->bss->result.read, 0, "%s", c->name);
		cr_expect_eq(skeleton->bss->result.tags, c->tags, "%s: tags", c->name);
		cr_expect_eq(skeleton->bss->result.seen, c->seen, "%s: seen %d", c->name,
			     skeleton->bss->result.seen);
		cr_expect_eq(skeleton->bss->result.tag_length, c->tag_length, "%s: length",
			     c->name);
		if (!c->tag_read)
			continue;
		cr_expect_eq(skeleton->bss->result.tag, 0x0001000000001234ULL, "%s: tag", c->name);
		cr_expect_eq(skeleton->bss->result.mac,
			     c->tag_length == 20 ? 0xa1a2a3a4a5a6a7a8ULL : 0, "%s: mac", c->name);
	}
}

Test(parse, tcp_options)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_cases); i++)
		check_options(&option_cases[i]);
}

Test(parse, ports_and_flags_of_tcp)
{
	run(&(struct packet_plan){ .tcp_flags = 0x12, .sport = 1, .dport = 65535, .payload = 9 });
	cr_expect_eq(skeleton->bss->result.sport, 1);
	cr_expect_eq(skeleton->bss->result.dport, 65535);
	cr_expect_eq(skeleton->bss->result.tcp_flags, 0x12);
	cr_expect_eq(skeleton->bss->result.seq, 1000);
	cr_expect_eq(skeleton->bss->result.ack, 2000);
	cr_expect_eq(skeleton->bss->result.doff, 20);
	cr_expect_eq(skeleton->bss->result.length, 20 + 20 + 9);
}

Test(parse, ports_of_udp_and_sctp)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_SCTP };

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			run(&(struct packet_plan){
				.ipv6 = v6, .protocol = protocols[i], .sport = 53, .dport = 5353 });
			cr_assert_eq(skeleton->bss->result.parse, 0);
			cr_expect_eq(skeleton->bss->result.protocol, protocols[i]);
			cr_expect_eq(skeleton->bss->result.sport, 53);
			cr_expect_eq(skeleton->bss->result.dport, 5353);
		}
}

Test(parse, ipv4_is_mapped)
{
	static const uint8_t src[16] = { [10] = 0xff, 0xff, 10, 77, 0, 2 };

	run(&(struct packet_plan){ 0 });
	cr_expect_arr_eq(&skeleton->bss->result.src, src, 16);
	cr_expect_eq(skeleton->bss->result.family, 4);
}

struct extension_case {
	const char *name;
	uint8_t next;
	uint8_t bytes[64];
	size_t length;
	int parse; /* expected */
};

/* Each extension: next header, length in 8 bytes minus one, filling. */
#define EXT(next) next, 0, 0, 0, 0, 0, 0, 0

static const struct extension_case extension_cases[] = {
	{ "hop-by-hop", 0, BYTES(EXT(6)), 0 },
	{ "routing", 43, BYTES(EXT(6)), 0 },
	{ "fragment", 44, BYTES(EXT(6)), 0 },
	{ "destination options", 60, BYTES(EXT(6)), 0 },
	{ "three in a row", 0, BYTES(EXT(43), EXT(60), EXT(6)), 0 },
	{ "six in a row", 0, BYTES(EXT(60), EXT(60), EXT(60), EXT(60), EXT(60), EXT(6)), 0 },
	{ "seven in a row", 0, BYTES(EXT(60), EXT(60), EXT(60), EXT(60), EXT(60), EXT(60), EXT(6)),
	  -1 },
	{ "sixteen bytes long", 60, BYTES(6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0 },
	{ "longer than the packet", 60, BYTES(6, 255, 0, 0, 0, 0, 0, 0), -1 },
};

Test(parse, ipv6_extensions)
{
	for (size_t i = 0; i < ARRAY_SIZE(extension_cases); i++) {
		const struct extension_case *c = &extension_cases[i];

		run(&(struct packet_plan){ .ipv6 = true,
					   .next = c->next,
					   .extensions = c->bytes,
					   .extensions_length = c->length });
		cr_expect_eq(skeleton->bss->result.parse, c->parse, "%s", c->name);
		if (c->parse)
			continue;
		cr_expect_eq(skeleton->bss->result.protocol, IPPROTO_TCP, "%s", c->name);
		cr_expect_eq(skeleton->bss->result.dport, 8080, "%s", c->name);
	}
}

Test(parse, truncated_packets_are_refused)
{
	run(&(struct packet_plan){ .cut = 1 });
	cr_expect_eq(skeleton->bss->result.parse, -1, "TCP header");
	run(&(struct packet_plan){ .cut = 20 });
	cr_expect_eq(skeleton->bss->result.parse, -1, "no TCP header");
	run(&(struct packet_plan){ .protocol = IPPROTO_UDP, .cut = 6 });
	cr_expect_eq(skeleton->bss->result.parse, -1, "UDP ports");
	run(&(struct packet_plan){ .ipv6 = true, .cut = 12 });
	cr_expect_eq(skeleton->bss->result.parse, -1, "TCP over IPv6");
	run(&(struct packet_plan){ .protocol = IPPROTO_ICMP, .cut = 8 });
	cr_expect_eq(skeleton->bss->result.parse, -1, "ICMP type");
}

Test(parse, options_that_are_not_there_are_refused)
{
	static const uint8_t options[] = { SYN_OPTIONS, SYN_TAG };

	run(&(struct packet_plan){
		.options = options, .options_length = sizeof(options), .cut = 4 });
	cr_expect_eq(skeleton->bss->result.parse, 0);
	cr_expect_eq(skeleton->bss->result.read, -1);
}
