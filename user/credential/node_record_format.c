/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "user/credential/node_record.h"
#include "user/credential/node_text.h"

static json_t *bytes_value(const uint8_t *data, size_t n)
{
	_cleanup_free_ char *text = node_base64(data, n);

	return text ? json_string(text) : NULL;
}

static json_t *time_value(int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	if (ms < 0 || ms >= NODE_TIME_MAX_MS)
		return NULL;
	node_time_text(ms, text);
	return json_string(text);
}

static json_t *certificate_value(const X509 *certificate)
{
	uint8_t *der = NULL;
	int n = i2d_X509(certificate, &der);
	json_t *value = n > 0 ? bytes_value(der, n) : NULL;

	OPENSSL_free(der);
	return value;
}

/* "o" takes the value over and fails the whole when it is NULL. */
static json_t *keys_value(const struct node_record *record)
{
	json_auto_t *keys = json_array();

	for (size_t i = 0; i < record->n_keys; i++) {
		const struct node_key *key = &record->key[i];
		json_t *value = json_pack("{s:i, s:o, s:o, s:o, s:o}", "parity", key->parity,
					  "publicKey", bytes_value(key->public_key, NODE_KEY_BYTES),
					  "notBefore", time_value(key->not_before_ms), "active",
					  time_value(key->active_ms), "notAfter",
					  time_value(key->not_after_ms));

		if (json_array_append_new(keys, value) < 0)
			return NULL;
	}
	return json_incref(keys);
}

static json_t *certificates_value(const struct svid *svid)
{
	json_auto_t *list = json_array();

	if (json_array_append_new(list, certificate_value(svid->leaf)) < 0)
		return NULL;
	for (int i = 0; i < sk_X509_num(svid->intermediates); i++) {
		json_t *value = certificate_value(sk_X509_value(svid->intermediates, i));

		if (json_array_append_new(list, value) < 0)
			return NULL;
	}
	return json_incref(list);
}

char *node_record_format(const struct node_record *record)
{
	json_auto_t *root = NULL;
	char number[8], *text;

	snprintf(number, sizeof(number), "%u", record->number);
	root = json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:i, s:o, s:o, s:o, s:o}}", "apiVersion",
			 "countersign.dev/v1alpha1", "kind", "NodeIdentity", "metadata", "name",
			 number, "spec", "trustDomain", record->trust_domain, "node", record->name,
			 "number", record->number, "issued", time_value(record->issued_ms), "keys",
			 keys_value(record), "certificates", certificates_value(record->svid),
			 "signature", bytes_value(record->signature, record->signature_length));
	text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	if (text && strlen(text) > NODE_RECORD_BYTES_MAX) {
		free(text);
		return NULL;
	}
	return text;
}
