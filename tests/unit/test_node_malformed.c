/* SPDX-License-Identifier: Apache-2.0 */
/* Malformed records: each is a good one with one thing changed, refused with a word on it. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "test_node.h"
#include "user/credential/node_sign.h"

#define CASES_MIN 60

/* @path: members and indexes; @value: JSON, NULL takes the member out. */
struct json_case {
	const char *path, *value, *part;
};

static const struct json_case json_cases[] = {
	{ "apiVersion", NULL, "record.apiVersion: must be a string" },
	{ "apiVersion", "1", "record.apiVersion: must be a string" },
	{ "apiVersion", "\"countersign.dev/v1\"", "must be \"countersign.dev/v1alpha1\"" },
	{ "kind", NULL, "record.kind: must be a string" },
	{ "kind", "\"nodeidentity\"", "must be \"NodeIdentity\"" },
	{ "status", "{}", "record: unknown field \"status\"" },
	{ "metadata", NULL, "metadata: must be an object" },
	{ "metadata", "[]", "metadata: must be an object" },
	{ "metadata.name", NULL, "metadata.name: must be a string" },
	{ "metadata.name", "7", "metadata.name: must be a string" },
	{ "metadata.name", "\"8\"", "is \"8\", but spec.number is 7" },
	{ "metadata.name", "\"07\"", "is \"07\", but spec.number is 7" },
	{ "metadata.name", "\"7 \"", "but spec.number is 7" },
	{ "metadata.namespace", "\"x\"", "metadata: unknown field \"namespace\"" },
	{ "spec", NULL, "spec: must be an object" },
	{ "spec", "\"x\"", "spec: must be an object" },
	{ "spec.extra", "1", "spec: unknown field \"extra\"" },
	{ "spec.trustDomain", NULL, "spec.trustDomain: must be a string" },
	{ "spec.trustDomain", "\"\"", "is no trust domain" },
	{ "spec.trustDomain", "\"Example.org\"", "is no trust domain" },
	{ "spec.trustDomain", "\"example.org/x\"", "is no trust domain" },
	{ "spec.node", NULL, "spec.node: must be a string" },
	{ "spec.node", "\"\"", "spec.node: is no DNS name" },
	{ "spec.node", "\"Host\"", "spec.node: is no DNS name" },
	{ "spec.node", "\"-host\"", "spec.node: is no DNS name" },
	{ "spec.node", "\"host-\"", "spec.node: is no DNS name" },
	{ "spec.node", "\"a..b\"", "spec.node: is no DNS name" },
	{ "spec.node", "\"a.\"", "spec.node: is no DNS name" },
	{ "spec.node", "\"a/b\"", "spec.node: is no DNS name" },
	{ "spec.node", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
	  "at most 63 bytes" },
	{ "spec.number", NULL, "spec.number: must be a whole number from 1 to 65535" },
	{ "spec.number", "0", "from 1 to 65535" },
	{ "spec.number", "65536", "from 1 to 65535" },
	{ "spec.number", "-7", "from 1 to 65535" },
	{ "spec.number", "7.0", "must be a whole number" },
	{ "spec.number", "\"7\"", "must be a whole number" },
	{ "spec.issued", NULL, "spec.issued: must be a string" },
	{ "spec.issued", "1795608000000", "spec.issued: must be a string" },
	{ "spec.issued", "\"2026-11-25T12:00:00Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2026-11-25T12:00:00.0000Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2026-11-25T12:00:00.000+00:00\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2026-11-25 12:00:00.000Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2026-02-29T12:00:00.000Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2026-13-25T12:00:00.000Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2026-11-25T24:00:00.000Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2026-11-25T12:00:60.000Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"1969-12-31T23:59:59.999Z\"", "spec.issued: is no time" },
	{ "spec.issued", "\"2200-01-01T00:00:00.000Z\"", "spec.issued: is no time" },
	{ "spec.keys", NULL, "must be a list of 1 to 2 keys" },
	{ "spec.keys", "[]", "must be a list of 1 to 2 keys" },
	{ "spec.keys", "{}", "must be a list of 1 to 2 keys" },
	{ "spec.keys", "[1, 2, 3]", "must be a list of 1 to 2 keys" },
	{ "spec.keys.0", "1", "spec.keys[0]: must be an object" },
	{ "spec.keys.1", "null", "spec.keys[1]: must be an object" },
	{ "spec.keys.0.private", "1", "spec.keys[0]: unknown field \"private\"" },
	{ "spec.keys.0.parity", "2", "spec.keys[0].parity: must be a whole number from 0 to 1" },
	{ "spec.keys.0.parity", "true", "spec.keys[0].parity: must be a whole number" },
	{ "spec.keys.1.publicKey", NULL, "spec.keys[1].publicKey: must be a string" },
	{ "spec.keys.0.publicKey", "\"\"", "spec.keys[0].publicKey: must have 32 bytes" },
	{ "spec.keys.0.publicKey", "\"AAAA\"", "spec.keys[0].publicKey: must have 32 bytes" },
	{ "spec.keys.0.publicKey", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
	  "is not base64" },
	{ "spec.keys.0.publicKey", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
	  "has more than 32 bytes" },
	{ "spec.keys.0.publicKey", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
	  "has more than 32 bytes" },
	{ "spec.keys.0.publicKey", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\"",
	  "is not base64 in its one spelling" },
	{ "spec.keys.0.publicKey", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_A==\"",
	  "is not base64" },
	{ "spec.keys.0.publicKey", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\\n=\"",
	  "is not base64" },
	{ "spec.keys.0.publicKey", "\" AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
	  "is not base64" },
	{ "spec.keys.0.notBefore", NULL, "spec.keys[0].notBefore: must be a string" },
	{ "spec.keys.0.active", "\"soon\"", "spec.keys[0].active: is no time" },
	{ "spec.keys.1.notAfter", "null", "spec.keys[1].notAfter: must be a string" },
	{ "spec.certificates", NULL, "must be a list of 1 to 8 certificates" },
	{ "spec.certificates", "[]", "must be a list of 1 to 8 certificates" },
	{ "spec.certificates", "[1,2,3,4,5,6,7,8,9]", "must be a list of 1 to 8 certificates" },
	{ "spec.certificates.0", "1", "spec.certificates[0]: must be a string" },
	{ "spec.certificates.0", "\"\"", "spec.certificates[0]: is not one certificate" },
	{ "spec.certificates.0", "\"AAAA\"", "spec.certificates[0]: is not one certificate" },
	{ "spec.certificates.0", "\"A A=\"", "spec.certificates[0]: is not base64" },
	{ "spec.signature", NULL, "spec.signature: must be a string" },
	{ "spec.signature", "\"\"", "spec.signature: is empty" },
	{ "spec.signature", "\"AA\"", "spec.signature: is not base64" },
	{ "spec.signature", "[]", "spec.signature: must be a string" },
};

