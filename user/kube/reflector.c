/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/reflector.h"

#include "user/kube/reflector_internal.h"

#define QUICK_MS 5000 /* a watch that ends sooner ended at once */
#define QUICK_ENDS_MAX 2 /* so many in a row are taken for chance */
#define EXPIRED_MS 2000 /* a list after a 410 begins within this */
#define LOOK_MS 1000 /* whoever waits for a server that is away looks so often if it is back */
#define BACK_MS 2000 /* and then goes on within this */
#define STREAM_FAILURES_MAX 3 /* streaming lists in a row, then pages are tried */

static void reflector_destroy(struct kube_reflector *reflector)
{
	if (reflector->timer)
		event_free(reflector->timer);
	kube_call_cancel(reflector->call);
	kube_pruner_free(reflector->pruner);
	kube_field_free(reflector->event_fields);
	kube_field_free(reflector->list_fields);
	free(reflector->next_page);
	free(reflector->api_version);
	free(reflector);
}

/* Around whatever may call the owner, which may free us from there. */
static void leave(struct kube_reflector *reflector)
{
	if (--reflector->busy == 0 && reflector->dead)
		reflector_destroy(reflector);
}

static void wait_ms(struct kube_reflector *reflector, int64_t ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	reflector->phase = KUBE_WAITS;
	if (!reflector->dead)
		event_add(reflector->timer, &wait);
}

/* Not through to the end, when somebody else of this process reaches the server again before. */
static void sleep_ms(struct kube_reflector *reflector, int64_t ms)
{
	reflector->asleep_ms = kube_now_ms();
	reflector->due_ms = reflector->asleep_ms + ms;
	wait_ms(reflector, MIN(ms, (int64_t)LOOK_MS));
}

/* Whether it waits on. The server is not met by all at once, but soon. */
static bool sleeps_on(struct kube_reflector *reflector)
{
	int64_t now_ms = kube_now_ms();
	struct kube_client_stats stats;

	if (!reflector->asleep_ms || now_ms >= reflector->due_ms)
		return false;
	kube_client_stats(reflector->client, &stats);
	if (stats.last_success_ms > reflector->asleep_ms) {
		reflector->asleep_ms = 0;
		wait_ms(reflector,
			MIN(reflector->due_ms - now_ms, (int64_t)arc4random_uniform(BACK_MS)));
	} else {
		wait_ms(reflector, MIN(reflector->due_ms - now_ms, (int64_t)LOOK_MS));
	}
	return true;
}

static void forget_place(struct kube_reflector *reflector)
{
	reflector->version[0] = '\0';
	free(TAKE_PTR(reflector->next_page));
}

/*
 * A watch that breaks off once is everyday life and goes on at once; what lasts is said. The
 * server's own word about when to come again is kept, with some jitter on it.
 */
static void failed(struct kube_reflector *reflector, const char *why, int64_t retry_after_ms)
{
	int64_t wait;

	reflector->failures++;
	if (reflector->failures > 1 || !reflector->version[0])
		kube_reflector_trouble(reflector, why);
	wait = kube_backoff_ms(reflector->failures);
	if (retry_after_ms > 0)
		wait += retry_after_ms;
	if (reflector->unanswered)
		sleep_ms(reflector, wait);
	else
		wait_ms(reflector, wait);
}

/*
 * 410: what was told of a list so far counts for nothing, and so does the place of a watch. A server
 * that has just started says so to everybody at once, so the lists are spread out.
 */
static void start_over(struct kube_reflector *reflector)
{
	forget_place(reflector);
	reflector->stats.expired++;
	reflector->failures++;
	wait_ms(reflector, kube_backoff_ms(reflector->failures) + arc4random_uniform(EXPIRED_MS));
}

/*
 * 404. A kind that was there a moment ago must be absent several times: a server that is just
 * starting may not know all of its kinds yet, and to drop policies then would open a gap.
 */
