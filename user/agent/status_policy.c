/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/status_policy.h"

#include "user/agent/agent.h"
#include "user/agent/json_text.h"
#include "user/agent/local_rules.h"
#include "user/base/clock.h"

#define EXCEPTIONS_SHOWN_MAX 1024 /* of rules that expire; more are counted */
#define EXCEPTIONS_WARNED_MAX 16 /* of those that end soon */
#define TEXT_MAX 512

/* When a rule ends, in wall time: what is written, or what the kernel was told. */
static int64_t end_of(const struct image_rule *rule, const struct local_rule *local)
{
	if (rule->expires_s)
		return rule->expires_s;
	return ((int64_t)local->expires_ns + clock_boot_to_real_ns()) / NS_PER_S;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_text(text));
}

static json_t *exception(const struct image_rule *rule, const struct local_rule *local)
{
	_cleanup_free_ char *name = flow_rule_text(rule);
	int64_t end = end_of(rule, local);
	int64_t left = (int64_t)local->expires_ns - clock_ns(CLOCK_BOOTTIME);
	char expires[CLOCK_TEXT_MAX];
	json_t *object;

	clock_text(end * NS_PER_S, expires);
	object = json_pack("{s:o, s:s, s:I}", "rule", json_text(name ?: ""), "expires", expires,
			   "remaining_s", (json_int_t)(MAX(left, 0) / NS_PER_S));
	json_object_set_new(object, "ended", json_boolean(left <= 0));
	set_text(object, "reason", rule->reason);
	set_text(object, "ticket", rule->ticket);
	set_text(object, "approver", rule->approver);
	return object;
}

static json_t *exceptions(const struct agent *agent, size_t *ret_total)
{
	const struct image *image = epochs_current(&agent->epochs);
	_cleanup_free_ struct local_rule *rules = NULL;
	json_t *list = json_array();

	*ret_total = 0;
	rules = image && local_rules_expire(image) ? local_rules(image) : NULL;
	for (size_t id = 1; rules && id < image->n_rules; id++)
		if (rules[id].expires_ns && (*ret_total)++ < EXCEPTIONS_SHOWN_MAX)
			json_array_append_new(list, exception(&image->rules[id], &rules[id]));
	return list;
}

static json_t *pinned(const struct agent *agent)
{
	const struct rollback *rollback = &agent->rollback;
	const struct pin *pin = &rollback->pin;
	char time[CLOCK_TEXT_MAX];

	clock_text(pin->realtime_ns, time);
	return json_pack("{s:I, s:s, s:o, s:o, s:b}", "revision", (json_int_t)pin->revision, "time",
			 time, "author", json_text(pin->origin.author), "note",
			 json_text(pin->origin.note), "changes_wait",
			 rollback->waiting || !agent->last.ok);
}

void status_add_policy(json_t *object, const struct agent *agent)
{
	const struct rollback *rollback = &agent->rollback;
	size_t total;

	json_object_set_new(object, "revision", json_integer(rollback->in_force));
	json_object_set_new(object, "last_good", json_boolean(rollback->last_good));
	if (rollback_is_pinned(agent))
		json_object_set_new(object, "pinned", pinned(agent));
	json_object_set_new(object, "exceptions", exceptions(agent, &total));
	json_object_set_new(object, "exceptions_total", json_integer(total));
}

void status_add_problems(json_t *list, const struct agent *agent)
{
	if (*agent->rollback.problem)
		json_array_append_new(list, json_text(agent->rollback.problem));
}

static void add_damaged(json_t *list, const struct revisions *revisions)
{
	for (size_t i = 0; i < revisions_count(revisions); i++) {
		const struct revisions_item *item = revisions_at(revisions, i);
		char text[TEXT_MAX];

		if (!item->damage)
			continue;
		snprintf(text, sizeof(text), "revision %u of the history is not usable: %s",
			 item->number, revisions_damage_text(item->damage));
		json_array_append_new(list, json_text(text));
	}
}

static void add_ending(json_t *list, const struct agent *agent)
{
	size_t total, i, warned = 0;
	json_auto_t *all = exceptions(agent, &total);
	const json_t *item;

	json_array_foreach(all, i, item) {
		json_int_t left = json_integer_value(json_object_get(item, "remaining_s"));
		char text[TEXT_MAX];

		if (json_is_true(json_object_get(item, "ended")) || left >= EXPIRY_WARN_S)
			continue;
		if (warned++ == EXCEPTIONS_WARNED_MAX) {
			json_array_append_new(list,
					      json_string("more exceptions end within a day"));
			break;
		}
		snprintf(text, sizeof(text), "exception %s ends in %lld h %02lld min",
			 json_string_value(json_object_get(item, "rule")), (long long)left / 3600,
			 (long long)left / 60 % 60);
		json_array_append_new(list, json_text(text));
	}
}

void status_add_warnings(json_t *list, const struct agent *agent)
{
	const struct rollback *rollback = &agent->rollback;
	char text[TEXT_MAX];

	if (*rollback->warning)
		json_array_append_new(list, json_text(rollback->warning));
	if (rollback->last_good) {
		snprintf(text, sizeof(text),
			 "last good revision %u is in force, as the manifests are refused",
			 rollback->in_force);
		json_array_append_new(list, json_text(text));
	}
	add_damaged(list, rollback->revisions);
	add_ending(list, agent);
}
