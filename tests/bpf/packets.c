/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/packets.h"

#include <netinet/in.h>

static void put(struct packet *p, const void *data, size_t length)
{
	memcpy(p->byte + p->length, data, length);
	p->length += length;
}

static void put8(struct packet *p, uint8_t value)
{
	put(p, &value, 1);
}

static void put16(struct packet *p, uint16_t value)
{
	put8(p, value >> 8);
	put8(p, value);
}

static void put32(struct packet *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p, value);
}

static void put_ipv4(struct packet *p, const struct packet_plan *plan, size_t inner)
{
	put16(p, 0x4500);
	put16(p, 20 + inner);
	put32(p, 0x00004000);
	put8(p, 64);
	put8(p, plan->protocol);
	put16(p, 0);
	put32(p, 0x0a4d0002);
	put32(p, 0x0a4d0001);
}

static void put_ipv6(struct packet *p, const struct packet_plan *plan, size_t inner)
{
	static const uint8_t src[16] = { 0xfd, 0x77, [15] = 2 };
	static const uint8_t dst[16] = { 0xfd, 0x77, [15] = 1 };

	put32(p, 0x60000000);
	put16(p, inner + plan->extensions_length);
	put8(p, plan->extensions_length ? plan->next : plan->protocol);
	put8(p, 64);
	put(p, src, 16);
	put(p, dst, 16);
	put(p, plan->extensions, plan->extensions_length);
}

static void put_tcp(struct packet *p, const struct packet_plan *plan, size_t options)
{
	put32(p, 1000); /* seq */
	put32(p, 2000); /* ack */
	put8(p, (20 + options) / 4 << 4);
	put8(p, plan->tcp_flags ? plan->tcp_flags : 0x10);
	put16(p, 65535);
	put32(p, 0);
	put(p, plan->options, plan->options_length);
	while (p->length % 4 != 2) /* the Ethernet header leaves 2 */
		put8(p, 0);
}

static void put_transport(struct packet *p, const struct packet_plan *plan, size_t options)
{
	if (plan->protocol == IPPROTO_ICMP || plan->protocol == IPPROTO_ICMPV6) {
		put8(p, plan->icmp_type);
		put8(p, 0);
		put16(p, 0);
		put32(p, 0);
		return;
	}
	put16(p, plan->sport ? plan->sport : 40000);
	put16(p, plan->dport ? plan->dport : 8080);
	if (plan->protocol == IPPROTO_TCP)
		put_tcp(p, plan, options);
	else
		put32(p, 0);
}

void packet_build(const struct packet_plan *given, struct packet *ret)
{
	static const uint8_t macs[12];
	struct packet_plan plan = *given;
	size_t options = (plan.options_length + 3) / 4 * 4;
	size_t inner;

	if (!plan.protocol)
		plan.protocol = IPPROTO_TCP;
	inner = (plan.protocol == IPPROTO_TCP ? 20 + options : 8) + plan.payload;
	memset(ret, 0, sizeof(*ret));
	put(ret, macs, sizeof(macs));
	put16(ret, plan.ipv6 ? 0x86dd : 0x0800);
	if (plan.ipv6)
		put_ipv6(ret, &plan, inner);
	else
		put_ipv4(ret, &plan, inner);
	put_transport(ret, &plan, options);
	ret->length += plan.payload;
	ret->length -= plan.cut;
}
