/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/lease_state.h"

#define FOREIGN_DURATIONS 4 /* of our own: the longest time that another may ask for */

static void set_default(unsigned int *ms, unsigned int value)
{
	if (!*ms)
		*ms = value;
}

int lease_state_init(struct lease_state *state, const struct kube_lease_options *options,
		     int64_t now_ms)
{
	struct kube_lease_options full = *options;

	set_default(&full.duration_ms, KUBE_LEASE_DURATION_MS);
	set_default(&full.deadline_ms, KUBE_LEASE_DEADLINE_MS);
	set_default(&full.renew_ms, KUBE_LEASE_RENEW_MS);
	set_default(&full.retry_ms, KUBE_LEASE_RETRY_MS);
	if (full.retry_ms >= full.renew_ms || full.renew_ms >= full.deadline_ms ||
	    full.deadline_ms >= full.duration_ms)
		return -EINVAL;
	if (!full.identity || !*full.identity || strlen(full.identity) >= KUBE_LEASE_HOLDER_MAX)
		return -EINVAL;
	*state = (struct lease_state){
		.options = full,
		.candidates = 1,
		.changed_ms = now_ms,
		.leads_until_ms = -LEASE_NEVER,
		.next_ms = now_ms,
		.stale = true,
	};
	return 0;
}

static bool held_by_me(const struct lease_state *state)
{
	return streq(state->seen.holder, state->options.identity);
}

/* From when on this candidate may take what it sees, by its own clock. */
static int64_t free_from_ms(const struct lease_state *state)
{
	int64_t own = state->options.duration_ms;
	int64_t asked = MIN(state->seen.duration_ms, own * FOREIGN_DURATIONS);

	if (!*state->seen.version || !*state->seen.holder || held_by_me(state))
		return state->changed_ms;
	return state->changed_ms + MAX(own, asked);
}

enum lease_act lease_next(const struct lease_state *state, int64_t now_ms)
{
	if (state->stale || now_ms < free_from_ms(state))
		return LEASE_LOOK;
	return *state->seen.version ? LEASE_TAKE : LEASE_CREATE;
}

/* @ms and up to half as much again. */
static int64_t spread(int64_t ms, uint32_t random)
{
	return ms + ms * random / 2 / UINT32_MAX;
}

/* When one who waits looks again: with many candidates seldom, but for when it is due. */
static int64_t look_ms(const struct lease_state *state, int64_t now_ms, uint32_t random)
{
	int64_t retry = state->options.retry_ms;
	int64_t calm = (int64_t)state->candidates * 1000 / KUBE_LEASE_LOOKS_PER_S;
	int64_t free_from = free_from_ms(state);

	if (free_from <= now_ms)
		return now_ms;
	if (calm <= retry)
		return MIN(now_ms + spread(retry, random), free_from);
	if (state->seen.overdue)
		return free_from + retry * random / UINT32_MAX;
	return now_ms + spread(calm, random);
}

static void observe(struct lease_state *state, const struct lease_record *record, int64_t now_ms)
{
	if (!streq(state->seen.version, record->version))
		state->changed_ms = now_ms;
	state->seen = *record;
	state->stale = false;
}

void lease_succeeded(struct lease_state *state, enum lease_act act,
		     const struct lease_record *record, int64_t asked_ms, int64_t now_ms,
		     uint32_t random)
{
	observe(state, record, now_ms);
	if (act == LEASE_LOOK) {
		/* Whoever finds another's name there has lost it, whatever its clock says. */
		if (!held_by_me(state))
			state->leads_until_ms = -LEASE_NEVER;
		state->next_ms = look_ms(state, now_ms, random);
		return;
	}
	/* The others count from when they see the renewal, which is later than it was asked. */
	state->leads_until_ms = asked_ms + state->options.deadline_ms;
	state->next_ms = asked_ms + state->options.renew_ms;
}

void lease_failed(struct lease_state *state, int64_t now_ms, uint32_t random)
{
	state->stale = true;
	state->next_ms = now_ms + spread(state->options.retry_ms, random);
}

int64_t lease_wakes_ms(const struct lease_state *state, int64_t now_ms)
{
	if (lease_leads(state, now_ms))
		return MIN(state->next_ms, state->leads_until_ms);
	return state->next_ms;
}
