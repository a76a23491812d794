/* SPDX-License-Identifier: Apache-2.0 */
/* An explanation in one line: the tiers that passed the flow on, and the one that decided. */
#include "user/identity/bytes.h"
#include "user/policy/model.h"

static void put(struct bytes *bytes, const char *text)
{
	bytes_put(bytes, text, strlen(text));
}

/* "shop/payments#from-checkout", "ops-baseline#3", or the policy alone for its default. */
static void put_rule(struct bytes *bytes, const struct image_rule *rule)
{
	put(bytes, rule->namespace);
	put(bytes, *rule->namespace ? "/" : "");
	put(bytes, rule->policy);
	put(bytes, *rule->rule && *rule->rule != '#' ? "#" : "");
	put(bytes, rule->rule);
}

static const char *tier_name(const struct image_rule *rule)
{
	if (rule->tier == TIER_ADMIN)
		return "[Admin] ";
	if (rule->tier == TIER_BASELINE)
		return "[Baseline] ";
	return streq(rule->kind, "NetworkPolicy") ? "[NetworkPolicy] " : "[IdentityPolicy] ";
}

/*
 * Each tier that a Pass left. An Audit verdict is that of the walk with Audit rules, so
 * its passes are told; otherwise only those count that are enforced.
 */
static void put_passes(struct bytes *bytes, const struct image *image,
		       const struct cs_ruleset *rules, const struct policy_explanation *e)
{
	bool staged = e->result.verdict == CS_VERDICT_AUDIT;
	int left = -1;

	for (size_t i = 0; i < e->n_steps && i < rules->count; i++) {
		const struct cs_rule *rule = &rules->rules[i];
		const struct image_rule *name = image_rule(image, rule->id);

		if (e->steps[i].covers && rule->id == e->result.rule)
			return;
		if (!e->steps[i].covers || rule->action != CS_ACTION_PASS || rule->tier == left ||
		    (rule->flags & CS_RULE_AUDIT && !staged) || !name)
			continue;
		left = rule->tier;
		put(bytes, tier_name(name));
		put(bytes, "Pass (");
		put_rule(bytes, name);
		put(bytes, ") -> ");
	}
}

/* "no rule allows it; isolated by shop/a, shop/b": those that enforce, or else the rest. */
static void put_isolation(struct bytes *bytes, const struct image *image,
			  const struct policy_explanation *e)
{
	const struct image_workload *workload = e->workload ? &image->workloads[e->workload - 1]
							    : NULL;
	size_t enforcing = workload ? workload->n_enforcing[e->direction] : 0;
	size_t end = enforcing ? enforcing : workload ? workload->n_isolated_by[e->direction] : 0;

	put(bytes, "no rule allows it");
	for (size_t i = 0; i < end; i++) {
		const struct image_rule *rule =
			image_rule(image, workload->isolated_by[e->direction][i]);

		put(bytes, i ? ", " : "; isolated by ");
		if (rule)
			put_rule(bytes, rule);
	}
}

static const char *verdict_word(uint8_t verdict)
{
	static const char *const words[CS_VERDICT_MAX] = {
		[CS_VERDICT_NONE] = "None",
		[CS_VERDICT_ALLOW] = "Allow",
		[CS_VERDICT_DENY] = "Deny",
		[CS_VERDICT_AUDIT] = "Audit",
	};

	return words[verdict % CS_VERDICT_MAX];
}

static const char *reason_text(uint8_t reason)
{
	static const char *const texts[CS_REASON_MAX] = {
#define X(num, name, desc, text, remedy) [num] = (text),
		CS_REASONS(X)
#undef X
	};

	return texts[reason % CS_REASON_MAX] ?: "";
}

/* A verdict that no rule and no isolation gave. */
static void put_other(struct bytes *bytes, const struct cs_result *result)
{
	static const char *const where[CS_REASON_MAX] = {
		[CS_REASON_SELF] = "[Self] ",
		[CS_REASON_OWN_NODE] = "[Node] ",
		[CS_REASON_REVOKED] = "[Revocation] ",
		[CS_REASON_NO_BACKEND] = "[Service] ",
	};

	put(bytes, where[result->reason % CS_REASON_MAX] ?: "[Default] ");
	put(bytes, verdict_word(result->verdict));
	put(bytes, " (");
	put(bytes, reason_text(result->reason));
	put(bytes, ")");
}

static void put_decision(struct bytes *bytes, const struct image *image,
			 const struct policy_explanation *e)
{
	const struct image_rule *rule = image_rule(image, e->result.rule);
	bool audit = e->result.verdict == CS_VERDICT_AUDIT;

	if (!rule) {
		put_other(bytes, &e->result);
		return;
	}
	put(bytes, tier_name(rule));
	put(bytes, verdict_word(e->result.verdict));
	put(bytes, " (");
	if (e->result.reason == CS_REASON_DEFAULT_DENY) {
		put(bytes, audit ? "would be denied: " : "");
		put_isolation(bytes, image, e);
	} else if (e->result.reason == CS_REASON_AUTH_REQUIRED) {
		put(bytes, audit ? "would be denied: " : "");
		put_rule(bytes, rule);
		put(bytes, " wants a verified peer");
	} else {
		put(bytes, audit ? "would be denied by " : "");
		put_rule(bytes, rule);
	}
	put(bytes, ")");
}

char *policy_trace(const struct image *image, const struct policy_explanation *explanation)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };
	uint32_t index = explanation->workload ? image->workloads[explanation->workload - 1]
							 .ruleset[explanation->direction]
					       : image->unmanaged_ruleset[explanation->direction];

	if (explanation->known) {
		put_passes(&bytes, image, &image->rulesets[index], explanation);
		put_decision(&bytes, image, explanation);
	} else {
		put(&bytes, "not decided here: no workload of this node");
	}
	bytes_put_u8(&bytes, 0);
	return bytes.failed ? NULL : (char *)TAKE_PTR(bytes.data);
}
