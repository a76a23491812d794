/* SPDX-License-Identifier: Apache-2.0 */
/* What the signer writes: merge patches that only fit the object as it was read. */
#include "user/agent/signer_internal.h"
#include "user/base/clock.h"
#include "user/credential/node_text.h"

#define APPROVED_REASON "CountersignNode"
#define APPROVED_TEXT "asked for by the node's own agent"

static json_t *metadata_of(const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");

	return json_pack("{s:O}", "resourceVersion", json_object_get(metadata, "resourceVersion"));
}

static json_t *condition(const char *type, const char *reason, const char *message)
{
	char now[CLOCK_TEXT_MAX];

	/* Time in whole seconds: what the API takes. */
	clock_text(clock_ns(CLOCK_REALTIME) / NS_PER_S * NS_PER_S, now);
	strcpy(strrchr(now, '.'), "Z");
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", "True", "reason",
			 reason, "message", message, "lastUpdateTime", now);
}

/* A patch replaces a list as a whole: those that are there stay. */
static char *with_condition(const json_t *object, json_t *fresh)
{
	const json_t *status = json_object_get(object, "status");
	const json_t *before = json_object_get(status, "conditions");
	json_auto_t *list = before ? json_copy((json_t *)before) : json_array();
	json_auto_t *patch = NULL;

	if (json_array_append_new(list, fresh) < 0)
		return NULL;
	patch = json_pack("{s:o, s:{s:O}}", "metadata", metadata_of(object), "status", "conditions",
			  list);
	return patch ? json_dumps(patch, JSON_COMPACT) : NULL;
}

char *signer_approval(const json_t *object, const struct signer_decision *decision)
{
	bool denied = decision->action == SIGNER_DENY;

	return with_condition(object,
			      denied ? condition("Denied", signer_refusal_reason(decision->refusal),
						 decision->message)
				     : condition("Approved", APPROVED_REASON, APPROVED_TEXT));
}

char *signer_failure(const json_t *object, const struct signer_decision *decision)
{
	return with_condition(object, condition("Failed", signer_refusal_reason(decision->refusal),
						decision->message));
}

char *signer_certificate(const json_t *object, const char *pem, size_t length)
{
	_cleanup_free_ char *text = node_base64((const uint8_t *)pem, length);
	json_auto_t *patch = NULL;

	if (!text)
		return NULL;
	patch = json_pack("{s:o, s:{s:s}}", "metadata", metadata_of(object), "status",
			  "certificate", text);
	return patch ? json_dumps(patch, JSON_COMPACT) : NULL;
}
