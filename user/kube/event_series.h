/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which events are new, which are another occurrence, and which are too many: the part of
 * user/kube/event.h without network and clock.
 */
#pragma once

#include "user/base/util.h"

#define EVENT_SERIES_MS (10 * 60 * 1000) /* the same again within this is a series */
#define EVENT_SERIES_TELL_MS 60000 /* between updates of the count of one series */
#define EVENT_BURST 25 /* Events of one object at once */
#define EVENT_REFILL_MS (5 * 60 * 1000) /* for one more */
#define EVENT_SERIES_MAX 4096 /* remembered; the longest quiet one makes room */
#define EVENT_OBJECTS_MAX 4096 /* likewise */

struct event_series {
	uint64_t key; /* of all that makes an event the same */
	uint64_t object; /* key of what it is about */
	int64_t last_ms; /* of its last occurrence */
	int64_t told_ms; /* when the server was told last */
	uint32_t count, told; /* occurrences; of them, as the server knows */
	char *name; /* of the Event, the owner's to set; NULL: not made yet */
	char *namespace;
};

struct event_memory;

int event_memory_new(struct event_memory **ret);
struct event_memory *event_memory_free(struct event_memory *memory); /* takes and returns NULL */
static inline void event_memory_freep(struct event_memory **memory)
{
	event_memory_free(*memory);
}

enum event_fate {
	EVENT_NEW, /* make an Event */
	EVENT_AGAIN, /* tell the server its new count, @ret->count */
	EVENT_QUIET, /* counted; the server is told later, with others */
	EVENT_LIMITED, /* too many about this object: left out */
};

/* An event of @key about @object occurs. @ret stays valid until the next call. */
enum event_fate event_occurs(struct event_memory *memory, uint64_t key, uint64_t object,
			     int64_t now_ms, struct event_series **ret);

/* One whose count the server should be told by now, NULL: none. It is marked as told. */
struct event_series *event_due(struct event_memory *memory, int64_t now_ms);

/* NULL: it made room for others. */
struct event_series *event_find(struct event_memory *memory, uint64_t key);
