/* SPDX-License-Identifier: Apache-2.0 */
/* One look at all policies: what is not as it should be is written, as far as the limits go. */
#include <countersign/siphash.h>

#include "user/agent/kube_status_internal.h"
#include "user/base/clock.h"

#define CALM_FACTOR 50 /* times what a round costs lie between rounds: 2% of a processor */
#define REFUSED_PAUSE_MS 60000 /* after the server refused a status: it will again */
#define GONE_PAUSE_MS 1000 /* after the policy was not there: the ledger hears of it */
#define EVENT_TEXT_MAX 900

/* ---- writing ---- */

static void count_tokens(struct leading *leading, int64_t now_ms)
{
	double more = (double)(now_ms - leading->tokens_ms) * KUBE_STATUS_WRITES_PER_S / 1000;

	leading->tokens = MIN(leading->tokens + more, (double)KUBE_STATUS_WRITES_PER_S);
	leading->tokens_ms = now_ms;
}

static struct writing *free_slot(struct leading *leading)
{
	for (size_t i = 0; i < KUBE_STATUS_CALLS_MAX; i++)
		if (!leading->writing[i].call)
			return &leading->writing[i];
	return NULL;
}

static void succeeded(struct writing *writing, struct entry *entry,
		      const struct kube_response *response)
{
	json_auto_t *object = json_loadb(response->body, response->length, 0, NULL);

	writing->leading->status->stats.writes++;
	*writing->leading->status->stats.trouble = 0;
	writing->leading->failed = 0;
	if (!entry)
		return;
	/* The server's word counts: it may have dropped fields that its CRD does not have. */
	entry->said = object ? policy_status_read(entry->kind, object) : writing->said;
	if (!entry->said.digest)
		entry->said = writing->said;
	entry->written_ms = status_now_ms();
}

static void failed(struct writing *writing, struct entry *entry,
		   const struct kube_response *response, enum kube_outcome outcome)
{
	struct leading *leading = writing->leading;
	struct kube_status_stats *stats = &leading->status->stats;
	int64_t now = status_now_ms();

	stats->failures++;
	snprintf(stats->trouble, sizeof(stats->trouble), "status of %s: %s", writing->document,
		 response->message);
	if (outcome == KUBE_LATER) {
		int64_t wait = kube_backoff_ms(++leading->failed);

		leading->pause_until_ms = now + MAX(wait, response->retry_after_ms);
	} else if (entry) {
		entry->not_before_ms =
			now + (outcome == KUBE_REFUSED ? REFUSED_PAUSE_MS : GONE_PAUSE_MS);
	}
}

static void on_written(void *arg, const struct kube_response *response)
{
	struct writing *writing = arg;
	struct leading *leading = writing->leading;
	struct entry *entry = leading_find(leading, writing->document);
	enum kube_outcome outcome = kube_outcome(response);

	writing->call = NULL;
	if (entry)
		entry->writing = false;
	if (outcome == KUBE_WRITTEN)
		succeeded(writing, entry, response);
	else
		failed(writing, entry, response, outcome);
	free(TAKE_PTR(writing->document));
	if (leading->waiting || outcome != KUBE_WRITTEN)
		leading_kick(leading);
}

static int begin_write(struct leading *leading, struct entry *entry,
		       const struct ledger_policy *policy, const struct policy_status_text *status)
{
	struct writing *writing = free_slot(leading);
	const struct kube_handlers handlers = { .on_done = on_written, .arg = writing };
	json_auto_t *object = policy_status_object(policy, status);
	struct kube_object_name name = { 0 };
	struct kube_apply apply = { .object = object, .force = true };
	int r;

	if (!object)
		return -ENOMEM;
	r = kube_object_name(policy->document, &name);
	if (r < 0)
		return r;
	apply.path = (struct kube_path){
		.group = policy->kind->group,
		.version = policy->kind->version,
		.namespace = name.namespace,
		.plural = policy->kind->plural,
		.name = name.name,
		.subresource = "status",
	};
	writing->document = strdup(policy->document);
	writing->said = policy_status_said(policy->kind, status);
	r = writing->document ? kube_apply_start(leading->status->options.client, &apply, &handlers,
						 &writing->call)
			      : -ENOMEM;
	kube_object_name_done(&name);
	if (r < 0) {
		writing->call = NULL;
		free(TAKE_PTR(writing->document));
		return r;
	}
	entry->writing = true;
	leading->tokens--;
	return 0;
}

/* ---- looking ---- */

/* Once for each version and reason: the words may change with the nodes. */
static void tell(struct leading *leading, struct entry *entry, const struct ledger_policy *policy,
		 const struct kube_judgement *judgement)
{
	const struct cs_key key = { (uint64_t)policy->wanted.generation, judgement->reason };
	uint64_t told = cs_siphash_bytes(&key, policy->wanted.uid, strlen(policy->wanted.uid));
	struct kube_object_name name = { 0 };
	char version[128];

	if (judgement->reason != REASON_NOT_ACCEPTED && judgement->reason != REASON_NODES_REFUSED)
		return;
	if (entry->told == told || kube_object_name(policy->document, &name) < 0)
		return;
	entry->told = told;
	snprintf(version, sizeof(version), "%s/%s", policy->kind->group, policy->kind->version);
	kube_event(leading->status->options.events, EVENT_POLICY_REFUSED,
		   &(struct kube_regarding){ version, name.kind, name.namespace, name.name,
					     policy->wanted.uid },
		   "generation %lld: %.*s", (long long)policy->wanted.generation, EVENT_TEXT_MAX,
		   judgement->refused_here ? policy->refusal : judgement->detail);
	kube_object_name_done(&name);
}

