/* SPDX-License-Identifier: Apache-2.0 */
/* Subjects and peers that mean nobody. */
#include "user/policy/lint_work.h"

static bool peer_impossible(const struct peer *peer)
{
	return lint_selector_impossible(&peer->labels) ||
	       lint_selector_impossible(&peer->namespaces);
}

/* Without Workloads nothing can be said of who exists. */
static bool can_tell(const struct lint *l)
{
	return l->set->workloads.n > 0;
}

static bool anybody(const struct lint *l, const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_subjects; i++)
		if (lint_any_match(l, &policy->subjects[i], NULL, NULL))
			return true;
	return false;
}

static int check_subjects(struct lint *l, const struct policy *policy)
{
	struct about about = about_policy(LINT_SUBJECT_EMPTY, policy);
	uint32_t i;

	for (size_t s = 0; s < policy->n_subjects; s++) {
		if (!peer_impossible(&policy->subjects[s]))
			continue;
		about.code = LINT_SELECTOR_IMPOSSIBLE;
		return lint_add(l->findings, &about, "the subject can never be met: %s",
				lint_peer_text(l, &policy->subjects[s]));
	}
	if (!can_tell(l) || anybody(l, policy))
		return 0;
	if (*policy->namespace &&
	    !keymap_get(&l->by_namespace, policy->namespace, strlen(policy->namespace), &i)) {
		about.code = LINT_NAMESPACE_EMPTY;
		return lint_add(l->findings, &about, "namespace %s has no workloads",
				policy->namespace);
	}
	if (policy->n_subjects != 1)
		return lint_add(l->findings, &about, "no workload is among its subjects");
	return lint_add(l->findings, &about, "its subject selects nobody: there are no %s",
			lint_peer_text(l, &policy->subjects[0]));
}

static bool prefix_empty(const struct peer *peer)
{
	for (size_t i = 0; i < peer->n_except; i++)
		if (cidr_covers(&peer->except[i], &peer->cidr))
			return true;
	return false;
}

static int check_peer(struct lint *l, const struct lint_rule *rule, const struct peer *peer)
{
	struct about about = about_rule(LINT_PEER_EMPTY, rule);

	if (peer_impossible(peer)) {
		about.code = LINT_SELECTOR_IMPOSSIBLE;
		return lint_add(l->findings, &about, "a peer can never be met: %s",
				lint_peer_text(l, peer));
	}
	if (peer->kind == PEER_CIDR && prefix_empty(peer)) {
		about.code = LINT_CIDR_EMPTY;
		return lint_add(l->findings, &about, "except leaves nothing of %s",
				lint_peer_text(l, peer));
	}
	if (!can_tell(l) || lint_peer_exists(l, peer))
		return 0;
	return lint_add(l->findings, &about, "a peer selects nobody: there is no %s",
			lint_peer_text(l, peer));
}

static int check_rule(struct lint *l, const struct lint_rule *rule)
{
	const struct about unknown = about_rule(LINT_PEER_UNKNOWN, rule);
	int r = 0;

	if (rule->rule->unknown_peer)
		r = lint_add(l->findings, &unknown, "a peer is of a kind that is not known: %s",
			     rule->rule->nobody ? "the rule matches nobody"
						: "the rule denies everybody");
	for (size_t i = 0; i < rule->rule->n_peers && r == 0; i++)
		r = check_peer(l, rule, &rule->rule->peers[i]);
	return r;
}

int lint_select(struct lint *l)
{
	static const struct place nowhere;
	const struct about none = { .code = LINT_NO_WORKLOADS, .place = &nowhere };
	int r = 0;

	if (!can_tell(l) && l->set->policies.n)
		r = lint_add(l->findings, &none,
			     "no Workload is among the files: who is selected was not checked");
	for (size_t i = 0; i < l->set->policies.n && r == 0; i++)
		r = check_subjects(l, l->set->policies.item[i]);
	for (size_t i = 0; i < l->n_rules && r == 0; i++)
		if (l->rules[i].rule)
			r = check_rule(l, &l->rules[i]);
	return r;
}
