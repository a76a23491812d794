/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent says over its control socket: status, counters, reloads, flows. */
#include "tests/lab/lab_internal.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define FLOWS_ASKED 4096
#define FLOW_WAIT_MS 3000

static int lab_dial(struct lab_node *node)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = LAB_WAIT_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s",
		 lab_node_path(node, "state/agent.sock"));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -errno;
}

json_t *lab_node_request(struct lab_node *node, const char *request)
{
	_cleanup_fclose_ FILE *stream = NULL;
	_cleanup_free_ char *line = NULL;
	json_t *reply = json_array();
	int fd = lab_dial(node);
	size_t size = 0;

	lab_keep(node->lab, reply);
	if (fd < 0)
		return NULL;
	stream = fdopen(fd, "r+");
	if (!stream || dprintf(fd, "%s\n", request) < 0)
		return NULL;
	while (getline(&line, &size, stream) > 0)
		json_array_append_new(reply, json_loads(line, 0, NULL));
	return json_array_size(reply) > 0 || strstr(request, "flows") ? reply : NULL;
}

static json_t *lab_ask(struct lab_node *node, const char *verb)
{
	char request[64];
	json_t *reply, *object;

	snprintf(request, sizeof(request), "{\"verb\":\"%s\"}", verb);
	reply = lab_node_request(node, request);
	object = json_array_get(reply, 0);
	lab_check(node->lab, object, "the agent %s does not answer \"%s\"", node->name, verb);
	return object;
}

json_t *lab_node_status(struct lab_node *node)
{
	return lab_ask(node, "status");
}

json_t *lab_try_reload(struct lab *lab)
{
	return lab_ask(&lab->node, "reload");
}

json_t *lab_node_reload(struct lab_node *node)
{
	json_t *reply = lab_ask(node, "reload");
	char *text = json_dumps(reply, JSON_COMPACT);
	const char *kept = lab_printf(node->lab, "%s", text ? text : "");

	free(text);
	lab_check(node->lab, lab_bool(reply, "ok"), "reload failed: %s", kept);
	return reply;
}

uint64_t lab_node_counter(struct lab_node *node, const char *verdict, const char *reason)
{
	json_t *counter, *counters = json_object_get(lab_node_status(node), "counters");
	uint64_t sum = 0;
	size_t i;

	lab_check(node->lab, json_is_array(counters), "status has no counters");
	json_array_foreach(counters, i, counter) {
		if (!streq(lab_str(counter, "verdict"), verdict))
			continue;
		if (!reason || streq(lab_str(counter, "reason"), reason))
			sum += lab_int(counter, "count");
	}
	return sum;
}

uint64_t lab_node_stat(struct lab_node *node, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "stats.%s", name);
	return lab_int(lab_node_status(node), path);
}

json_t *lab_node_flows(struct lab_node *node)
{
	char request[64];
	json_t *reply;

	snprintf(request, sizeof(request), "{\"verb\":\"flows\",\"last\":%d}", FLOWS_ASKED);
	reply = lab_node_request(node, request);
	lab_check(node->lab, reply, "the agent %s does not answer \"flows\"", node->name);
	return reply;
}

static bool lab_text_matches(const json_t *flow, const char *path, const char *expected)
{
	return !expected || streq(lab_str(flow, path), expected);
}

static json_int_t lab_flow_port(const json_t *flow)
{
	static const char *const paths[] = { "l4.TCP.destination_port", "l4.UDP.destination_port",
					     "l4.SCTP.destination_port" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (lab_int(flow, paths[i]))
			return lab_int(flow, paths[i]);
	return 0;
}

static bool lab_flow_matches(const json_t *line, const struct lab_expect *e)
{
	const json_t *flow = json_object_get(line, "flow");
	const json_t *ours = json_object_get(json_object_get(flow, "extensions"), "countersign");

	return lab_text_matches(flow, "verdict", e->verdict) &&
	       lab_text_matches(flow, "traffic_direction", e->direction) &&
	       lab_text_matches(ours, "reason", e->reason) &&
	       lab_text_matches(ours, "authentication", e->authentication) &&
	       lab_text_matches(ours, "source.spiffe_id", e->from) &&
	       lab_text_matches(ours, "destination.spiffe_id", e->to) &&
	       (!e->port || lab_flow_port(flow) == e->port) &&
	       (!e->peer_node || lab_int(ours, "peer_node") == e->peer_node);
}

json_t *lab_node_flow(struct lab_node *node, const struct lab_expect *expect,
		      unsigned int timeout_ms)
{
	uint64_t end = lab_now_ms() + timeout_ms;

	for (;;) {
		json_t *line, *lines = lab_node_flows(node);
		size_t i;

		json_array_foreach(lines, i, line)
			if (lab_flow_matches(line, expect))
				return json_object_get(line, "flow");
		if (lab_now_ms() >= end)
			return NULL;
		lab_sleep_ms(50);
	}
}

static void lab_print_flows(struct lab_node *node)
{
	json_t *line, *lines = lab_node_flows(node);
	size_t i, n = json_array_size(lines);

	json_array_foreach(lines, i, line) {
		char *text = i + 12 >= n ? json_dumps(line, JSON_COMPACT) : NULL;

		if (text)
			fprintf(stderr, "flow: %s\n", text);
		free(text);
	}
}

json_t *lab_node_expect_flow(struct lab_node *node, const struct lab_expect *e)
{
	json_t *flow = lab_node_flow(node, e, FLOW_WAIT_MS);
#define OR_ANY(text) ((text) ? (text) : "any")

	if (flow)
		return flow;
	lab_print_flows(node);
	lab_fail(
		node->lab,
		"no flow of node \"%s\" with verdict %s, direction %s, reason %s, authentication %s",
		node->name, OR_ANY(e->verdict), OR_ANY(e->direction), OR_ANY(e->reason),
		OR_ANY(e->authentication));
}
