/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/kube_tell.h"

#include "user/agent/agent.h"
#include "user/agent/json_text.h"
#include "user/agent/kube.h"
#include "user/agent/kube_report.h"
#include "user/agent/kube_status.h"
#include "user/agent/trust.h"
#include "user/source/kubernetes.h"

#define LOOK_MS 10000 /* between looks for what nobody tells: a list that is whole, trouble */
#define TEXT_MAX 512

struct kube_tell {
	struct agent *agent;
	struct kube_ledger *ledger;
	struct kube_events *events;
	struct kube_reporter *reporter;
	struct kube_status *status;
	struct event *timer;
	enum condition_reason reason; /* of condition Enforcing, as reported last */
	char message[TEXT_MAX];
	bool reported;
	bool followed; /* the API server, since the start */
	bool settled; /* documents were put in force once */
};

static void on_leader(void *arg, bool leader)
{
	struct kube_tell *tell = arg;

	log_info(leader ? "this agent leads: it writes the conditions of policies"
			: "this agent leads no longer",
		 "lease=\"%s/%s\" holder=\"%s\"", kube_namespace(tell->agent), KUBE_STATUS_LEASE,
		 kube_lease_holder(kube_status_lease(tell->status)));
}

/* ---- whether the node follows the API server ---- */

static enum condition_reason state_of(const struct agent *agent, const char **ret_message)
{
	*ret_message = "what the API server has is in force";
	if (rollback_is_pinned(agent)) {
		*ret_message = "an older revision of the policies is pinned on the node";
		return REASON_PINNED;
	}
	if (!source_kubernetes_synced(agent->objects)) {
		*ret_message = "in force is what was known before: not all objects were listed yet";
		return REASON_NOT_SYNCED;
	}
	if (!agent->last.ok) {
		*ret_message = agent->last.n_errors ? agent->last.errors[0] : "see the agent's log";
		return REASON_FAILED;
	}
	return REASON_IN_FORCE;
}

/* Said when the server can hear it. */
static void tell_start(struct kube_tell *tell)
{
	tell->followed = true;
	if (tell->reported && tell->reason == REASON_NOT_SYNCED)
		kube_tell_event(tell->agent, EVENT_STARTED_ALONE,
				"the agent started with what it knew, and follows now");
	else
		kube_tell_event(tell->agent, EVENT_ENFORCING,
				"the agent follows the policies of the API server");
}

static void report(struct kube_tell *tell, bool always)
{
	const struct agent *agent = tell->agent;
	const char *message;
	enum condition_reason reason = state_of(agent, &message);
	bool same = tell->reported && reason == tell->reason &&
		    strncmp(message, tell->message, sizeof(tell->message) - 1) == 0;

	if (!tell->settled || (same && !always))
		return;
	if (reason == REASON_IN_FORCE && !tell->followed)
		tell_start(tell);
	tell->reported = true;
	tell->reason = reason;
	snprintf(tell->message, sizeof(tell->message), "%s", message);
	kube_reporter_changed(tell->reporter, reason, message, agent->epochs.current);
}

void kube_tell_state(struct agent *agent)
{
	if (agent->tell)
		report(agent->tell, false);
}

static int64_t count_subjects(void *arg, const char *document)
{
	const struct kube_tell *tell = arg;
	struct kube_object_name name = { 0 };
	int64_t n;

	if (kube_object_name(document, &name) < 0)
		return -EINVAL;
	n = policy_engine_count_subjects(tell->agent->engine, name.kind, name.namespace, name.name);
	kube_object_name_done(&name);
	return n;
}

static bool is_ready(void *arg)
{
	const struct kube_tell *tell = arg;

	return tell->settled && source_kubernetes_synced(tell->agent->objects);
}

/* ---- documents ---- */

static int tell_document(struct kube_ledger *ledger, const struct source_document *document,
			 bool whole)
{
	/* In a whole reading no text means that it is as it was, else that it went. */
	if (whole && !document->text) {
		kube_ledger_keep(ledger, document->name);
		return 0;
	}
	return kube_ledger_set(ledger, document->name, document->text, document->length);
}

