/* SPDX-License-Identifier: Apache-2.0 */
/* `countersign policy diff`: what changes, and which recorded flows would have. */
#include "test_cli_files.h"

#define OPEN(rest) FILES_POLICY("payments", "payments", "  ingress:\n" rest)

/* Runs diff on the shop with each of the policies; FILES is freed with the test. */
static struct outcome diff_policies(const char *before, const char *after, const char *option,
				    const char *value)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "old.yaml", FILES_SHOP, before);
	files_write(&files, "new.yaml", FILES_SHOP, after);
	o = run_cli("policy", "diff", files.path[0], files.path[1], option ?: "-o",
		    value ?: "text");
	files_hide(&files, o.err);
	return o;
}

struct diff_case {
	char before[600];
	char after[600];
	char out[800];
};

ParameterizedTestParameters(cli_policy_diff, changes)
{
	static struct diff_case cases[] = {
		{ OPEN("  - {name: a}\n"), OPEN("  - {name: b}\n"), "No verdict changes.\n" },
		{ OPEN("  - {name: a, from: [{serviceAccounts: [{name: checkout}]}]}\n"),
		  OPEN("  - {name: a, from: [{serviceAccounts: [{name: checkout}, "
		       "{name: report}]}]}\n"),
		  "shop/payments <- shop/report: everything: deny -> allow "
		  "[shop/payments (default) -> shop/payments#a]\n" },
		{ OPEN("  - {name: a, from: [{serviceAccounts: [{name: checkout}]}], "
		       "ports: [{port: 80, endPort: 90}]}\n"),
		  OPEN("  - {name: a, from: [{serviceAccounts: [{name: checkout}]}], "
		       "ports: [{port: 85, endPort: 95}, {port: 53, protocol: UDP}]}\n"),
		  "shop/payments <- shop/checkout: 80-84/TCP: allow -> deny "
		  "[shop/payments#a -> shop/payments (default)]\n"
		  "shop/payments <- shop/checkout: 91-95/TCP, 53/UDP: deny -> allow "
		  "[shop/payments (default) -> shop/payments#a]\n" },
		{ OPEN("  - {name: a}\n"), OPEN("  - {name: a, authentication: Required}\n"),
		  "shop/payments <- shop/checkout, shop/report: all TCP, not verified only: allow "
		  "-> deny [shop/payments#a -> shop/payments#a (wants a verified peer)]\n"
		  "shop/payments <- shop/checkout, shop/report: all UDP, all SCTP, other "
		  "protocols: allow -> deny [shop/payments#a -> shop/payments#a (wants a verified "
		  "peer)]\n"
		  "shop/payments <- RemoteNode, World, KubeAPIServer, Unmanaged: everything: "
		  "allow -> deny [shop/payments#a -> shop/payments#a (wants a verified peer)]\n" },
		{ OPEN("  - {name: a}\n"), OPEN("  - {name: a, mode: Audit}\n"), "" },
		{ OPEN("  - {name: a, from: [{cidrs: [{cidr: 192.0.2.0/24}]}]}\n"),
		  OPEN("  - {name: a, from: [{cidrs: [{cidr: 192.0.2.0/24, except: "
		       "[192.0.2.7/32]}]}]}\n"),
		  "shop/payments <- 192.0.2.7/32: everything: allow -> deny "
		  "[shop/payments#a -> shop/payments (default)]\n" },
		/* Of two addresses only one is inside. */
		{ OPEN("  - {name: a, from: [{cidrs: [{cidr: 10.0.0.1/32}]}]}\n"),
		  OPEN("  - {name: a, from: [{entities: [Host]}]}\n"),
		  "shop/payments <- shop/checkout (10.0.0.1), 10.0.0.1/32: everything: allow -> "
		  "deny [shop/payments#a -> shop/payments (default)]\n" },
		/* An egress that isolates several subjects is one change. */
		{ OPEN("  - {name: a}\n"),
		  OPEN("  - {name: a}\n") "---\n"
					  "apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
					  "metadata: {name: out, namespace: shop}\nspec:\n  subject: {selector: {}}\n"
					  "  egress: [{to: [{selector: {}}, {entities: [RemoteNode, KubeAPIServer, "
					  "Unmanaged]}]}]\n",
		  "shop/checkout, shop/payments, shop/report -> World: everything: allow -> deny "
		  "[no policy isolates this direction -> shop/out (default)]\n" },
	};

	return cr_make_param_array(struct diff_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct diff_case *c, cli_policy_diff, changes)
{
	struct outcome o = diff_policies(c->before, c->after, NULL, NULL);
	bool changes = !streq(c->out, "No verdict changes.\n");

	cr_expect_eq(o.code, changes ? CLI_FAILED : CLI_OK, "%s", o.err);
	if (*c->out)
		cr_expect_str_eq(o.out, c->out);
	else /* everything that was allowed is denied, as the rule is only tried */
		expect_in(o.out, "allow -> deny");
	outcome_done(&o);
}

#define NODE                                                 \
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n" \
	"status: {addresses: [{type: InternalIP, address: 192.168.1.1}]}\n---\n"

/* A node's address may be meant by what it is and by a CIDR. */
Test(cli_policy_diff, addresses_of_nodes)
{
	struct outcome o = diff_policies(
		NODE OPEN("  - {name: a, from: [{entities: [RemoteNode]}]}\n"),
		NODE OPEN("  - {name: a, from: [{cidrs: [{cidr: 192.168.0.0/16}]}]}\n"), NULL,
		NULL);

	cr_expect_str_eq(o.out,
			 "shop/payments <- RemoteNode: everything: allow -> deny "
			 "[shop/payments#a -> shop/payments (default)]\n"
			 "shop/payments <- 192.168.0.0/16: everything: deny -> allow "
			 "[shop/payments (default) -> shop/payments#a]\n",
			 "%s%s", o.out, o.err);
	outcome_done(&o);
	o = diff_policies(
		NODE OPEN(
			"  - {name: never, action: Deny, from: [{cidrs: [{cidr: 192.168.1.1/32}]}]}\n"
			"  - {name: a, from: [{entities: [RemoteNode]}]}\n"),
		NODE OPEN("  - {name: a, from: [{entities: [RemoteNode]}]}\n"), NULL, NULL);
	cr_expect_str_eq(o.out,
			 "shop/payments <- RemoteNode 192.168.1.1: everything: deny -> allow "
			 "[shop/payments#never -> shop/payments#a]\n");
	outcome_done(&o);
}

Test(cli_policy_diff, exit_zero)
{
	struct outcome o = diff_policies(OPEN("  - {}\n"), OPEN("  - {ports: [{port: 1}]}\n"),
					 "--exit-zero", "--exit-zero");

	cr_expect_eq(o.code, CLI_OK);
	expect_in(o.out, "allow -> deny");
	outcome_done(&o);
}

Test(cli_policy_diff, added_and_removed_workloads)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "old.yaml", FILES_SHOP, FILES_WORKLOAD("shop", "gone", "", ""));
	files_write(&files, "new.yaml", FILES_SHOP, FILES_WORKLOAD("shop", "come", "", ""));
	o = run_cli("policy", "diff", files.path[0], files.path[1]);
	cr_expect_eq(o.code, CLI_FAILED);
	cr_expect_str_eq(o.out, "added workload shop/come\nremoved workload shop/gone\n"
				"No verdict changes.\n");
	outcome_done(&o);
}

