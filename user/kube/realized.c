/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/realized.h"

#include "user/identity/keymap.h"

struct node {
	char name[REPORT_NODE_MAX];
	struct report report;
	int64_t heard_ms; /* when it last said anything, by the leader's clock */
	uint32_t confirmed[KUBE_BUCKETS]; /* state of the ledger that it was in at least */
};

/* One version of a policy that some nodes refuse. */
struct refusal {
	size_t nodes;
	const struct node *first; /* by name */
	const char *message; /* its */
};

struct kube_realized {
	const struct kube_ledger *ledger;
	struct node **node;
	size_t n_nodes, nodes_room;
	struct keymap names; /* of nodes */

	/* What prepare() derives. */
	struct node **live; /* nodes that are heard of and should enforce */
	size_t n_live;
	size_t n_silent;
	char silent[REPORT_NODE_MAX]; /* the first of them by name */
	uint32_t *reached; /* by bucket: states of all live nodes, sorted */
	const struct node *slowest[KUBE_BUCKETS];
	struct refusal *refusal;
	size_t n_refusals;
	struct keymap refusals; /* by struct kube_version */
};

int kube_realized_new(const struct kube_ledger *ledger, struct kube_realized **ret)
{
	struct kube_realized *realized = calloc(1, sizeof(*realized));

	if (!realized)
		return -ENOMEM;
	realized->ledger = ledger;
	*ret = realized;
	return 0;
}

static void node_free(struct node *node)
{
	report_done(&node->report);
	free(node);
}

struct kube_realized *kube_realized_free(struct kube_realized *realized)
{
	if (!realized)
		return NULL;
	for (size_t i = 0; i < realized->n_nodes; i++)
		node_free(realized->node[i]);
	keymap_done(&realized->names);
	keymap_done(&realized->refusals);
	free(realized->node);
	free(realized->live);
	free(realized->reached);
	free(realized->refusal);
	free(realized);
	return NULL;
}

static struct node *find(const struct kube_realized *realized, const char *name, uint32_t *ret_i)
{
	uint32_t i;

	if (!keymap_get(&realized->names, name, strlen(name), &i))
		return NULL;
	if (ret_i)
		*ret_i = i;
	return realized->node[i];
}

static int add_node(struct kube_realized *realized, const char *name, struct node **ret)
{
	struct node *node;
	int r;

	if (realized->n_nodes == realized->nodes_room) {
		size_t room = realized->nodes_room * 2 + 16;
		struct node **more;

		if (room > 4 * LEDGER_NODES_MAX)
			return -ENOSPC;
		more = reallocarray(realized->node, room, sizeof(struct node *));
		if (!more)
			return -ENOMEM;
		realized->node = more;
		realized->nodes_room = room;
	}
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	strcpy(node->name, name);
	r = keymap_put(&realized->names, node->name, strlen(name), (uint32_t)realized->n_nodes);
	if (r < 0) {
		free(node);
		return r;
	}
	realized->node[realized->n_nodes++] = *ret = node;
	return 0;
}

/* A report that was old when the leader first saw it is not taken for fresh. */
static int64_t first_heard_ms(const struct report *report, int64_t now_ms, int64_t realtime_s)
{
	int64_t age_s = realtime_s - report->reported_s;

	return now_ms - MIN(MAX(age_s, 0), INT32_MAX) * 1000;
}

int kube_realized_report(struct kube_realized *realized, struct report *report, int64_t now_ms,
			 int64_t realtime_s)
{
	struct node *node = find(realized, report->node, NULL);
	bool same_agent = node && streq(node->report.instance, report->instance);
	int r;

	if (!node) {
		r = add_node(realized, report->node, &node);
		if (r < 0)
			return r;
		node->heard_ms = first_heard_ms(report, now_ms, realtime_s);
	} else if (!same_agent || node->report.reported_s != report->reported_s) {
		node->heard_ms = now_ms;
	}
	/* Another agent starts with nothing in force, and so does one that is pinned. */
	if (!same_agent || report->enforcing.reason == REASON_PINNED)
		memset(node->confirmed, 0, sizeof(node->confirmed));
	report_done(&node->report);
	node->report = *report;
	*report = (struct report){ 0 };
	return 0;
}