static void absent(struct kube_reflector *reflector, const char *why)
{
	bool served = reflector->stats.served;

	forget_place(reflector);
	if (!reflector->resource->optional) {
		failed(reflector, why, 0);
		return;
	}
	if (served && ++reflector->absences < KUBE_ABSENT_TIMES) {
		wait_ms(reflector, KUBE_ABSENT_MS / 4 + arc4random_uniform(KUBE_ABSENT_MS / 4));
		return;
	}
	wait_ms(reflector, KUBE_ABSENT_MS / 2 + arc4random_uniform(KUBE_ABSENT_MS));
	reflector->failures = 0;
	reflector->stats.served = false;
	if (!served && reflector->stats.synced) {
		kube_reflector_trouble(reflector, "");
		return;
	}
	reflector->ops->begin(reflector->arg);
	kube_reflector_synced(reflector);
}

static void watch_ended(struct kube_reflector *reflector)
{
	bool quick = kube_now_ms() - reflector->begun_ms < QUICK_MS;

	reflector->quick_ends = quick ? reflector->quick_ends + 1 : 0;
	if (reflector->quick_ends > QUICK_ENDS_MAX)
		failed(reflector, "the API server ends each watch at once", 0);
	else
		wait_ms(reflector, 0);
}

static void page_ended(struct kube_reflector *reflector)
{
	int r = kube_reflector_page_end(reflector);

	if (r < 0) {
		forget_place(reflector);
		failed(reflector, reflector->why, 0);
		return;
	}
	reflector->failures = 0;
	wait_ms(reflector, 0);
	if (r > 0)
		return;
	snprintf(reflector->version, sizeof(reflector->version), "%s", reflector->list_version);
	kube_reflector_synced(reflector);
}

/* A server that cannot do streaming lists says so in one of these ways. */
static bool refuses_stream(const struct kube_response *response)
{
	return response->status == 400 || response->status == 403 || response->status == 405 ||
	       response->status == 422 || response->status == 501;
}

static void list_pages(struct kube_reflector *reflector)
{
	reflector->pages_only = true;
	forget_place(reflector);
	wait_ms(reflector, 0);
}

static void halve(struct kube_reflector *reflector)
{
	if (reflector->limit > 1) {
		reflector->limit /= 2;
		wait_ms(reflector, 0);
		return;
	}
	forget_place(reflector);
	failed(reflector, reflector->why, 0);
}

/* What the stream itself said; true when that was something. */
static bool told(struct kube_reflector *reflector)
{
	switch (reflector->outcome) {
	case KUBE_NOTHING:
		return false;
	case KUBE_EXPIRED:
		start_over(reflector);
		break;
	case KUBE_NO_STREAM:
		list_pages(reflector);
		break;
	case KUBE_TOO_MUCH:
		halve(reflector);
		break;
	case KUBE_BROKEN:
		forget_place(reflector);
		failed(reflector, reflector->why, 0);
		break;
	case KUBE_REFUSED:
		failed(reflector, reflector->why, 0);
		break;
	}
	return true;
}

static void answered_badly(struct kube_reflector *reflector, enum kube_phase phase,
			   const struct kube_response *response)
{
	char why[KUBE_ERROR_MAX];

	snprintf(why, sizeof(why), "cannot %s %s: %.300s", phase == KUBE_WATCHES ? "watch" : "list",
		 reflector->resource->plural, response->message);
	if (response->status == 404)
		absent(reflector, why);
	else if (response->status == 410)
		start_over(reflector);
	else if (phase == KUBE_STREAMS && refuses_stream(response))
		list_pages(reflector);
	else
		failed(reflector, why, response->retry_after_ms);
	/* Then it was not the streaming that was refused. */
	if (phase == KUBE_PAGES && response->status == 403)
		reflector->pages_only = false;
}

static void on_done(void *arg, const struct kube_response *response)
{
	struct kube_reflector *reflector = arg;
	enum kube_phase phase = reflector->phase;

	reflector->busy++;
	reflector->call = NULL;
	reflector->stats.watching = false;
	if (reflector->unanswered && response->error == 0)
		reflector->failures = 0; /* it is back: how long it was away says nothing more */
	reflector->unanswered = response->error < 0;
	if (told(reflector))
		;
	else if (response->error < 0 || response->status != 200)
		answered_badly(reflector, phase, response);
	else if (phase == KUBE_PAGES)
		page_ended(reflector);
	else if (phase == KUBE_WATCHES && kube_pruner_idle(reflector->pruner))
		watch_ended(reflector);
	else
		failed(reflector, "the API server broke a watch off", 0);
	leave(reflector);
}

