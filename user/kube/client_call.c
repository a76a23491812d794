/* SPDX-License-Identifier: Apache-2.0 */
/* A call from its start to its end. */
#include "user/kube/client_internal.h"

void kube_call_free(struct kube_call *call)
{
	if (call->timer)
		event_free(call->timer);
	kube_call_unprepare(call);
	free(call->method);
	free(call->path);
	free(call->body);
	free(call->content_type);
	free(call->accept);
	free(call);
}

static void leave_queue(struct kube_call *call)
{
	if (call->wire) {
		kube_wire_remove(call);
		return;
	}
	TAILQ_REMOVE(&call->client->waiting, call, entry);
	call->client->waiting_n--;
}

void kube_client_succeeded(struct kube_client *client)
{
	client->stats.last_success_ms = kube_now_ms();
	client->stats.last_error[0] = '\0';
}

static void count_end(struct kube_client *client, const struct kube_response *response)
{
	if (response->error == 0 && response->status < 400) {
		kube_client_succeeded(client);
		return;
	}
	client->stats.failures++;
	snprintf(client->stats.last_error, sizeof(client->stats.last_error), "%s",
		 response->message);
}

/* The end for everybody: the owner hears of it, then the call is no more. */
static void end(struct kube_call *call, struct kube_response *response)
{
	_cleanup_free_ char *message = NULL, *reason = NULL;
	struct kube_client *client = call->client;

	if (response->error == 0 && (response->status < 200 || response->status >= 300) &&
	    kube_response_status(call, &message, &reason) == 0) {
		response->message = message;
		response->reason = reason;
	}
	leave_queue(call);
	count_end(client, response);
	call->in_done = true;
	if (call->handlers.on_done && !call->cancelled)
		call->handlers.on_done(call->handlers.arg, response);
	kube_call_free(call);
	kube_client_kick(client);
}

void kube_call_fail(struct kube_call *call, int r, const char *why)
{
	struct kube_response response = { .error = r, .message = why, .reason = "" };

	end(call, &response);
}

static int64_t retry_after_ms(const struct kube_call *call)
{
	curl_off_t seconds = 0;

	if (call->status != 429 && call->status != 503)
		return 0;
	curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &seconds);
	return MIN(MAX(seconds, 0), 3600) * 1000;
}

/* 401: perhaps the token in memory is older than the file. */
static bool try_again(struct kube_call *call)
{
	struct kube_client *client = call->client;

	if (call->status != 401 || call->retried)
		return false;
	kube_credentials_refused(client, call);
	call->retried = true;
	kube_wire_remove(call);
	kube_call_unprepare(call);
	TAILQ_INSERT_HEAD(&client->waiting, call, entry);
	client->waiting_n++;
	kube_client_kick(client);
	return true;
}

/* Curl's words name the file or the host; "" when it has none. */
static const char *curl_words(const struct kube_call *call, CURLcode code, int r)
{
	if (r == -EMSGSIZE && call->failed)
		return "the answer is larger than what is allowed";
	if (call->failed)
		return strerror(-r);
	return call->curl_text[0] ? call->curl_text : curl_easy_strerror(code);
}

void kube_call_curl_done(struct kube_call *call, CURLcode code)
{
	struct kube_response response = { .message = "", .reason = "" };

	if (call->cancelled) {
		kube_wire_remove(call);
		kube_call_free(call);
		return;
	}
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
	response.error = kube_response_error(code, call);
	if (response.error == 0 && try_again(call))
		return;
	response.status = call->status;
	response.retry_after_ms = retry_after_ms(call);
	if (response.error < 0)
		response.message = curl_words(call, code, response.error);
	if (!call->handlers.on_data) {
		response.body = call->data ? call->data : "";
		response.length = call->length;
	}
	end(call, &response);
}

static void arm(struct kube_call *call, int64_t ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(call->timer, &wait);
}

/*
 * Nothing has come on the whole wire since the call waits: then all on it wait in vain. A short
 * limit of one call alone proves nothing.
 */
static void silent(struct kube_call *call, int64_t since_ms, const char *why)
{
	struct kube_wire *wire = call->wire;

	if (wire && wire->last_byte_ms <= since_ms &&
	    kube_now_ms() - since_ms >= KUBE_PROBE_TIMEOUT_MS)
		kube_wire_retire(wire, false, -ETIMEDOUT,
				 "the connection is dead: nothing comes from the API server");
	else
		kube_call_fail(call, -ETIMEDOUT, why);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct kube_call *call = arg;
	int64_t since = MAX(call->started_ms, call->last_data_ms), left;

	(void)fd;
	(void)what;
	if (!call->handlers.on_data || !call->wire) {
		silent(call, call->started_ms, "the API server took too long to answer");
		return;
	}
	left = since + call->silence_ms - kube_now_ms();
	if (left > 0)
		arm(call, left);
	else
		silent(call, since, "the API server has been silent for too long");
}

