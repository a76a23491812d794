/* SPDX-License-Identifier: Apache-2.0 */
#include "user/flow/packet.h"

#include <arpa/inet.h>

#include "user/flow/text.h"

static bool is_ipv4(const struct cs_event *event)
{
	return event->family == 4;
}

static void address_text(const struct cs_event *event, const struct cs_addr *addr,
			 char ret[static INET6_ADDRSTRLEN])
{
	const void *bytes = is_ipv4(event) ? &addr->byte[12] : &addr->byte[0];

	if (!inet_ntop(is_ipv4(event) ? AF_INET : AF_INET6, bytes, ret, INET6_ADDRSTRLEN))
		*ret = '\0';
}

json_t *packet_ip(const struct cs_event *event)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];

	address_text(event, &event->source, source);
	address_text(event, &event->destination, destination);
	return json_pack("{s:s, s:s, s:s}", "source", source, "destination", destination,
			 "ipVersion", is_ipv4(event) ? "IPv4" : "IPv6");
}

static json_t *tcp_flags_to_json(uint8_t flags)
{
	json_t *object = json_object();

	for (size_t i = 0; i < TEXT_TCP_FLAGS; i++)
		if (flags & (1 << i))
			json_object_set_new(object, text_tcp_flags[i], json_true());
	return object;
}

enum l4_kind { L4_PORTS, L4_TCP, L4_ICMP };

static const struct {
	uint8_t protocol;
	enum l4_kind kind;
	const char *name; /* Hubble's */
} protocols[] = {
	{ IPPROTO_TCP, L4_TCP, "TCP" },	       { IPPROTO_UDP, L4_PORTS, "UDP" },
	{ IPPROTO_SCTP, L4_PORTS, "SCTP" },    { IPPROTO_ICMP, L4_ICMP, "ICMPv4" },
	{ IPPROTO_ICMPV6, L4_ICMP, "ICMPv6" },
};

static ssize_t find_protocol(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].protocol == protocol)
			return (ssize_t)i;
	return -1;
}

json_t *packet_l4(const struct cs_event *event)
{
	ssize_t i = find_protocol(event->protocol);
	json_t *inner, *l4;

	if (i < 0)
		return NULL;
	inner = json_object();
	if (protocols[i].kind != L4_ICMP) {
		json_object_set_new(inner, "source_port", json_integer(event->source_port));
		json_object_set_new(inner, "destination_port",
				    json_integer(event->destination_port));
	}
	if (protocols[i].kind == L4_TCP && event->tcp_flags)
		json_object_set_new(inner, "flags", tcp_flags_to_json(event->tcp_flags));
	l4 = json_object();
	json_object_set_new(l4, protocols[i].name, inner);
	return l4;
}

json_t *packet_summary(const struct cs_event *event)
{
	char text[sizeof("TCP Flags: ") + TEXT_TCP_FLAGS * sizeof("FIN, ")] = "TCP Flags: ";
	ssize_t protocol = find_protocol(event->protocol);
	const char *separator = "";

	if (protocol < 0)
		return json_sprintf("IP protocol %u", event->protocol);
	if (protocols[protocol].kind != L4_TCP || !event->tcp_flags)
		return json_string(protocols[protocol].name);
	for (size_t i = 0; i < TEXT_TCP_FLAGS; i++) {
		if (!(event->tcp_flags & (1 << i)))
			continue;
		strcat(text, separator);
		strcat(text, text_tcp_flags[i]);
		separator = ", ";
	}
	return json_string(text);
}

json_t *packet_original_destination(const struct cs_event *event)
{
	char address[INET6_ADDRSTRLEN];

	if (event->original_port == 0)
		return NULL;
	address_text(event, &event->original_dst, address);
	return json_sprintf(is_ipv4(event) ? "%s:%u" : "[%s]:%u", address, event->original_port);
}
