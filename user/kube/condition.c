/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/condition.h"

#include "user/kube/time.h"

enum { STATUS_TRUE, STATUS_FALSE, STATUS_UNKNOWN };

static const char *const status_texts[] = { "True", "False", "Unknown" };

static const char *const type_texts[] = {
#define X(name, text, of, meaning) [CONDITION_##name] = text,
	CONDITION_TYPES(X)
#undef X
};

static const struct {
	const char *text;
	uint8_t type;
	uint8_t status;
} reasons[] = {
#define X(name, text, type, status, meaning, remedy) \
	[REASON_##name] = { text, CONDITION_##type, STATUS_##status },
	CONDITION_REASONS(X)
#undef X
};

enum condition_type condition_type(enum condition_reason reason)
{
	return reasons[reason].type;
}

const char *condition_type_text(enum condition_type type)
{
	return type_texts[type];
}

const char *condition_status_text(enum condition_reason reason)
{
	return status_texts[reasons[reason].status];
}

const char *condition_reason_text(enum condition_reason reason)
{
	return reasons[reason].text;
}

bool condition_follow(const struct condition *from, struct condition *to, int64_t now_s)
{
	bool same = from->set && reasons[from->reason].status == reasons[to->reason].status;

	to->set = true;
	to->since_s = same ? from->since_s : now_s;
	return !same || from->reason != to->reason || from->generation != to->generation ||
	       !streq(from->message, to->message);
}

json_t *condition_json(const struct condition *condition, const char *prefix)
{
	char type[128], since[KUBE_TIME_MAX];

	snprintf(type, sizeof(type), "%s%s", prefix,
		 condition_type_text(condition_type(condition->reason)));
	kube_time_seconds_text(condition->since_s * 1000000000, since);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "type", type, "status",
			 condition_status_text(condition->reason), "reason",
			 condition_reason_text(condition->reason), "message", condition->message,
			 "lastTransitionTime", since, "observedGeneration",
			 (json_int_t)condition->generation);
}

/* Reasons are searched with their type, as two types may have one of the same name. */
static int find_reason(const char *type, const char *status, const char *reason)
{
	for (int i = 0; i < CONDITION_REASONS_N; i++)
		if (streq(type_texts[reasons[i].type], type) && streq(reasons[i].text, reason) &&
		    streq(status_texts[reasons[i].status], status))
			return i;
	return -EINVAL;
}

int condition_parse(const json_t *json, const char *prefix, struct condition *ret)
{
	const char *type, *status, *reason, *message, *since;
	json_int_t generation = 0;
	int64_t since_ms;
	int r;

	if (json_unpack((json_t *)json, "{s:s, s:s, s:s, s:s, s:s, s?I}", "type", &type, "status",
			&status, "reason", &reason, "message", &message, "lastTransitionTime",
			&since, "observedGeneration", &generation) < 0)
		return -EINVAL;
	if (!startswith(type, prefix))
		return -EINVAL;
	r = find_reason(type + strlen(prefix), status, reason);
	if (r < 0 || kube_time_parse(since, &since_ms) < 0)
		return -EINVAL;
	*ret = (struct condition){
		.set = true,
		.reason = (uint8_t)r,
		.since_s = since_ms / 1000,
		.generation = generation,
	};
	snprintf(ret->message, sizeof(ret->message), "%s", message);
	return 0;
}
