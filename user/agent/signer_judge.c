/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/signer_judge.h"

#include "user/credential/node_text.h"

#define ID_MAX 512

static const struct {
	const char *reason, *text;
} refusals[SIGNER_REFUSAL_MAX] = {
#define X(name, reason, text) [SIGNER_REFUSAL_##name] = { reason, text },
	SIGNER_REFUSALS(X)
#undef X
};

const char *signer_refusal_reason(enum signer_refusal refusal)
{
	return (unsigned int)refusal < SIGNER_REFUSAL_MAX ? refusals[refusal].reason : "?";
}

static const char *text_of(const json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field)) ?: "";
}

/* ---- where it stands ---- */

static bool has_condition(const json_t *status, const char *type)
{
	const json_t *condition;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i, condition)
		if (streq(text_of(condition, "type"), type))
			return true;
	return false;
}

static bool is_over(const json_t *status)
{
	return has_condition(status, "Denied") || has_condition(status, "Failed") ||
	       *text_of(status, "certificate");
}

/* ---- who asks ---- */

static bool is_agent(const json_t *spec, const struct signer_rules *rules)
{
	const char *user = text_of(spec, "username");

	for (const char *const *allowed = rules->users; *allowed; allowed++)
		if (streq(user, *allowed))
			return true;
	return false;
}

/* The node of the pod that the token is bound to; NULL: none, or more than one. */
static const char *node_of(const json_t *spec)
{
	const json_t *values = json_object_get(json_object_get(spec, "extra"), SIGNER_NODE_CLAIM);
	const char *name = json_string_value(json_array_get(values, 0));

	return json_array_size(values) == 1 && name && *name ? name : NULL;
}

/* ---- what is asked for ---- */

static bool usages_are_good(const json_t *spec)
{
	static const char *const known[] = { "digital signature", "client auth", "server auth" };
	const json_t *usages = json_object_get(spec, "usages"), *usage;
	bool seen[ARRAY_SIZE(known)] = { false };
	size_t i;

	json_array_foreach(usages, i, usage) {
		const char *name = json_string_value(usage) ?: "";
		size_t k = 0;

		while (k < ARRAY_SIZE(known) && !streq(name, known[k]))
			k++;
		if (k == ARRAY_SIZE(known))
			return false;
		seen[k] = true;
	}
	return seen[0] && seen[1] && seen[2];
}

static int64_t lifetime_of(const json_t *spec)
{
	const json_t *seconds = json_object_get(spec, "expirationSeconds");
	int64_t lifetime_s = json_integer_value(seconds);

	return lifetime_s > 0 ? MIN(lifetime_s, (int64_t)SIGNER_LIFETIME_MAX_S)
			      : SIGNER_LIFETIME_DEFAULT_S;
}

static enum signer_refusal read_request(const json_t *spec, struct request *ret,
					struct credential_error *why)
{
	_cleanup_free_ uint8_t *pem = NULL;
	size_t length = 0;
	int r = node_base64_decode(text_of(spec, "request"), REQUEST_BYTES_MAX, &pem, &length);

	if (r < 0) {
		credential_fail(why, r, "spec.request is not base64 of at most %d bytes",
				REQUEST_BYTES_MAX);
		return SIGNER_REFUSAL_MALFORMED;
	}
	r = request_parse((const char *)pem, length, ret, why);
	return r == 0	     ? SIGNER_REFUSAL_NONE
	       : r == -EPERM ? SIGNER_REFUSAL_UNFIT
			     : SIGNER_REFUSAL_MALFORMED;
}

static enum signer_refusal judge_spec(const json_t *spec, const struct signer_rules *rules,
				      struct signer_decision *ret, struct credential_error *why)
{
	const char *node = node_of(spec);
	enum signer_refusal refusal;
	char id[ID_MAX];

	if (!is_agent(spec, rules)) {
		credential_fail(why, 0, "%.200s asks", text_of(spec, "username"));
		return SIGNER_REFUSAL_NOT_AN_AGENT;
	}
	if (!node)
		return SIGNER_REFUSAL_NO_NODE;
	snprintf(ret->node, sizeof(ret->node), "%s", node);
	if (!usages_are_good(spec))
		return SIGNER_REFUSAL_USAGES;
	refusal = read_request(spec, &ret->request, why);
	if (refusal != SIGNER_REFUSAL_NONE)
		return refusal;
	if (snprintf(id, sizeof(id), "spiffe://%s/countersign/node/%s", rules->trust_domain,
		     node) >= (int)sizeof(id) ||
	    !streq(ret->request.spiffe_id, id)) {
		credential_fail(why, 0, "%.150s asks for %.200s", node, ret->request.spiffe_id);
		return SIGNER_REFUSAL_OTHER_NODE;
	}
	ret->lifetime_s = lifetime_of(spec);
	return SIGNER_REFUSAL_NONE;
}

void signer_judge(const json_t *object, const struct signer_rules *rules,
		  struct signer_decision *ret)
{
	const json_t *spec = json_object_get(object, "spec");
	const json_t *status = json_object_get(object, "status");
	bool approved = has_condition(status, "Approved");
	struct credential_error why = { "" };

	*ret = (struct signer_decision){ .action = SIGNER_NOTHING };
	if (!streq(text_of(spec, "signerName"), rules->signer) || is_over(status))
		return;
	ret->refusal = judge_spec(spec, rules, ret, &why);
	if (ret->refusal == SIGNER_REFUSAL_NONE) {
		ret->action = approved ? SIGNER_SIGN : SIGNER_APPROVE;
		return;
	}
	ret->action = approved ? SIGNER_FAIL : SIGNER_DENY;
	snprintf(ret->message, sizeof(ret->message), "%s%s%.300s", refusals[ret->refusal].text,
		 *why.text ? ": " : "", why.text);
}
