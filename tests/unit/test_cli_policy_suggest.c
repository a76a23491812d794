/* SPDX-License-Identifier: Apache-2.0 */
/* `countersign policy suggest`: what was seen is allowed, and nothing else. */
#include "test_cli_files.h"

#define SEEN(from, ip, port, auth) \
	FILES_FLOW("2026-01-01T00:00:01Z", from, ip, "payments", port, "INGRESS", auth)

static const char seen[] = SEEN("checkout", "10.0.0.1", "8080", "verified")
	SEEN("checkout", "10.0.0.1", "8080", "verified")
		SEEN("checkout", "10.0.0.1", "8081", "verified")
			SEEN("checkout", "10.0.0.1", "9000", "verified")
				SEEN("checkout", "10.0.0.1", "9000", "inferred")
					SEEN("report", "10.0.0.3", "9000", "inferred")
	/* The same connection, as the client's node saw it. */
	FILES_FLOW(
		"2026-01-01T00:00:02Z", "checkout", "10.0.0.1", "payments", "8080", "EGRESS",
		"verified") "{\"flow\":{\"verdict\":\"DROPPED\",\"IP\":{\"source\":\"10.0.0.3\"},\"l4\":{\"TCP\":"
			    "{\"destination_port\":22}},\"source\":{\"namespace\":\"shop\",\"pod_name\":\"report\"},"
			    "\"destination\":{\"namespace\":\"shop\",\"pod_name\":\"payments\"},"
			    "\"traffic_direction\":\"INGRESS\"}}\n"
			    "{\"flow\":{\"verdict\":\"AUDIT\",\"IP\":{\"source\":\"192.0.2.7\"},\"l4\":{\"UDP\":"
			    "{\"destination_port\":53}},\"source\":{\"labels\":[\"reserved:world\"]},"
			    "\"destination\":{\"namespace\":\"shop\",\"pod_name\":\"payments\"},"
			    "\"traffic_direction\":\"INGRESS\"}}\n";

/* The shop, the recording, and what is suggested of it in suggestion.yaml. */
static struct outcome suggest(struct files *files, const char *option)
{
	struct outcome o;

	files_init(files);
	files_write(files, "shop.yaml", FILES_SHOP);
	files_write(files, "flows.json", seen);
	o = run_cli("policy", "suggest", files->path[0], "--flows", files->path[1],
		    option ?: "--enforce");
	cr_assert_eq(o.code, CLI_OK, "%s", o.err);
	files_write(files, "suggestion.yaml", o.out);
	return o;
}

Test(cli_policy_suggest, manifests)
{
	_files_ files;
	struct outcome o = suggest(&files, NULL);

	cr_expect_str_eq(
		o.out,
		"# Made by `countersign policy suggest` from 8 recorded connections: they\n"
		"# allow what was seen and nothing else. Review them, also with `policy diff`.\n"
		"---\n"
		"apiVersion: countersign.dev/v1alpha1\n"
		"kind: IdentityPolicy\n"
		"metadata: {name: suggested-payments, namespace: \"shop\"}\n"
		"spec:\n"
		"  subject: {selector: {matchLabels: {\"app\": \"payments\"}}}\n"
		"  mode: Enforce\n"
		"  ingress:\n"
		"  # Seen 4 times, from 2026-01-01T00:00:01Z to 2026-01-01T00:00:02Z.\n"
		"  - name: from-checkout\n"
		"    authentication: Required\n"
		"    from:\n"
		"    - serviceAccounts: [{namespace: \"shop\", name: \"checkout\"}]\n"
		"    ports:\n"
		"    - {port: 8080, endPort: 8081, protocol: TCP}\n"
		"  # Seen 3 times, from 2026-01-01T00:00:01Z to 2026-01-01T00:00:01Z. Not always "
		"verified, so identities may be inferred.\n"
		"  - name: from-checkout-2\n"
		"    authentication: IfAvailable\n"
		"    from:\n"
		"    - serviceAccounts: [{namespace: \"shop\", name: \"checkout\"}]\n"
		"    - serviceAccounts: [{namespace: \"shop\", name: \"report\"}]\n"
		"    ports:\n"
		"    - {port: 9000, protocol: TCP}\n"
		"  # Seen 1 times. Not always verified, so identities may be inferred.\n"
		"  - name: from-192-0-2-7-3\n"
		"    authentication: IfAvailable\n"
		"    from:\n"
		"    - cidrs: [{cidr: \"192.0.2.7/32\"}]\n"
		"    ports:\n"
		"    - {port: 53, protocol: UDP}\n");
	cr_expect_str_eq(o.err,
			 "8 connections used; left out: 1 denied, 0 of workloads that have no "
			 "name, 0 lines that are no matter of policy\n");
	outcome_done(&o);
}

