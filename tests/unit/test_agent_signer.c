/* SPDX-License-Identifier: Apache-2.0 */
/* Which certificate requests are signed, and why the others are not. */
#include <jansson.h>

#include "test_credential_pki.h"
#include "user/agent/signer_internal.h"
#include "user/credential/node_text.h"

#define ID(node) "spiffe://example.org/countersign/node/" node
#define AGENT "system:serviceaccount:countersign-system:countersign"
#define SIGNER_AGENT AGENT "-signer"

static const char *const users[] = { AGENT, SIGNER_AGENT, NULL };
static const struct signer_rules rules = { SIGNER_NAME, "example.org", users };

/* What differs from a good request of host-a's agent. */
struct csr_case {
	const char *name;
	const char *id; /* NULL: host-a's */
	const char *request; /* instead of a real one */
	const char *path, *value; /* a member of the object that is set so; NULL value: removed */
	enum signer_action action;
	const char *reason;
};

static const struct csr_case cases[] = {
	{ "good", .action = SIGNER_APPROVE },
	{ "of the signer's account", .path = "spec.username", .value = "\"" SIGNER_AGENT "\"",
	  .action = SIGNER_APPROVE },
	{ "approved", .path = "status.conditions", .value = "[{\"type\":\"Approved\"}]",
	  .action = SIGNER_SIGN },
	{ "signed", .path = "status.certificate", .value = "\"AAAA\"", .action = SIGNER_NOTHING },
	{ "denied", .path = "status.conditions", .value = "[{\"type\":\"Denied\"}]",
	  .action = SIGNER_NOTHING },
	{ "failed", .path = "status.conditions",
	  .value = "[{\"type\":\"Approved\"},{\"type\":\"Failed\"}]", .action = SIGNER_NOTHING },
	{ "another's", .path = "spec.signerName", .value = "\"kubernetes.io/kubelet-serving\"",
	  .action = SIGNER_NOTHING },
	{ "no signer", .path = "spec.signerName", .action = SIGNER_NOTHING },
	{ "a person", .path = "spec.username", .value = "\"admin\"", .action = SIGNER_DENY,
	  .reason = "NotAnAgent" },
	{ "a namesake", .path = "spec.username",
	  .value = "\"system:serviceaccount:default:countersign\"", .action = SIGNER_DENY,
	  .reason = "NotAnAgent" },
	{ "nobody", .path = "spec.username", .action = SIGNER_DENY, .reason = "NotAnAgent" },
	{ "unbound token", .path = "spec.extra", .value = "{}", .action = SIGNER_DENY,
	  .reason = "NoNodeName" },
	{ "no extra", .path = "spec.extra", .action = SIGNER_DENY, .reason = "NoNodeName" },
	{ "two nodes", .path = "spec.extra",
	  .value = "{\"" SIGNER_NODE_CLAIM "\":[\"host-a\",\"host-b\"]}", .action = SIGNER_DENY,
	  .reason = "NoNodeName" },
	{ "no text", .path = "spec.extra", .value = "{\"" SIGNER_NODE_CLAIM "\":[7]}",
	  .action = SIGNER_DENY, .reason = "NoNodeName" },
	{ "another node's token", .path = "spec.extra",
	  .value = "{\"" SIGNER_NODE_CLAIM "\":[\"host-b\"]}", .action = SIGNER_DENY,
	  .reason = "OtherNode" },
	{ "another node's name", .id = ID("host-b"), .action = SIGNER_DENY, .reason = "OtherNode" },
	{ "a node below", .id = ID("host-a/unit/ssh"), .action = SIGNER_DENY,
	  .reason = "OtherNode" },
	{ "another domain", .id = "spiffe://example.com/countersign/node/host-a",
	  .action = SIGNER_DENY, .reason = "OtherNode" },
	{ "a workload", .id = "spiffe://example.org/ns/shop/sa/web", .action = SIGNER_DENY,
	  .reason = "OtherNode" },
	{ "to be a CA", .path = "spec.usages", .value = "[\"digital signature\",\"cert sign\"]",
	  .action = SIGNER_DENY, .reason = "Usages" },
	{ "one usage", .path = "spec.usages", .value = "[\"client auth\"]", .action = SIGNER_DENY,
	  .reason = "Usages" },
	{ "no usages", .path = "spec.usages", .action = SIGNER_DENY, .reason = "Usages" },
	{ "usages are no list", .path = "spec.usages", .value = "{\"a\":\"client auth\"}",
	  .action = SIGNER_DENY, .reason = "Usages" },
	{ "no request", .request = "", .action = SIGNER_DENY, .reason = "Malformed" },
	{ "no base64", .request = "?", .action = SIGNER_DENY, .reason = "Malformed" },
	{ "no PEM", .request = "aGVsbG8=", .action = SIGNER_DENY, .reason = "Malformed" },
	{ "no spec", .path = "spec", .action = SIGNER_NOTHING },
};

