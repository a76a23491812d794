/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of events.k8s.io/v1, for people who look at an object and wonder. The same event
 * about the same object within ten minutes becomes a series with a count instead of another
 * Event. An object gets 25 at once and one more every five minutes, like with client-go; what
 * is more is counted and left out. Nothing waits for an Event, and none is kept for long: when
 * the server is away they are lost.
 */
#pragma once

#include "user/kube/client.h"
#include "user/kube/condition.h"
#include "user/kube/event_series.h"

#define KUBE_EVENT_CONTROLLER "countersign.dev/agent"
#define KUBE_EVENT_WAITING_MAX 256 /* that wait to be sent; more are left out */
#define KUBE_EVENT_CALLS_MAX 4 /* under way at one time */
#define KUBE_EVENT_NOTE_MAX 1024 /* the API's limit */

struct kube_events;

/* @instance: who tells, the node's name. */
int kube_events_new(struct kube_client *client, const char *instance, struct kube_events **ret);
struct kube_events *kube_events_free(struct kube_events *events); /* takes and returns NULL */
static inline void kube_events_freep(struct kube_events **events)
{
	kube_events_free(*events);
}

/* What an event is about. All may be "" but kind and name. */
struct kube_regarding {
	const char *api_version;
	const char *kind;
	const char *namespace; /* of the event, too; "": the event is in namespace default */
	const char *name;
	const char *uid;
};

/* Says it, if nothing forbids; NULL for @events says nothing. */
void kube_event(struct kube_events *events, enum event_reason reason,
		const struct kube_regarding *regarding, const char *format, ...) _printf_(4, 5);

struct kube_events_stats {
	uint64_t said; /* told by kube_event() */
	uint64_t created, counted; /* Events made; occurrences added to one */
	uint64_t limited, lost; /* by the limit per object; for want of room or an answer */
};
void kube_events_stats(const struct kube_events *events, struct kube_events_stats *ret);
