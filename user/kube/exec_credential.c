/* SPDX-License-Identifier: Apache-2.0 */
/* What a credential plugin says. Nothing of it is repeated in a message. */
#include <jansson.h>

#include "user/base/clock.h"
#include "user/kube/exec.h"

#define EXPIRY_SKEW_MS 10000 /* so much before its end it is not used any more */

/* "", "Z", ".123Z", "+02:00": the offset in seconds, fractions are cut. */
static int parse_zone(const char *text, long *ret_s)
{
	int hours, minutes, n = 0;
	char sign;

	if (*text == '.') {
		size_t digits = strspn(text + 1, "0123456789");

		if (digits == 0)
			return -EINVAL;
		text += 1 + digits;
	}
	*ret_s = 0;
	if (streq(text, "Z"))
		return 0;
	if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &n) != 3 || text[n] != '\0' ||
	    (sign != '+' && sign != '-') || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return -EINVAL;
	*ret_s = (sign == '+' ? 1 : -1) * (hours * 3600L + minutes * 60L);
	return 0;
}

int kube_time_parse(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *rest;
	long offset;

	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest || parse_zone(rest, &offset) < 0)
		return -EINVAL;
	*ret_ms = ((int64_t)timegm(&tm) - offset) * 1000;
	return 0;
}

bool kube_exec_valid(const struct kube_exec *exec)
{
	return exec->valid && (exec->expires_ms == 0 ||
			       clock_ms(CLOCK_REALTIME) + EXPIRY_SKEW_MS < exec->expires_ms);
}

static int refuse(const struct kube_exec *exec, struct kube_error *reterr, const char *what)
{
	return kube_fail(
		reterr, -EBADMSG,
		"the credential plugin %.128s gave no good ExecCredential: %s: run it by hand",
		exec->command, what);
}

/* A text of the status; "" counts as none. The caller's. */
static int take_text(const json_t *status, const char *key, char **ret)
{
	const json_t *value = json_object_get(status, key);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return -EINVAL;
	if (json_string_length(value) == 0)
		return 0;
	if (strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	*ret = strdup(json_string_value(value));
	return *ret ? 0 : -ENOMEM;
}

struct given {
	char *token, *certificate, *key;
	int64_t expires_ms;
};

static const char *judge(const json_t *root, const struct kube_exec *exec, struct given *given)
{
	const json_t *status = json_object_get(root, "status");
	const char *kind = json_string_value(json_object_get(root, "kind"));
	const char *version = json_string_value(json_object_get(root, "apiVersion"));
	const json_t *expiry = json_object_get(status, "expirationTimestamp");

	if (!kind || !streq(kind, "ExecCredential"))
		return "kind ExecCredential is expected";
	if (!version || !streq(version, exec->api_version))
		return "its apiVersion is not the one of the kubeconfig";
	if (!json_is_object(status))
		return "status is missing";
	if (take_text(status, "token", &given->token) < 0 ||
	    take_text(status, "clientCertificateData", &given->certificate) < 0 ||
	    take_text(status, "clientKeyData", &given->key) < 0)
		return "token, clientCertificateData and clientKeyData are texts";
	if (!given->certificate != !given->key)
		return "clientCertificateData and clientKeyData go together";
	if (!given->token && !given->key)
		return "neither token nor clientCertificateData is there";
	if (given->token && strpbrk(given->token, " \t\r\n"))
		return "the token has white space in it";
	if (expiry && !json_is_null(expiry) &&
	    (!json_is_string(expiry) ||
	     kube_time_parse(json_string_value(expiry), &given->expires_ms) < 0))
		return "expirationTimestamp is no time as in RFC 3339";
	return NULL;
}

int kube_exec_accept(struct kube_exec *exec, const char *text, size_t length,
		     struct kube_error *reterr)
{
	struct given given = { 0 };
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong;

	if (!root)
		return refuse(exec, reterr, "it is no JSON");
	wrong = judge(root, exec, &given);
	json_decref(root);
	if (wrong) {
		kube_secret_free(given.token);
		kube_secret_free(given.certificate);
		kube_secret_free(given.key);
		return refuse(exec, reterr, wrong);
	}
	kube_secret_free(exec->token);
	kube_secret_free(exec->certificate);
	kube_secret_free(exec->key);
	exec->token = given.token;
	exec->certificate = given.certificate;
	exec->key = given.key;
	exec->expires_ms = given.expires_ms;
	exec->valid = true;
	return 0;
}
