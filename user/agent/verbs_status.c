/* SPDX-License-Identifier: Apache-2.0 */
/* {"verb":"status"}: one object with all that is known of the agent's own state. */
#include "user/agent/health.h"
#include "user/agent/json_text.h"
#include "user/agent/kube.h"
#include "user/agent/kube_tell.h"
#include "user/agent/signer.h"
#include "user/agent/status_policy.h"
#include "user/agent/verbs.h"
#include "user/agent/words.h"
#include "user/base/clock.h"
#include "user/flow/text.h"

static json_t *workload(const struct agent *agent, const struct image *image, size_t i)
{
	const struct image_workload *w = &image->workloads[i];
	uint64_t id = cgroups_id(agent->cgroups, i);

	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:s}", "namespace", w->namespace, "name",
			 w->name, "identity", (json_int_t)w->identity, "spiffe_id",
			 w->name_index < image->n_names ? image->names[w->name_index] : "",
			 "cgroup", cgroups_path(agent->cgroups, i), "cgroup_id", (json_int_t)id,
			 "state", id && agent->cgroup_errors[i] == 0 ? "active" : "waiting");
}

static json_t *workloads(const struct agent *agent)
{
	const struct image *image = epochs_current(&agent->epochs);
	json_t *list = json_array();

	for (size_t i = 0; image && i < image->n_workloads; i++)
		json_array_append_new(list, workload(agent, image, i));
	return list;
}

static json_t *counters(const struct datapath_status *status)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < CS_COUNTERS_MAX; i++) {
		unsigned int direction = i % CS_DIRECTIONS;
		unsigned int reason = i / CS_DIRECTIONS % CS_REASON_MAX;
		unsigned int verdict = i / CS_DIRECTIONS / CS_REASON_MAX;

		if (!status->counters[i])
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "verdict",
						      verdict_word(verdict), "direction",
						      direction_word(direction), "reason",
						      text_reason(reason)->name, "reason_text",
						      text_reason(reason)->text, "count",
						      (json_int_t)status->counters[i]));
	}
	return list;
}

/* Hits by rule, those of rules that were never hit too: they may be worth deleting. */
static json_t *rule_hits(const struct agent *agent)
{
	const struct image *image = epochs_current(&agent->epochs);
	json_t *list = json_array();
	uint64_t *hits _cleanup_free_ = image ? calloc(image->n_rules + 1, sizeof(*hits)) : NULL;

	if (!hits || datapath_rule_hits(agent->dp, hits, image->n_rules) < 0)
		return list;
	for (size_t id = 1; id < image->n_rules; id++) {
		_cleanup_free_ char *name = flow_rule_text(image_rule(image, id));

		if (name)
			json_array_append_new(list, json_pack("{s:s, s:I}", "rule", name, "hits",
							      (json_int_t)hits[id]));
	}
	return list;
}

static json_t *stats(const struct datapath_status *status)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < CS_STAT_MAX; i++)
		if (stat_word(i))
			json_object_set_new(object, stat_word(i), json_integer(status->stats[i]));
	return object;
}

static json_t *limits(const struct datapath_status *status)
{
	struct health_limit limit[HEALTH_LIMITS];
	json_t *object = json_object();

	health_limits(status, limit);
	for (size_t i = 0; i < HEALTH_LIMITS; i++)
		json_object_set_new(object, limit[i].name,
				    json_pack("{s:I, s:I}", "used", (json_int_t)limit[i].used,
					      "max", (json_int_t)limit[i].max));
	return object;
}

