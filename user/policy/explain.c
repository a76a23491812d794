/* SPDX-License-Identifier: Apache-2.0 */
/* Why a flow passes or not: the evaluator's own walk, one rule at a time. */
#include <netinet/in.h>

#include "user/policy/party.h"

/* One direction of a flow: who is judged, about whom, and on which port. */
struct view {
	const struct image *image;
	const struct policy_flow *flow;
	const struct party *subject;
	const struct party *peer;
	uint16_t port;
};

static const struct cs_ruleset *ruleset_of(const struct image *image, const struct party *subject,
					   enum cs_direction direction)
{
	if (subject->workload)
		return &image->rulesets[subject->workload->ruleset[direction]];
	if (subject->unmanaged)
		return &image->rulesets[image->unmanaged_ruleset[direction]];
	return NULL;
}

/* Why the rule did not cover; asked in the evaluator's own order. */
static const char *why_not(const struct cs_walk *before, const struct cs_rule *rule)
{
	const struct cs_query *query = before->query;
	bool open = cs_walk_open(before, rule) || cs_staged_open(before, rule);

	if (!open && before->staged != CS_VERDICT_NONE && rule->flags & CS_RULE_AUDIT)
		return "is in Audit mode, and what that would say is decided";
	if (!open)
		return "skipped: an earlier rule passed to the next tier";
	if (rule->protocol && rule->protocol != query->protocol)
		return "protocol does not match";
	if (!cs_port_matches(rule, query))
		return "port does not match";
	if (!cs_peer_matches(rule, query))
		return "peer does not match";
	return "has expired";
}

/* What a rule does that covers, but not in the walk that is enforced. */
static const char *why_staged(const struct cs_rule *rule)
{
	static const char *const audit[] = {
		[CS_ACTION_ALLOW] = "would allow, but is in Audit mode",
		[CS_ACTION_DENY] = "would deny, but is in Audit mode",
		[CS_ACTION_PASS] = "would pass to the next tier, but is in Audit mode",
	};
	static const char *const other[] = {
		[CS_ACTION_ALLOW] = "would allow, if the rules in Audit mode were enforced",
		[CS_ACTION_DENY] = "would deny, if the rules in Audit mode were enforced",
		[CS_ACTION_PASS] = "would pass to the next tier, if the rules in Audit mode were "
				   "enforced",
	};

	if (rule->flags & CS_RULE_DEFAULT)
		return "would deny what no rule allows, but is in Audit mode";
	return rule->flags & CS_RULE_AUDIT ? audit[rule->action] : other[rule->action];
}

static const char *why_covers(const struct cs_walk *before, const struct cs_rule *rule)
{
	if (rule->action == CS_ACTION_ALLOW && rule->flags & CS_RULE_AUTH &&
	    !before->query->authenticated)
		return "would allow, but the peer is not verified";
	if (!cs_walk_open(before, rule))
		return why_staged(rule);
	return rule->action == CS_ACTION_PASS ? "passes to the next tier" : "decides";
}

static int walk_rules(const struct cs_ruleset *rules, const struct cs_query *query,
		      struct policy_explanation *ret)
{
	struct cs_walk walk, before;
	bool over = false;

	cs_walk_begin(&walk, rules, query);
	ret->steps = calloc(rules->count + 1, sizeof(*ret->steps));
	if (!ret->steps)
		return -ENOMEM;
	for (uint32_t i = 0; i < rules->count && !over; i++) {
		const struct cs_rule *rule = &rules->rules[i];
		struct policy_step *step = &ret->steps[i];

		before = walk;
		step->rule = rule->id;
		step->covers = (cs_walk_open(&walk, rule) || cs_staged_open(&walk, rule)) &&
			       cs_rule_covers(rule, query);
		over = cs_walk_rule(&walk, i);
		step->why =
			strdup(step->covers ? why_covers(&before, rule) : why_not(&before, rule));
		if (!step->why)
			return -ENOMEM;
		ret->n_steps++;
	}
	cs_evaluate(rules, query, &ret->result);
	return 0;
}

static void decide(struct policy_explanation *ret, uint8_t verdict, uint8_t reason)
{
	ret->result = (struct cs_result){ .verdict = verdict, .reason = reason };
}

/* A node must reach its own workloads, for probes and the like, whatever policies say. */
static bool is_own_node(const struct view *view)
{
	return view->subject->workload && !view->subject->workload->host_network &&
	       view->peer->identity && view->peer->identity->identity == CS_ENTITY_HOST;
}

static bool is_self(const struct view *view)
{
	return view->subject->workload && view->subject->workload == view->peer->workload &&
	       !view->subject->by_service && !view->peer->by_service;
}

/* Whether anybody here judges that direction: the rules, and who is judged into @ret. */
static const struct cs_ruleset *begin(const struct view *view, struct policy_explanation *ret)
{
	const struct cs_ruleset *rules = ruleset_of(view->image, view->subject, ret->direction);
	const struct image_workload *workload = view->subject->workload;

	ret->known = rules != NULL;
	ret->workload = workload ? (uint32_t)(workload - view->image->workloads) + 1 : 0;
	return rules;
}

