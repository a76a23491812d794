/* SPDX-License-Identifier: Apache-2.0 */
/* `countersign policy explain`: what `explain` says, from files. */
#include "test_cli_files.h"

#define ADMIN                                                                         \
	"apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n" \
	"metadata: {name: ops}\nspec:\n  tier: Admin\n  priority: 1\n"                \
	"  subject: {namespaces: {}}\n  ingress:\n"                                   \
	"  - {name: checkout, action: Pass, from: [{pods: {namespaceSelector: {}, "   \
	"podSelector: {matchLabels: {app: checkout}}}}]}\n"

#define SECOND FILES_POLICY("closed", "payments", "  ingress: []\n")

#define explain_shop(...)                                                                     \
	({                                                                                    \
		_files_ _files;                                                               \
		struct outcome _o;                                                            \
                                                                                              \
		files_init(&_files);                                                          \
		files_write(&_files, "shop.yaml", FILES_SHOP, FILES_PAYMENTS, ADMIN, SECOND); \
		_o = run_cli("policy", "explain", _files.path[0], __VA_ARGS__);               \
		_o;                                                                           \
	})

Test(cli_policy_explain, allowed)
{
	struct outcome o = explain_shop("--from", "shop/checkout", "--to", "shop/payments",
					"--port", "8080/tcp");

	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_in(o.out, "shop/checkout -> shop/payments, port 8080/TCP: FORWARDED\n");
	expect_in(o.out, "Ingress of shop/payments: FORWARDED\n"
			 "  [Admin] Pass (ops#checkout) -> [IdentityPolicy] Allow "
			 "(shop/payments#from-checkout)\n");
	expect_in(o.out, "Assumed: both sides are verified.\n"
			 "With an identity that is only inferred from the address: DROPPED\n");
	outcome_done(&o);
}

Test(cli_policy_explain, denied_names_all_that_isolate)
{
	struct outcome o = explain_shop("--from", "shop/report", "--to", "shop/payments", "--port",
					"8080/tcp");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "  [IdentityPolicy] Deny (no rule allows it; isolated by shop/closed, "
			 "shop/payments)\n");
	expect_in(o.out, "  Isolated by shop/closed, shop/payments.\n");
	outcome_done(&o);
}

Test(cli_policy_explain, unauthenticated)
{
	struct outcome o = explain_shop("--from", "shop/checkout", "--to", "shop/payments",
					"--port", "8080/tcp", "--unauthenticated");

	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "shop/payments#from-checkout wants a verified peer");
	expect_in(o.out, "Assumed: no side is verified.");
	outcome_done(&o);
}

Test(cli_policy_explain, json)
{
	struct outcome o = explain_shop("--from", "shop/report", "--to", "shop/payments", "--port",
					"8080/tcp", "-o", "json");
	json_t *json = outcome_json(&o), *ingress = json_object_get(json, "ingress");

	cr_expect_eq(o.code, CLI_FAILED);
	cr_expect_str_eq(json_string_value(json_object_get(json, "verdict")), "deny");
	cr_expect_str_eq(json_string_value(json_object_get(ingress, "reason")), "DEFAULT_DENY");
	cr_expect_eq(json_array_size(json_object_get(ingress, "isolated_by")), 2);
	cr_expect_eq(json_array_size(json_object_get(ingress, "steps")), 2);
	expect_in(json_string_value(json_object_get(ingress, "trace")), "[IdentityPolicy] Deny");
	json_decref(json);
	outcome_done(&o);
}

/* A past moment, at which an exception was still open. */
Test(cli_policy_explain, at)
{
	static const struct {
		const char *at;
		int code;
	} cases[] = {
		{ "2020-05-31T23:59:59.999Z", CLI_OK },
		{ "2020-06-01T00:00:00Z", CLI_FAILED },
		{ "2099-01-01T00:00:00+01:00", CLI_FAILED },
	};
	_files_ files;

	files_init(&files);
	files_write(&files, "shop.yaml", FILES_SHOP,
		    FILES_POLICY("payments", "payments",
				 "  ingress:\n  - expires: \"2020-06-01T00:00:00Z\"\n"
				 "    reason: audit\n"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct outcome o = run_cli("policy", "explain", files.path[0], "--from", "World",
					   "--to", "shop/payments", "--port", "1", "--at",
					   cases[i].at);

		cr_expect_eq(o.code, cases[i].code, "%s: %s", cases[i].at, o.out);
		outcome_done(&o);
	}
}

Test(cli_policy_explain, usage)
{
	static const struct {
		const char *args[8];
		const char *message;
	} cases[] = {
		{ { "--from", "World", "--to", "World" }, "--port PORT/PROTO is needed" },
		{ { "--to", "World", "--port", "1" }, "--from WHO is needed" },
		{ { "--from", "a/b", "--to", "World", "--port", "0" }, "--port wants" },
		{ { "--from", "a/b", "--to", "World", "--port", "1", "--at", "now" },
		  "--at wants" },
		{ { "--from", "a/b", "--to", "World", "--port", "1", "-o", "xml" }, "-o wants" },
		{ { "--from", "a/b", "--to", "World", "--port", "1" }, "nobody is called so" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const *a = cases[i].args;
		struct outcome o = explain_shop(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);

		cr_expect_eq(o.code, CLI_USAGE, "%s", cases[i].message);
		expect_in(o.err, cases[i].message);
		outcome_done(&o);
	}
}

Test(cli_policy_explain, broken_manifests_are_no_denial)
{
	_files_ files;
	struct outcome o;

	files_init(&files);
	files_write(&files, "broken.yaml", "kind: Nothing\n");
	o = run_cli("policy", "explain", files.path[0], "--from", "World", "--to", "World",
		    "--port", "1");
	cr_expect_eq(o.code, CLI_USAGE);
	expect_in(o.err, "broken.yaml:1:");
	outcome_done(&o);
}
