/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/client.h"

#include "user/kube/client_internal.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_LAST_MS 30000

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	kube_client_work(arg);
}

void kube_client_kick(struct kube_client *client)
{
	event_active(client->kick, EV_TIMEOUT, 0);
}

/* Also without a new call, a changed CA ends connections that were made under the old one. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct kube_client *client = arg;

	(void)fd;
	(void)what;
	if (!client->wire || TAILQ_EMPTY(&client->wire->calls))
		return;
	if (!client->config->exec)
		kube_credentials_ready(client, NULL);
	if (client->wire)
		kube_wire_tick(client->wire);
}

int kube_client_new(struct event_base *base, struct kube_config *config, const char *user_agent,
		    struct kube_client **ret, struct kube_error *reterr)
{
	_cleanup_(kube_client_freep) struct kube_client *client = NULL;

	client = calloc(1, sizeof(*client));
	if (!client) {
		kube_config_free(config);
		return -ENOMEM;
	}
	client->base = base;
	client->config = config;
	TAILQ_INIT(&client->wires);
	TAILQ_INIT(&client->waiting);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return kube_fail(reterr, -ENOMEM, "libcurl cannot start");
	client->user_agent = strdup(user_agent);
	client->kick = event_new(base, -1, 0, on_kick, client);
	if (!client->user_agent || !client->kick)
		return -ENOMEM;
	if (loop_every(base, KUBE_TICK_MS, on_tick, client, &client->tick) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(client);
	return 0;
}

static void free_calls(struct kube_calls *calls)
{
	struct kube_call *call;

	while ((call = TAILQ_FIRST(calls))) {
		if (call->wire) {
			kube_wire_remove(call);
		} else {
			TAILQ_REMOVE(calls, call, entry);
		}
		kube_call_free(call);
	}
}

struct kube_client *kube_client_free(struct kube_client *client)
{
	struct kube_wire *wire;

	if (!client)
		return NULL;
	kube_exec_cancel(client->exec);
	free_calls(&client->waiting);
	while ((wire = TAILQ_FIRST(&client->wires))) {
		free_calls(&wire->calls);
		kube_wire_free(wire);
	}
	if (client->kick)
		event_free(client->kick);
	if (client->tick)
		event_free(client->tick);
	kube_tls_unref(client->tls);
	kube_config_free(client->config);
	free(client->user_agent);
	free(client);
	return NULL;
}

const struct kube_config *kube_client_config(const struct kube_client *client)
{
	return client->config;
}

struct event_base *kube_client_base(const struct kube_client *client)
{
	return client->base;
}

void kube_client_stats(const struct kube_client *client, struct kube_client_stats *ret)
{
	*ret = client->stats;
}

unsigned int kube_backoff_ms(unsigned int failures)
{
	unsigned int doublings = MIN(failures > 0 ? failures - 1 : 0, 10u);

	return 1 + arc4random_uniform(MIN(BACKOFF_FIRST_MS << doublings, BACKOFF_LAST_MS));
}

struct waited {
	struct kube_answer *answer;
	bool done;
	int r;
};

static int keep_answer(struct kube_answer *answer, const struct kube_response *response)
{
	*answer = (struct kube_answer){ .response = *response };
	answer->message = strdup(response->message);
	answer->reason = strdup(response->reason);
	answer->body = malloc(response->length + 1);
	if (!answer->message || !answer->reason || !answer->body) {
		kube_answer_done(answer);
		return -ENOMEM;
	}
	if (response->length)
		memcpy(answer->body, response->body, response->length);
	answer->body[response->length] = '\0';
	answer->response.body = answer->body;
	answer->response.message = answer->message;
	answer->response.reason = answer->reason;
	return 0;
}

static void on_waited(void *arg, const struct kube_response *response)
{
	struct waited *waited = arg;

	waited->r = keep_answer(waited->answer, response);
	waited->done = true;
}

int kube_call_wait(struct kube_client *client, const struct kube_request *request,
		   struct kube_answer *ret)
{
	struct kube_answer answer = { 0 };
	struct waited waited = { .answer = &answer };
	const struct kube_handlers handlers = { .on_done = on_waited, .arg = &waited };
	struct kube_call *call;
	int r;

	r = kube_call_start(client, request, &handlers, &call);
	if (r < 0)
		return r;
	while (!waited.done) {
		r = event_base_loop(client->base, EVLOOP_ONCE);
		if (!waited.done && (r < 0 || event_base_got_exit(client->base) ||
				     event_base_got_break(client->base))) {
			kube_call_cancel(call);
			return -EINTR;
		}
	}
	if (waited.r == 0)
		*ret = answer;
	return waited.r;
}

void kube_answer_done(struct kube_answer *answer)
{
	if (answer->body)
		explicit_bzero(answer->body, answer->response.length);
	free(answer->body);
	free(answer->message);
	free(answer->reason);
	*answer = (struct kube_answer){ 0 };
}
