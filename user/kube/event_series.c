/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/event_series.h"

#include "user/identity/keymap.h"

/* How many Events an object may still have. */
struct bucket {
	uint64_t object;
	int64_t at_ms; /* when @tokens were counted */
	uint32_t tokens;
};

struct event_memory {
	struct event_series series[EVENT_SERIES_MAX];
	size_t n_series;
	struct keymap keys; /* of series */
	struct bucket bucket[EVENT_OBJECTS_MAX];
	size_t n_buckets;
	struct keymap objects;
};

int event_memory_new(struct event_memory **ret)
{
	struct event_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	*ret = memory;
	return 0;
}

static void forget(struct event_series *series)
{
	free(series->name);
	free(series->namespace);
	*series = (struct event_series){ 0 };
}

struct event_memory *event_memory_free(struct event_memory *memory)
{
	if (!memory)
		return NULL;
	for (size_t i = 0; i < memory->n_series; i++)
		forget(&memory->series[i]);
	keymap_done(&memory->keys);
	keymap_done(&memory->objects);
	free(memory);
	return NULL;
}

/* A place for one more series: a new one, or that of the longest quiet. */
static struct event_series *series_place(struct event_memory *memory)
{
	struct event_series *oldest = &memory->series[0];

	if (memory->n_series < EVENT_SERIES_MAX)
		return &memory->series[memory->n_series++];
	for (size_t i = 1; i < EVENT_SERIES_MAX; i++)
		if (memory->series[i].last_ms < oldest->last_ms)
			oldest = &memory->series[i];
	keymap_remove(&memory->keys, &oldest->key, sizeof(oldest->key));
	forget(oldest);
	return oldest;
}

static struct bucket *bucket_place(struct event_memory *memory)
{
	struct bucket *oldest = &memory->bucket[0];

	if (memory->n_buckets < EVENT_OBJECTS_MAX)
		return &memory->bucket[memory->n_buckets++];
	for (size_t i = 1; i < EVENT_OBJECTS_MAX; i++)
		if (memory->bucket[i].at_ms < oldest->at_ms)
			oldest = &memory->bucket[i];
	keymap_remove(&memory->objects, &oldest->object, sizeof(oldest->object));
	return oldest;
}

static struct bucket *bucket_of(struct event_memory *memory, uint64_t object, int64_t now_ms)
{
	struct bucket *bucket;
	uint32_t i;

	if (keymap_get(&memory->objects, &object, sizeof(object), &i))
		return &memory->bucket[i];
	bucket = bucket_place(memory);
	*bucket = (struct bucket){ .object = object, .at_ms = now_ms, .tokens = EVENT_BURST };
	keymap_put(&memory->objects, &bucket->object, sizeof(bucket->object),
		   (uint32_t)(bucket - memory->bucket));
	return bucket;
}

static bool take_token(struct event_memory *memory, uint64_t object, int64_t now_ms)
{
	struct bucket *bucket = bucket_of(memory, object, now_ms);
	int64_t more = (now_ms - bucket->at_ms) / EVENT_REFILL_MS;

	if (bucket->tokens + more >= EVENT_BURST) {
		bucket->tokens = EVENT_BURST;
		bucket->at_ms = now_ms;
	} else {
		bucket->tokens += (uint32_t)more;
		bucket->at_ms += more * EVENT_REFILL_MS;
	}
	if (!bucket->tokens)
		return false;
	bucket->tokens--;
	return true;
}

struct event_series *event_find(struct event_memory *memory, uint64_t key)
{
	uint32_t i;

	return keymap_get(&memory->keys, &key, sizeof(key), &i) ? &memory->series[i] : NULL;
}

static enum event_fate again(struct event_series *series, int64_t now_ms)
{
	series->last_ms = now_ms;
	series->count++;
	if (!series->name || now_ms - series->told_ms < EVENT_SERIES_TELL_MS)
		return EVENT_QUIET;
	series->told_ms = now_ms;
	series->told = series->count;
	return EVENT_AGAIN;
}

enum event_fate event_occurs(struct event_memory *memory, uint64_t key, uint64_t object,
			     int64_t now_ms, struct event_series **ret)
{
	struct event_series *series = event_find(memory, key);

	if (series && now_ms - series->last_ms < EVENT_SERIES_MS) {
		*ret = series;
		return again(series, now_ms);
	}
	if (!take_token(memory, object, now_ms))
		return EVENT_LIMITED;
	if (series) {
		forget(series);
	} else {
		series = series_place(memory);
		series->key = key;
		/* Without memory the next occurrence is a new event: no harm. */
		keymap_put(&memory->keys, &series->key, sizeof(series->key),
			   (uint32_t)(series - memory->series));
	}
	*series = (struct event_series){
		.key = key,
		.object = object,
		.last_ms = now_ms,
		.told_ms = now_ms,
		.count = 1,
		.told = 1,
	};
	*ret = series;
	return EVENT_NEW;
}

struct event_series *event_due(struct event_memory *memory, int64_t now_ms)
{
	for (size_t i = 0; i < memory->n_series; i++) {
		struct event_series *series = &memory->series[i];

		if (!series->name || series->count == series->told ||
		    now_ms - series->told_ms < EVENT_SERIES_TELL_MS)
			continue;
		series->told_ms = now_ms;
		series->told = series->count;
		return series;
	}
	return NULL;
}
