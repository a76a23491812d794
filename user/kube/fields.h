/* SPDX-License-Identifier: Apache-2.0 */
/* Which members of an object are wanted, as a tree that the pruner walks along. */
#pragma once

#include "user/base/util.h"

struct kube_field {
	char *name;
	struct kube_field *child, *next; /* members, siblings */
	bool others; /* members that are not named are wanted, too */
	bool dropped; /* this one is not */
	bool items; /* an array whose elements are told one by one */
};

/*
 * @paths as in struct kube_resource, NULL for everything but metadata.managedFields. A dot that
 * belongs to a name is written "\\.". What names an object, and what a Status says, is always in.
 */
int kube_fields_new(const char *const *paths, struct kube_field **ret);
/* The same for what is around objects: a watch's {"type", "object"}, a list's {"items": []}. */
int kube_fields_event(const char *const *paths, struct kube_field **ret);
int kube_fields_list(const char *const *paths, struct kube_field **ret);
struct kube_field *kube_field_free(struct kube_field *field); /* takes and returns NULL */
static inline void kube_field_freep(struct kube_field **field)
{
	kube_field_free(*field);
}

/* Member @name of @field; NULL: not wanted. */
const struct kube_field *kube_field_member(const struct kube_field *field, const char *name,
					   size_t length);
