/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the API server as the documents that the policy room reads. A Pod becomes a
 * Workload, what is policy stays what it is, with the fields that matter only: an object that
 * changes in others gives the same text, so nobody need look at it again.
 */
#pragma once

#include <jansson.h>

#include "user/kube/reflector.h"

#define KUBE_DOCUMENT_NAME_MAX 640 /* "<kind>/<namespace>/<name>" */

struct kube_kind {
	struct kube_resource resource;
	/*
	 * The document for @object, the caller's; NULL in @ret: the object means nothing here
	 * (a pod that has ended or has no node yet). -EINVAL: it is not what its kind says.
	 */
	int (*document)(const json_t *object, char **ret);
	bool required; /* without it nothing can be put in force: the start waits for its list */
};

/* Every kind that is watched for policy. */
extern const struct kube_kind kube_kinds[];
extern const size_t kube_kinds_n;

/* "Pod/shop/web-1", "Node//host-a" is "Node/host-a"; -ENAMETOOLONG. */
int kube_document_name(const char *kind, const char *namespace, const char *name,
		       char ret[KUBE_DOCUMENT_NAME_MAX]);
