/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kind of objects, followed: a streaming list (sendInitialEvents) or pages of LIST, then
 * WATCH with bookmarks from where it ended, again after every disconnect with back-off and
 * jitter. 410 Gone starts a list over, and the owner forgets nothing until it has ended.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
#pragma once

#include <jansson.h>

#include "user/kube/client.h"

#define KUBE_OBJECT_BYTES_MAX (4 << 20) /* of one object; etcd takes 1.5 MiB */
#define KUBE_LIST_LIMIT 500 /* objects in a page */
#define KUBE_WATCH_SILENCE_MS 90000 /* bookmarks come every minute: then it is dead */

struct kube_resource {
	const char *group; /* "" for core */
	const char *version; /* "v1" */
	const char *plural; /* "pods" */
	const char *kind; /* "Pod" */
	const char *namespace; /* NULL: all */
	const char *field_selector, *label_selector; /* or NULL */
	bool optional; /* may not be served (404): asked for again now and then */
	/*
	 * Which fields of an object are wanted; all others are skipped before anything is
	 * allocated. Paths as in "metadata.name", "spec.containers[].ports", each with all
	 * below it; NULL-terminated; NULL: everything but metadata.managedFields.
	 */
	const char *const *fields;
};

/* All are called from the loop; @object is borrowed, has apiVersion and kind. */
struct kube_reflector_ops {
	/* A list begins: what is not told by set() until synced() is gone. */
	void (*begin)(void *arg);
	void (*set)(void *arg, json_t *object); /* came, changed, or is in the list */
	void (*gone)(void *arg, json_t *object); /* as it was last */
	void (*synced)(void *arg); /* the list is whole; also when the kind is not served: empty */
	/* For people, when it changes: why nothing new comes ("" again when it does). */
	void (*trouble)(void *arg, const char *text);
};

struct kube_reflector;

/* Starts at once. @resource and its strings, and @ops, must live on. */
int kube_reflector_new(struct kube_client *client, const struct kube_resource *resource,
		       const struct kube_reflector_ops *ops, void *arg,
		       struct kube_reflector **ret);
struct kube_reflector *kube_reflector_free(struct kube_reflector *reflector); /* takes NULL */
static inline void kube_reflector_freep(struct kube_reflector **reflector)
{
	kube_reflector_free(*reflector);
}

struct kube_reflector_stats {
	bool served; /* the server has the kind */
	bool synced; /* a list was whole once */
	bool watching; /* a watch is open now */
	uint64_t lists, watches, events, bookmarks, expired; /* 410s */
	uint64_t too_large, malformed; /* objects that were left out, with trouble() */
	char resource_version[32]; /* where it stands */
	int64_t last_event_ms; /* CLOCK_BOOTTIME */
};
void kube_reflector_stats(const struct kube_reflector *reflector, struct kube_reflector_stats *ret);