/* An object of host-a's agent, with what is different. */
static json_t *object_of(const struct csr_case *c)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = pki_ec();
	_cleanup_free_ char *pem = NULL, *request = NULL;
	json_t *object, *parent;

	cr_assert_eq(request_make(key, c->id ?: ID("host-a"), &pem, NULL), 0);
	request = node_base64((const uint8_t *)pem, strlen(pem));
	object = json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s, s:{s:[s]}, s:[s, s, s], s:i}, s:{}}",
			   "metadata", "name", "x", "resourceVersion", "17", "spec", "request",
			   c->request ?: request, "signerName", SIGNER_NAME, "username", AGENT,
			   "extra", SIGNER_NODE_CLAIM, "host-a", "usages", "digital signature",
			   "client auth", "server auth", "expirationSeconds", 7200, "status");
	cr_assert_not_null(object);
	if (c->path) {
		const char *dot = strchr(c->path, '.');
		_cleanup_free_ char *first = strndup(c->path, dot ? dot - c->path : 0);

		parent = dot ? json_object_get(object, first) : object;
		json_object_del(parent, dot ? dot + 1 : c->path);
		if (c->value)
			json_object_set_new(parent, dot + 1,
					    json_loads(c->value, JSON_DECODE_ANY, NULL));
	}
	return object;
}

Test(agent_signer, decides, .timeout = 30)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *object = object_of(&cases[i]);
		struct signer_decision decision;

		signer_judge(object, &rules, &decision);
		cr_expect_eq(decision.action, cases[i].action, "%s: %d, %s", cases[i].name,
			     decision.action, decision.message);
		if (cases[i].reason) {
			cr_expect_str_eq(signer_refusal_reason(decision.refusal), cases[i].reason,
					 "%s", cases[i].name);
			cr_expect(*decision.message, "%s", cases[i].name);
		}
		request_done(&decision.request);
	}
}

/* What somebody else approved is no better for it: it cannot be denied any more, but fails. */
Test(agent_signer, does_not_trust_approvals)
{
	static const struct csr_case forged = { "", .id = ID("host-b") };
	json_auto_t *object = object_of(&forged), *patch = NULL;
	struct signer_decision decision;
	_cleanup_free_ char *text = NULL;
	const json_t *list;

	json_object_set_new(json_object_get(object, "status"), "conditions",
			    json_pack("[{s:s}]", "type", "Approved"));
	signer_judge(object, &rules, &decision);
	cr_expect_eq(decision.action, SIGNER_FAIL);
	text = signer_failure(object, &decision);
	patch = json_loads(text, 0, NULL);
	list = json_object_get(json_object_get(patch, "status"), "conditions");
	cr_assert_eq(json_array_size(list), 2u);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "type")),
			 "Approved");
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "type")),
			 "Failed");
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(patch, "metadata"),
							   "resourceVersion")),
			 "17");
	request_done(&decision.request);
}

Test(agent_signer, cuts_lifetimes)
{
	static const struct {
		const char *value;
		int64_t lifetime_s;
	} lifetimes[] = {
		{ "600", 600 },
		{ "86400", 86400 },
		{ "31536000", SIGNER_LIFETIME_MAX_S },
		{ "-5", SIGNER_LIFETIME_DEFAULT_S },
		{ "\"1h\"", SIGNER_LIFETIME_DEFAULT_S },
		{ NULL, SIGNER_LIFETIME_DEFAULT_S },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lifetimes); i++) {
		const struct csr_case c = { "", .path = "spec.expirationSeconds",
					    .value = lifetimes[i].value };
		json_auto_t *object = object_of(&c);
		struct signer_decision decision;

		signer_judge(object, &rules, &decision);
		cr_expect_eq(decision.action, SIGNER_APPROVE);
		cr_expect_eq(decision.lifetime_s, lifetimes[i].lifetime_s, "%zu", i);
		request_done(&decision.request);
	}
}
