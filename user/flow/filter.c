/* SPDX-License-Identifier: Apache-2.0 */
#include "user/flow/endpoint.h"
#include "user/flow/flow.h"

/* "ns/name" against one side of a flow; any of the workloads that share the identity fits. */
static bool side_is(const json_t *side, const char *wanted)
{
	const char *namespace = json_string_value(json_object_get(side, "namespace"));
	const json_t *workloads = json_object_get(side, "workloads"), *workload;
	const char *slash = strchr(wanted, '/');
	size_t length = slash ? (size_t)(slash - wanted) : 0, i;

	if (!slash || !namespace || strlen(namespace) != length ||
	    strncmp(namespace, wanted, length) != 0)
		return false;
	json_array_foreach(workloads, i, workload) {
		const char *name = json_string_value(json_object_get(workload, "name"));

		if (name && streq(name, slash + 1))
			return true;
	}
	return false;
}

static bool side_is_in(const json_t *side, const char *wanted)
{
	const char *namespace = json_string_value(json_object_get(side, "namespace"));

	return namespace && streq(namespace, wanted);
}

bool flow_matches(const json_t *root, const struct flow_filter *filter)
{
	const json_t *flow = json_object_get(root, "flow");
	const json_t *source = json_object_get(flow, "source");
	const json_t *destination = json_object_get(flow, "destination");
	const char *verdict = json_string_value(json_object_get(flow, "verdict"));

	if (!flow)
		return false;
	if (filter->verdict && (!verdict || !streq(verdict, flow_verdict_name(filter->verdict))))
		return false;
	if (filter->from_workload && !side_is(source, filter->from_workload))
		return false;
	if (filter->to_workload && !side_is(destination, filter->to_workload))
		return false;
	if (filter->workload && !side_is(source, filter->workload) &&
	    !side_is(destination, filter->workload))
		return false;
	return !filter->namespace || side_is_in(source, filter->namespace) ||
	       side_is_in(destination, filter->namespace);
}

static bool names_match(const struct endpoints *sides, const struct flow_filter *filter)
{
	if (filter->from_workload && !endpoint_is(&sides->source, filter->from_workload))
		return false;
	if (filter->to_workload && !endpoint_is(&sides->destination, filter->to_workload))
		return false;
	if (filter->workload && !endpoint_is(&sides->source, filter->workload) &&
	    !endpoint_is(&sides->destination, filter->workload))
		return false;
	return !filter->namespace || endpoint_is_in(&sides->source, filter->namespace) ||
	       endpoint_is_in(&sides->destination, filter->namespace);
}

bool flow_event_matches(const struct cs_event *event, const struct flow_names *names,
			const struct flow_filter *filter)
{
	struct flow_filter by_name = *filter;
	struct endpoints sides;

	if (filter->verdict && filter->verdict != event->verdict)
		return false;
	by_name.verdict = 0;
	if (flow_filter_is_empty(&by_name))
		return true;
	sides = endpoints_of(event,
			     names->image_at ? names->image_at(names->arg, event->epoch) : NULL);
	return names_match(&sides, filter);
}
