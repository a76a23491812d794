/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/traffic/raw.h"

#include <arpa/inet.h>
#include <countersign/wire.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#define ETHERNET 14
#define IPV4 20
#define IPV6 40
#define TCP 20
#define RECEIVE_BUFFER (32 << 20)

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

int raw_open(const char *iface, uint8_t *ret_mac)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq request = { 0 };
	int size = RECEIVE_BUFFER;

	if (!iface || fd < 0)
		die("a raw verb needs --iface=NAME and root");
	addr.sll_ifindex = if_nametoindex(iface);
	if (!addr.sll_ifindex || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(iface);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface);
	if (ret_mac && ioctl(fd, SIOCGIFHWADDR, &request) == 0)
		memcpy(ret_mac, request.ifr_hwaddr.sa_data, 6);
	return fd;
}

ssize_t raw_receive(int fd, uint8_t *bytes, size_t size, int timeout_ms, bool outgoing)
{
	struct sockaddr_ll from;
	socklen_t length = sizeof(from);
	ssize_t n;

	if (wait_for(fd, POLLIN, timeout_ms) < 0)
		return -ETIMEDOUT;
	n = recvfrom(fd, bytes, size, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
	if (n < 0)
		return -errno;
	if (from.sll_pkttype == PACKET_OUTGOING && !outgoing)
		return -EAGAIN;
	return n;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value & 0xff;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

uint16_t address_port(const struct address *address)
{
	/* The port lies at the same place in both families. */
	return ntohs(((const struct sockaddr_in *)&address->sa)->sin_port);
}

void address_set_port(struct address *address, uint16_t port)
{
	((struct sockaddr_in *)&address->sa)->sin_port = htons(port);
}

static void address_from(struct address *a, int family, const uint8_t *bytes)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->sa;
	struct sockaddr_in *in = (struct sockaddr_in *)&a->sa;

	memset(a, 0, sizeof(*a));
	a->sa.ss_family = family;
	a->length = family == AF_INET ? sizeof(*in) : sizeof(*in6);
	if (family == AF_INET)
		memcpy(&in->sin_addr, bytes, 4);
	else
		memcpy(&in6->sin6_addr, bytes, 16);
}

static const uint8_t *address_bytes(const struct address *a)
{
	if (a->sa.ss_family == AF_INET)
		return (const uint8_t *)&((const struct sockaddr_in *)&a->sa)->sin_addr;
	return (const uint8_t *)&((const struct sockaddr_in6 *)&a->sa)->sin6_addr;
}

bool address_same_host(const struct address *a, const struct address *b)
{
	size_t n = a->sa.ss_family == AF_INET ? 4 : 16;

	return a->sa.ss_family == b->sa.ss_family &&
	       memcmp(address_bytes(a), address_bytes(b), n) == 0;
}

static void find_tag(struct frame *f, size_t header)
{
	uint8_t *end = f->l4 + header;
	uint8_t *p = f->l4 + TCP;

	while (p < end && *p != 0) {
		if (*p == 1) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		if (p[0] == CS_TCPOPT_KIND && p[1] >= 4 && get16(p + 2) == CS_TCPOPT_EXID) {
			f->tag = p;
			f->tag_length = p[1];
			return;
		}
		p += p[1];
	}
}

static void parse_tcp(struct frame *f)
{
	size_t header;

	if (f->l4_length < TCP)
		return;
	header = (f->l4[12] >> 4) * 4;
	if (header < TCP || header > f->l4_length)
		return;
	f->seq = get32(f->l4 + 4);
	f->ack = get32(f->l4 + 8);
	f->flags = f->l4[13];
	f->payload = f->l4_length - header;
	find_tag(f, header);
}

static void parse_ip(struct frame *f, int family, size_t header, size_t total)
{
	uint8_t *ip = f->bytes + ETHERNET;

	if (total < header || ETHERNET + total > f->length)
		return; /* cut short, or segmentation left to the device */
	f->family = family;
	f->length = ETHERNET + total;
	f->l4 = ip + header;
	f->l4_length = total - header;
	address_from(&f->src, family, ip + (family == AF_INET ? 12 : 8));
	address_from(&f->dst, family, ip + (family == AF_INET ? 16 : 24));
	if (f->protocol != IPPROTO_TCP && f->protocol != IPPROTO_UDP)
		return;
	if (f->l4_length < 8)
		return;
	address_set_port(&f->src, get16(f->l4));
	address_set_port(&f->dst, get16(f->l4 + 2));
	if (f->protocol == IPPROTO_TCP)
		parse_tcp(f);
}

void frame_parse(uint8_t *bytes, size_t length, struct frame *ret)
{
	uint8_t *ip = bytes + ETHERNET;

	*ret = (struct frame){ .bytes = bytes, .length = length };
	if (length < ETHERNET + IPV4)
		return;
	if (get16(bytes + 12) == ETH_P_IP) {
		ret->protocol = ip[9];
		parse_ip(ret, AF_INET, (ip[0] & 15) * 4, get16(ip + 2));
	} else if (get16(bytes + 12) == ETH_P_IPV6 && length >= ETHERNET + IPV6) {
		ret->protocol = ip[6];
		parse_ip(ret, AF_INET6, IPV6, (size_t)IPV6 + get16(ip + 4));
	}
}

static uint32_t sum_bytes(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void frame_checksum(struct frame *f)
{
	size_t at = f->protocol == IPPROTO_TCP ? 16 : 6;
	size_t n = f->family == AF_INET ? 4 : 16;
	uint32_t sum;

	if (!f->family || (f->protocol != IPPROTO_TCP && f->protocol != IPPROTO_UDP))
		return;
	put16(f->l4 + at, 0);
	sum = f->protocol + (uint32_t)f->l4_length;
	sum = sum_bytes(address_bytes(&f->src), n, sum);
	sum = sum_bytes(address_bytes(&f->dst), n, sum);
	sum = sum_bytes(f->l4, f->l4_length, sum);
	put16(f->l4 + at, ~sum & 0xffff);
}

static size_t build_ip(const struct segment *s, uint8_t *ip, size_t l4_length)
{
	bool v4 = s->src.sa.ss_family == AF_INET;

	memset(ip, 0, v4 ? IPV4 : IPV6);
	if (!v4) {
		ip[0] = 0x60;
		put16(ip + 4, l4_length);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		memcpy(ip + 8, address_bytes(&s->src), 16);
		memcpy(ip + 24, address_bytes(&s->dst), 16);
		return IPV6;
	}
	ip[0] = 0x45;
	put16(ip + 2, IPV4 + l4_length);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, address_bytes(&s->src), 4);
	memcpy(ip + 16, address_bytes(&s->dst), 4);
	put16(ip + 10, ~sum_bytes(ip, IPV4, 0) & 0xffff);
	return IPV4;
}

size_t segment_build(const struct segment *s, uint8_t *bytes)
{
	size_t payload = s->payload ? strlen(s->payload) : 0;
	size_t l4_length = TCP + s->options_length + payload;
	struct frame frame;
	uint8_t *tcp;
	size_t n;

	memcpy(bytes, s->dst_mac, 6);
	memcpy(bytes + 6, s->src_mac, 6);
	put16(bytes + 12, s->src.sa.ss_family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
	n = ETHERNET + build_ip(s, bytes + ETHERNET, l4_length);
	tcp = bytes + n;
	memset(tcp, 0, TCP);
	put16(tcp, address_port(&s->src));
	put16(tcp + 2, address_port(&s->dst));
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = (TCP + s->options_length) / 4 << 4;
	tcp[13] = s->flags;
	put16(tcp + 14, 64240);
	memcpy(tcp + TCP, s->options, s->options_length);
	if (payload)
		memcpy(tcp + TCP + s->options_length, s->payload, payload);
	frame_parse(bytes, n + l4_length, &frame);
	frame_checksum(&frame);
	return n + l4_length;
}

size_t hex_parse(const char *text, uint8_t *bytes, size_t size)
{
	size_t n = 0;
	unsigned int byte;

	for (; text && sscanf(text, "%2x", &byte) == 1 && n < size; text += 2)
		bytes[n++] = byte;
	return n;
}

void hex_text(const uint8_t *bytes, size_t n, char *text)
{
	for (size_t i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * n] = 0;
}

void mac_parse(const char *text, uint8_t mac[static 6])
{
	if (text && sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2],
			   &mac[3], &mac[4], &mac[5]) == 6)
		return;
	fprintf(stderr, "traffic: --mac=aa:bb:cc:dd:ee:ff is needed\n");
	exit(2);
}