static int64_t count_subjects(const struct leading *leading, const struct entry *entry)
{
	const struct kube_status_options *options = &leading->status->options;

	if (!options->subjects || entry->kind->status != POLICY_STATUS_OWN)
		return -1;
	return MAX(options->subjects(options->arg, entry->document), -1);
}

static void note_version(struct leading *leading, struct entry *entry,
			 const struct ledger_policy *policy, int64_t now_ms)
{
	if (kube_version_equal(&entry->version, &policy->wanted))
		return;
	entry->subjects = count_subjects(leading, entry);
	entry->version = policy->wanted;
	entry->first_ms = now_ms;
	entry->not_before_ms = 0;
}

/* Whether the limits let what differs be written now. */
static bool may_write(struct leading *leading, const struct entry *entry,
		      const struct policy_status_text *status, const struct policy_said *said,
		      int64_t now_ms)
{
	if (status->realized.reason == REASON_NODES_PENDING &&
	    now_ms - entry->first_ms < KUBE_STATUS_SETTLE_MS)
		return false;
	/* The server may have been away for all: then nodes come back one by one. */
	if (status->realized.reason == REASON_NODES_SILENT &&
	    now_ms - leading->since_ms < KUBE_STATUS_GRACE_MS)
		return false;
	if (said->verdict == entry->said.verdict && entry->written_ms &&
	    now_ms - entry->written_ms < KUBE_STATUS_PROGRESS_MS)
		return false;
	return now_ms >= entry->not_before_ms && now_ms >= leading->pause_until_ms &&
	       leading->tokens >= 1 && free_slot(leading);
}

static void look_at(struct leading *leading, const struct ledger_policy *policy, int64_t now_ms)
{
	struct policy_status_text status;
	struct kube_judgement judgement;
	struct policy_said said;
	struct entry *entry;

	/* What this node has not dealt with itself it cannot judge. */
	if (!*policy->wanted.uid || !kube_version_equal(&policy->wanted, &policy->settled))
		return;
	if (leading_entry(leading, policy->document, &entry) < 0)
		return;
	note_version(leading, entry, policy, now_ms);
	kube_realized_judge(leading->realized, policy, &judgement);
	tell(leading, entry, policy, &judgement);
	if (policy->kind->status == POLICY_STATUS_NONE)
		return;
	policy_status_judge(policy, &judgement, &status);
	status.subjects = entry->subjects;
	policy_status_follow(&entry->said, &status, clock_ns(CLOCK_REALTIME) / NS_PER_S);
	said = policy_status_said(policy->kind, &status);
	if (said.digest == entry->said.digest && !entry->writing)
		return;
	leading->waiting++;
	if (!entry->writing && may_write(leading, entry, &status, &said, now_ms) &&
	    begin_write(leading, entry, policy, &status) < 0)
		entry->not_before_ms = now_ms + GONE_PAUSE_MS;
}

static void wait_for_next(struct leading *leading, int64_t began_ms)
{
	int64_t now = status_now_ms();
	int64_t wait = leading->waiting ? KUBE_STATUS_SETTLE_MS : KUBE_STATUS_REPEAT_MS;
	struct timeval timeout = { 0 };

	leading->round_ms = now;
	leading->calm_ms = MAX((now - began_ms) * CALM_FACTOR, KUBE_STATUS_ROUND_MS);
	wait = MAX(wait, leading->calm_ms);
	timeout.tv_sec = wait / 1000;
	timeout.tv_usec = wait % 1000 * 1000;
	event_add(leading->timer, &timeout);
}

void leading_round(struct leading *leading)
{
	const struct kube_ledger *ledger = leading->status->options.ledger;
	int64_t now = status_now_ms();

	leading->waiting = 0;
	/* Not yet, or no longer: the lease's own timer ends it. */
	if (!leading_synced(leading) || !kube_lease_is_leader(leading->status->lease) ||
	    kube_realized_prepare(leading->realized, now) < 0) {
		wait_for_next(leading, now);
		return;
	}
	leading->status->stats.rounds++;
	count_tokens(leading, now);
	for (size_t i = 0; i < kube_ledger_policies(ledger); i++)
		look_at(leading, kube_ledger_policy(ledger, i), now);
	if (leading->n_entries > kube_ledger_wanted(ledger))
		leading_sweep(leading);
	wait_for_next(leading, now);
}

void leading_count(struct leading *leading)
{
	struct entry *entry;
	int64_t n;

	if (!leading->n_entries)
		return;
	leading->counted = (leading->counted + 1) % leading->n_entries;
	entry = leading->entry[leading->counted];
	n = count_subjects(leading, entry);
	if (n == entry->subjects || !*entry->version.uid)
		return;
	entry->subjects = n;
	leading_kick(leading);
}
