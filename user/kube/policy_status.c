/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/policy_status.h"

#include <countersign/siphash.h>

void policy_status_judge(const struct ledger_policy *policy, const struct kube_judgement *judgement,
			 struct policy_status_text *ret)
{
	const char *why = judgement->refused_here ? policy->refusal : "the policy is accepted";

	*ret = (struct policy_status_text){
		.subjects = -1,
		.generation = policy->wanted.generation,
		.accepted = { .reason = judgement->refused_here ? REASON_INVALID : REASON_ACCEPTED,
			      .generation = policy->wanted.generation },
		.realized = { .reason = judgement->reason,
			      .generation = policy->wanted.generation },
	};
	snprintf(ret->accepted.message, sizeof(ret->accepted.message), "%s", why);
	snprintf(ret->realized.message, sizeof(ret->realized.message), "%s", judgement->detail);
	snprintf(ret->nodes, sizeof(ret->nodes), "%zu/%zu",
		 judgement->refused_here ? 0 : judgement->realized, judgement->nodes);
}

static void follow(bool set, uint8_t reason, int64_t since_s, struct condition *to, int64_t now_s)
{
	const struct condition from = { .set = set, .reason = reason, .since_s = since_s };

	condition_follow(&from, to, now_s);
}

void policy_status_follow(const struct policy_said *before, struct policy_status_text *status,
			  int64_t now_s)
{
	follow(before->accepted_set, before->accepted, before->accepted_since_s, &status->accepted,
	       now_s);
	follow(before->realized_set, before->realized, before->realized_since_s, &status->realized,
	       now_s);
}

static void add_number(struct cs_key *sum, int64_t number)
{
	sum->k0 = cs_siphash_bytes(sum, &number, sizeof(number));
}

static void add_text(struct cs_key *sum, const char *text)
{
	sum->k0 = cs_siphash_bytes(sum, text, strlen(text));
}

/* The times are left out: they are taken over from what is compared with. */
static void add_condition(struct cs_key *sum, const struct condition *condition)
{
	add_number(sum, condition->set ? condition->reason : -1);
	add_number(sum, condition->generation);
	add_text(sum, condition->message);
}

struct policy_said policy_status_said(const struct kube_policy_kind *kind,
				      const struct policy_status_text *status)
{
	struct cs_key all = { 1, 2 }, verdict = { 3, 4 };

	add_condition(&all, &status->accepted);
	add_condition(&all, &status->realized);
	add_number(&verdict, status->accepted.set ? status->accepted.reason : -1);
	add_number(&verdict, status->realized.set ? status->realized.reason : -1);
	add_number(&verdict, status->realized.generation);
	if (kind->status == POLICY_STATUS_OWN) {
		add_text(&all, status->nodes);
		add_number(&all, status->subjects);
		add_number(&all, status->generation);
	}
	return (struct policy_said){
		.digest = all.k0 | 1,
		.verdict = verdict.k0,
		.accepted_set = status->accepted.set,
		.accepted = status->accepted.reason,
		.accepted_since_s = status->accepted.since_s,
		.realized_set = status->realized.set,
		.realized = status->realized.reason,
		.realized_since_s = status->realized.since_s,
	};
}

static void read_conditions(const struct kube_policy_kind *kind, const json_t *list,
			    struct policy_status_text *ret)
{
	struct condition condition;
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		if (condition_parse(item, policy_kind_prefix(kind), &condition) < 0)
			continue;
		if (condition_type(condition.reason) == CONDITION_ACCEPTED)
			ret->accepted = condition;
		else if (condition_type(condition.reason) == CONDITION_REALIZED)
			ret->realized = condition;
	}
}

struct policy_said policy_status_read(const struct kube_policy_kind *kind, const json_t *object)
{
	const json_t *status = json_object_get(object, "status");
	const json_t *subjects = json_object_get(status, "subjects");
	struct policy_status_text text = { .subjects = -1 };

	read_conditions(kind, json_object_get(status, "conditions"), &text);
	if (!text.accepted.set && !text.realized.set)
		return (struct policy_said){ 0 };
	snprintf(text.nodes, sizeof(text.nodes), "%s",
		 json_string_value(json_object_get(status, "realized")) ?: "");
	text.generation = json_integer_value(json_object_get(status, "observedGeneration"));
	if (json_is_integer(subjects))
		text.subjects = json_integer_value(subjects);
	return policy_status_said(kind, &text);
}

static json_t *status_json(const struct kube_policy_kind *kind,
			   const struct policy_status_text *status)
{
	const char *prefix = policy_kind_prefix(kind);
	json_t *json = json_pack("{s:[o, o]}", "conditions",
				 condition_json(&status->accepted, prefix),
				 condition_json(&status->realized, prefix));

	if (!json || kind->status != POLICY_STATUS_OWN)
		return json;
	json_object_set_new(json, "observedGeneration", json_integer(status->generation));
	json_object_set_new(json, "realized", json_string(status->nodes));
	if (status->subjects >= 0)
		json_object_set_new(json, "subjects", json_integer(status->subjects));
	return json;
}

json_t *policy_status_object(const struct ledger_policy *policy,
			     const struct policy_status_text *status)
{
	const struct kube_policy_kind *kind = policy->kind;
	struct kube_object_name name = { 0 };
	json_t *object;

	if (kube_object_name(policy->document, &name) < 0)
		return NULL;
	object = json_pack("{s:s++, s:s, s:{s:s, s:s}, s:o}", "apiVersion", kind->group, "/",
			   kind->version, "kind", kind->kind, "metadata", "name", name.name, "uid",
			   policy->wanted.uid, "status", status_json(kind, status));
	if (object && !kind->cluster)
		json_object_set_new(json_object_get(object, "metadata"), "namespace",
				    json_string(name.namespace));
	kube_object_name_done(&name);
	return object;
}
