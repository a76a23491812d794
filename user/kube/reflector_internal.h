/* SPDX-License-Identifier: Apache-2.0 */
/* A reflector's state: it waits, it lists in one of two ways, or it watches. */
#pragma once

#include "user/kube/client_internal.h"
#include "user/kube/fields.h"
#include "user/kube/prune.h"
#include "user/kube/reflector.h"

#define KUBE_WATCH_MIN_S 300 /* timeoutSeconds is between this and twice this */
#define KUBE_LIST_SILENCE_MS 60000 /* of a page */
#define KUBE_CONTINUE_MAX 4096 /* bytes of a continue token */
#define KUBE_ABSENT_MS 10000 /* about so often an absent kind is asked for again */
#define KUBE_ABSENT_TIMES 3 /* so often in a row a kind that was served must be absent */

enum kube_phase {
	KUBE_WAITS,
	KUBE_STREAMS, /* a watch that begins with all objects */
	KUBE_PAGES,
	KUBE_WATCHES,
};

/* What a stream itself said about how it must end, before the client says that it did. */
enum kube_outcome {
	KUBE_NOTHING,
	KUBE_EXPIRED, /* 410: list anew */
	KUBE_NO_STREAM, /* the server does not do streaming lists */
	KUBE_TOO_MUCH, /* a page is too large: a smaller one */
	KUBE_BROKEN, /* not understood: list anew, later */
	KUBE_REFUSED, /* an ERROR event; the place is still good */
};

struct kube_reflector {
	struct kube_client *client;
	const struct kube_resource *resource;
	const struct kube_reflector_ops *ops;
	void *arg;
	char *api_version; /* "apps/v1" */
	struct kube_field *event_fields, *list_fields;

	struct event *timer;
	struct kube_call *call;
	struct kube_pruner *pruner;
	enum kube_phase phase;
	enum kube_outcome outcome;
	char why[KUBE_ERROR_MAX];
	bool unanswered; /* the last call ended without a word of the server */
	int64_t asleep_ms; /* since when it waits for a server that is away; 0: it does not */
	int64_t due_ms; /* then it tries again in any case */
	int64_t begun_ms; /* when the call was answered; 0: not yet */
	size_t page_bytes;

	char version[32]; /* where to go on; "": a list is needed */
	char list_version[32]; /* of the list at hand */
	char *next_page; /* continue token; NULL: none */
	unsigned int limit;
	bool pages_only; /* the server refused a streaming list */
	bool left_out; /* an object was too large: said until the next whole list */
	unsigned int failures, quick_ends, absences;

	unsigned int busy; /* inside of a callback of the owner, it is not freed */
	bool dead;
	char trouble[KUBE_ERROR_MAX];
	struct kube_reflector_stats stats;
};

/* reflector_request.c: the next call for the phase. */
int kube_reflector_request(struct kube_reflector *reflector, const struct kube_handlers *handlers);

/* reflector_events.c: what a call brings. */
int kube_reflector_data(struct kube_reflector *reflector, const char *data, size_t length);
void kube_reflector_synced(struct kube_reflector *reflector);
void kube_reflector_trouble(struct kube_reflector *reflector, const char *text);
/* A list or page has ended well. 1: there is another page; -EBADMSG: it had no end. */
int kube_reflector_page_end(struct kube_reflector *reflector);
int kube_reflector_pruner(struct kube_reflector *reflector);
