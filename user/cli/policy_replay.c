/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded flows, judged again under the old policies and under the new ones. */
#include "user/cli/policy_diff.h"
#include "user/policy/cases.h"

void replay_done(struct replay *replay)
{
	for (size_t i = 0; i < replay->n; i++) {
		free(replay->changes[i].from);
		free(replay->changes[i].to);
	}
	free(replay->changes);
	recorded_done(&replay->recorded);
	*replay = (struct replay){ 0 };
}

static char *workload_name(const struct workload *workload)
{
	char *name;

	return asprintf(&name, "%s/%s", workload->namespace, workload->name) < 0 ? NULL : name;
}

static const struct workload *workload_at(const struct policy_set *set, const char *address)
{
	struct cs_addr addr;

	if (address_parse(address, &addr))
		return NULL;
	for (size_t i = 0; i < set->workloads.n; i++) {
		const struct workload *workload = set->workloads.item[i];

		for (size_t a = 0; a < workload->n_addresses; a++)
			if (memcmp(&workload->addresses[a], &addr, sizeof(addr)) == 0)
				return workload;
	}
	return NULL;
}

/* By the name of the pod, of what it belongs to, or by its address. */
static char *find_workload(const struct policy_set *set, const struct recorded_side *side)
{
	const char *const names[] = { side->pod, side->workload };
	const struct workload *workload;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *full = NULL;

		if (*names[i] && asprintf(&full, "%s/%s", side->namespace, names[i]) < 0)
			full = NULL;
		if (full && case_workload(set, full))
			return TAKE_PTR(full);
	}
	workload = workload_at(set, side->address);
	return workload ? workload_name(workload) : NULL;
}

char *replay_who(const struct policy_set *set, const struct recorded_side *side)
{
	struct cs_addr addr;

	if (*side->pod || *side->workload)
		return find_workload(set, side);
	/* The world is known by its address, as CIDRs look at that. */
	if (*side->entity && !streq(side->entity, "World"))
		return strdup(side->entity);
	if (!address_parse(side->address, &addr))
		return strdup(side->address);
	return *side->entity ? strdup(side->entity) : NULL;
}

/* The verdict of the side that recorded the flow, or of both. -ENOENT: cannot be judged. */
static int judge(const struct image *image, const struct policy_flow *flow, uint8_t direction,
		 struct diff_outcome *ret)
{
	struct policy_explanation side[CS_DIRECTIONS];
	struct policy_judgement both;
	struct cs_result result;
	int r;

	if (direction >= CS_DIRECTIONS) {
		r = policy_judge(image, flow, &both);
		result = both.result;
	} else {
		r = policy_explain(image, flow, side);
		if (r < 0)
			return r;
		result = side[direction].result;
		r = side[direction].known ? 0 : -ENOENT;
		for (int d = 0; d < CS_DIRECTIONS; d++)
			policy_explanation_done(&side[d]);
	}
	if (r < 0)
		return r;
	*ret = (struct diff_outcome){
		.rule = result.rule,
		.verdict = result.verdict,
		.reason = result.reason,
	};
	return 0;
}

/* Under one of the policies; who it was about, into @ret. */
static int judge_recorded(const struct comparison *comparison, const struct manifests *manifests,
			  struct replay_change *ret, struct diff_outcome *ret_outcome)
{
	const struct recorded_flow *recorded = ret->flow;
	struct policy_flow flow = {
		.port = recorded->port,
		.protocol = recorded->protocol,
		.family = recorded->family,
		.authenticated = recorded->verified,
		.boottime_ns = comparison->now_ns,
	};

	free(ret->from);
	free(ret->to);
	ret->from = replay_who(manifests->set, &recorded->source);
	ret->to = replay_who(manifests->set, &recorded->destination);
	if (!ret->from || !ret->to)
		return -ENOENT;
	flow.from = ret->from;
	flow.to = ret->to;
	return judge(manifests->image, &flow, recorded->direction, ret_outcome);
}

static int replay_flow(struct comparison *comparison, struct replay_change *change)
{
	struct replay *replay = &comparison->replay;
	uint64_t count = change->flow->count;
	int r;

	r = judge_recorded(comparison, &comparison->before, change, &change->before);
	if (r == 0)
		r = judge_recorded(comparison, &comparison->after, change, &change->after);
	if (r == 0 && change->before.verdict != change->after.verdict) {
		replay->changed += count;
		replay->n++;
		return 0;
	}
	*(r ? &replay->unknown : &replay->same) += count;
	free(change->from);
	free(change->to);
	change->from = change->to = NULL;
	return r == -ENOENT ? 0 : r;
}

int replay_run(struct comparison *comparison)
{
	struct replay *replay = &comparison->replay;
	int r = 0;

	replay->changes = calloc(replay->recorded.n + 1, sizeof(*replay->changes));
	if (!replay->changes)
		return -ENOMEM;
	for (size_t i = 0; i < replay->recorded.n && r == 0; i++) {
		struct replay_change *change = &replay->changes[replay->n];

		*change = (struct replay_change){ .flow = replay->recorded.flows[i] };
		r = replay_flow(comparison, change);
	}
	return r;
}