static int explain_direction(const struct view *view, struct policy_explanation *ret)
{
	const struct cs_ruleset *rules = begin(view, ret);
	const struct party *peer = view->peer;
	const struct image *image = view->image;
	uint32_t class_row = peer->class_index ? image->classes[peer->class_index - 1].row : 0;
	const struct cs_query query = {
		.identity = &image->bitmaps[peer->identity ? peer->identity->row : 0],
		.address = &image->bitmaps[class_row],
		.now_ns = view->flow->boottime_ns,
		.port = view->port,
		.protocol = view->flow->protocol,
		/* Tags are TCP's, and entities have none. */
		.authenticated = view->flow->authenticated && view->flow->protocol == IPPROTO_TCP &&
				 peer->identity && peer->identity->identity >= CS_IDENTITY_FIRST,
	};

	if (!rules || policy_revokes(view->subject->revoked, peer->revoked, &ret->result))
		return 0;
	if (is_self(view) || is_own_node(view)) {
		decide(ret, CS_VERDICT_ALLOW, is_self(view) ? CS_REASON_SELF : CS_REASON_OWN_NODE);
		return 0;
	}
	return walk_rules(rules, &query, ret);
}

/* Explains @view and keeps it in @ret when it is worse than what is there. */
static int explain_worst(const struct view *view, struct policy_explanation *ret)
{
	struct policy_explanation other = { .direction = ret->direction };
	int r;

	r = explain_direction(view, &other);
	if (r == 0 && (!ret->known || result_is_worse(&other.result, &ret->result))) {
		policy_explanation_done(ret);
		*ret = other;
		return 0;
	}
	policy_explanation_done(&other);
	return r;
}

/* Every workload that a backend may be: roll-outs can tell those of one identity apart. */
static int explain_backend_ingress(const struct view *egress, struct policy_explanation *ret)
{
	const struct image *image = egress->image;
	struct party subject = *egress->peer;
	struct view view = *egress;
	uint32_t last = UINT32_MAX;
	int r = 0;

	view.subject = &subject;
	view.peer = egress->subject;
	for (size_t i = 0; i < image->n_workloads && r == 0; i++) {
		const struct image_workload *workload = &image->workloads[i];
		bool same = workload->ruleset[CS_INGRESS] == last && !workload->revoked;

		if (!subject.identity || workload->identity != subject.identity->identity || same)
			continue;
		last = workload->ruleset[CS_INGRESS];
		subject.workload = workload;
		subject.revoked = party_is_revoked(image, workload, workload->identity);
		r = explain_worst(&view, ret);
	}
	return r;
}

/* A flow to a Service may reach any of its backends: what counts is the worst of all. */
static int explain_service(const struct image_service *service, const struct view *to_service,
			   struct policy_explanation ret[static CS_DIRECTIONS])
{
	int r = 0;

	if (service->n == 0 && begin(to_service, &ret[CS_EGRESS]))
		decide(&ret[CS_EGRESS], CS_VERDICT_DENY, CS_REASON_NO_BACKEND);
	for (uint32_t i = 0; i < service->n && r == 0; i++) {
		const struct image_backend *backend =
			&to_service->image->backends[service->first + i];
		struct party peer = party_of_backend(to_service->image, backend);
		struct view view = *to_service;

		view.peer = &peer;
		view.port = backend->port;
		r = explain_worst(&view, &ret[CS_EGRESS]);
		if (r == 0)
			r = explain_backend_ingress(&view, &ret[CS_INGRESS]);
	}
	return r;
}

static int explain_both(const struct image *image, const struct policy_flow *flow,
			struct policy_explanation ret[static CS_DIRECTIONS])
{
	const struct image_service *service = party_service(image, flow);
	struct party from, to = { 0 };
	struct view egress = { image, flow, &from, &to, flow->port };
	struct view ingress = { image, flow, &to, &from, flow->port };
	int r;

	r = party_find(image, flow->from, flow->family, &from);
	if (r == 0 && service)
		return explain_service(service, &egress, ret);
	if (r == 0)
		r = party_find(image, flow->to, flow->family, &to);
	if (r == 0)
		r = explain_direction(&egress, &ret[CS_EGRESS]);
	return r == 0 ? explain_direction(&ingress, &ret[CS_INGRESS]) : r;
}

void policy_explanation_done(struct policy_explanation *explanation)
{
	for (size_t i = 0; i < explanation->n_steps; i++)
		free(explanation->steps[i].why);
	free(explanation->steps);
	*explanation = (struct policy_explanation){ 0 };
}

int policy_explain(const struct image *image, const struct policy_flow *flow,
		   struct policy_explanation ret[static CS_DIRECTIONS])
{
	struct policy_explanation both[CS_DIRECTIONS] = {
		[CS_INGRESS] = { .direction = CS_INGRESS },
		[CS_EGRESS] = { .direction = CS_EGRESS },
	};
	int r;

	r = explain_both(image, flow, both);
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		if (r == 0)
			ret[d] = both[d];
		else
			policy_explanation_done(&both[d]);
	}
	return r;
}
