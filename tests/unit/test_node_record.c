/* SPDX-License-Identifier: Apache-2.0 */
/* Node records: signed, written, read, judged. */
#include <criterion/criterion.h>
#include <openssl/sha.h>

#include "test_node.h"
#include "user/credential/node_sign.h"

struct fixture {
	struct node_ca ca;
	struct bundles bundles;
	struct bundle *bundle[2];
	struct node_trust trust;
	struct svid *svid;
	struct node_record *record;
};

static struct fixture f;

static void start(void)
{
	node_ca_make("example.org", &f.ca);
	f.bundle[0] = f.ca.bundle;
	f.bundles = (struct bundles){ f.bundle, 1 };
	f.trust = (struct node_trust){ &f.bundles, NULL, NOON_MS, NODE_SKEW_MS };
	f.svid = node_svid_make(&f.ca, "host-a", NULL);
	f.record = node_record_make("example.org");
}

static void stop(void)
{
	node_record_free(f.record);
	svid_free(f.svid);
	node_ca_done(&f.ca);
}

TestSuite(node_record, .init = start, .fini = stop);

static void sign(void)
{
	struct credential_error error = { "" };

	cr_assert_eq(node_record_sign(f.record, f.svid, &error), 0, "%s", error.text);
}

/* What the judge says of the record, signed as it is now. */
static void expect(enum node_flaw flaw, const char *part)
{
	struct credential_error error = { "" };
	enum node_flaw got;

	sign();
	got = node_record_judge(f.record, &f.trust, &error);
	cr_expect_eq(got, flaw, "%s: %s", node_flaw_name(got), error.text);
	cr_expect_not_null(strstr(error.text, part), "\"%s\" lacks \"%s\"", error.text, part);
}

/* The bytes that docs/wire.md describes, written down once more. */
Test(node_record, signed_bytes)
{
	uint8_t bytes[NODE_SIGNED_MAX], expected[NODE_SIGNED_MAX] = { 0 }, *at = expected;
	static const uint8_t head[] = { 'c', 'o', 'u', 'n', 't', 'e', 'r', 's', 'i', 'g', 'n', ' ',
					'n', 'o', 'd', 'e', ' ', 'r', 'e', 'c', 'o', 'r', 'd', ' ',
					'1', 0, 11, 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'o',
					'r', 'g', 0, 6, 'h', 'o', 's', 't', '-', 'a', 0, 7,
					/* 2026-11-25T12:00:00.000Z */
					0, 0, 0x01, 0xa2, 0x12, 0x93, 0xb6, 0,
					/* two keys, the first of parity 1 */
					2, 1, 0x11, 0x22, 0x33 };
	uint8_t *der = NULL;
	size_t n;
	int length;

	sign();
	n = node_record_signed(f.record, bytes);
	cr_assert_eq(n, 25 + 2 + 11 + 2 + 6 + 2 + 8 + 1 + 2 * (1 + 32 + 24) + 1 + 32);
	memcpy(at, head, sizeof(head));
	cr_expect_eq(memcmp(bytes, expected, sizeof(head)), 0);
	for (size_t i = 0; i < 3; i++) {
		const int64_t times[] = { NOON_MS, NOON_MS + 60000, NOON_MS + HOUR_MS };
		size_t first = 25 + 2 + 11 + 2 + 6 + 2 + 8 + 1 + 1 + 32 + 8 * i;
		uint64_t value = 0;

		for (size_t j = 0; j < 8; j++)
			value = value << 8 | bytes[first + j];
		cr_expect_eq((int64_t)value, times[i]);
	}
	cr_expect_eq(bytes[n - 33], 1, "one certificate");
	length = i2d_X509(f.svid->leaf, &der);
	SHA256(der, length, expected);
	cr_expect_eq(memcmp(bytes + n - 32, expected, 32), 0);
	OPENSSL_free(der);
}

