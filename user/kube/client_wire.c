/* SPDX-License-Identifier: Apache-2.0 */
/* curl's multi handle on libevent's loop. */
#include "user/kube/client_internal.h"

#define STREAMS_MAX 250L /* on one connection, as Go's servers allow */

static void check_done(struct kube_wire *wire)
{
	CURLMsg *message;
	int rest;

	while ((message = curl_multi_info_read(wire->multi, &rest))) {
		struct kube_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		/* The message is gone when the handle is: its result is taken before. */
		kube_call_curl_done(call, message->data.result);
	}
}

static void act(struct kube_wire *wire, curl_socket_t fd, int flags)
{
	int running;

	wire->client->in_curl++;
	curl_multi_socket_action(wire->multi, fd, flags, &running);
	wire->client->in_curl--;
	check_done(wire);
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
	int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) |
		    (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	act(arg, fd, flags);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct kube_wire *wire = arg;
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0)
		event_del(wire->timer);
	else
		event_add(wire->timer, &wait);
	return 0;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	struct kube_wire *wire = arg;
	struct event *event = socket;
	short flags = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE &&
	    loop_add(wire->client->base, fd, flags, on_fd, wire, NULL, &event) < 0)
		return -1;
	curl_multi_assign(wire->multi, fd, event);
	return 0;
}

int kube_wire_new(struct kube_client *client, struct kube_wire **ret)
{
	struct kube_wire *wire = calloc(1, sizeof(*wire));

	if (!wire)
		return -ENOMEM;
	wire->client = client;
	wire->last_byte_ms = kube_now_ms();
	TAILQ_INIT(&wire->calls);
	wire->multi = curl_multi_init();
	wire->timer = evtimer_new(client->base, on_time, wire);
	if (!wire->multi || !wire->timer) {
		curl_multi_cleanup(wire->multi);
		if (wire->timer)
			event_free(wire->timer);
		free(wire);
		return -ENOMEM;
	}
	curl_multi_setopt(wire->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(wire->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
	curl_multi_setopt(wire->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(wire->multi, CURLMOPT_SOCKETDATA, wire);
	curl_multi_setopt(wire->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(wire->multi, CURLMOPT_TIMERDATA, wire);
	TAILQ_INSERT_TAIL(&client->wires, wire, entry);
	*ret = wire;
	return 0;
}

void kube_wire_free(struct kube_wire *wire)
{
	TAILQ_REMOVE(&wire->client->wires, wire, entry);
	wire->client->in_curl++;
	curl_multi_cleanup(wire->multi);
	wire->client->in_curl--;
	event_free(wire->timer);
	free(wire);
}

int kube_wire_add(struct kube_wire *wire, struct kube_call *call)
{
	if (curl_multi_add_handle(wire->multi, call->easy) != CURLM_OK)
		return -ENOMEM;
	call->wire = wire;
	TAILQ_INSERT_TAIL(&wire->calls, call, entry);
	wire->client->running_n++;
	return 0;
}

void kube_wire_remove(struct kube_call *call)
{
	struct kube_wire *wire = call->wire;

	if (!wire)
		return;
	curl_multi_remove_handle(wire->multi, call->easy);
	TAILQ_REMOVE(&wire->calls, call, entry);
	wire->client->running_n--;
	call->wire = NULL;
}

/* An owner's on_done() may end other calls: the list is looked at from its head each time. */
static struct kube_call *next_to_fail(struct kube_wire *wire, bool streams_only)
{
	struct kube_call *call;

	TAILQ_FOREACH(call, &wire->calls, entry)
	if (!streams_only || call->handlers.on_data)
		return call;
	return NULL;
}

void kube_wire_retire(struct kube_wire *wire, bool streams_only, int r, const char *why)
{
	struct kube_client *client = wire->client;
	struct kube_call *call;

	wire->retired = true;
	if (client->wire == wire)
		client->wire = NULL;
	while ((call = next_to_fail(wire, streams_only)))
		kube_call_fail(call, r, why);
	kube_client_kick(client);
}

static void on_probe_done(void *arg, const struct kube_response *response)
{
	struct kube_client *client = arg;

	/* Whatever the answer is, it is one; a silent wire was retired by the call's timer. */
	(void)response;
	client->probe = NULL;
}

/*
 * HTTP/2's own PING cannot be sent through curl's multi handle. A small request on the same
 * connection does the same: a server that hangs, or is behind a broken path, does not answer.
 */
void kube_wire_tick(struct kube_wire *wire)
{
	const struct kube_request request = { .path = "/version",
					      .timeout_ms = KUBE_PROBE_TIMEOUT_MS };
	const struct kube_handlers handlers = { .on_done = on_probe_done, .arg = wire->client };

	if (wire->retired || !wire->http2 || wire->client->probe || TAILQ_EMPTY(&wire->calls) ||
	    kube_now_ms() - wire->last_byte_ms < KUBE_PROBE_IDLE_MS)
		return;
	kube_call_start(wire->client, &request, &handlers, &wire->client->probe);
}
