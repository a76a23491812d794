/* SPDX-License-Identifier: Apache-2.0 */
/* What the leader watches: reports of the nodes, and the status of the policies. */
#include "user/agent/kube_status_internal.h"
#include "user/base/clock.h"
#include "user/base/loop.h"

/* ---- what is remembered of policies ---- */

struct entry *leading_find(const struct leading *leading, const char *document)
{
	uint32_t i;

	if (!keymap_get(&leading->entries, document, strlen(document), &i))
		return NULL;
	return leading->entry[i];
}

static void entry_free(struct entry *entry)
{
	free(entry->document);
	free(entry);
}

int leading_entry(struct leading *leading, const char *document, struct entry **ret)
{
	struct entry *entry = leading_find(leading, document);
	int r;

	if (entry) {
		*ret = entry;
		return 0;
	}
	if (leading->n_entries == leading->entries_room) {
		size_t room = leading->entries_room * 2 + 64;
		struct entry **more;

		if (room > 4 * LEDGER_POLICIES_MAX)
			return -ENOSPC;
		more = reallocarray(leading->entry, room, sizeof(struct entry *));
		if (!more)
			return -ENOMEM;
		leading->entry = more;
		leading->entries_room = room;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry)
		entry->document = strdup(document);
	if (!entry || !entry->document) {
		free(entry);
		return -ENOMEM;
	}
	entry->kind = policy_kind_of(document);
	entry->subjects = -1;
	r = keymap_put(&leading->entries, entry->document, strlen(document),
		       (uint32_t)leading->n_entries);
	if (r < 0) {
		entry_free(entry);
		return r;
	}
	leading->entry[leading->n_entries++] = *ret = entry;
	return 0;
}

/* The last one takes its place. */
static void drop(struct leading *leading, size_t i)
{
	struct entry *entry = leading->entry[i];
	struct entry *last = leading->entry[--leading->n_entries];

	keymap_remove(&leading->entries, entry->document, strlen(entry->document));
	if (last != entry) {
		keymap_remove(&leading->entries, last->document, strlen(last->document));
		leading->entry[i] = last;
		keymap_put(&leading->entries, last->document, strlen(last->document), (uint32_t)i);
	}
	entry_free(entry);
}

void leading_sweep(struct leading *leading)
{
	const struct kube_ledger *ledger = leading->status->options.ledger;

	for (size_t i = leading->n_entries; i-- > 0;) {
		const struct ledger_policy *policy =
			kube_ledger_find(ledger, leading->entry[i]->document);

		if ((!policy || !*policy->wanted.uid) && !leading->entry[i]->writing)
			drop(leading, i);
	}
}

/* ---- reports ---- */

static void on_reports_begin(void *arg)
{
	(void)arg; /* a report that is gone by the end of the list was deleted with its Node */
}

static void on_report(void *arg, json_t *object)
{
	struct leading *leading = arg;
	_cleanup_(report_done) struct report report = { 0 };

	/* What is no report says nothing: its node counts as silent in the end. */
	if (report_parse(object, &report) < 0)
		return;
	if (kube_realized_report(leading->realized, &report, status_now_ms(),
				 clock_ns(CLOCK_REALTIME) / NS_PER_S) == 0)
		leading_kick(leading);
}

static void on_report_gone(void *arg, json_t *object)
{
	struct leading *leading = arg;
	const char *name =
		json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));

	if (name)
		kube_realized_gone(leading->realized, name);
	leading_kick(leading);
}

static void on_reports_synced(void *arg)
{
	struct leading *leading = arg;

	leading->reports_synced = true;
	leading_kick(leading);
}

static void on_trouble(struct leading *leading, const char *kind, const char *text)
{
	struct kube_status_stats *stats = &leading->status->stats;

	snprintf(stats->trouble, sizeof(stats->trouble), "%s%s%s", *text ? kind : "",
		 *text ? ": " : "", text);
}

static void on_reports_trouble(void *arg, const char *text)
{
	on_trouble(arg, REPORT_KIND, text);
}

static const struct kube_reflector_ops report_ops = {
	.begin = on_reports_begin,
	.set = on_report,
	.gone = on_report_gone,
	.synced = on_reports_synced,
	.trouble = on_reports_trouble,
};

static const char *const report_fields[] = { "metadata.name", "status", NULL };
static const struct kube_resource report_resource = {
	.group = "countersign.dev",
	.version = "v1alpha1",
	.plural = REPORT_PLURAL,
	.kind = REPORT_KIND,
	.optional = true,
	.fields = report_fields,
};

/* ---- policies ---- */

static void on_policies_begin(void *arg)
{
	(void)arg; /* the ledger says which policies there are */
}

