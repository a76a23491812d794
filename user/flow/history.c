/* SPDX-License-Identifier: Apache-2.0 */
#include "user/flow/flow.h"

struct flow_history {
	size_t capacity;
	uint64_t next; /* events seen so far */
	struct cs_event events[];
};

int flow_history_new(size_t capacity, struct flow_history **ret)
{
	struct flow_history *history;

	if (capacity == 0 || capacity > FLOW_HISTORY_MAX)
		return -EINVAL;
	/* calloc: pages that no event has reached yet cost nothing */
	history = calloc(1, sizeof(*history) + capacity * sizeof(history->events[0]));
	if (!history)
		return -ENOMEM;
	history->capacity = capacity;
	*ret = history;
	return 0;
}

struct flow_history *flow_history_free(struct flow_history *history)
{
	free(history);
	return NULL;
}

void flow_history_add(struct flow_history *history, const struct cs_event *event)
{
	history->events[history->next++ % history->capacity] = *event;
}

uint64_t flow_history_next(const struct flow_history *history)
{
	return history->next;
}

const struct cs_event *flow_history_get(const struct flow_history *history, uint64_t n)
{
	if (n >= history->next || history->next - n > history->capacity)
		return NULL;
	return &history->events[n % history->capacity];
}