void kube_realized_gone(struct kube_realized *realized, const char *name)
{
	struct node *last, *node;
	uint32_t i;

	node = find(realized, name, &i);
	if (!node)
		return;
	keymap_remove(&realized->names, node->name, strlen(node->name));
	last = realized->node[--realized->n_nodes];
	if (last != node) {
		keymap_remove(&realized->names, last->name, strlen(last->name));
		realized->node[i] = last;
		keymap_put(&realized->names, last->name, strlen(last->name), i);
	}
	node_free(node);
}

/* The node is in the latest state with the sums that it reports, or in a later one. */
static void confirm(const struct kube_realized *realized, struct node *node)
{
	if (node->report.enforcing.reason == REASON_PINNED)
		return;
	for (unsigned int i = 0; i < KUBE_BUCKETS; i++) {
		uint64_t sum = node->report.buckets.sum[i];
		uint32_t state = kube_ledger_state_of(realized->ledger, i, sum);

		node->confirmed[i] = MAX(node->confirmed[i], state);
	}
}

static bool is_silent(const struct node *node, int64_t now_ms)
{
	return !node || !*node->report.instance || now_ms - node->heard_ms > REALIZED_SILENCE_MS;
}

static int find_live(struct kube_realized *realized, int64_t now_ms)
{
	size_t n = kube_ledger_nodes(realized->ledger);
	struct node **more = reallocarray(realized->live, n + 1, sizeof(struct node *));

	realized->n_live = realized->n_silent = 0;
	if (!more)
		return -ENOMEM;
	realized->live = more;
	for (size_t i = 0; i < n; i++) {
		const struct ledger_node *wanted = kube_ledger_node(realized->ledger, i);
		struct node *node = find(realized, wanted->name, NULL);

		if (wanted->exempt)
			continue;
		if (!is_silent(node, now_ms)) {
			confirm(realized, node);
			realized->live[realized->n_live++] = node;
			continue;
		}
		if (!realized->n_silent++ || strcmp(wanted->name, realized->silent) < 0)
			snprintf(realized->silent, sizeof(realized->silent), "%s", wanted->name);
	}
	return 0;
}