static void on_policy(void *arg, json_t *object)
{
	struct watched *watched = arg;
	const json_t *metadata = json_object_get(object, "metadata");
	const char *namespace = json_string_value(json_object_get(metadata, "namespace"));
	const char *name = json_string_value(json_object_get(metadata, "name"));
	struct policy_said said = policy_status_read(watched->kind, object);
	_cleanup_free_ char *document = NULL;
	struct entry *entry;

	if (!name || asprintf(&document, "%s/%s%s%s", watched->kind->kind, namespace ?: "",
			      namespace ? "/" : "", name) < 0) {
		document = NULL;
		return;
	}
	if (leading_entry(watched->leading, document, &entry) < 0 || entry->writing)
		return;
	if (said.digest != entry->said.digest)
		leading_kick(watched->leading);
	entry->said = said;
}

static void on_policy_gone(void *arg, json_t *object)
{
	(void)arg; /* the ledger says so, too, and its entry is swept */
	(void)object;
}

static void on_policies_synced(void *arg)
{
	struct watched *watched = arg;

	watched->synced = true;
	leading_kick(watched->leading);
}

static void on_policies_trouble(void *arg, const char *text)
{
	struct watched *watched = arg;

	on_trouble(watched->leading, watched->kind->kind, text);
}

static const struct kube_reflector_ops policy_ops = {
	.begin = on_policies_begin,
	.set = on_policy,
	.gone = on_policy_gone,
	.synced = on_policies_synced,
	.trouble = on_policies_trouble,
};

static const char *const policy_fields[] = {
	"metadata.name",
	"metadata.namespace",
	"status.conditions",
	"status.realized",
	"status.subjects",
	"status.observedGeneration",
	NULL,
};

static int watch_kind(struct leading *leading, const struct kube_policy_kind *kind)
{
	struct watched *watched = &leading->watched[leading->n_watched];

	*watched = (struct watched){
		.leading = leading,
		.kind = kind,
		.resource = { .group = kind->group,
			      .version = kind->version,
			      .plural = kind->plural,
			      .kind = kind->kind,
			      .optional = true,
			      .fields = policy_fields },
	};
	leading->n_watched++;
	return kube_reflector_new(leading->status->options.client, &watched->resource, &policy_ops,
				  watched, &watched->reflector);
}

/* ---- all of it ---- */

bool leading_synced(const struct leading *leading)
{
	const struct kube_status_options *options = &leading->status->options;
	bool synced = leading->reports_synced && (!options->ready || options->ready(options->arg));

	for (size_t i = 0; i < leading->n_watched; i++)
		synced &= leading->watched[i].synced;
	return synced;
}

void leading_kick(struct leading *leading)
{
	int64_t wait = leading->round_ms + leading->calm_ms - status_now_ms();
	struct timeval timeout = { 0 };

	wait = MAX(wait, 1);
	timeout.tv_sec = wait / 1000;
	timeout.tv_usec = wait % 1000 * 1000;
	event_add(leading->timer, &timeout);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	leading_round(arg);
}

static void on_count(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	leading_count(arg);
}

static int watch_all(struct leading *leading)
{
	int r = kube_reflector_new(leading->status->options.client, &report_resource, &report_ops,
				   leading, &leading->reports);

	for (size_t i = 0; i < kube_policy_kinds_n && r == 0; i++)
		if (kube_policy_kinds[i].status != POLICY_STATUS_NONE)
			r = watch_kind(leading, &kube_policy_kinds[i]);
	return r;
}

int leading_new(struct kube_status *status, struct leading **ret)
{
	struct leading *leading = calloc(1, sizeof(*leading));
	int r;

	if (!leading)
		return -ENOMEM;
	leading->status = status;
	leading->tokens = KUBE_STATUS_WRITES_PER_S;
	leading->calm_ms = KUBE_STATUS_ROUND_MS;
	leading->since_ms = leading->round_ms = leading->tokens_ms = status_now_ms();
	for (size_t i = 0; i < KUBE_STATUS_CALLS_MAX; i++)
		leading->writing[i].leading = leading;
	leading->timer = evtimer_new(kube_client_base(status->options.client), on_timer, leading);
	r = leading->timer ? kube_realized_new(status->options.ledger, &leading->realized)
			   : -ENOMEM;
	if (r == 0 && status->options.subjects)
		r = loop_every(kube_client_base(status->options.client), KUBE_STATUS_COUNT_MS,
			       on_count, leading, &leading->count_timer);
	if (r == 0)
		r = watch_all(leading);
	if (r < 0) {
		leading_free(leading);
		return r;
	}
	*ret = leading;
	return 0;
}

struct leading *leading_free(struct leading *leading)
{
	if (!leading)
		return NULL;
	for (size_t i = 0; i < KUBE_STATUS_CALLS_MAX; i++) {
		kube_call_cancel(leading->writing[i].call);
		free(leading->writing[i].document);
	}
	for (size_t i = 0; i < leading->n_watched; i++)
		kube_reflector_free(leading->watched[i].reflector);
	kube_reflector_free(leading->reports);
	kube_realized_free(leading->realized);
	for (size_t i = 0; i < leading->n_entries; i++)
		entry_free(leading->entry[i]);
	keymap_done(&leading->entries);
	free(leading->entry);
	if (leading->timer)
		event_free(leading->timer);
	if (leading->count_timer)
		event_free(leading->count_timer);
	free(leading);
	return NULL;
}