/* Written, read and written again: the same text, and still good. */
static void round_trip(void)
{
	struct credential_error error = { "" };
	struct node_record *again = NULL;
	char *text = node_record_signed_text(f.record, f.svid), *text2;

	cr_assert_eq(node_record_parse(text, strlen(text), &again, &error), NODE_FLAW_NONE, "%s",
		     error.text);
	cr_assert_eq(node_record_judge(again, &f.trust, &error), NODE_FLAW_NONE, "%s", error.text);
	text2 = node_record_format(again);
	cr_expect_str_eq(text, text2);
	cr_expect_str_eq(again->name, "host-a");
	cr_expect_str_eq(again->trust_domain, "example.org");
	cr_expect_eq(again->number, 7);
	cr_expect_eq(again->issued_ms, f.record->issued_ms);
	cr_expect_eq(again->n_keys, f.record->n_keys);
	cr_expect_eq(memcmp(again->key, f.record->key, sizeof(again->key)), 0);
	cr_expect_null(again->svid->key, "no private key in a record");
	free(text);
	free(text2);
	node_record_free(again);
}

Test(node_record, every_algorithm)
{
	static const char *const algorithms[] = { "P-256", "P-384", "RSA", "ED25519", "ED448" };

	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		struct node_svid_options options = { .algorithm = algorithms[i] };

		svid_free(f.svid);
		f.svid = node_svid_make(&f.ca, "host-a", &options);
		round_trip();
	}
}

Test(node_record, one_key_and_an_intermediate)
{
	struct node_ca below;
	struct node_svid_options options = { .through = &below };

	node_ca_make_below(&f.ca, &below);
	svid_free(f.svid);
	f.svid = node_svid_make(&f.ca, "host-a", &options);
	f.record->n_keys = 1;
	memset(&f.record->key[1], 0, sizeof(f.record->key[1]));
	round_trip();
	node_ca_done(&below);
}

Test(node_record, needs_a_private_key)
{
	struct credential_error error = { "" };
	EVP_PKEY *key = f.svid->key;

	f.svid->key = NULL;
	cr_expect_eq(node_record_sign(f.record, f.svid, &error), -EINVAL);
	cr_expect_not_null(strstr(error.text, "no private key"));
	f.svid->key = key;
}

/* Not one bit of what is signed, nor of the signature, can change. */
Test(node_record, any_change_breaks_the_signature)
{
	struct {
		void *at;
		size_t n;
	} fields[] = {
		{ f.record->trust_domain, 4 },
		{ f.record->name, 4 },
		{ &f.record->number, sizeof(f.record->number) },
		{ &f.record->issued_ms, sizeof(f.record->issued_ms) },
		{ &f.record->key[0].parity, 1 },
		{ f.record->key[0].public_key, NODE_KEY_BYTES },
		{ &f.record->key[0].not_before_ms, sizeof(int64_t) },
		{ &f.record->key[0].active_ms, sizeof(int64_t) },
		{ &f.record->key[1].not_after_ms, sizeof(int64_t) },
		{ f.record->key[1].public_key, NODE_KEY_BYTES },
	};

	sign();
	cr_assert(node_record_verify(f.record));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint8_t *byte = (uint8_t *)fields[i].at + i % fields[i].n;

		*byte ^= 1;
		cr_expect(!node_record_verify(f.record), "field %zu", i);
		*byte ^= 1;
	}
	f.record->n_keys = 1;
	cr_expect(!node_record_verify(f.record));
	f.record->n_keys = 2;
	f.record->signature[f.record->signature_length - 1] ^= 1;
	cr_expect(!node_record_verify(f.record));
	f.record->signature[f.record->signature_length - 1] ^= 1;
	f.record->signature_length--;
	cr_expect(!node_record_verify(f.record));
	f.record->signature_length++;
	cr_expect(node_record_verify(f.record));
}

/* Another certificate of the same node's does not fit the signature, though it is good. */
Test(node_record, another_certificate)
{
	struct svid *other = node_svid_make(&f.ca, "host-a", NULL), *own;
	struct credential_error error = { "" };

	sign();
	own = f.record->svid;
	f.record->svid = other;
	cr_expect_eq(node_record_judge(f.record, &f.trust, &error), NODE_FLAW_SIGNATURE);
	f.record->svid = own;
	svid_free(other);
}