static char *good_text(void)
{
	struct node_record *record = node_record_make("example.org");
	struct node_ca ca;
	struct svid *svid;
	char *text;

	node_ca_make("example.org", &ca);
	svid = node_svid_make(&ca, "host-a", NULL);
	text = node_record_signed_text(record, svid);
	svid_free(svid);
	node_record_free(record);
	node_ca_done(&ca);
	return text;
}

static void expect(const char *text, size_t length, const char *what, const char *part)
{
	struct credential_error error = { "" };
	struct node_record *record = NULL;
	enum node_flaw flaw = node_record_parse(text, length, &record, &error);

	cr_expect_eq(flaw, NODE_FLAW_MALFORMED, "%s: %s", what, node_flaw_name(flaw));
	cr_expect_null(record, "%s", what);
	cr_expect_not_null(strstr(error.text, part), "%s: \"%s\" lacks \"%s\"", what, error.text,
			   part);
	node_record_free(record);
}

/* Changes what @path names. */
static void change(json_t *root, const struct json_case *c)
{
	_cleanup_free_ char *path = strdup(c->path);
	json_t *value = c->value ? json_loads(c->value, JSON_DECODE_ANY, NULL) : NULL;
	char *name = path, *dot;

	cr_assert(!c->value || value, "%s", c->value);
	for (; (dot = strchr(name, '.')); name = dot + 1) {
		*dot = '\0';
		root = json_is_array(root) ? json_array_get(root, atoi(name))
					   : json_object_get(root, name);
	}
	if (json_is_array(root))
		cr_assert_eq(json_array_set_new(root, atoi(name), value), 0);
	else if (value)
		cr_assert_eq(json_object_set_new(root, name, value), 0);
	else
		cr_assert_eq(json_object_del(root, name), 0, "%s", c->path);
}

