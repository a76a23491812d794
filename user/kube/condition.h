/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions of policies and nodes, as metav1.Condition has them. */
#pragma once

#include <jansson.h>

#include "user/base/util.h"
#include "user/kube/condition_list.h"

enum condition_type {
#define X(name, text, of, meaning) CONDITION_##name,
	CONDITION_TYPES(X)
#undef X
		CONDITION_TYPES_N
};

enum condition_reason {
#define X(name, text, type, status, meaning, remedy) REASON_##name,
	CONDITION_REASONS(X)
#undef X
		CONDITION_REASONS_N
};

enum event_reason {
#define X(name, text, type, action, regarding, meaning) EVENT_##name,
	EVENT_REASONS(X)
#undef X
		EVENT_REASONS_N
};

#define CONDITION_MESSAGE_MAX 1024 /* the API takes 32768; nobody reads that much */

/* One condition of an object. All zero: it was never set. */
struct condition {
	bool set;
	uint8_t reason; /* enum condition_reason, which says type and status, too */
	int64_t since_s; /* CLOCK_REALTIME, when the status was another last */
	int64_t generation; /* of the object that it is about */
	char message[CONDITION_MESSAGE_MAX];
};

enum condition_type condition_type(enum condition_reason reason);
const char *condition_type_text(enum condition_type type);
const char *condition_status_text(enum condition_reason reason); /* "True" */
const char *condition_reason_text(enum condition_reason reason);

/*
 * Says @to instead of @from (which may not be set): the time is that of @from when the status
 * stays the same, else @now_s. Whether anything in it differs.
 */
bool condition_follow(const struct condition *from, struct condition *to, int64_t now_s);

/* As in metav1.Condition, with @prefix before the type. NULL: no memory. */
json_t *condition_json(const struct condition *condition, const char *prefix);
/* -EINVAL: it is none of ours (another's type or reason). */
int condition_parse(const json_t *json, const char *prefix, struct condition *ret);
