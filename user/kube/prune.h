/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drops what nobody wants from JSON while it comes in, in pieces of any size: a Pod of
 * 10 KiB leaves some hundred bytes, and the rest was never kept. What comes out is JSON with
 * the same members in the same order. Deep nesting and what is no JSON are refused, also in
 * what is dropped (of that, only the UTF-8 of texts and the size of numbers go unread).
 */
#pragma once

#include "user/kube/fields.h"

#define KUBE_DEPTH_MAX 128 /* nested objects and arrays */
#define KUBE_NAME_MAX 1024 /* bytes of a member's name */

struct kube_pruner;

/*
 * A value at the top has ended, or (@item) an element of an array that is told one by one.
 * @text is NULL when more of it is wanted than is allowed. < 0 ends the feeding.
 */
typedef int (*kube_prune_fn)(void *arg, bool item, const char *text, size_t length);

/* @fields must live on. @max: bytes kept of one text. */
int kube_pruner_new(const struct kube_field *fields, size_t max, kube_prune_fn fn, void *arg,
		    struct kube_pruner **ret);
struct kube_pruner *kube_pruner_free(struct kube_pruner *pruner); /* takes and returns NULL */

/* -EBADMSG: this is no JSON, or nested too deep; what @fn returned; afterwards only free it. */
int kube_pruner_feed(struct kube_pruner *pruner, const char *data, size_t length);
/* Whether all that was begun has ended. */
bool kube_pruner_idle(const struct kube_pruner *pruner);