Test(node_malformed, one_member_changed)
{
	_cleanup_free_ char *good = good_text();

	cr_assert_geq(ARRAY_SIZE(json_cases), CASES_MIN);
	for (size_t i = 0; i < ARRAY_SIZE(json_cases); i++) {
		json_t *root = json_loads(good, 0, NULL);
		_cleanup_free_ char *text = NULL;

		change(root, &json_cases[i]);
		text = json_dumps(root, 0);
		expect(text, strlen(text), json_cases[i].path, json_cases[i].part);
		json_decref(root);
	}
}

/* What is no change of a member: @from becomes @to in the text. */
Test(node_malformed, text_changed)
{
	static const struct {
		const char *from, *to, *part;
	} cases[] = {
		{ "\"number\": 7", "\"number\": 7, \"number\": 7", "no JSON: duplicate" },
		{ "\"node\"", "\"node\": \"x\", \"node\"", "no JSON: duplicate" },
		{ "\"number\": 7", "\"number\": 007", "no JSON" },
		{ "\"number\": 7", "\"number\": 7e0", "must be a whole number" },
		{ "host-a", "host\\u0000-a", "no JSON" },
		{ "host-a", "host\xff-a", "no JSON" },
		{ "}", "", "no JSON" },
		{ "{", "", "no JSON" },
		{ "\"spec\"", "spec", "no JSON" },
		{ "example.org\",", "example.org\"", "no JSON" },
	};
	_cleanup_free_ char *good = good_text();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;
		char *at = strstr(good, cases[i].from);

		cr_assert_not_null(at, "%s", cases[i].from);
		cr_assert_gt(asprintf(&text, "%.*s%s%s", (int)(at - good), good, cases[i].to,
				      at + strlen(cases[i].from)),
			     0);
		expect(text, strlen(text), cases[i].to, cases[i].part);
	}
}

Test(node_malformed, length)
{
	_cleanup_free_ char *good = good_text(), *text = calloc(1, NODE_RECORD_BYTES_MAX + 2);
	struct node_record *record = NULL;
	size_t n = strlen(good);

	/* Cut anywhere. */
	for (size_t i = 0; i < n; i += 7)
		expect(good, i, "cut", "no JSON");
	memset(text, ' ', NODE_RECORD_BYTES_MAX + 1);
	memcpy(text, good, n);
	expect(text, NODE_RECORD_BYTES_MAX + 1, "long", "has more than 65536 bytes");
	cr_expect_eq(node_record_parse(text, NODE_RECORD_BYTES_MAX, &record, NULL), NODE_FLAW_NONE);
	node_record_free(record);
	text[n] = 'x';
	expect(text, n + 1, "garbage behind", "no JSON");
}

/* Two certificates in one place, and a certificate with one byte more. */
Test(node_malformed, certificates)
{
	struct node_ca ca;
	uint8_t *der = NULL, twice[8192];
	int n;

	node_ca_make("example.org", &ca);
	n = i2d_X509(ca.certificate, &der);
	memcpy(twice, der, n);
	memcpy(twice + n, der, n);
	for (int length = n + 1; length <= 2 * n; length += n - 1) {
		_cleanup_free_ char *good = good_text(), *text = NULL;
		char value[12000] = "\"";
		json_t *root = json_loads(good, 0, NULL);

		EVP_EncodeBlock((unsigned char *)value + 1, twice, length);
		strcat(value, "\"");
		change(root, &(struct json_case){ "spec.certificates.0", value, "" });
		text = json_dumps(root, 0);
		expect(text, strlen(text), "certificates", "is not one certificate in DER");
		json_decref(root);
	}
	OPENSSL_free(der);
	node_ca_done(&ca);
}

/* Whatever bit is changed: refused as unreadable, or the signature is wrong, or it was white
 * space and what was read is the same. */
Test(node_malformed, any_byte)
{
	_cleanup_free_ char *good = good_text();
	size_t n = strlen(good);

	srandom(11);
	for (size_t i = 0; i < 2000; i++) {
		size_t at = random() % n;
		char before = good[at];
		struct node_record *record = NULL;

		good[at] ^= 1 << random() % 7;
		if (node_record_parse(good, n, &record, NULL) == NODE_FLAW_NONE) {
			_cleanup_free_ char *again = node_record_format(record);

			good[at] = before;
			cr_assert_not_null(again);
			cr_expect(streq(again, good) || !node_record_verify(record), "byte %zu",
				  at);
		}
		node_record_free(record);
		good[at] = before;
	}
}