static int start_one(struct kube_client *client, struct kube_call *call)
{
	int r;

	if (!client->wire) {
		r = kube_wire_new(client, &client->wire);
		if (r < 0)
			return r;
	}
	r = kube_call_prepare(call);
	if (r < 0)
		return r;
	TAILQ_REMOVE(&client->waiting, call, entry);
	client->waiting_n--;
	r = kube_wire_add(client->wire, call);
	if (r < 0) {
		TAILQ_INSERT_HEAD(&client->waiting, call, entry);
		client->waiting_n++;
		return r;
	}
	call->started_ms = kube_now_ms();
	if (call->handlers.on_data && call->silence_ms)
		arm(call, call->silence_ms);
	else if (call->handlers.on_data)
		event_del(call->timer);
	return 0;
}

/* All that wait now hear the reason; what they start in answer waits for the next time. */
static void fail_waiting(struct kube_client *client, int r, const char *why)
{
	for (size_t n = client->waiting_n; n > 0 && !TAILQ_EMPTY(&client->waiting); n--)
		kube_call_fail(TAILQ_FIRST(&client->waiting), r, why);
}

static void free_cancelled(struct kube_client *client)
{
	struct kube_wire *wire, *next_wire;
	struct kube_call *call, *next;

	for (wire = TAILQ_FIRST(&client->wires); wire; wire = next_wire) {
		next_wire = TAILQ_NEXT(wire, entry);
		for (call = TAILQ_FIRST(&wire->calls); call; call = next) {
			next = TAILQ_NEXT(call, entry);
			if (!call->cancelled)
				continue;
			kube_wire_remove(call);
			kube_call_free(call);
		}
		if (wire->retired && TAILQ_EMPTY(&wire->calls))
			kube_wire_free(wire);
	}
}

void kube_client_work(struct kube_client *client)
{
	struct kube_error error = { "" };
	int r;

	free_cancelled(client);
	while (!TAILQ_EMPTY(&client->waiting) && client->running_n < KUBE_CALLS_MAX) {
		struct kube_call *call;

		r = kube_credentials_ready(client, &error);
		if (r == 0)
			return;
		if (r < 0) {
			fail_waiting(client, r, error.text[0] ? error.text : strerror(-r));
			return;
		}
		call = TAILQ_FIRST(&client->waiting);
		r = call ? start_one(client, call) : 0;
		if (r < 0)
			kube_call_fail(call, r, "the request cannot be made");
	}
	client->exec_fresh = false;
}

static int copy_text(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int copy_request(struct kube_call *call, const struct kube_request *request)
{
	if (copy_text(request->method, &call->method) < 0 ||
	    copy_text(request->path, &call->path) < 0 ||
	    copy_text(request->content_type, &call->content_type) < 0 ||
	    copy_text(request->accept, &call->accept) < 0)
		return -ENOMEM;
	if (request->body) {
		call->body = malloc(request->length + 1);
		if (!call->body)
			return -ENOMEM;
		memcpy(call->body, request->body, request->length);
		call->body_length = request->length;
	}
	call->silence_ms = request->silence_ms;
	call->timeout_ms = request->timeout_ms ? request->timeout_ms : KUBE_CALL_TIMEOUT_MS;
	return 0;
}

int kube_call_start(struct kube_client *client, const struct kube_request *request,
		    const struct kube_handlers *handlers, struct kube_call **ret)
{
	struct kube_call *call;

	if (client->waiting_n >= KUBE_QUEUE_MAX)
		return -EBUSY;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->client = client;
	call->timer = evtimer_new(client->base, on_timer, call);
	if (!call->timer || copy_request(call, request) < 0) {
		kube_call_free(call);
		return -ENOMEM;
	}
	if (handlers)
		call->handlers = *handlers;
	call->started_ms = kube_now_ms();
	/* Waiting for its turn counts; a stream is timed from its start on. */
	arm(call, call->timeout_ms);
	TAILQ_INSERT_TAIL(&client->waiting, call, entry);
	client->waiting_n++;
	client->stats.calls++;
	kube_client_kick(client);
	if (ret)
		*ret = call;
	return 0;
}

struct kube_call *kube_call_cancel(struct kube_call *call)
{
	/* Its on_done() runs: what follows frees it. */
	if (!call || call->in_done)
		return NULL;
	if (call->wire && call->client->in_curl > 0) {
		call->cancelled = true;
		call->handlers = (struct kube_handlers){ 0 };
		kube_client_kick(call->client);
		return NULL;
	}
	leave_queue(call);
	kube_client_kick(call->client);
	kube_call_free(call);
	return NULL;
}