struct judged_flow {
	char from[24];
	char port[16];
	bool verified;
	bool allowed;
};

ParameterizedTestParameters(cli_policy_suggest, judged)
{
	static struct judged_flow flows[] = {
		{ "shop/checkout", "8080/tcp", true, true },
		{ "shop/checkout", "8081/tcp", true, true },
		{ "shop/checkout", "9000/tcp", true, true },
		{ "shop/checkout", "9000/tcp", false, true },
		{ "shop/report", "9000/tcp", false, true },
		{ "192.0.2.7", "53/udp", false, true },
		/* Never seen. */
		{ "shop/checkout", "8080/tcp", false, false },
		{ "shop/checkout", "8082/tcp", true, false },
		{ "shop/checkout", "8080/udp", true, false },
		{ "shop/report", "8080/tcp", true, false },
		{ "shop/report", "22/tcp", true, false },
		{ "192.0.2.8", "53/udp", false, false },
		{ "192.0.2.7", "53/tcp", false, false },
		{ "World", "9000/tcp", false, false },
	};

	return cr_make_param_array(struct judged_flow, flows, ARRAY_SIZE(flows));
}

ParameterizedTest(struct judged_flow *f, cli_policy_suggest, judged)
{
	_files_ files;
	struct outcome made = suggest(&files, NULL), o;

	o = run_cli("policy", "explain", files.path[0], files.path[2], "--from", f->from, "--to",
		    "shop/payments", "--port", f->port, f->verified ? "-o" : "--unauthenticated",
		    f->verified ? "text" : "--unauthenticated");
	cr_expect_eq(o.code, f->allowed ? CLI_OK : CLI_FAILED, "%s%s", o.out, o.err);
	outcome_done(&o);
	outcome_done(&made);
}

/* By default nothing is enforced; and diff shows what enforcing would do. */
Test(cli_policy_suggest, audit_changes_no_traffic)
{
	_files_ files;
	struct outcome made = suggest(&files, "--egress"), o;

	expect_in(made.out, "  mode: Audit\n");
	expect_not_in(made.out, "  mode: Enforce\n");
	expect_in(made.out, "metadata: {name: suggested-checkout, namespace: \"shop\"}\n");
	expect_in(made.out, "  egress:\n");
	expect_in(made.out, "  - name: to-payments\n    authentication: Required\n");
	outcome_done(&made);
	o = run_cli("policy", "explain", files.path[0], files.path[2], "--from", "shop/report",
		    "--to", "shop/payments", "--port", "22");
	cr_expect_eq(o.code, CLI_OK);
	expect_in(o.out, "shop/report -> shop/payments, port 22/TCP: AUDIT\n");
	outcome_done(&o);
}

/* Without manifests the recording must say who is who. */
Test(cli_policy_suggest, without_manifests)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(
		&files, "flows.json",
		"{\"flow\":{\"verdict\":\"FORWARDED\",\"l4\":{\"TCP\":{\"destination_port\":80}},"
		"\"source\":{\"namespace\":\"a\",\"pod_name\":\"x-1\",\"labels\":["
		"\"k8s:io.cilium.k8s.policy.serviceaccount=web\",\"k8s:app=web\"]},"
		"\"destination\":{\"namespace\":\"b\",\"pod_name\":\"y-1\",\"labels\":["
		"\"k8s:app=db\",\"k8s:pod-template-hash=5f7\"]}}}\n"
		/* Nothing that a policy could call it by. */
		"{\"flow\":{\"verdict\":\"FORWARDED\",\"l4\":{\"TCP\":{\"destination_port\":80}},"
		"\"source\":{\"labels\":[\"reserved:world\"]},"
		"\"destination\":{\"namespace\":\"b\",\"pod_name\":\"z-1\"}}}\n"
		/* Text that must not get into a manifest. */
		"{\"flow\":{\"time\":\"1\\n- evil\",\"verdict\":\"FORWARDED\",\"l4\":{\"TCP\":"
		"{\"destination_port\":81}},\"source\":{\"namespace\":\"a\",\"pod_name\":\"x\\ny\","
		"\"labels\":[\"k8s:app=\\\"}\\nevil: yes\",\"k8s:ok=yes\"]},"
		"\"destination\":{\"namespace\":\"b\",\"pod_name\":\"y-1\",\"labels\":["
		"\"k8s:app=db\"]}}}\n"
		"{\"flow\":{\"verdict\":\"FORWARDED\",\"l4\":{\"TCP\":{\"destination_port\":81}},"
		"\"source\":{\"namespace\":\"a\\\"}\\nb\",\"pod_name\":\"x\",\"labels\":["
		"\"k8s:app=x\"]},\"destination\":{\"namespace\":\"b\",\"pod_name\":\"y-1\","
		"\"labels\":[\"k8s:app=db\"]}}}\n");
	o = run_cli("policy", "suggest", "--flows", files.path[0]);
	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_in(o.out, "metadata: {name: suggested-db, namespace: \"b\"}\n");
	expect_in(o.out, "  subject: {selector: {matchLabels: {\"app\": \"db\"}}}\n");
	expect_in(o.out, "    - serviceAccounts: [{namespace: \"a\", name: \"web\"}]\n");
	expect_in(o.out, "    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "
			 "\"a\"}}\n      selector: {matchLabels: {\"ok\": \"yes\"}}\n");
	expect_not_in(o.out, "evil");
	expect_in(o.err, "2 connections used; left out: 0 denied, 2 of workloads");
	outcome_done(&o);
}