Test(cli_policy_diff, json)
{
	struct outcome o = diff_policies(OPEN("  - {name: a}\n"),
					 OPEN("  - {name: a, ports: [{port: 80}]}\n"), "-o",
					 "json");
	json_t *json = outcome_json(&o);
	json_t *change = json_array_get(json_object_get(json, "changes"), 0);
	json_t *port = json_array_get(json_object_get(change, "ports"), 1);

	cr_expect_eq(json_array_size(json_object_get(json, "changes")), 1, "%s", o.out);
	cr_expect_str_eq(json_string_value(json_object_get(change, "direction")), "ingress");
	cr_expect_str_eq(json_string_value(json_object_get(change, "authentication")), "any");
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(change, "old"), "rule")),
			 "shop/payments#a");
	cr_expect_str_eq(
		json_string_value(json_object_get(json_object_get(change, "new"), "verdict")),
		"deny");
	cr_expect_eq(json_array_size(json_object_get(change, "subjects")), 1);
	cr_expect_eq(json_integer_value(json_object_get(port, "port")), 81, "%s", o.out);
	cr_expect_eq(json_integer_value(json_object_get(port, "end_port")), 65535);
	cr_expect_eq(json_array_size(json_object_get(json, "added")), 0);
	json_decref(json);
	outcome_done(&o);
}

static const char recorded[] = FILES_FLOW("2026-01-01T00:00:02Z", "checkout", "10.0.0.1",
					  "payments", "80", "INGRESS", "verified")
	FILES_FLOW("2026-01-01T00:00:01Z", "checkout", "10.0.0.1", "payments", "80", "INGRESS",
		   "verified") FILES_FLOW("2026-01-01T00:00:03Z", "checkout", "10.0.0.1",
					  "payments", "80", "INGRESS", "verified")
		FILES_FLOW("2026-01-01T00:00:03Z", "checkout", "10.0.0.1", "payments", "80",
			   "INGRESS", "inferred")
			FILES_FLOW("2026-01-01T00:00:04Z", "checkout", "10.0.0.1", "payments", "80",
				   "EGRESS", "verified")
				FILES_FLOW("2026-01-01T00:00:05Z", "gone", "10.0.0.77", "payments",
					   "80", "INGRESS", "verified")
	/* A pod of another name is found by its address. */
	FILES_FLOW(
		"2026-01-01T00:00:06Z", "report-5f7-x", "10.0.0.3", "payments", "81", "INGRESS",
		"inferred") "\n"
			    "{\"node_status\":{\"state_change\":\"NODE_CONNECTED\"}}\n"
			    "{\"flow\":{\"verdict\":\"FORWARDED\",\"l4\":{\"ICMPv4\":{\"type\":8}}}}\n"
			    /* An old hubble prints the flow alone, and none of ours beside it. */
			    "{\"time\":\"2026-01-01T00:00:07Z\",\"verdict\":\"FORWARDED\",\"IP\":{\"source\":"
			    "\"192.0.2.1\",\"destination\":\"10.0.0.2\"},\"l4\":{\"TCP\":{\"destination_port\":82}},"
			    "\"source\":{\"labels\":[\"reserved:world\"]},\"destination\":{\"namespace\":\"shop\","
			    "\"pod_name\":\"payments-1\",\"workloads\":[{\"name\":\"payments\"}]}}\n";

