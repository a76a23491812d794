/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/event.h"

#include <countersign/siphash.h>
#include <sys/random.h>

#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/kube/apply.h"
#include "user/kube/time.h"

#define NAMESPACE_DEFAULT "default" /* where Events about cluster-wide objects must be */
#define NAME_ROOM 220 /* of an object's name in that of its Event */
#define TICK_MS 30000 /* between looks for counts that the server does not know */

static const struct {
	const char *text;
	const char *type;
	const char *action;
} reasons[] = {
#define X(name, text, type, action, regarding, meaning) [EVENT_##name] = { text, type, action },
	EVENT_REASONS(X)
#undef X
};

/* One write that waits or is under way. */
struct sending {
	uint64_t key; /* of its series */
	struct kube_path path;
	char *namespace, *name; /* own what @path points to */
	json_t *object; /* the Event, or with @patch its series */
	bool patch;
};

struct slot {
	struct kube_events *events;
	struct kube_call *call; /* NULL: free */
	struct sending sending;
};

struct kube_events {
	struct kube_client *client;
	char *instance;
	struct event_memory *memory;
	struct event *tick;
	struct cs_key hash; /* random, as texts come from manifests */
	struct sending waiting[KUBE_EVENT_WAITING_MAX]; /* a ring */
	size_t first, n_waiting;
	struct slot slot[KUBE_EVENT_CALLS_MAX];
	struct kube_events_stats stats;
};

static void pump(struct kube_events *events);

static void sending_done(struct sending *sending)
{
	free(sending->namespace);
	free(sending->name);
	json_decref(sending->object);
	*sending = (struct sending){ 0 };
}

struct kube_events *kube_events_free(struct kube_events *events)
{
	if (!events)
		return NULL;
	for (size_t i = 0; i < KUBE_EVENT_CALLS_MAX; i++) {
		kube_call_cancel(events->slot[i].call);
		sending_done(&events->slot[i].sending);
	}
	for (size_t i = 0; i < KUBE_EVENT_WAITING_MAX; i++)
		sending_done(&events->waiting[i]);
	if (events->tick)
		event_free(events->tick);
	event_memory_free(events->memory);
	free(events->instance);
	free(events);
	return NULL;
}

/* What the server does not have is made anew when it occurs again. */
static void forget_series(struct kube_events *events, uint64_t key)
{
	struct event_series *series = event_find(events->memory, key);

	if (series)
		series->last_ms = -EVENT_SERIES_MS;
	events->stats.lost++;
}

static void on_done(void *arg, const struct kube_response *response)
{
	struct slot *slot = arg;
	struct kube_events *events = slot->events;

	slot->call = NULL;
	if (kube_outcome(response) != KUBE_WRITTEN)
		forget_series(events, slot->sending.key);
	else if (slot->sending.patch)
		events->stats.counted++;
	else
		events->stats.created++;
	sending_done(&slot->sending);
	pump(events);
}

static int begin(struct kube_events *events, struct slot *slot)
{
	const struct kube_handlers handlers = { .on_done = on_done, .arg = slot };
	struct sending *sending = &slot->sending;

	if (sending->patch)
		return kube_merge_start(events->client, &sending->path, sending->object, &handlers,
					&slot->call);
	return kube_create_start(events->client, &sending->path, sending->object, &handlers,
				 &slot->call);
}

static void pump(struct kube_events *events)
{
	for (size_t i = 0; i < KUBE_EVENT_CALLS_MAX && events->n_waiting; i++) {
		struct slot *slot = &events->slot[i];

		if (slot->call)
			continue;
		slot->sending = events->waiting[events->first];
		events->waiting[events->first] = (struct sending){ 0 };
		events->first = (events->first + 1) % KUBE_EVENT_WAITING_MAX;
		events->n_waiting--;
		if (begin(events, slot) < 0) {
			slot->call = NULL;
			forget_series(events, slot->sending.key);
			sending_done(&slot->sending);
		}
	}
}

/* Takes @object over. */
static void enqueue(struct kube_events *events, const struct event_series *series, json_t *object,
		    bool patch)
{
	struct sending sending = { .key = series->key, .object = object, .patch = patch };

	sending.namespace = strdup(series->namespace ?: "");
	sending.name = strdup(series->name ?: "");
	if (!object || !sending.namespace || !sending.name || !*sending.name ||
	    events->n_waiting == KUBE_EVENT_WAITING_MAX) {
		sending_done(&sending);
		forget_series(events, series->key);
		return;
	}
	sending.path = (struct kube_path){
		.group = "events.k8s.io",
		.version = "v1",
		.namespace = sending.namespace,
		.plural = "events",
		.name = sending.name,
	};
	events->waiting[(events->first + events->n_waiting++) % KUBE_EVENT_WAITING_MAX] = sending;
}