void kube_tell_documents(struct agent *agent, const struct source_documents *documents, bool whole)
{
	struct kube_tell *tell = agent->tell;
	int r = 0;

	if (!tell)
		return;
	if (whole)
		kube_ledger_begin(tell->ledger);
	for (size_t i = 0; i < documents->n && r == 0; i++)
		r = tell_document(tell->ledger, &documents->item[i], whole);
	if (whole && r == 0)
		kube_ledger_end(tell->ledger);
	if (r < 0)
		log_error("cannot keep account of policies", "error=\"%s\"", strerror(-r));
}

/* What is no policy has no status, and no leader tells of it: its node does. */
static void tell_refusals(struct kube_tell *tell)
{
	size_t n;
	const struct ledger_refused *refused = kube_ledger_refused(tell->ledger, &n);

	for (size_t i = 0; i < MIN(n, LEDGER_LISTED_MAX); i++)
		if (!policy_kind_of(refused[i].document))
			kube_tell_event(tell->agent, EVENT_DOCUMENT_REFUSED, "%s: %s",
					refused[i].document, refused[i].message);
}

void kube_tell_settled(struct agent *agent)
{
	struct kube_tell *tell = agent->tell;
	const struct refusals *refusals = &agent->refusals;
	_cleanup_free_ struct kube_refused *refused = NULL;
	int r;

	if (!tell)
		return;
	refused = calloc(refusals->n + 1, sizeof(*refused));
	for (size_t i = 0; refused && i < refusals->n; i++)
		refused[i] = (struct kube_refused){
			.document = refusals->item[i].document.name,
			.message = refusals->item[i].message ?: "",
		};
	r = refused ? kube_ledger_settle(tell->ledger, refused, refusals->n) : -ENOMEM;
	if (r < 0) {
		log_error("cannot keep account of policies", "error=\"%s\"", strerror(-r));
		return;
	}
	tell->settled = true;
	if (r > 0)
		tell_refusals(tell);
	report(tell, r > 0);
	kube_status_changed(tell->status);
}

/* ---- events ---- */

void kube_tell_event_of(struct agent *agent, enum event_reason reason, const char *api_version,
			const char *document, const char *uid, const char *message)
{
	struct kube_object_name name = { 0 };

	if (!agent->tell || kube_object_name(document, &name) < 0)
		return;
	kube_event(agent->tell->events, reason,
		   &(struct kube_regarding){ api_version, name.kind, name.namespace, name.name,
					     uid },
		   "%s", message);
	kube_object_name_done(&name);
}

void kube_tell_event(struct agent *agent, enum event_reason reason, const char *format, ...)
{
	const struct ledger_node *node;
	char message[KUBE_EVENT_NOTE_MAX];
	va_list args;

	if (!agent->tell)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	node = kube_ledger_find_node(agent->tell->ledger, agent->node_name);
	kube_event(agent->tell->events, reason,
		   &(struct kube_regarding){ "v1", "Node", "", agent->node_name,
					     node ? node->uid : "" },
		   "%s", message);
}

/* The same trouble again and again is one Event with a count. */
static void tell_trouble(struct kube_tell *tell)
{
	json_auto_t *list = json_array();
	const json_t *item;
	size_t i;

	if (!list)
		return;
	trust_add_problems(list, tell->agent);
	json_array_foreach(list, i, item)
		kube_tell_event(tell->agent, EVENT_CREDENTIAL_TROUBLE, "%s",
				json_string_value(item));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct kube_tell *tell = arg;

	(void)fd;
	(void)what;
	tell_trouble(tell);
	report(tell, false);
}

/* ---- the whole ---- */

