/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/health.h"

#include <stdarg.h>

#include "user/agent/json_text.h"
#include "user/agent/kube.h"
#include "user/agent/kube_tell.h"
#include "user/agent/signer.h"
#include "user/agent/status_policy.h"
#include "user/agent/trust.h"
#include "user/base/clock.h"
#include "user/base/notify.h"

#define TEXT_MAX 512

static void _printf_(2, 3) add(json_t *list, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(list, json_text(text));
}

void health_limits(const struct datapath_status *status,
		   struct health_limit ret[static HEALTH_LIMITS])
{
	const struct health_limit limits[HEALTH_LIMITS] = {
		{ "workloads", status->workloads, CS_WORKLOADS_USABLE },
		{ "cgroups", status->cgroups, CS_WORKLOADS_MAX + CS_CGROUPS_MARKED_MAX },
		{ "identities", status->identities, CS_IDENTITIES_MAX },
		{ "endpoints", status->endpoints, CS_ENDPOINTS_MAX },
		{ "classes", status->classes, CS_CLASSES_MAX },
		{ "rulesets", status->rulesets, CS_RULESETS_MAX },
		{ "bitmaps", status->bitmaps, CS_BITMAPS_MAX },
	};

	memcpy(ret, limits, sizeof(limits));
}

static void add_full(json_t *list, const struct datapath_status *status)
{
	struct health_limit limits[HEALTH_LIMITS];

	health_limits(status, limits);
	for (size_t i = 0; i < HEALTH_LIMITS; i++)
		if (limits[i].used * 100 > limits[i].max * HEALTH_FULL_PERCENT)
			add(list, "nearly full: %zu of %zu %s are in use", limits[i].used,
			    limits[i].max, limits[i].name);
}

static void add_workloads(json_t *list, const struct agent *agent)
{
	const struct image *image = epochs_current(&agent->epochs);

	for (size_t i = 0; image && i < image->n_workloads; i++)
		if (agent->cgroup_errors[i] < 0)
			add(list, "workload %s/%s: its cgroup \"%s\" is not guarded: %s",
			    image->workloads[i].namespace, image->workloads[i].name,
			    cgroups_path(agent->cgroups, i), strerror(-agent->cgroup_errors[i]));
}

json_t *health_problems(const struct agent *agent, const struct datapath_status *status)
{
	const struct agent_reload *last = &agent->last;
	json_t *list = json_array();

	if (status->programs_attached < status->programs_expected)
		add(list, "only %zu of %zu programs are attached: restart the agent",
		    status->programs_attached, status->programs_expected);
	if (!status->epoch)
		add(list, "no policy is in force yet");
	if (access(agent->cgroup_root, F_OK) < 0)
		add(list, "the cgroup root %s is gone: nothing is guarded", agent->cgroup_root);
	if (last->realtime_ns && !last->ok)
		add(list, "last reload failed: %s", last->n_errors ? last->errors[0] : "");
	if (agent->losses.now > agent->losses.before ||
	    status->stats[CS_STAT_EVENTS_LOST] > agent->losses.now)
		add(list, "verdict events are being lost: %llu so far",
		    (unsigned long long)status->stats[CS_STAT_EVENTS_LOST]);
	status_add_problems(list, agent);
	trust_add_problems(list, agent);
	kube_add_problems(list, agent);
	add_full(list, status);
	add_workloads(list, agent);
	return list;
}

json_t *health_warnings(const struct agent *agent)
{
	json_t *list = json_array();

	if (agent->not_adopted)
		add(list,
		    "%u sockets are older than the agent and send no tags: restart their programs",
		    agent->not_adopted);
	status_add_warnings(list, agent);
	trust_add_warnings(list, agent);
	kube_add_warnings(list, agent);
	signer_add_warnings(list, agent);
	kube_tell_add_warnings(list, agent);
	return list;
}

void health_notify_reloading(void)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading manifests",
		 (long long)(clock_ns(CLOCK_MONOTONIC) / NS_PER_US));
	notify_send(text);
}

void health_notify_ready(const struct agent *agent)
{
	const struct image *image = epochs_current(&agent->epochs);
	const char *error = agent->last.n_errors ? agent->last.errors[0] : "";
	char text[TEXT_MAX];

	if (agent->last.ok && image)
		snprintf(text, sizeof(text),
			 "READY=1\nSTATUS=epoch %u: %zu workloads, %zu policies",
			 agent->epochs.current, image->n_workloads, image->n_policies);
	else
		snprintf(text, sizeof(text), "READY=1\nSTATUS=last reload failed: %.*s",
			 (int)strcspn(error, "\n"), error);
	notify_send(text);
}
