/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/apply.h"

struct write {
	const char *method;
	const char *content_type;
	const char *query;
};

static int start(struct kube_client *client, const struct write *write,
		 const struct kube_path *path, const json_t *object,
		 const struct kube_handlers *handlers, struct kube_call **ret)
{
	_cleanup_free_ char *body = json_dumps(object, JSON_COMPACT);
	_cleanup_free_ char *plain = kube_path_text(path);
	_cleanup_free_ char *full = NULL;
	struct kube_request request = { .method = write->method,
					.content_type = write->content_type };

	if (!body || !plain)
		return -ENOMEM;
	if (strlen(body) > KUBE_APPLY_BYTES_MAX)
		return -EFBIG;
	if (asprintf(&full, "%s%s", plain, write->query) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	request.path = full;
	request.body = body;
	request.length = strlen(body);
	return kube_call_start(client, &request, handlers, ret);
}

#define MANAGER "?fieldManager=" KUBE_FIELD_MANAGER

int kube_apply_start(struct kube_client *client, const struct kube_apply *apply,
		     const struct kube_handlers *handlers, struct kube_call **ret)
{
	/* JSON is YAML. */
	const struct write write = {
		.method = "PATCH",
		.content_type = "application/apply-patch+yaml",
		.query = apply->force ? MANAGER "&force=true" : MANAGER,
	};

	return start(client, &write, &apply->path, apply->object, handlers, ret);
}

int kube_merge_start(struct kube_client *client, const struct kube_path *path, const json_t *patch,
		     const struct kube_handlers *handlers, struct kube_call **ret)
{
	static const struct write write = {
		.method = "PATCH",
		.content_type = "application/merge-patch+json",
		.query = MANAGER,
	};

	return start(client, &write, path, patch, handlers, ret);
}

int kube_create_start(struct kube_client *client, const struct kube_path *path,
		      const json_t *object, const struct kube_handlers *handlers,
		      struct kube_call **ret)
{
	static const struct write write = {
		.method = "POST",
		.content_type = "application/json",
		.query = MANAGER,
	};
	struct kube_path collection = *path;

	collection.name = collection.subresource = NULL;
	return start(client, &write, &collection, object, handlers, ret);
}

enum kube_outcome kube_outcome(const struct kube_response *response)
{
	if (response->error)
		return KUBE_LATER;
	switch (response->status) {
	case 200 ... 299:
		return KUBE_WRITTEN;
	case 404:
		return KUBE_ABSENT;
	case 409:
		return streq(response->reason, "AlreadyExists") ? KUBE_EXISTS : KUBE_CONFLICT;
	case 401: /* the client has tried with fresh credentials already */
	case 408:
	case 429:
	case 500 ... 599:
		return KUBE_LATER;
	default:
		return KUBE_REFUSED;
	}
}
