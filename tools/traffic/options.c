/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/traffic/traffic.h"

#include <arpa/inet.h>

enum option_kind { OPTION_FLAG, OPTION_NUMBER, OPTION_TEXT, OPTION_ADDRESS };

#define FIELD(name, kind, field)                            \
	{                                                   \
		name, kind, offsetof(struct options, field) \
	}

static const struct option_field {
	const char *name;
	enum option_kind kind;
	size_t offset;
} fields[] = {
	FIELD("udp", OPTION_FLAG, udp),
	FIELD("unconnected", OPTION_FLAG, unconnected),
	FIELD("mptcp", OPTION_FLAG, mptcp),
	FIELD("fastopen", OPTION_FLAG, fastopen),
	FIELD("reuseport", OPTION_FLAG, reuseport),
	FIELD("banner", OPTION_FLAG, banner),
	FIELD("report", OPTION_FLAG, report),
	FIELD("summary", OPTION_FLAG, summary),
	FIELD("reset", OPTION_FLAG, reset),
	FIELD("count", OPTION_NUMBER, count),
	FIELD("interval", OPTION_NUMBER, interval_ms),
	FIELD("timeout", OPTION_NUMBER, timeout_ms),
	FIELD("size", OPTION_NUMBER, size),
	FIELD("defer", OPTION_NUMBER, defer_s),
	FIELD("backlog", OPTION_NUMBER, backlog),
	FIELD("queue", OPTION_NUMBER, queue),
	FIELD("fd", OPTION_NUMBER, fd),
	FIELD("linger", OPTION_NUMBER, linger_ms),
	FIELD("give", OPTION_TEXT, give),
	FIELD("take", OPTION_TEXT, take),
	FIELD("before", OPTION_TEXT, before),
	FIELD("iface", OPTION_TEXT, iface),
	FIELD("other", OPTION_TEXT, other),
	FIELD("mode", OPTION_TEXT, mode),
	FIELD("claim", OPTION_TEXT, claim),
	FIELD("tag", OPTION_TEXT, tag),
	FIELD("key", OPTION_TEXT, key),
	FIELD("shape", OPTION_TEXT, shape),
	FIELD("mac", OPTION_TEXT, mac),
	FIELD("isn", OPTION_NUMBER, isn),
	FIELD("bind", OPTION_ADDRESS, bind),
};

static void wrong(const char *argument)
{
	fprintf(stderr, "traffic: not understood: %s\n", argument);
	exit(2);
}

bool address_parse(const char *text, struct address *ret)
{
	struct address a = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.sa;
	struct sockaddr_in *in = (struct sockaddr_in *)&a.sa;
	char host[INET6_ADDRSTRLEN + 1];
	int port;

	if (sscanf(text, "[%46[^]]]:%d", host, &port) == 2) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		a.length = sizeof(*in6);
		if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
			return false;
	} else if (sscanf(text, "%46[^:]:%d", host, &port) == 2) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		a.length = sizeof(*in);
		if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
			return false;
	} else {
		return false;
	}
	*ret = a;
	return true;
}

void address_text(const struct address *address, char *text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->sa;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->sa;
	char host[INET6_ADDRSTRLEN] = "";

	if (address->sa.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%d", host, ntohs(in6->sin6_port));
	} else {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%d", host, ntohs(in->sin_port));
	}
}

static void store(struct options *o, const struct option_field *f, const char *argument,
		  const char *value)
{
	char *slot = (char *)o + f->offset;

	if ((f->kind == OPTION_FLAG) != (value == NULL))
		wrong(argument);
	if (f->kind == OPTION_FLAG)
		*(bool *)slot = true;
	else if (f->kind == OPTION_NUMBER)
		*(int *)slot = (int)strtoul(value, NULL, 0);
	else if (f->kind == OPTION_TEXT)
		*(const char **)slot = value;
	else if (!address_parse(value, (struct address *)slot))
		wrong(argument);
}

static void parse_option(struct options *o, const char *argument)
{
	const char *name = argument + 2;
	const char *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strlen(fields[i].name) != length || strncmp(fields[i].name, name, length) != 0)
			continue;
		store(o, &fields[i], argument, equals ? equals + 1 : NULL);
		return;
	}
	wrong(argument);
}

void options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = { .count = 1, .timeout_ms = 1000, .size = 1, .backlog = 128, .fd = -1 };

	for (int i = 1; i < argc; i++) {
		if (startswith(argv[i], "--"))
			parse_option(&o, argv[i]);
		else if (!address_parse(argv[i], &o.target))
			wrong(argv[i]);
	}
	*ret = o;
}