/* ---- what the judge says ---- */

static void use_svid(const char *name, const struct node_svid_options *options)
{
	svid_free(f.svid);
	f.svid = node_svid_make(&f.ca, name, options);
}

Test(node_record, judge_names)
{
	use_svid("host-b", NULL);
	expect(NODE_FLAW_NOT_A_NODE, "/node/host-b");
	use_svid("", &(struct node_svid_options){ .spiffe_id = "spiffe://example.org/ns/a/sa/b" });
	expect(NODE_FLAW_NOT_A_NODE, "/ns/a/sa/b");
	use_svid("", &(struct node_svid_options){
			     .spiffe_id = "spiffe://example.com/countersign/node/host-a" });
	expect(NODE_FLAW_NOT_A_NODE, "example.com");
}

Test(node_record, judge_certificates)
{
	struct node_ca other;

	node_ca_make("example.org", &other);
	f.bundle[0] = other.bundle;
	expect(NODE_FLAW_CERTIFICATE, "UNTRUSTED");
	node_ca_done(&other);
	f.bundles.n = 0;
	f.bundle[0] = f.ca.bundle;
	expect(NODE_FLAW_CERTIFICATE, "UNKNOWN_DOMAIN");
	f.bundles.n = 1;
	use_svid("host-a", &(struct node_svid_options){ .not_after_s = NOON_MS / 1000 - 121 });
	expect(NODE_FLAW_EXPIRED, "");
	use_svid("host-a", &(struct node_svid_options){ .not_after_s = NOON_MS / 1000 - 119 });
	expect(NODE_FLAW_NONE, "");
	use_svid("host-a", &(struct node_svid_options){ .not_before_s = NOON_MS / 1000 + 121 });
	expect(NODE_FLAW_CERTIFICATE, "NOT_YET_VALID");
}

Test(node_record, judge_range)
{
	struct node_ca other;

	f.ca.bundle->node_first = 8;
	f.ca.bundle->node_last = 100;
	expect(NODE_FLAW_NUMBER_RANGE, "8-100");
	f.ca.bundle->node_first = 7;
	expect(NODE_FLAW_NONE, "");
	f.ca.bundle->node_last = 7;
	expect(NODE_FLAW_NONE, "");
	f.ca.bundle->node_first = f.ca.bundle->node_last = 0;
	/* Another domain's range is no longer ours. */
	node_ca_make("example.com", &other);
	other.bundle->node_first = 5;
	other.bundle->node_last = 7;
	f.bundle[1] = other.bundle;
	f.bundles.n = 2;
	expect(NODE_FLAW_NUMBER_RANGE, "example.com has 5-7");
	other.bundle->node_last = 6;
	expect(NODE_FLAW_NONE, "");
	node_ca_done(&other);
}

struct window_case {
	const char *part;
	enum node_flaw flaw;
	int64_t issued, not_before, active, not_after; /* of the newer key, from noon on */
};