static int compare_states(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Whether @a is further behind than @b in a bucket; of two alike the first by name is. */
static bool slower(const struct node *a, const struct node *b, unsigned int bucket)
{
	if (a->confirmed[bucket] != b->confirmed[bucket])
		return a->confirmed[bucket] < b->confirmed[bucket];
	return strcmp(a->name, b->name) < 0;
}

static int sort_states(struct kube_realized *realized)
{
	size_t n = realized->n_live;
	uint32_t *more = reallocarray(realized->reached, n * KUBE_BUCKETS + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	realized->reached = more;
	for (unsigned int b = 0; b < KUBE_BUCKETS; b++) {
		uint32_t *reached = &realized->reached[b * n];
		bool sorted = true;

		realized->slowest[b] = NULL;
		for (size_t i = 0; i < n; i++) {
			const struct node *node = realized->live[i];

			reached[i] = node->confirmed[b];
			sorted &= i == 0 || reached[i - 1] <= reached[i];
			if (!realized->slowest[b] || slower(node, realized->slowest[b], b))
				realized->slowest[b] = node;
		}
		if (!sorted)
			qsort(reached, n, sizeof(*reached), compare_states);
	}
	return 0;
}

static int add_refusal(struct kube_realized *realized, const struct node *node,
		       const struct report_refused *refused)
{
	struct refusal *refusal;
	uint32_t i;
	int r;

	if (!keymap_get(&realized->refusals, &refused->version, sizeof(refused->version), &i)) {
		i = (uint32_t)realized->n_refusals;
		r = keymap_put(&realized->refusals, &refused->version, sizeof(refused->version), i);
		if (r < 0)
			return r;
		realized->refusal[realized->n_refusals++] = (struct refusal){ 0 };
	}
	refusal = &realized->refusal[i];
	refusal->nodes++;
	if (!refusal->first || strcmp(node->name, refusal->first->name) < 0) {
		refusal->first = node;
		refusal->message = refused->message;
	}
	return 0;
}

static int find_refusals(struct kube_realized *realized)
{
	struct refusal *more;
	size_t total = 0;
	int r = 0;

	keymap_done(&realized->refusals);
	realized->n_refusals = 0;
	for (size_t i = 0; i < realized->n_live; i++)
		total += realized->live[i]->report.n_refused;
	more = reallocarray(realized->refusal, total + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	realized->refusal = more;
	for (size_t i = 0; i < realized->n_live && r == 0; i++) {
		const struct node *node = realized->live[i];

		for (size_t k = 0; k < node->report.n_refused && r == 0; k++)
			if (*node->report.refused[k].version.uid)
				r = add_refusal(realized, node, &node->report.refused[k]);
	}
	return r;
}

int kube_realized_prepare(struct kube_realized *realized, int64_t now_ms)
{
	int r;

	r = find_live(realized, now_ms);
	if (r == 0)
		r = sort_states(realized);
	if (r == 0)
		r = find_refusals(realized);
	if (r < 0) {
		/* Nobody is known to enforce anything. */
		realized->n_live = 0;
		return r;
	}
	return (int)MIN(realized->n_silent, INT32_MAX);
}

/* How many live nodes came as far as @since in @bucket. */
static size_t count_reached(const struct kube_realized *realized, unsigned int bucket,
			    uint32_t since)
{
	const uint32_t *reached = &realized->reached[bucket * realized->n_live];
	size_t low = 0, high = realized->n_live;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (reached[middle] < since)
			low = middle + 1;
		else
			high = middle;
	}
	return realized->n_live - low;
}

static void say(struct kube_judgement *judgement, enum condition_reason reason, const char *node,
		const char *what, const char *more)
{
	judgement->reason = reason;
	snprintf(judgement->detail, sizeof(judgement->detail), "%zu of %zu nodes%s%s%s%s%s",
		 judgement->realized, judgement->nodes, node ? "; " : "", node ?: "", what,
		 more && *more ? ": " : "", more ?: "");
}

/* @here: why the leader's own node refuses it; its report comes later than its own word. */
static void judge_nodes(const struct kube_realized *realized, const struct node *slowest,
			const struct refusal *refusal, const char *here, struct kube_judgement *ret)
{
	const struct condition *why = slowest ? &slowest->report.enforcing : NULL;

	if (!ret->nodes)
		say(ret, REASON_NO_NODES, NULL, "", NULL);
	else if (refusal)
		say(ret, REASON_NODES_REFUSED, refusal->first->name, " refuses it",
		    refusal->message);
	else if (here)
		say(ret, REASON_NODES_REFUSED, "the leader's node", " refuses it", here);
	else if (ret->realized + ret->silent < ret->nodes && slowest)
		say(ret, REASON_NODES_PENDING, slowest->name, " does not enforce it yet",
		    why->set && why->reason != REASON_IN_FORCE ? why->message : NULL);
	else if (ret->silent)
		say(ret, REASON_NODES_SILENT, realized->silent, " is not heard of", NULL);
	else
		say(ret, REASON_ALL_NODES, NULL, "", NULL);
}

void kube_realized_judge(const struct kube_realized *realized, const struct ledger_policy *policy,
			 struct kube_judgement *ret)
{
	unsigned int bucket = kube_bucket_of(policy->wanted.uid);
	struct kube_judgement judgement = { .nodes = realized->n_live + realized->n_silent,
					    .silent = realized->n_silent };
	const struct refusal *refusal = NULL;
	const char *here = NULL;
	size_t reached;
	uint32_t i;

	reached = count_reached(realized, bucket, policy->since);
	if (keymap_get(&realized->refusals, &policy->wanted, sizeof(policy->wanted), &i))
		refusal = &realized->refusal[i];
	judgement.refused = refusal ? refusal->nodes : 0;
	/* Those that refuse it may not have come so far in other respects: then this is low. */
	judgement.realized = reached - MIN(reached, judgement.refused);
	if (policy->refusal && kube_version_equal(&policy->wanted, &policy->settled))
		here = policy->refusal;
	/* What another node enforces is well written: this one has no room, or is of another age. */
	judgement.refused_here = here && !judgement.realized;
	if (judgement.refused_here) {
		judgement.reason = REASON_NOT_ACCEPTED;
		snprintf(judgement.detail, sizeof(judgement.detail), "the policy is not accepted");
	} else {
		judge_nodes(realized, realized->slowest[bucket], refusal, here, &judgement);
	}
	*ret = judgement;
}
