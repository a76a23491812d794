/* SPDX-License-Identifier: Apache-2.0 */
/* What was meant for a time only: exceptions, Audit mode, roll-outs. */
#include <time.h>

#include "user/policy/lint_work.h"

#define SECONDS_PER_DAY 86400
#define NS_PER_SECOND 1000000000u
#define TIME_TEXT_MAX 32

static int64_t now_of(const struct lint *l)
{
	return (int64_t)(l->options->compile->realtime_ns / NS_PER_SECOND);
}

static const char *time_text(int64_t seconds, char ret[static TIME_TEXT_MAX])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(ret, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(ret, TIME_TEXT_MAX, "%lld", (long long)seconds);
	return ret;
}

static int check_expiry(struct lint *l, const struct lint_rule *rule)
{
	struct about about = about_rule(LINT_EXPIRED, rule);
	int64_t left = rule->rule->expires.seconds - now_of(l);
	char at[TIME_TEXT_MAX];

	time_text(rule->rule->expires.seconds, at);
	if (left <= 0)
		return lint_add(l->findings, &about, "expired at %s", at);
	if (left > (int64_t)l->options->expiry_days * SECONDS_PER_DAY)
		return 0;
	about.code = LINT_EXPIRES_SOON;
	return lint_add(l->findings, &about, "expires at %s, in %lld days", at,
			(long long)(left / SECONDS_PER_DAY));
}

static bool has_audit(const struct policy *policy)
{
	for (int d = 0; d < CS_DIRECTIONS; d++)
		for (size_t i = 0; i < policy->direction[d].n_rules; i++)
			if (policy->direction[d].rules[i].audit)
				return true;
	return policy->audit;
}

static int check_audit(struct lint *l, const struct policy *policy, size_t *unknown)
{
	const struct about about = about_policy(LINT_AUDIT_LONG, policy);
	char since[TIME_TEXT_MAX];
	int64_t days;

	if (!has_audit(policy))
		return 0;
	if (!policy->audit_since.set) {
		(*unknown)++;
		return 0;
	}
	days = (now_of(l) - policy->audit_since.seconds) / SECONDS_PER_DAY;
	if (days <= (int64_t)l->options->audit_days)
		return 0;
	return lint_add(l->findings, &about, "in Audit mode for %lld days, since %s",
			(long long)days, time_text(policy->audit_since.seconds, since));
}

/* Said once, of the first: a directory of files seldom has one with a time. */
static int report_unknown(struct lint *l, size_t unknown)
{
	struct about about;

	for (size_t i = 0; i < l->set->policies.n && unknown; i++) {
		const struct policy *policy = l->set->policies.item[i];

		if (!has_audit(policy) || policy->audit_since.set)
			continue;
		about = about_policy(LINT_AUDIT_SINCE_UNKNOWN, policy);
		return lint_add(l->findings, &about,
				"policies in Audit mode that do not say since when: %zu, "
				"this one first",
				unknown);
	}
	return 0;
}

int lint_time(struct lint *l)
{
	size_t unknown = 0;
	int r = 0;

	for (size_t i = 0; i < l->n_rules && r == 0; i++)
		if (l->rules[i].rule && l->rules[i].rule->expires.set)
			r = check_expiry(l, &l->rules[i]);
	for (size_t i = 0; i < l->set->policies.n && r == 0; i++) {
		const struct policy *policy = l->set->policies.item[i];
		const struct about rollout = about_policy(LINT_ROLLOUT_ZERO, policy);

		r = check_audit(l, policy, &unknown);
		if (r == 0 && policy->rollout == 0 && !policy->audit)
			r = lint_add(l->findings, &rollout, "enforces for 0 percent");
	}
	return r < 0 ? r : report_unknown(l, unknown);
}