Test(node_record, judge_windows)
{
	static const struct window_case cases[] = {
		{ "", NODE_FLAW_NONE, 0, 0, 60000, HOUR_MS },
		{ "", NODE_FLAW_NONE, 0, 0, 0, 1 },
		{ "", NODE_FLAW_NONE, NODE_SKEW_MS, NODE_SKEW_MS, NODE_SKEW_MS, HOUR_MS },
		{ "issued in the future", NODE_FLAW_WINDOW, NODE_SKEW_MS + 1, 0, 0, HOUR_MS },
		{ "made in the future", NODE_FLAW_WINDOW, NODE_SKEW_MS, NODE_SKEW_MS + 1,
		  NODE_SKEW_MS + 1, HOUR_MS },
		{ "before its newest key", NODE_FLAW_WINDOW, -NODE_SKEW_MS - 1, 0, 0, HOUR_MS },
		{ "", NODE_FLAW_NONE, -NODE_SKEW_MS, 0, 0, HOUR_MS },
		{ "over before it is used", NODE_FLAW_WINDOW, 0, 1, 0, HOUR_MS },
		{ "over before it is used", NODE_FLAW_WINDOW, 0, 0, 1000, 1000 },
		{ "over before it is used", NODE_FLAW_WINDOW, 0, 0, 0, 0 },
		{ "lives longer than 7 days", NODE_FLAW_WINDOW, 0, 0, 0,
		  NODE_KEY_LIFETIME_MAX_MS + 1 },
		{ "", NODE_FLAW_NONE, 0, 0, 0, NODE_KEY_LIFETIME_MAX_MS },
		{ "newer key is not the first", NODE_FLAW_WINDOW, 0, -HOUR_MS / 2 - 1, 0, HOUR_MS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct window_case *c = &cases[i];

		f.record->issued_ms = NOON_MS + c->issued;
		f.record->key[0].not_before_ms = NOON_MS + c->not_before;
		f.record->key[0].active_ms = NOON_MS + c->active;
		f.record->key[0].not_after_ms = NOON_MS + c->not_after;
		expect(c->flaw, c->part);
	}
}

Test(node_record, judge_parities_and_ends)
{
	f.record->key[1].parity = 1;
	expect(NODE_FLAW_WINDOW, "both keys have parity 1");
	f.record->key[1].parity = 0;
	f.trust.now_ms = NOON_MS + HOUR_MS + NODE_SKEW_MS - 1;
	expect(NODE_FLAW_NONE, "");
	f.trust.now_ms++;
	expect(NODE_FLAW_KEYS_EXPIRED, "2026-11-25T13:00:00.000Z");
}

/* Also an authority between the bundle and the leaf may be revoked by its number. */
Test(node_record, judge_revocations)
{
	struct node_ca below;
	struct node_svid_options options = { .through = &below, .serial = 0x1f };
	char *serial[] = { "0", "1f" }, between[32];
	struct revocations revocations = { .serials = serial, .n_serials = 2 };

	node_ca_make_below(&f.ca, &below);
	use_svid("host-a", &options);
	f.trust.revocations = &revocations;
	expect(NODE_FLAW_REVOKED, "serial number 1f");
	snprintf(between, sizeof(between), "%lx",
		 ASN1_INTEGER_get(X509_get0_serialNumber(below.certificate)));
	serial[1] = between;
	expect(NODE_FLAW_REVOKED, between);
	revocations.n_serials = 1;
	expect(NODE_FLAW_NONE, "");
	revocations.nodes = (char *[]){ "host-b", "host-a" };
	revocations.n_nodes = 1;
	expect(NODE_FLAW_NONE, "");
	revocations.n_nodes = 2;
	expect(NODE_FLAW_REVOKED, "the node host-a");
	node_ca_done(&below);
}

Test(node_record, issue_times_go_up)
{
	cr_expect_eq(node_record_issue_ms(0, NOON_MS), NOON_MS);
	cr_expect_eq(node_record_issue_ms(NOON_MS, NOON_MS), NOON_MS + 1);
	cr_expect_eq(node_record_issue_ms(NOON_MS, NOON_MS - 5000), NOON_MS + 1);
	cr_expect_eq(node_record_issue_ms(NOON_MS + NODE_SKEW_MS, NOON_MS), NOON_MS,
		     "nobody took that one");
}

Test(node_record, flaws_have_words)
{
	for (int i = NODE_FLAW_NONE + 1; i < NODE_FLAW_MAX; i++) {
		cr_expect(*node_flaw_name(i) && *node_flaw_text(i) && *node_flaw_remedy(i));
	}
	cr_expect_str_eq(node_flaw_name(NODE_FLAW_NUMBER_TAKEN), "NUMBER_TAKEN");
	cr_expect_str_eq(node_flaw_name(NODE_FLAW_MAX), "?");
}
