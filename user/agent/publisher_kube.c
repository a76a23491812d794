/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record as an object: a merge patch of the object that the claim made, which takes away the
 * mark of a node that is gone; if there is none, because nothing was claimed or somebody
 * deleted it, it is created. That no other node's object is changed is the API server's to
 * see to, as its schema says that a number stays its node's.
 */
#include <jansson.h>

#include "user/agent/node_numbers.h"
#include "user/agent/publisher.h"
#include "user/base/loop.h"
#include "user/kube/client.h"

#define HTTP_NOT_FOUND 404
#define HTTP_CONFLICT 409
#define ERROR_MAX 512

struct kube_publisher {
	struct publisher publisher;
	struct kube_client *client;
	uint16_t number;
	publisher_fn on_done;
	void *arg;
	char *text, *patch; /* put last */
	bool stale; /* a call for the text before runs: then it begins anew */
	bool create; /* there is no object: make it */
	struct kube_call *call;
	struct event *retry;
	unsigned int failures; /* in a row */
};

static void begin(struct kube_publisher *p);

static void retry_later(struct kube_publisher *p)
{
	unsigned int ms = kube_backoff_ms(++p->failures);
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(p->retry, &wait);
}

static void fail(struct kube_publisher *p, const char *what)
{
	char error[ERROR_MAX];

	snprintf(error, sizeof(error), "NodeIdentity %u: %.400s", p->number, what);
	retry_later(p);
	p->on_done(p->arg, error);
}

static void on_answer(void *arg, const struct kube_response *response)
{
	struct kube_publisher *p = arg;
	bool good = !response->error && response->status >= 200 && response->status < 300;
	bool was_create = p->create;

	p->call = NULL;
	p->create = !good && !was_create && response->status == HTTP_NOT_FOUND;
	if (p->stale || p->create) {
		begin(p);
		return;
	}
	/* Created by somebody meanwhile: whose it is, the patch will tell. */
	if (was_create && response->status == HTTP_CONFLICT) {
		retry_later(p);
		return;
	}
	if (!good) {
		fail(p, response->message);
		return;
	}
	p->failures = 0;
	p->on_done(p->arg, NULL);
}

static int start_call(struct kube_publisher *p)
{
	const struct kube_handlers handlers = { .on_done = on_answer, .arg = p };
	const char *body = p->create ? p->text : p->patch;
	char path[NODE_NUMBERS_PATH_MAX];
	const struct kube_request request = {
		.method = p->create ? "POST" : "PATCH",
		.path = p->create ? NODE_NUMBERS_PATH : node_numbers_path(p->number, path),
		.body = body,
		.length = strlen(body),
		.content_type = p->create ? NULL : "application/merge-patch+json",
	};

	return kube_call_start(p->client, &request, &handlers, &p->call);
}

static void begin(struct kube_publisher *p)
{
	int r;

	p->stale = false;
	r = start_call(p);
	if (r < 0)
		fail(p, strerror(-r));
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	begin(arg);
}

/* The text as a patch: null takes the mark of one that is gone away. */
static char *patch_of(const char *text)
{
	json_auto_t *object = json_loads(text, 0, NULL);
	json_t *metadata = json_object_get(object, "metadata");

	if (!metadata ||
	    json_object_set_new(metadata, "annotations", json_pack("{s:n}", NODE_NUMBERS_GONE)) < 0)
		return NULL;
	return json_dumps(object, JSON_COMPACT);
}

static int kube_put(struct publisher *publisher, const char *text, struct credential_error *reterr)
{
	struct kube_publisher *p = (struct kube_publisher *)publisher;
	char *copy = strdup(text), *patch = patch_of(text);
	int r;

	if (!copy || !patch) {
		free(copy);
		free(patch);
		return credential_fail(reterr, -ENOMEM, "out of memory");
	}
	free(p->text);
	free(p->patch);
	p->text = copy;
	p->patch = patch;
	if (p->call) {
		p->stale = true;
		return 1;
	}
	/* A server that is away is not asked more often because there is more to say. */
	if (event_pending(p->retry, EV_TIMEOUT, NULL))
		return 1;
	r = start_call(p);
	if (r < 0) {
		retry_later(p);
		return credential_fail(reterr, r, "NodeIdentity %u: %s", p->number, strerror(-r));
	}
	return 1;
}

static void kube_free(struct publisher *publisher)
{
	struct kube_publisher *p = (struct kube_publisher *)publisher;

	kube_call_cancel(p->call);
	if (p->retry)
		event_free(p->retry);
	free(p->text);
	free(p->patch);
	free(p);
}

int publisher_kube_new(struct kube_client *client, uint16_t number, publisher_fn on_done, void *arg,
		       struct publisher **ret)
{
	static const struct publisher_ops ops = {
		.put = kube_put,
		.free = kube_free,
		.retries = true,
	};
	struct kube_publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->publisher.ops = &ops;
	p->client = client;
	p->number = number;
	p->on_done = on_done;
	p->arg = arg;
	p->retry = evtimer_new(kube_client_base(client), on_retry, p);
	if (!p->retry) {
		free(p);
		return -ENOMEM;
	}
	*ret = &p->publisher;
	return 0;
}
