/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/* What parse.bpf.c tells test_parse.c of one packet. */
#pragma once

#include <countersign/abi.h>

struct parse_result {
	struct cs_addr src;
	struct cs_addr dst;
	__u64 tag;
	__u64 mac;
	__u32 length;
	__u32 seq;
	__u32 ack;
	__s32 parse; /* of cs_parse() */
	__s32 read; /* of cs_read_options() */
	__u16 sport;
	__u16 dport;
	__u8 protocol;
	__u8 family;
	__u8 tcp_flags;
	__u8 doff;
	__u8 tags;
	__u8 tag_length;
	__u8 seen;
	__u8 pad[5];
};