/* The server has the kind, and lets us. */
static void begun(struct kube_reflector *reflector)
{
	reflector->begun_ms = kube_now_ms();
	reflector->stats.served = true;
	reflector->absences = 0;
	if (reflector->phase != KUBE_WATCHES && !reflector->next_page)
		reflector->ops->begin(reflector->arg);
	if (reflector->phase == KUBE_PAGES)
		return;
	reflector->stats.watching = true;
	if (reflector->phase == KUBE_STREAMS)
		return;
	/* One that ends at once is not the end of the trouble. */
	if (reflector->quick_ends <= QUICK_ENDS_MAX) {
		reflector->failures = 0;
		kube_reflector_trouble(reflector, "");
	}
}

static int on_data(void *arg, const char *data, size_t length)
{
	struct kube_reflector *reflector = arg;
	bool listing = reflector->phase == KUBE_STREAMS;
	int r = 0;

	reflector->busy++;
	if (length == 0)
		begun(reflector);
	else
		r = kube_reflector_data(reflector, data, length);
	if (listing && reflector->phase == KUBE_WATCHES)
		reflector->failures = 0;
	if (reflector->dead)
		r = -ECANCELED;
	leave(reflector);
	return r;
}

/* Where a page follows another, the list goes on; all else begins one. */
static void begin_list(struct kube_reflector *reflector)
{
	bool stream = !reflector->pages_only && reflector->failures < STREAM_FAILURES_MAX;

	if (reflector->next_page) {
		reflector->phase = KUBE_PAGES;
		return;
	}
	reflector->phase = stream ? KUBE_STREAMS : KUBE_PAGES;
	reflector->list_version[0] = '\0';
	reflector->stats.lists++;
}

static void step(struct kube_reflector *reflector)
{
	static const struct kube_handlers handlers = { .on_data = on_data, .on_done = on_done };
	struct kube_handlers own = handlers;
	int r;

	own.arg = reflector;
	if (!reflector->version[0]) {
		begin_list(reflector);
	} else {
		reflector->phase = KUBE_WATCHES;
		reflector->stats.watches++;
	}
	if (reflector->dead)
		return;
	r = kube_reflector_request(reflector, &own);
	if (r < 0)
		failed(reflector, strerror(-r), 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct kube_reflector *reflector = arg;

	(void)fd;
	(void)what;
	if (sleeps_on(reflector))
		return;
	reflector->asleep_ms = 0;
	reflector->busy++;
	step(reflector);
	leave(reflector);
}

static int prepare(struct kube_reflector *reflector)
{
	const struct kube_resource *resource = reflector->resource;
	int r;

	if (asprintf(&reflector->api_version, "%s%s%s", resource->group,
		     *resource->group ? "/" : "", resource->version) < 0) {
		reflector->api_version = NULL;
		return -ENOMEM;
	}
	r = kube_fields_event(resource->fields, &reflector->event_fields);
	if (r == 0)
		r = kube_fields_list(resource->fields, &reflector->list_fields);
	if (r < 0)
		return r;
	reflector->timer = evtimer_new(kube_client_base(reflector->client), on_timer, reflector);
	return reflector->timer ? 0 : -ENOMEM;
}

int kube_reflector_new(struct kube_client *client, const struct kube_resource *resource,
		       const struct kube_reflector_ops *ops, void *arg, struct kube_reflector **ret)
{
	struct kube_reflector *reflector = calloc(1, sizeof(*reflector));
	int r;

	if (!reflector)
		return -ENOMEM;
	reflector->client = client;
	reflector->resource = resource;
	reflector->ops = ops;
	reflector->arg = arg;
	reflector->limit = KUBE_LIST_LIMIT;
	r = prepare(reflector);
	if (r < 0) {
		reflector_destroy(reflector);
		return r;
	}
	wait_ms(reflector, 0);
	*ret = reflector;
	return 0;
}

struct kube_reflector *kube_reflector_free(struct kube_reflector *reflector)
{
	if (!reflector)
		return NULL;
	reflector->dead = true;
	if (reflector->busy == 0)
		reflector_destroy(reflector);
	return NULL;
}

void kube_reflector_stats(const struct kube_reflector *reflector, struct kube_reflector_stats *ret)
{
	*ret = reflector->stats;
	snprintf(ret->resource_version, sizeof(ret->resource_version), "%s", reflector->version);
}
