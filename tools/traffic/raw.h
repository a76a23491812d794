/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet frames with TCP inside, read and written byte by byte. */
#pragma once

#include "tools/traffic/traffic.h"

#define FRAME_MAX 66000
#define TCP_OPTIONS_MAX 40

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Where the parts of a received frame lie. */
struct frame {
	uint8_t *bytes;
	size_t length; /* without link-layer padding */
	int family; /* AF_INET or AF_INET6; 0: something else, forward as it is */
	uint8_t protocol; /* IPPROTO_* */
	uint8_t *l4;
	size_t l4_length;
	struct address src, dst; /* TCP and UDP: with ports */
	uint8_t flags; /* TCP's */
	uint32_t seq, ack;
	size_t payload; /* bytes behind the TCP header */
	uint8_t *tag; /* our option within the header, NULL: none */
	uint8_t tag_length;
};

/* A TCP segment to be made. */
struct segment {
	uint8_t src_mac[6], dst_mac[6];
	struct address src, dst;
	uint32_t seq, ack;
	uint8_t flags;
	uint8_t options[TCP_OPTIONS_MAX];
	size_t options_length; /* a multiple of 4 */
	const char *payload; /* text, may be NULL */
};

/* Packet socket on @iface; exits when there is none. *ret_mac may be NULL. */
int raw_open(const char *iface, uint8_t *ret_mac);
/* Next frame that arrives (not one that leaves); its length or -errno (-ETIMEDOUT). */
ssize_t raw_receive(int fd, uint8_t *bytes, size_t size, int timeout_ms, bool outgoing);
void frame_parse(uint8_t *bytes, size_t length, struct frame *ret);
/* Writes the TCP or UDP checksum anew: a sender may have left it to the device. */
void frame_checksum(struct frame *frame);
/* Makes the frame in @bytes (FRAME_MAX long); returns its length. */
size_t segment_build(const struct segment *segment, uint8_t *bytes);

/* "fd0c4353..." to bytes; their number, or exits. */
size_t hex_parse(const char *text, uint8_t *bytes, size_t size);
void hex_text(const uint8_t *bytes, size_t n, char *text);
void mac_parse(const char *text, uint8_t mac[static 6]);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);
bool address_same_host(const struct address *a, const struct address *b); /* but for the port */
