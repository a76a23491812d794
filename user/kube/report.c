/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/report.h"

#include "user/kube/time.h"

static json_t *refused_json(const struct ledger_refused *refused)
{
	json_t *object =
		json_pack("{s:s, s:s}", "document", refused->document, "message", refused->message);

	/* A file's name may be anything: what is no UTF-8 is told without its words. */
	if (!object)
		object = json_pack("{s:s, s:s}", "document", "?", "message", "?");
	if (object && *refused->version.uid) {
		json_object_set_new(object, "uid", json_string(refused->version.uid));
		json_object_set_new(object, "generation",
				    json_integer(refused->version.generation));
	}
	return object;
}

static json_t *refused_list(const struct kube_ledger *ledger, size_t *ret_total)
{
	const struct ledger_refused *refused = kube_ledger_refused(ledger, ret_total);
	json_t *list = json_array();

	for (size_t i = 0; list && i < MIN(*ret_total, LEDGER_LISTED_MAX); i++)
		json_array_append_new(list, refused_json(&refused[i]));
	return list;
}

json_t *report_status(const struct report_facts *facts, const struct kube_ledger *ledger)
{
	char buckets[KUBE_BUCKETS_TEXT_MAX], now[KUBE_TIME_MAX];
	size_t total;
	json_t *refused = refused_list(ledger, &total);

	kube_buckets_text(kube_ledger_reported(ledger), buckets);
	kube_time_seconds_text(facts->realtime_s * 1000000000, now);
	return json_pack("{s:s, s:s, s:s, s:I, s:{s:I, s:s}, s:I, s:o, s:[o]}", "instance",
			 facts->instance, "agentVersion", facts->version, "reported", now, "epoch",
			 (json_int_t)facts->epoch, "observed", "policies",
			 (json_int_t)kube_ledger_wanted(ledger), "digests", buckets, "refusedTotal",
			 (json_int_t)total, "refused", refused, "conditions",
			 condition_json(&facts->enforcing, ""));
}

json_t *report_object(const struct report_facts *facts, const char *uid)
{
	json_t *object = json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", REPORT_API, "kind",
				   REPORT_KIND, "metadata", "name", facts->node, "spec", "node",
				   facts->node);

	if (object && *uid)
		json_object_set_new(json_object_get(object, "metadata"), "ownerReferences",
				    json_pack("[{s:s, s:s, s:s, s:s}]", "apiVersion", "v1", "kind",
					      "Node", "name", facts->node, "uid", uid));
	return object;
}

char *report_essence(const json_t *status)
{
	json_auto_t *copy = json_copy((json_t *)status);

	if (!copy)
		return NULL;
	json_object_del(copy, "reported");
	json_object_del(copy, "epoch");
	return json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
}

void report_done(struct report *report)
{
	for (size_t i = 0; i < report->n_refused; i++) {
		free(report->refused[i].document);
		free(report->refused[i].message);
	}
	free(report->refused);
	*report = (struct report){ 0 };
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static int copy_text(const char *text, char *ret, size_t size)
{
	if (!*text || strlen(text) >= size)
		return -EBADMSG;
	strcpy(ret, text);
	return 0;
}

static int parse_refused(const json_t *object, struct report_refused *ret)
{
	const char *uid = text_at(object, "uid");
	struct report_refused refused = { 0 };

	if (strlen(uid) < sizeof(refused.version.uid))
		strcpy(refused.version.uid, uid);
	refused.version.generation = json_integer_value(json_object_get(object, "generation"));
	refused.document = strdup(text_at(object, "document"));
	refused.message = strndup(text_at(object, "message"), LEDGER_MESSAGE_MAX);
	*ret = refused;
	return refused.document && refused.message ? 0 : -ENOMEM;
}

static int parse_all_refused(const json_t *list, struct report *report)
{
	size_t n = MIN(json_array_size(list), LEDGER_LISTED_MAX);
	int r = 0;

	report->refused = calloc(n + 1, sizeof(*report->refused));
	if (!report->refused)
		return -ENOMEM;
	while (report->n_refused < n && r == 0) {
		size_t i = report->n_refused++;

		r = parse_refused(json_array_get(list, i), &report->refused[i]);
	}
	return r;
}

static void parse_enforcing(const json_t *conditions, struct condition *ret)
{
	struct condition condition;
	const json_t *item;
	size_t i;

	json_array_foreach(conditions, i, item)
		if (condition_parse(item, "", &condition) == 0 &&
		    condition_type(condition.reason) == CONDITION_ENFORCING)
			*ret = condition;
}

int report_parse(const json_t *object, struct report *ret)
{
	const json_t *status = json_object_get(object, "status");
	const json_t *observed = json_object_get(status, "observed");
	_cleanup_(report_done) struct report report = { 0 };
	int64_t reported_ms;
	int r;

	r = copy_text(text_at(json_object_get(object, "metadata"), "name"), report.node,
		      sizeof(report.node));
	/* An agent that has made its report but not filled it has said nothing. */
	if (r == 0 && status && json_object_size(status)) {
		r = copy_text(text_at(status, "instance"), report.instance,
			      sizeof(report.instance));
		if (r == 0 && (kube_time_parse(text_at(status, "reported"), &reported_ms) < 0 ||
			       kube_buckets_parse(text_at(observed, "digests"), &report.buckets)))
			r = -EBADMSG;
		if (r == 0)
			r = parse_all_refused(json_object_get(status, "refused"), &report);
		if (r < 0)
			return r;
		report.reported_s = reported_ms / 1000;
		parse_enforcing(json_object_get(status, "conditions"), &report.enforcing);
	}
	if (r < 0)
		return r;
	*ret = report;
	report = (struct report){ 0 };
	return 0;
}
