/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for BPF_PROG_TEST_RUN: built field by field, broken on purpose. */
#pragma once

#include <countersign/abi.h>

#include "user/base/util.h"

#define PACKET_MAX 512

/* An Ethernet frame, as BPF_PROG_TEST_RUN wants it for cgroup_skb. */
struct packet {
	uint8_t byte[PACKET_MAX];
	size_t length;
};

/* What to build. Zeroed fields take harmless defaults. */
struct packet_plan {
	bool ipv6;
	uint8_t protocol; /* default TCP */
	uint8_t tcp_flags; /* default ACK */
	uint16_t sport, dport; /* defaults 40000, 8080 */
	const uint8_t *options; /* TCP options, padded to 4 by the builder */
	size_t options_length;
	const uint8_t *extensions; /* IPv6 extension headers, the first named by next */
	size_t extensions_length;
	uint8_t next; /* first IPv6 next header when there are extensions */
	uint8_t icmp_type;
	size_t payload;
	size_t cut; /* bytes missing at the end */
};

void packet_build(const struct packet_plan *plan, struct packet *ret);