static json_t *last_reload(const struct agent_reload *last)
{
	static const char *const efforts[] = {
		[POLICY_WHOLE] = "everything",
		[POLICY_RULES] = "rules",
		[POLICY_PEERS] = "peers",
	};
	const struct datapath_update *update = &last->update;
	char time[CLOCK_TEXT_MAX];
	json_t *errors = json_array(), *object;

	clock_text(last->realtime_ns, time);
	for (size_t i = 0; i < last->n_errors; i++)
		json_array_append_new(errors, json_text(last->errors[i]));
	object = json_pack("{s:s, s:b, s:I, s:o, s:s, s:I}", "time", time, "ok", last->ok, "cut",
			   (json_int_t)last->cut, "errors", errors, "compiled",
			   efforts[last->effort], "cpu_us", (json_int_t)last->cpu_ns / 1000);
	if (last->effort == POLICY_PEERS)
		json_object_set_new(object, "update",
				    json_pack("{s:I, s:I, s:I, s:b}", "identity_writes",
					      (json_int_t)update->identity_writes, "address_writes",
					      (json_int_t)update->address_writes, "removals",
					      (json_int_t)update->removals, "decided_anew",
					      update->stamped));
	return object;
}

static void add_identity_of_node(json_t *object, const struct agent *agent,
				 const struct datapath_status *status)
{
	const struct agent_options *options = agent->options;

	json_object_set_new(object, "version", json_string(COUNTERSIGN_VERSION));
	json_object_set_new(object, "node", json_text(agent->node_name));
	json_object_set_new(object, "node_number", json_integer(status->node));
	json_object_set_new(object, "trust_domain", json_string(options->trust_domain));
	json_object_set_new(object, "cgroup_root", json_text(agent->cgroup_root));
	json_object_set_new(object, "manifests", json_text(options->manifests ?: ""));
	json_object_set_new(object, "epoch", json_integer(status->epoch));
	json_object_set_new(object, "default_action",
			    json_string(verdict_word(options->default_verdict)));
	json_object_set_new(object, "mode",
			    json_string(agent->options->audit ? "audit" : "enforce"));
	json_object_set_new(object, "deny", json_string(deny_mode_word(options->deny_mode)));
	json_object_set_new(object, "programs",
			    json_pack("{s:I, s:I}", "attached",
				      (json_int_t)status->programs_attached, "expected",
				      (json_int_t)status->programs_expected));
}

static void add_policy(json_t *object, const struct agent *agent)
{
	static const struct image none = { .n_rules = 1 };
	const struct image *image = epochs_current(&agent->epochs) ?: &none;

	json_object_set_new(object, "policies", json_integer(image->n_policies));
	json_object_set_new(object, "rules", json_integer(image->n_rules ? image->n_rules - 1 : 0));
	json_object_set_new(object, "selectors", json_integer(image->n_selectors));
	json_object_set_new(object, "identities", json_integer(image->n_identities));
}

/* What grows with the workloads and policies: probes and lists of nodes do without. */
static void add_details(json_t *object, const struct agent *agent,
			const struct datapath_status *status)
{
	json_object_set_new(object, "workloads", workloads(agent));
	json_object_set_new(object, "counters", counters(status));
	json_object_set_new(object, "rule_hits", rule_hits(agent));
	json_object_set_new(object, "stats", stats(status));
	json_object_set_new(object, "limits", limits(status));
}

void serve_status(struct agent *agent, struct client *client, const json_t *request)
{
	struct datapath_status status;
	json_t *object, *problems;
	if (datapath_status(agent->dp, &status) < 0) {
		client_error(client, datapath_error(agent->dp));
		return;
	}
	problems = health_problems(agent, &status);
	object = json_pack("{s:b, s:O, s:o}", "healthy", json_array_size(problems) == 0, "problems",
			   problems, "warnings", health_warnings(agent));
	add_identity_of_node(object, agent, &status);
	add_policy(object, agent);
	status_add_policy(object, agent);
	kube_add_status(object, agent);
	signer_add_status(object, agent);
	kube_tell_add_status(object, agent);
	json_object_set_new(object, "not_adopted", json_integer(agent->not_adopted));
	json_object_set_new(object, "last_reload", last_reload(&agent->last));
	if (!json_is_true(json_object_get(request, "brief")))
		add_details(object, agent, &status);
	json_decref(problems);
	client_line(client, object);
}