static int open_all(struct kube_tell *tell)
{
	struct agent *agent = tell->agent;
	const struct kube_reporter_options reporter = {
		.client = agent->kube,
		.ledger = tell->ledger,
		.node = agent->node_name,
		.version = COUNTERSIGN_VERSION,
	};
	struct kube_status_options status = {
		.client = agent->kube,
		.ledger = tell->ledger,
		.namespace = kube_namespace(agent),
		.identity = agent->node_name,
		.subjects = count_subjects,
		.ready = is_ready,
		.on_change = on_leader,
		.arg = tell,
	};
	int r;

	r = kube_events_new(agent->kube, agent->node_name, &tell->events);
	if (r == 0)
		r = kube_reporter_new(&reporter, &tell->reporter);
	status.events = tell->events;
	if (r == 0)
		r = kube_status_new(&status, &tell->status);
	if (r == 0)
		r = loop_every(agent->base, LOOK_MS, on_timer, tell, &tell->timer);
	return r;
}

int kube_tell_open(struct agent *agent)
{
	int r;

	if (!agent->kube)
		return 0;
	agent->tell = calloc(1, sizeof(*agent->tell));
	if (!agent->tell)
		return -ENOMEM;
	agent->tell->agent = agent;
	r = kube_ledger_new(&agent->tell->ledger);
	if (r == 0)
		r = open_all(agent->tell);
	if (r < 0)
		log_error("cannot report to the API server", "error=\"%s\"", strerror(-r));
	return r;
}

void kube_tell_release(struct agent *agent)
{
	if (agent->tell && agent->tell->status)
		kube_status_release(agent->tell->status);
}

void kube_tell_done(struct agent *agent)
{
	struct kube_tell *tell = TAKE_PTR(agent->tell);

	if (!tell)
		return;
	if (tell->timer)
		event_free(tell->timer);
	kube_status_free(tell->status);
	kube_reporter_free(tell->reporter);
	kube_events_free(tell->events);
	kube_ledger_free(tell->ledger);
	free(tell);
}

bool kube_tell_is_leader(const struct agent *agent)
{
	return agent->tell && kube_lease_is_leader(kube_status_lease(agent->tell->status));
}

static json_t *reporter_json(const struct kube_tell *tell)
{
	struct kube_reporter_status status;

	kube_reporter_status(tell->reporter, &status);
	return json_pack("{s:s, s:I, s:I, s:o}", "enforcing",
			 tell->reported ? condition_reason_text(tell->reason) : "", "writes",
			 (json_int_t)status.writes, "failures", (json_int_t)status.failures,
			 "trouble", json_text(status.trouble));
}

static json_t *leader_json(const struct kube_tell *tell)
{
	struct kube_lease_status lease;
	struct kube_status_stats stats;

	kube_lease_status(kube_status_lease(tell->status), &lease);
	kube_status_stats(tell->status, &stats);
	return json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "leads", lease.leader,
			 "holder", json_text(lease.holder), "transitions",
			 (json_int_t)lease.transitions, "writes", (json_int_t)stats.writes,
			 "failures", (json_int_t)stats.failures, "waiting",
			 (json_int_t)stats.policies, "lease_trouble", json_text(lease.trouble),
			 "trouble", json_text(stats.trouble));
}

static json_t *events_json(const struct kube_tell *tell)
{
	struct kube_events_stats stats;

	kube_events_stats(tell->events, &stats);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "said", (json_int_t)stats.said, "created",
			 (json_int_t)stats.created, "counted", (json_int_t)stats.counted, "limited",
			 (json_int_t)stats.limited, "lost", (json_int_t)stats.lost);
}

void kube_tell_add_status(json_t *object, const struct agent *agent)
{
	if (!agent->tell)
		return;
	json_object_set_new(object, "node_report", reporter_json(agent->tell));
	json_object_set_new(object, "leader", leader_json(agent->tell));
	json_object_set_new(object, "kubernetes_events", events_json(agent->tell));
}

void kube_tell_add_warnings(json_t *list, const struct agent *agent)
{
	struct kube_reporter_status reporter;
	struct kube_lease_status lease;

	if (!agent->tell)
		return;
	kube_reporter_status(agent->tell->reporter, &reporter);
	kube_lease_status(kube_status_lease(agent->tell->status), &lease);
	if (*reporter.trouble)
		json_array_append_new(list, json_text(reporter.trouble));
	if (*lease.trouble)
		json_array_append_new(list, json_text(lease.trouble));
}
