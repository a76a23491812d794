/* SPDX-License-Identifier: Apache-2.0 */
/* How far this node has come, and what can be asked about both. */
#include "user/kube/ledger_internal.h"

void ledger_refused_done(struct ledger_refused *refused, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(refused[i].document);
		free(refused[i].message);
	}
	free(refused);
}

static struct ledger_policy *find(const struct kube_ledger *ledger, const char *document)
{
	uint32_t i;

	return keymap_get(&ledger->policies, document, strlen(document), &i) ? ledger->policy[i]
									     : NULL;
}

static int compare(const void *a, const void *b)
{
	const struct kube_refused *const *x = a, *const *y = b;

	return strcmp((*x)->document, (*y)->document);
}

/* Whether @sorted says what is known already. */
static bool same_refused(const struct kube_ledger *ledger, const struct kube_refused *const *sorted,
			 size_t n)
{
	if (n != ledger->n_refused)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!streq(sorted[i]->document, ledger->refused[i].document) ||
		    strncmp(sorted[i]->message, ledger->refused[i].message, LEDGER_MESSAGE_MAX))
			return false;
	return true;
}

static int copy_refused(const struct kube_refused *const *sorted, size_t n,
			struct ledger_refused **ret)
{
	struct ledger_refused *copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i].document = strdup(sorted[i]->document);
		copy[i].message = strndup(sorted[i]->message, LEDGER_MESSAGE_MAX);
		if (!copy[i].document || !copy[i].message) {
			ledger_refused_done(copy, i + 1);
			return -ENOMEM;
		}
	}
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

/* Policies that @refused names must be looked at again. */
static int touch_refused(struct kube_ledger *ledger, const struct ledger_refused *refused, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ledger_policy *policy = find(ledger, refused[i].document);
		int r = policy ? ledger_touch(ledger, policy) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* Up to the last step only policies became dirty, which does no harm. */
static int replace_refused(struct kube_ledger *ledger, const struct kube_refused *const *sorted,
			   size_t n)
{
	struct ledger_refused *copy;
	int r;

	if (same_refused(ledger, sorted, n))
		return 0;
	r = copy_refused(sorted, n, &copy);
	if (r < 0)
		return r;
	r = touch_refused(ledger, ledger->refused, ledger->n_refused);
	if (r == 0)
		r = touch_refused(ledger, copy, n);
	if (r < 0) {
		ledger_refused_done(copy, n);
		return r;
	}
	for (size_t i = 0; i < ledger->n_refused; i++) {
		struct ledger_policy *policy = find(ledger, ledger->refused[i].document);

		if (policy)
			policy->refusal = NULL;
	}
	ledger_refused_done(ledger->refused, ledger->n_refused);
	ledger->refused = copy;
	ledger->n_refused = n;
	return 1;
}

/* Which of the refused are policies, and of what version. */
static void name_refused(struct kube_ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_refused; i++) {
		struct ledger_refused *refused = &ledger->refused[i];
		struct ledger_policy *policy = find(ledger, refused->document);

		refused->version = policy ? policy->wanted : (struct kube_version){ 0 };
		if (policy)
			policy->refusal = refused->message;
	}
}

static bool is_listed(const struct kube_ledger *ledger, const struct ledger_policy *policy)
{
	for (size_t i = 0; i < MIN(ledger->n_refused, LEDGER_LISTED_MAX); i++)
		if (ledger->refused[i].message == policy->refusal)
			return true;
	return false;
}

static void settle_policy(struct kube_ledger *ledger, struct ledger_policy *policy)
{
	if (policy->counted)
		kube_buckets_remove(&ledger->reported, &policy->settled);
	policy->counted = false;
	policy->dirty = false;
	if (!*policy->wanted.uid) {
		ledger_drop(ledger, policy);
		return;
	}
	policy->settled = policy->wanted;
	/* A refusal that the report has no room for must not look like enforcement. */
	if (policy->refusal && !is_listed(ledger, policy))
		return;
	policy->counted = true;
	kube_buckets_add(&ledger->reported, &policy->settled);
}

int kube_ledger_settle(struct kube_ledger *ledger, const struct kube_refused *refused, size_t n)
{
	_cleanup_free_ const struct kube_refused **sorted = calloc(n + 1, sizeof(*sorted));
	size_t n_dirty;
	int r;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &refused[i];
	qsort(sorted, n, sizeof(*sorted), compare);
	r = replace_refused(ledger, sorted, n);
	if (r < 0)
		return r;
	n_dirty = ledger->n_dirty;
	if (!r && !n_dirty)
		return 0;
	name_refused(ledger);
	ledger->n_dirty = 0;
	for (size_t i = 0; i < n_dirty; i++)
		settle_policy(ledger, ledger->dirty[i]);
	return 1;
}

size_t kube_ledger_policies(const struct kube_ledger *ledger)
{
	return ledger->n_policies;
}

const struct ledger_policy *kube_ledger_policy(const struct kube_ledger *ledger, size_t i)
{
	return i < ledger->n_policies ? ledger->policy[i] : NULL;
}

size_t kube_ledger_wanted(const struct kube_ledger *ledger)
{
	return ledger->n_wanted;
}

size_t kube_ledger_nodes(const struct kube_ledger *ledger)
{
	return ledger->n_nodes;
}

const struct ledger_node *kube_ledger_node(const struct kube_ledger *ledger, size_t i)
{
	return i < ledger->n_nodes ? ledger->node[i] : NULL;
}

const struct ledger_refused *kube_ledger_refused(const struct kube_ledger *ledger, size_t *ret_n)
{
	*ret_n = ledger->n_refused;
	return ledger->refused;
}

const struct kube_buckets *kube_ledger_reported(const struct kube_ledger *ledger)
{
	return &ledger->reported;
}

uint32_t kube_ledger_state_of(const struct kube_ledger *ledger, unsigned int bucket, uint64_t sum)
{
	const struct ledger_history *history = &ledger->history[bucket];

	for (uint32_t back = 0; back < LEDGER_HISTORY && back < history->now; back++)
		if (history->sum[(history->now - back) % LEDGER_HISTORY] == sum)
			return history->now - back;
	return 0;
}

uint32_t kube_ledger_state_now(const struct kube_ledger *ledger, unsigned int bucket)
{
	return ledger->history[bucket].now;
}
