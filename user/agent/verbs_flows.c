/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"verb":"flows", "last":N, "follow":b, "verdict":..., "from_workload":..., "to_workload":...,
 * "workload":..., "namespace":...}, the last two for either side:
 * the last N flows that pass the filter (all that are kept without "last"; none of the
 * past when only "follow" is given), one per line, and with "follow" those to come.
 *
 * A reader holds a place in the history and no copy of it: one that is slower than the
 * flows is overtaken by the history's end, told so, and dropped.
 */
#include "user/agent/events.h"
#include "user/agent/verbs.h"

#define FLOWS_AT_ONCE 256 /* events looked at before others have their turn */

struct flows {
	struct flow_filter filter;
	char *from_workload, *to_workload, *workload, *namespace; /* what the filter points to */
	bool follow;
	bool searching; /* still looking back for where to begin */
	uint64_t wanted; /* matches still to find while looking back */
	uint64_t at; /* number of the event that is next; looking back: the one after it */
	uint64_t end; /* of the first event after the request; without follow: stop here */
};

static void flows_free(void *stream)
{
	struct flows *flows = stream;

	free(flows->from_workload);
	free(flows->to_workload);
	free(flows->workload);
	free(flows->namespace);
	free(flows);
}

static void flows_freep(struct flows **flows)
{
	if (*flows)
		flows_free(*flows);
}

/* The event as JSON when it passes the filter, else NULL. */
static json_t *passing(const struct agent *agent, const struct flows *flows,
		       const struct cs_event *event)
{
	if (!flow_event_matches(event, &agent->names, &flows->filter))
		return NULL;
	return flow_to_json(event, &agent->names);
}

/* Goes back until enough flows match or the history ends. */
static int look_back(const struct agent *agent, struct flows *flows)
{
	bool any = flow_filter_is_empty(&flows->filter);

	for (int i = 0; i < FLOWS_AT_ONCE; i++) {
		const struct cs_event *event = NULL;
		json_t *flow = NULL;

		if (flows->wanted && flows->at)
			event = flow_history_get(agent->history, flows->at - 1);
		if (!event) {
			flows->searching = false;
			return 2;
		}
		flows->at--;
		if (!any)
			flow = passing(agent, flows, event);
		if (any || flow)
			flows->wanted--;
		json_decref(flow);
	}
	return 2;
}

/* The past may have lost its oldest meanwhile; of what came since, none may be missing. */
static int overtaken(const struct agent *agent, struct client *client, struct flows *flows)
{
	if (flows->at < flows->end) {
		flows->at = flow_history_next(agent->history) - FLOW_HISTORY_MAX;
		return 2;
	}
	client_error(client, "you read slower than flows happen: the oldest are overwritten; "
			     "ask again, or filter");
	return 0;
}

static int flows_pump(struct agent *agent, struct client *client, void *stream)
{
	struct flows *flows = stream;

	if (flows->searching)
		return look_back(agent, flows);
	for (int i = 0; i < FLOWS_AT_ONCE && client_has_room(client); i++) {
		const struct cs_event *event;
		json_t *flow;

		if (flows->at >= (flows->follow ? flow_history_next(agent->history) : flows->end))
			return flows->follow;
		event = flow_history_get(agent->history, flows->at);
		if (!event)
			return overtaken(agent, client, flows);
		flows->at++;
		flow = passing(agent, flows, event);
		if (flow)
			client_line(client, flow);
	}
	return client_has_room(client) ? 2 : 1;
}

/* @key of the request, copied into *@field; absent is fine. */
static int take_text(const json_t *request, const char *key, char **field)
{
	const json_t *value = json_object_get(request, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return -EINVAL;
	*field = strdup(json_string_value(value));
	return *field ? 0 : -ENOMEM;
}

static int take_filter(struct flows *flows, const json_t *request)
{
	const json_t *verdict = json_object_get(request, "verdict");
	int r = 0;

	if (verdict && !json_is_null(verdict))
		r = json_is_string(verdict) ? flow_verdict_from_name(json_string_value(verdict))
					    : -EINVAL;
	if (r < 0)
		return r;
	flows->filter.verdict = r;
	r = take_text(request, "from_workload", &flows->from_workload);
	if (r == 0)
		r = take_text(request, "to_workload", &flows->to_workload);
	if (r == 0)
		r = take_text(request, "workload", &flows->workload);
	if (r == 0)
		r = take_text(request, "namespace", &flows->namespace);
	flows->filter.from_workload = flows->from_workload;
	flows->filter.workload = flows->workload;
	flows->filter.namespace = flows->namespace;
	flows->filter.to_workload = flows->to_workload;
	return r;
}

static int take_last(struct flows *flows, const json_t *request)
{
	const json_t *last = json_object_get(request, "last");

	flows->follow = json_is_true(json_object_get(request, "follow"));
	flows->wanted = flows->follow ? 0 : FLOW_HISTORY_MAX;
	if (!last || json_is_null(last))
		return 0;
	if (!json_is_integer(last) || json_integer_value(last) < 0)
		return -EINVAL;
	flows->wanted = MIN(json_integer_value(last), FLOW_HISTORY_MAX);
	return 0;
}

void serve_flows(struct agent *agent, struct client *client, const json_t *request)
{
	static const struct client_stream ops = { .pump = flows_pump, .free = flows_free };
	_cleanup_(flows_freep) struct flows *flows = calloc(1, sizeof(*flows));

	if (!flows) {
		client_error(client, "out of memory");
		return;
	}
	if (take_filter(flows, request) < 0 || take_last(flows, request) < 0) {
		client_error(client,
			     "expected \"verdict\": FORWARDED, DROPPED or AUDIT, \"last\": "
			     "a number, \"from_workload\", \"to_workload\" and \"workload\": "
			     "ns/name, \"namespace\": a name");
		return;
	}
	/* What has happened must not be missing because it still waits in the ring. */
	events_take(agent);
	flows->searching = true;
	flows->at = flows->end = flow_history_next(agent->history);
	client_stream(client, &ops, TAKE_PTR(flows));
	events_watched(agent);
}