static json_t *series_patch(const struct event_series *series)
{
	char now[KUBE_TIME_MAX];

	kube_time_text(clock_ns(CLOCK_REALTIME), now);
	return json_pack("{s:{s:I, s:s}}", "series", "count", (json_int_t)series->count,
			 "lastObservedTime", now);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct kube_events *events = arg;
	struct event_series *series;

	(void)fd;
	(void)what;
	while (events->n_waiting < KUBE_EVENT_WAITING_MAX) {
		series = event_due(events->memory, clock_ms(CLOCK_BOOTTIME));
		if (!series)
			break;
		enqueue(events, series, series_patch(series), true);
	}
	pump(events);
}

int kube_events_new(struct kube_client *client, const char *instance, struct kube_events **ret)
{
	_cleanup_(kube_events_freep) struct kube_events *events = calloc(1, sizeof(*events));
	int r;

	if (!events)
		return -ENOMEM;
	events->client = client;
	events->instance = strdup(instance);
	for (size_t i = 0; i < KUBE_EVENT_CALLS_MAX; i++)
		events->slot[i].events = events;
	if (!events->instance)
		return -ENOMEM;
	if (getrandom(&events->hash, sizeof(events->hash), 0) < 0)
		return -errno;
	r = event_memory_new(&events->memory);
	if (r == 0)
		r = loop_every(kube_client_base(client), TICK_MS, on_tick, events, &events->tick);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(events);
	return 0;
}

static uint64_t hash_texts(const struct kube_events *events, const char *const *texts, size_t n)
{
	struct cs_key sum = events->hash;

	for (size_t i = 0; i < n; i++)
		sum.k0 = cs_siphash_bytes(&sum, texts[i], strlen(texts[i]));
	return sum.k0;
}

/* "<name of the object>.<number>": an object name of its own, however long the first part. */
static char *event_name(const char *name)
{
	size_t length = strnlen(name, NAME_ROOM);
	uint64_t number = (uint64_t)clock_ns(CLOCK_REALTIME);
	uint32_t random = 0;
	char *text;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) > 0)
		number ^= (uint64_t)random << 32;
	while (length && (name[length - 1] == '-' || name[length - 1] == '.'))
		length--;
	if (asprintf(&text, "%.*s.%016llx", (int)length, name, (unsigned long long)number) < 0)
		return NULL;
	return text;
}

static json_t *event_object(const struct kube_events *events, enum event_reason reason,
			    const struct kube_regarding *regarding,
			    const struct event_series *series, const char *note)
{
	char now[KUBE_TIME_MAX];
	json_t *object;

	kube_time_text(clock_ns(CLOCK_REALTIME), now);
	object = json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
			   "apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata", "name",
			   series->name ?: "", "namespace", series->namespace ?: "", "eventTime",
			   now, "reportingController", KUBE_EVENT_CONTROLLER, "reportingInstance",
			   events->instance, "action", reasons[reason].action, "reason",
			   reasons[reason].text, "type", reasons[reason].type, "note", note);
	if (object)
		json_object_set_new(object, "regarding",
				    json_pack("{s:s, s:s, s:s, s:s, s:s}", "apiVersion",
					      regarding->api_version, "kind", regarding->kind,
					      "namespace", regarding->namespace, "name",
					      regarding->name, "uid", regarding->uid));
	return object;
}

static void say(struct kube_events *events, enum event_reason reason,
		const struct kube_regarding *regarding, const char *note)
{
	const char *const about[] = { regarding->kind, regarding->namespace, regarding->name };
	const char *const all[] = { about[0],	    about[1], about[2],
				    regarding->uid, note,     reasons[reason].text };
	struct event_series *series = NULL;

	switch (event_occurs(events->memory, hash_texts(events, all, ARRAY_SIZE(all)),
			     hash_texts(events, about, ARRAY_SIZE(about)), clock_ms(CLOCK_BOOTTIME),
			     &series)) {
	case EVENT_NEW:
		series->name = event_name(regarding->name);
		series->namespace =
			strdup(*regarding->namespace ? regarding->namespace : NAMESPACE_DEFAULT);
		enqueue(events, series, event_object(events, reason, regarding, series, note),
			false);
		break;
	case EVENT_AGAIN:
		enqueue(events, series, series_patch(series), true);
		break;
	case EVENT_LIMITED:
		events->stats.limited++;
		break;
	case EVENT_QUIET:
		break;
	}
	pump(events);
}

/* Bytes that start a character of UTF-8 are not cut from those that end it. */
static void cut_at_character(char *text, size_t length)
{
	while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	text[length] = 0;
}

void kube_event(struct kube_events *events, enum event_reason reason,
		const struct kube_regarding *regarding, const char *format, ...)
{
	char note[KUBE_EVENT_NOTE_MAX + 1];
	va_list args;
	int n;

	if (!events)
		return;
	va_start(args, format);
	n = vsnprintf(note, sizeof(note), format, args);
	va_end(args);
	if (n >= (int)sizeof(note))
		cut_at_character(note, sizeof(note) - 1);
	events->stats.said++;
	say(events, reason, regarding, note);
}

void kube_events_stats(const struct kube_events *events, struct kube_events_stats *ret)
{
	*ret = events->stats;
}
