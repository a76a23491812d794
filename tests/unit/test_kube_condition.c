/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: their times, their texts, and the status of a policy as it is written and read. */
#include <criterion/criterion.h>

#include "user/kube/path.h"
#include "user/kube/policy_status.h"
#include "user/kube/time.h"

static struct condition condition_of(enum condition_reason reason, const char *message)
{
	struct condition condition = { .reason = reason, .generation = 3 };

	strcpy(condition.message, message);
	return condition;
}

/* lastTransitionTime is about the status: neither reason nor message move it. */
Test(kube_condition, time_moves_with_the_status)
{
	struct condition before = { 0 }, now;

	now = condition_of(REASON_NODES_PENDING, "1 of 3 nodes");
	cr_assert(condition_follow(&before, &now, 100));
	cr_assert_eq(now.since_s, 100);
	before = now;
	now = condition_of(REASON_NODES_PENDING, "1 of 3 nodes");
	cr_assert_not(condition_follow(&before, &now, 200), "nothing differs");
	cr_assert_eq(now.since_s, 100);
	now = condition_of(REASON_NODES_REFUSED, "2 of 3 nodes");
	cr_assert(condition_follow(&before, &now, 300));
	cr_assert_eq(now.since_s, 100, "both are False");
	before = now;
	now = condition_of(REASON_ALL_NODES, "3 of 3 nodes");
	cr_assert(condition_follow(&before, &now, 400));
	cr_assert_eq(now.since_s, 400);
	before = now;
	now = condition_of(REASON_NODES_SILENT, "2 of 3 nodes");
	cr_assert(condition_follow(&before, &now, 500));
	cr_assert_eq(now.since_s, 500);
	before = now;
	now.generation++;
	cr_assert(condition_follow(&before, &now, 600));
	cr_assert_eq(now.since_s, 500);
}

Test(kube_condition, written_and_read)
{
	for (int reason = 0; reason < CONDITION_REASONS_N; reason++) {
		struct condition condition = condition_of((enum condition_reason)reason, "words");
		struct condition read = { 0 };
		json_auto_t *json = NULL, *other = NULL;

		condition.set = true;
		condition.since_s = 1790000000;
		json = condition_json(&condition, "countersign.dev/");
		cr_assert_eq(condition_parse(json, "countersign.dev/", &read), 0);
		cr_assert_eq(memcmp(&read, &condition, sizeof(read)), 0, "reason %d", reason);
		/* Another's condition of the same type is not ours. */
		other = condition_json(&condition, "");
		cr_assert_eq(condition_parse(other, "countersign.dev/", &read), -EINVAL);
		json_object_set_new(other, "reason", json_string("SomethingElse"));
		cr_assert_eq(condition_parse(other, "", &read), -EINVAL);
	}
}

static struct policy_status_text status_of(enum condition_reason realized, const char *detail,
					   const char *nodes)
{
	struct policy_status_text status = { .subjects = 4, .generation = 3 };

	status.accepted = condition_of(REASON_ACCEPTED, "the policy is accepted");
	status.realized = condition_of(realized, detail);
	strcpy(status.nodes, nodes);
	return status;
}

#define UID "5f8a1c9e-0b1d-4c7e-9a51-3c1f1f1f0001"

static struct ledger_policy policy_of(char *document)
{
	return (struct ledger_policy){ .document = document,
				       .kind = policy_kind_of(document),
				       .wanted = { UID, 3 } };
}

/* What was written is found to be as it should be; a new leader keeps the times. */
Test(kube_policy_status, a_new_leader_writes_nothing)
{
	static char *documents[] = { (char *)"IdentityPolicy/shop/web",
				     (char *)"ClusterIdentityPolicy/base",
				     (char *)"AdminNetworkPolicy/admin" };

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		const struct ledger_policy policy = policy_of(documents[i]);
		struct policy_status_text status =
			status_of(REASON_NODES_PENDING, "1 of 3 nodes", "1/3");
		struct policy_said none = { 0 }, written, read;
		json_auto_t *object = NULL;

		policy_status_follow(&none, &status, 1790000000);
		written = policy_status_said(policy.kind, &status);
		object = policy_status_object(&policy, &status);
		cr_assert_not_null(object);
		read = policy_status_read(policy.kind, object);
		cr_assert_eq(read.digest, written.digest, "%s", documents[i]);
		cr_assert_eq(read.verdict, written.verdict);
		cr_assert_eq(read.realized_since_s, 1790000000);
		/* Later, by another leader: the same, with the same times. */
		status = status_of(REASON_NODES_PENDING, "1 of 3 nodes", "1/3");
		policy_status_follow(&read, &status, 1790009999);
		cr_assert_eq(policy_status_said(policy.kind, &status).digest, read.digest);
		cr_assert_eq(status.realized.since_s, 1790000000);
		status = status_of(REASON_NODES_PENDING, "2 of 3 nodes", "2/3");
		policy_status_follow(&read, &status, 1790009999);
		cr_assert_neq(policy_status_said(policy.kind, &status).digest, read.digest);
		cr_assert_eq(policy_status_said(policy.kind, &status).verdict, read.verdict,
			     "progress is no other verdict");
	}
}

