/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing parts of objects: server-side apply, which says what shall be true of the fields
 * that are ours and leaves all others to whoever manages them, and JSON merge patches.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
#pragma once

#include <jansson.h>

#include "user/kube/client.h"
#include "user/kube/path.h"

#define KUBE_FIELD_MANAGER "countersign"
#define KUBE_APPLY_BYTES_MAX (1 << 20) /* of one object that we write */

struct kube_apply {
	struct kube_path path; /* with a name, and subresource "status" for status */
	/*
	 * With apiVersion, kind and metadata.name. metadata.uid, when given, must be that of the
	 * object, so that nothing is written to another of the same name.
	 */
	const json_t *object;
	/*
	 * Takes fields over from other managers. Right for what only we may say; without it
	 * another manager's field is KUBE_CONFLICT.
	 */
	bool force;
};

int kube_apply_start(struct kube_client *client, const struct kube_apply *apply,
		     const struct kube_handlers *handlers, struct kube_call **ret);

int kube_merge_start(struct kube_client *client, const struct kube_path *path, const json_t *patch,
		     const struct kube_handlers *handlers, struct kube_call **ret);

int kube_create_start(struct kube_client *client, const struct kube_path *path,
		      const json_t *object, const struct kube_handlers *handlers,
		      struct kube_call **ret);

/* What a writer makes of an answer. */
enum kube_outcome {
	KUBE_WRITTEN,
	KUBE_CONFLICT, /* another was quicker, manages the field, or the UID is another */
	KUBE_ABSENT, /* no such object, or no such kind */
	KUBE_EXISTS, /* it was to be created */
	KUBE_REFUSED, /* never, as it is: not allowed, not valid */
	KUBE_LATER, /* no answer, too many requests, an error of the server: try again */
};
enum kube_outcome kube_outcome(const struct kube_response *response);
