/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of object.h share. */
#pragma once

#include "user/kube/object.h"

#define _cleanup_json_ _cleanup_(json_decrefp)

/* NULL: no such kind is watched. */
const struct kube_kind *kube_kind_find(const char *kind);

/* Whether metadata is as every object's: a name, and a namespace that is text or not there. */
bool kube_object_named(const json_t *object);

/* Puts what @path of @from says ("a.b[].c") in the same place of @to; nulls are left out. */
int kube_pick(json_t *to, const json_t *from, const char *path);

/* The text of a document, the same for equal ones. */
int kube_document_text(const json_t *document, char **ret);

/* The Workload that a Pod is. */
int kube_pod_document(const json_t *object, char **ret);