Test(kube_policy_status, object)
{
	const struct ledger_policy own = policy_of((char *)"IdentityPolicy/shop/web");
	const struct ledger_policy shared = policy_of((char *)"ClusterNetworkPolicy/base");
	struct policy_status_text status = status_of(REASON_ALL_NODES, "3 of 3 nodes", "3/3");
	const struct policy_said none = { 0 };
	_cleanup_free_ char *a = NULL, *b = NULL;
	json_auto_t *one = NULL, *other = NULL;

	policy_status_follow(&none, &status, 1790000000);
	one = policy_status_object(&own, &status);
	a = json_dumps(one, JSON_COMPACT | JSON_SORT_KEYS);
	cr_assert_str_eq(
		a, "{\"apiVersion\":\"countersign.dev/v1alpha1\",\"kind\":\"IdentityPolicy\","
		   "\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"uid\":\"" UID "\"},"
		   "\"status\":{\"conditions\":[{\"lastTransitionTime\":\"2026-09-21T14:13:20Z\","
		   "\"message\":\"the policy is accepted\",\"observedGeneration\":3,\"reason\":"
		   "\"Accepted\",\"status\":\"True\",\"type\":\"Accepted\"},"
		   "{\"lastTransitionTime\":\"2026-09-21T14:13:20Z\",\"message\":\"3 of 3 nodes\","
		   "\"observedGeneration\":3,\"reason\":\"AllNodes\",\"status\":\"True\",\"type\":"
		   "\"Realized\"}],\"observedGeneration\":3,\"realized\":\"3/3\",\"subjects\":4}}");
	/* Nothing of another's status is touched: only conditions, of types of our own. */
	other = policy_status_object(&shared, &status);
	b = json_dumps(json_object_get(other, "status"), JSON_COMPACT | JSON_SORT_KEYS);
	cr_assert(strstr(b, "\"type\":\"countersign.dev/Realized\""));
	cr_assert_eq(json_object_size(json_object_get(other, "status")), 1);
}

Test(kube_policy_status, foreign_status_is_none)
{
	json_auto_t *object = json_loads(
		"{\"status\":{\"conditions\":[{\"type\":\"Accepted\",\"status\":\"True\",\"reason\":"
		"\"Ours\",\"message\":\"\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}",
		0, NULL);

	for (size_t i = 0; i < kube_policy_kinds_n; i++)
		cr_assert_eq(policy_status_read(&kube_policy_kinds[i], object).digest, 0);
}

Test(kube_policy_kind, names)
{
	struct kube_object_name name = { 0 };
	static const char *const bad[] = { "", "Pod", "/a", "Pod/", "Pod/a/", "Pod/a/b/c" };

	cr_assert_eq(kube_object_name("Pod/ns/a.b", &name), 0);
	cr_assert_str_eq(name.kind, "Pod");
	cr_assert_str_eq(name.namespace, "ns");
	cr_assert_str_eq(name.name, "a.b");
	kube_object_name_done(&name);
	cr_assert_eq(kube_object_name("Node/a", &name), 0);
	cr_assert_str_eq(name.namespace, "");
	cr_assert_str_eq(name.name, "a");
	kube_object_name_done(&name);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(kube_object_name(bad[i], &name), -EINVAL, "%s", bad[i]);
	cr_assert_null(policy_kind_of("IdentityPolicyX/a/b"));
	cr_assert_null(policy_kind_of("IdentityPolicy"));
	cr_assert_null(policy_kind_of("Identity/a/b"));
}

Test(kube_path, parts_are_escaped)
{
	const struct kube_path paths[] = {
		{ "", "v1", "ns", "pods", "a", NULL },
		{ "g.io", "v1", NULL, "things", "a b/c?d", "status" },
		{ "g.io", "v1", "", "things", NULL, NULL },
	};
	static const char *const want[] = {
		"/api/v1/namespaces/ns/pods/a",
		"/apis/g.io/v1/things/a%20b%2Fc%3Fd/status",
		"/apis/g.io/v1/things",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *text = kube_path_text(&paths[i]);

		cr_assert_str_eq(text, want[i]);
	}
}

Test(kube_time, both_forms)
{
	char text[KUBE_TIME_MAX];
	int64_t ms;

	kube_time_text(1790000000123456789, text);
	cr_assert_str_eq(text, "2026-09-21T14:13:20.123456Z");
	cr_assert_eq(kube_time_parse(text, &ms), 0);
	cr_assert_eq(ms, 1790000000123);
	kube_time_seconds_text(1790000000123456789, text);
	cr_assert_str_eq(text, "2026-09-21T14:13:20Z");
	cr_assert_eq(kube_time_parse(text, &ms), 0);
	cr_assert_eq(ms, 1790000000000);
	cr_assert_eq(kube_time_parse("", &ms), -EINVAL);
	cr_assert_eq(kube_time_parse("2026-09-21T14:13:20", &ms), -EINVAL);
	cr_assert_eq(kube_time_parse("2026-09-21T14:13:20.5", &ms), -EINVAL);
	cr_assert_eq(kube_time_parse("2026-09-21T14:13:20Zx", &ms), -EINVAL);
}
