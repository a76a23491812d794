/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/fleet.h"

#include <poll.h>
#include <sys/socket.h>

#include "user/base/clock.h"
#include "user/cli/client.h"

#define READ_CHUNK 65536u
#define WAIT_MAX_MS 1000

/* One node that is being asked. */
struct call {
	const struct cluster_node *node;
	struct kubectl_child kubectl;
	char *buffer; /* what has come of a line that is not complete */
	size_t length, size;
	size_t lines;
	int64_t until;
};

struct fleet {
	const struct cli *cli;
	const struct fleet_request *request;
	char *text; /* the request as it is sent */
	struct call *call;
	size_t n;
};

static void call_done(struct call *call)
{
	kubectl_end(&call->kubectl, true);
	free(call->buffer);
	*call = (struct call){ 0 };
}

static void fleet_done(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->n; i++)
		call_done(&fleet->call[i]);
	free(fleet->call);
	free(fleet->text);
}

static int end_call(struct fleet *fleet, size_t number, const char *error)
{
	const struct fleet_request *request = fleet->request;
	const struct cluster_node *node = fleet->call[number].node;
	int r = request->end(request->arg, node, error);

	call_done(&fleet->call[number]);
	fleet->call[number] = fleet->call[--fleet->n];
	return r;
}

/* The answer is over: whether it is one, and if not what kubectl says. */
static int end_of_answer(struct fleet *fleet, size_t number)
{
	struct call *call = &fleet->call[number];
	_cleanup_close_ int err = TAKE_FD(call->kubectl.err);
	char error[KUBECTL_ERROR_MAX];
	bool failed = kubectl_end(&call->kubectl, false) != 0;

	kubectl_error(err, error);
	if (failed && !*error)
		strcpy(error, "kubectl failed");
	else if (!failed && call->length > 0)
		strcpy(error, "the answer breaks off in the middle of a line");
	else if (!failed && fleet->request->endless)
		strcpy(error, "the agent closed the connection");
	else if (!failed)
		*error = '\0';
	return end_call(fleet, number, *error ? error : NULL);
}

static int take_line(struct fleet *fleet, struct call *call, const char *line, size_t length)
{
	const struct fleet_request *request = fleet->request;
	json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	int r = CLI_OK;

	call->lines++;
	if (json_is_object(json))
		r = request->line(request->arg, call->node, json);
	json_decref(json);
	return r;
}

static int take_lines(struct fleet *fleet, struct call *call, size_t fresh)
{
	size_t start = 0;
	char *end;
	int r = CLI_OK;

	while (r == CLI_OK && (end = memchr(call->buffer + fresh, '\n', call->length - fresh))) {
		size_t stop = (size_t)(end - call->buffer);

		r = take_line(fleet, call, call->buffer + start, stop - start);
		start = fresh = stop + 1;
	}
	memmove(call->buffer, call->buffer + start, call->length - start);
	call->length -= start;
	return r;
}

static bool has_room(struct call *call)
{
	size_t size = call->size ? call->size * 2 : READ_CHUNK;
	char *more;

	if (call->length < call->size)
		return true;
	more = size > CLIENT_LINE_MAX ? NULL : realloc(call->buffer, size);
	if (!more)
		return false;
	call->buffer = more;
	call->size = size;
	return true;
}

static int receive(struct fleet *fleet, size_t number)
{
	struct call *call = &fleet->call[number];
	size_t fresh = call->length;
	ssize_t n;

	if (!has_room(call))
		return end_call(fleet, number, "an answer line is too long");
	n = recv(call->kubectl.fd, call->buffer + call->length, call->size - call->length,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return CLI_OK;
	/* ECONNRESET: kubectl ended and had not read what it was told. */
	if (n <= 0)
		return end_of_answer(fleet, number);
	call->length += (size_t)n;
	return take_lines(fleet, call, fresh);
}

static int start_call(struct fleet *fleet, const struct cluster_node *node)
{
	const struct fleet_request *request = fleet->request;
	struct call *call = &fleet->call[fleet->n];
	int r;

	if (!node->pod)
		return request->end(request->arg, node, "no agent runs there");
	*call = (struct call){
		.node = node,
		.until = clock_ns(CLOCK_MONOTONIC) + fleet->cli->cluster->timeout_s * NS_PER_S,
	};
	r = cluster_connect(fleet->cli, node->pod, &call->kubectl);
	if (r < 0)
		return request->end(request->arg, node,
				    r == -ENOENT ? "there is no kubectl in $PATH" : strerror(-r));
	fleet->n++;
	/* Short enough for the socket's buffer. That it failed is seen when the answer is read. */
	send(call->kubectl.fd, fleet->text, strlen(fleet->text), MSG_NOSIGNAL | MSG_DONTWAIT);
	return CLI_OK;
}

/* In ms, until the first of them has had its time. */
static int wait_ms(const struct fleet *fleet)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC), left = WAIT_MAX_MS;

	for (size_t i = 0; i < fleet->n && !fleet->request->endless; i++)
		left = MIN(left, (fleet->call[i].until - now) / NS_PER_MS + 1);
	return (int)MAX(left, 0);
}

static int end_late(struct fleet *fleet)
{
	char text[64];
	int r = CLI_OK;

	snprintf(text, sizeof(text), "no answer within %us", fleet->cli->cluster->timeout_s);
	for (size_t i = fleet->n; i-- > 0 && r == CLI_OK;)
		if (clock_ns(CLOCK_MONOTONIC) >= fleet->call[i].until)
			r = end_call(fleet, i, text);
	return r;
}

static int step(struct fleet *fleet, struct pollfd *p)
{
	int r = CLI_OK, ms = wait_ms(fleet), idle_ms = ms;

	if (fleet->request->idle)
		r = fleet->request->idle(fleet->request->arg, &idle_ms);
	if (r != CLI_OK)
		return r;
	for (size_t i = 0; i < fleet->n; i++)
		p[i] = (struct pollfd){ .fd = fleet->call[i].kubectl.fd, .events = POLLIN };
	if (poll(p, fleet->n, MIN(ms, idle_ms)) < 0 && errno != EINTR)
		return CLI_FAILED;
	/* From the last on: one that ends gives its place to the last. */
	for (size_t i = fleet->n; i-- > 0 && r == CLI_OK;)
		if (p[i].revents)
			r = receive(fleet, i);
	return r == CLI_OK && !fleet->request->endless ? end_late(fleet) : r;
}

int fleet_ask(const struct cli *cli, const struct cluster_nodes *nodes,
	      const struct fleet_request *request)
{
	_cleanup_(fleet_done) struct fleet fleet = { .cli = cli, .request = request };
	_cleanup_free_ struct pollfd *p = calloc(request->at_once, sizeof(*p));
	_cleanup_free_ char *json = json_dumps(request->body, JSON_COMPACT);
	size_t next = 0;
	int r = CLI_OK;

	fleet.call = calloc(request->at_once, sizeof(*fleet.call));
	if (!p || !json || !fleet.call || asprintf(&fleet.text, "%s\n", json) < 0) {
		fprintf(cli->err, "%s: %s\n", cli->program, strerror(ENOMEM));
		return CLI_FAILED;
	}
	while (r == CLI_OK && (fleet.n > 0 || next < nodes->n)) {
		while (r == CLI_OK && fleet.n < request->at_once && next < nodes->n)
			r = start_call(&fleet, &nodes->item[next++]);
		if (r == CLI_OK && fleet.n > 0)
			r = step(&fleet, p);
	}
	return r;
}