/* Many addresses become the world. */
Test(cli_policy_suggest, many_addresses)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	_files_ files;
	struct outcome o;

	for (int i = 1; i <= 33; i++)
		fprintf(out,
			"{\"flow\":{\"verdict\":\"FORWARDED\",\"IP\":{\"source\":\"192.0.2.%d\"},"
			"\"l4\":{\"TCP\":{\"destination_port\":443}},\"source\":{\"labels\":["
			"\"reserved:world\"]},\"destination\":{\"namespace\":\"shop\",\"pod_name\":"
			"\"payments\"},\"traffic_direction\":\"INGRESS\"}}\n",
			i);
	fclose(out);
	files_init(&files);
	files_write(&files, "shop.yaml", FILES_SHOP);
	files_write(&files, "flows.json", text);
	o = run_cli("policy", "suggest", files.path[0], "--flows", files.path[1]);
	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_in(o.out, "  # Seen 33 times.");
	expect_in(o.out, "    - entities: [World]\n");
	expect_not_in(o.out, "cidrs:");
	outcome_done(&o);
}

/* A name that is taken is not used again, so the manifests can be put together. */
Test(cli_policy_suggest, names_that_are_taken)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "shop.yaml", FILES_SHOP,
		    FILES_POLICY("suggested-payments", "payments", "  ingress: []\n"));
	files_write(&files, "flows.json", SEEN("checkout", "10.0.0.1", "8080", "verified"));
	o = run_cli("policy", "suggest", files.path[0], "--flows", files.path[1]);
	expect_in(o.out, "metadata: {name: suggested-payments-2, namespace: \"shop\"}\n");
	files_write(&files, "more.yaml", o.out);
	outcome_done(&o);
	o = run_cli("policy", "explain", files.path[0], files.path[2], "--from", "shop/checkout",
		    "--to", "shop/payments", "--port", "8080");
	cr_expect_eq(o.code, CLI_FAILED, "the suggestion only audits: %s", o.err);
	outcome_done(&o);
}

Test(cli_policy_suggest, json)
{
	_files_ files;
	struct outcome made = suggest(&files, NULL), o;
	json_t *json;

	o = run_cli("policy", "suggest", files.path[0], "--flows", files.path[1], "--enforce", "-o",
		    "json");
	json = outcome_json(&o);
	cr_expect_str_eq(json_string_value(json_object_get(json, "manifests")), made.out);
	cr_expect_eq(json_integer_value(json_object_get(json, "used")), 8);
	cr_expect_eq(json_integer_value(json_object_get(json, "denied")), 1);
	cr_expect_eq(json_integer_value(json_object_get(json, "policies")), 1);
	json_decref(json);
	outcome_done(&o);
	outcome_done(&made);
}

Test(cli_policy_suggest, usage)
{
	_files_ files;
	struct outcome o = run_cli("policy", "suggest");

	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "--flows FILE is needed");
	outcome_done(&o);
	files_init(&files);
	files_write(&files, "flows.json", "\n");
	o = run_cli("policy", "suggest", "--flows", files.path[0]);
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "nothing to suggest");
	outcome_done(&o);
	o = run_cli("policy", "suggest", "--flows", "/nonexistent");
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "/nonexistent: No such file");
	outcome_done(&o);
}
