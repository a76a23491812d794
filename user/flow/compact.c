/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <time.h>

#include "user/flow/flow.h"

/* Never NULL, so that a line of another version's agent still prints. */
static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

/* RFC 3339 -> "Feb 18 09:45:13.751" in local time, as hubble does; else as it is. */
static void put_time(FILE *out, const char *stamp)
{
	struct tm tm = { 0 }, local;
	char line[64], *rest;
	time_t seconds;

	rest = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest) {
		fputs(stamp, out);
		return;
	}
	seconds = timegm(&tm);
	localtime_r(&seconds, &local);
	strftime(line, sizeof(line), "%b %d %H:%M:%S", &local);
	if (*rest == '.' && strspn(rest + 1, "0123456789") >= 3)
		fprintf(out, "%s.%.3s", line, rest + 1);
	else
		fprintf(out, "%s.000", line);
}

static void put_address(FILE *out, const char *address)
{
	fprintf(out, strchr(address, ':') ? "[%s]" : "%s", address);
}

/* "shop/checkout:32982 (ID:137945)" for a workload, "192.0.2.7:443 (world)" for others. */
static void put_side(FILE *out, const json_t *side, const char *address, const json_t *port)
{
	const json_t *label = json_array_get(json_object_get(side, "labels"), 0);
	const char *reserved = json_string_value(label);
	json_int_t identity = json_integer_value(json_object_get(side, "identity"));
	const char *name = text(side, "pod_name");

	if (*name)
		fprintf(out, "%s/%s", text(side, "namespace"), name);
	else
		put_address(out, address);
	if (json_is_integer(port))
		fprintf(out, ":%" JSON_INTEGER_FORMAT, json_integer_value(port));
	if (reserved && startswith(reserved, "reserved:"))
		fprintf(out, " (%s)", reserved + strlen("reserved:"));
	else
		fprintf(out, " (ID:%" JSON_INTEGER_FORMAT ")", identity);
}

static void put_sides(FILE *out, const json_t *flow)
{
	const json_t *ip = json_object_get(flow, "IP");
	json_t *l4 = json_object_get(flow, "l4");
	const json_t *ports = json_object_iter_value(json_object_iter(l4));
	const char *verdict = text(flow, "verdict");
	bool passed = streq(verdict, "FORWARDED") || streq(verdict, "AUDIT");

	put_side(out, json_object_get(flow, "source"), text(ip, "source"),
		 json_object_get(ports, "source_port"));
	fputs(passed ? " -> " : " <> ", out);
	put_side(out, json_object_get(flow, "destination"), text(ip, "destination"),
		 json_object_get(ports, "destination_port"));
}

static void put_decision(FILE *out, const json_t *flow)
{
	const json_t *ours = json_object_get(json_object_get(flow, "extensions"), "countersign");
	const char *reason = text(ours, "reason");

	fprintf(out, " policy-verdict %s %s (%s) %s", text(flow, "traffic_direction"),
		text(flow, "verdict"), text(flow, "Summary"), text(ours, "authentication"));
	if (*text(ours, "rule"))
		fprintf(out, " rule %s", text(ours, "rule"));
	else if (json_object_get(ours, "rule_id"))
		fprintf(out, " rule-id %" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(ours, "rule_id")));
	if (*reason && !streq(reason, "RULE"))
		fprintf(out, " reason %s", reason);
}

/* Names come from manifests: none may steer the terminal. */
static void make_printable(char *line)
{
	for (; *line; line++)
		if (iscntrl((unsigned char)*line))
			*line = '?';
}

char *flow_to_compact(const json_t *root)
{
	const json_t *flow = json_object_get(root, "flow");
	char *line = NULL;
	size_t length;
	FILE *out = open_memstream(&line, &length);

	if (!out)
		return NULL;
	put_time(out, text(flow, "time"));
	fputs(": ", out);
	put_sides(out, flow);
	put_decision(out, flow);
	if (fclose(out) != 0) {
		free(line);
		return NULL;
	}
	make_printable(line);
	return line;
}