static struct outcome diff_flows(const char *flows, const char *format)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "old.yaml", FILES_SHOP, OPEN("  - {name: a}\n"));
	files_write(&files, "new.yaml", FILES_SHOP,
		    OPEN("  - {name: a, authentication: Required, ports: [{port: 80}]}\n"));
	files_write(&files, "flows.json", flows);
	o = run_cli("policy", "diff", files.path[0], files.path[1], "--flows", files.path[2], "-o",
		    format);
	files_hide(&files, o.err);
	return o;
}

Test(cli_policy_diff, flows)
{
	struct outcome o = diff_flows(recorded, "text");

	cr_expect_eq(o.code, CLI_FAILED, "%s", o.err);
	expect_in(o.out,
		  "Recorded flows: 3 would change, 4 would not, 1 cannot be judged (workload "
		  "unknown), 2 lines are no matter of policy\n");
	expect_in(o.out, "  1 times shop/checkout -> shop/payments 80/TCP, ingress: allow -> deny "
			 "[shop/payments#a -> shop/payments#a (wants a verified peer)], first "
			 "2026-01-01T00:00:03Z, last 2026-01-01T00:00:03Z\n");
	expect_in(o.out, "  1 times shop/report -> shop/payments 81/TCP, ingress: allow -> deny");
	expect_in(o.out, "  1 times 192.0.2.1 -> shop/payments 82/TCP: allow -> deny");
	outcome_done(&o);
}

Test(cli_policy_diff, flows_are_counted)
{
	struct outcome o =
		diff_flows(FILES_FLOW("2026-01-01T00:00:02Z", "report", "10.0.0.3", "payments",
				      "81", "INGRESS", "verified")
				   FILES_FLOW("2026-01-01T00:00:01Z", "report", "10.0.0.3",
					      "payments", "81", "INGRESS", "verified")
					   FILES_FLOW("2026-01-01T00:00:03Z", "report", "10.0.0.3",
						      "payments", "81", "INGRESS", "verified"),
			   "json");
	json_t *json = outcome_json(&o), *flows = json_object_get(json, "flows");
	json_t *change = json_array_get(json_object_get(flows, "changes"), 0);

	cr_expect_eq(json_integer_value(json_object_get(flows, "changed")), 3, "%s", o.out);
	cr_expect_eq(json_array_size(json_object_get(flows, "changes")), 1);
	cr_expect_eq(json_integer_value(json_object_get(change, "count")), 3);
	cr_expect_str_eq(json_string_value(json_object_get(change, "first")),
			 "2026-01-01T00:00:01Z");
	cr_expect_str_eq(json_string_value(json_object_get(change, "last")),
			 "2026-01-01T00:00:03Z");
	json_decref(json);
	outcome_done(&o);
}

Test(cli_policy_diff, flows_that_are_no_flows)
{
	static const char *const bad[] = { "{\"flow\":{}}\n{\"flow\":", "[]\n", "\"x\"\n",
					   "{\"a\":1,\"a\":2}\n" };
	char *line;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct outcome o = diff_flows(bad[i], "text");

		cr_expect_eq(o.code, CLI_USAGE);
		expect_in(o.err, i ? "flows.json:1: is no JSON object"
				   : "flows.json:2: is no JSON object");
		outcome_done(&o);
	}
	cr_assert(asprintf(&line, "{\"a\":\"%*s\"}\n", 300 << 10, "") > 0);
	struct outcome o = diff_flows(line, "text");

	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "flows.json:1: the line is longer than 256 KiB");
	outcome_done(&o);
	free(line);
}

Test(cli_policy_diff, usage_and_trouble)
{
	struct outcome o = run_cli("policy", "diff", "one");

	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "OLD and NEW are needed");
	outcome_done(&o);
	o = run_cli("policy", "diff", "-", "-");
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "can be read only once");
	outcome_done(&o);
	/* 1 means a change: what cannot be compared is 2. */
	o = diff_policies("kind: Nothing\n", OPEN("  - {}\n"), NULL, NULL);
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "old.yaml:");
	outcome_done(&o);
}
