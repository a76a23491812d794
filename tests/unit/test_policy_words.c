/* SPDX-License-Identifier: Apache-2.0 */
/* The small parsers: names, addresses, prefixes, moments. */
#include <criterion/criterion.h>

#include "user/policy/address.h"
#include "user/policy/moment.h"
#include "user/policy/names.h"

struct name_case {
	const char *(*problem)(const char *text);
	const char *text;
	bool fine;
};

static const struct name_case names[] = {
	{ dns_label_problem, "a", true },
	{ dns_label_problem, "shop-1", true },
	{ dns_label_problem, "1", true },
	{ dns_label_problem, "", false },
	{ dns_label_problem, "-a", false },
	{ dns_label_problem, "a-", false },
	{ dns_label_problem, "a.b", false },
	{ dns_label_problem, "A", false },
	{ dns_subdomain_problem, "a.b-c.d", true },
	{ dns_subdomain_problem, "a..b", false },
	{ dns_subdomain_problem, ".a", false },
	{ dns_subdomain_problem, "a.", false },
	{ label_key_problem, "app", true },
	{ label_key_problem, "kubernetes.io/metadata.name", true },
	{ label_key_problem, "App_1.x", true },
	{ label_key_problem, "/app", false },
	{ label_key_problem, "a/", false },
	{ label_key_problem, "A.b/c", false },
	{ label_key_problem, "-a", false },
	{ label_value_problem, "", true },
	{ label_value_problem, "V1.2_x-3", true },
	{ label_value_problem, "a b", false },
	{ label_value_problem, ".a", false },
	{ port_name_problem, "http", true },
	{ port_name_problem, "8080-x", true },
	{ port_name_problem, "8080", false },
	{ port_name_problem, "a--b", false },
	{ port_name_problem, "abcdefghijklmno", true },
	{ port_name_problem, "abcdefghijklmnop", false },
	{ rule_name_problem, "From_checkout/1.x-y", true },
	{ rule_name_problem, "#1", false },
	{ rule_name_problem, "a b", false },
	{ rule_name_problem, "", false },
	{ remark_problem, "INC-4711: restore of the ledger", true },
	{ remark_problem, "", false },
	{ remark_problem, "a\tb", false },
	{ remark_problem, "a\x7f", false },
	{ cgroup_path_problem, "a", true },
	{ cgroup_path_problem, "shop/checkout.service", true },
	{ cgroup_path_problem, "a/...", true },
	{ cgroup_path_problem, ".", false },
	{ cgroup_path_problem, "a/./b", false },
	{ cgroup_path_problem, "/a", false },
	{ cgroup_path_problem, "a\nb", false },
	{ systemd_unit_problem, "checkout.service", true },
	{ systemd_unit_problem, "user@1000.service", true },
	{ systemd_unit_problem, "a-b.slice", true },
	{ systemd_unit_problem, ".service", false },
	{ systemd_unit_problem, "checkout.socket", false },
	{ systemd_unit_problem, "../checkout.service", false },
};

Test(policy_words, names)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_eq(!names[i].problem(names[i].text), names[i].fine, "\"%s\": %s",
			     names[i].text, names[i].problem(names[i].text) ?: "fine");
}

Test(policy_words, names_have_an_end)
{
	char text[2048];

	memset(text, 'a', sizeof(text));
	text[64] = 0;
	cr_expect_not_null(dns_label_problem(text));
	cr_expect_not_null(label_value_problem(text));
	cr_expect_not_null(label_key_problem(text));
	text[63] = 0;
	cr_expect_null(dns_label_problem(text));
	cr_expect_null(label_value_problem(text));
	memset(text, 'a', sizeof(text));
	text[1025] = 0;
	cr_expect_not_null(cgroup_path_problem(text));
	for (int i = 63; i < 256; i += 64)
		text[i] = '.';
	text[254] = 0;
	cr_expect_not_null(dns_subdomain_problem(text));
	text[253] = 0;
	cr_expect_null(dns_subdomain_problem(text));
}

static struct cs_cidr cidr(const char *text)
{
	struct cs_cidr ret = { 0 };

	cr_assert_null(cidr_parse(text, &ret), "%s", text);
	return ret;
}

Test(policy_words, cidr_round_trip)
{
	static const char *const texts[] = { "0.0.0.0/0",    "10.0.0.0/8", "10.128.0.0/9",
					     "10.1.2.3/32",  "::/0",	   "2001:db8::/32",
					     "fd77::2/128",  "8000::/1",   "::/96",
					     "::fffe:0:0/96" };
	char text[CIDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct cs_cidr prefix = cidr(texts[i]);

		cidr_text(&prefix, text);
		cr_expect_str_eq(text, texts[i]);
	}
	cr_expect_eq(cidr("10.0.0.0/8").prefixlen, 104, "IPv4 prefixes add 96");
}

/* As the Kubernetes API has it, whose prefixes may have host bits. */
Test(policy_words, cidr_masked)
{
	struct cs_cidr masked = { 0 }, plain = cidr("10.0.0.0/8");

	cr_assert_null(cidr_parse_masked("10.1.2.3/8", &masked));
	cr_expect_arr_eq(&masked, &plain, sizeof(plain));
	cr_assert_null(cidr_parse_masked("fd00::1/16", &masked));
	plain = cidr("fd00::/16");
	cr_expect_arr_eq(&masked, &plain, sizeof(plain));
	cr_expect_not_null(cidr_parse_masked("10.1.2.3", &masked));
	cr_expect_not_null(cidr_parse_masked("10.1.2.3/33", &masked));
	cr_expect_not_null(cidr_parse_masked("::ffff:10.0.0.1/104", &masked));
}

Test(policy_words, any_text_becomes_a_rule_name)
{
	static const struct {
		const char *text, *name;
	} fits[] = {
		{ "allow-dns", "allow-dns" },
		{ "Allow DNS", "Allow-DNS" },
		{ "a/b.c_d", "a/b.c_d" },
		{ "#1: the first", "1-the-first" },
		{ "..a", "a" },
		{ "a (b) c", "a-b-c" },
		{ "caf\xc3\xa9 2", "caf-2" },
		{ "ends?!", "ends" },
		{ "", "" },
		{ "\xe2\x9c\x93", "" },
	};
	char name[RULE_NAME_MAX + 1], many[2 * RULE_NAME_MAX + 1] = "";

	for (size_t i = 0; i < ARRAY_SIZE(fits); i++) {
		rule_name_fit(fits[i].text, name);
		cr_expect_str_eq(name, fits[i].name, "\"%s\": \"%s\"", fits[i].text, name);
		cr_expect(!*name || !rule_name_problem(name));
	}
	memset(many, 'x', sizeof(many) - 1);
	rule_name_fit(many, name);
	cr_expect_eq(strlen(name), RULE_NAME_MAX);
	cr_expect_null(rule_name_problem(name));
}

Test(policy_words, cidr_covers)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} pairs[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", true },
		{ "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.1.0.0/16", "10.0.0.0/8", false },
		{ "10.0.0.0/8", "11.0.0.0/16", false },
		{ "0.0.0.0/0", "255.255.255.255/32", true },
		{ "::/0", "10.0.0.0/8", false },
		{ "::/0", "0.0.0.0/0", false },
		{ "0.0.0.0/0", "2001:db8::/32", false },
		{ "2001:db8::/32", "2001:db8:1::/48", true },
		{ "2001:db8::/33", "2001:db8:8000::/48", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct cs_cidr outer = cidr(pairs[i].outer), inner = cidr(pairs[i].inner);

		cr_expect_eq(cidr_covers(&outer, &inner), pairs[i].covers, "%s and %s",
			     pairs[i].outer, pairs[i].inner);
	}
}

Test(policy_words, address)
{
	struct cs_addr addr;

	cr_assert_null(address_parse("10.77.0.2", &addr));
	cr_expect_eq(memcmp(addr.byte, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\0\x02", 16), 0);
	cr_expect_not(address_is_loopback(&addr));
	cr_assert_null(address_parse("127.3.2.1", &addr));
	cr_expect(address_is_loopback(&addr));
	cr_assert_null(address_parse("::1", &addr));
	cr_expect(address_is_loopback(&addr));
	cr_assert_null(address_parse("::2", &addr));
	cr_expect_not(address_is_loopback(&addr));
	cr_expect_not_null(address_parse("010.0.0.1", &addr));
	cr_expect_not_null(address_parse("10.0.1", &addr));
	cr_expect_not_null(address_parse("fe80::1%eth0", &addr));
	cr_expect_not_null(address_parse("", &addr));
}

static const struct {
	const char *text;
	int64_t seconds;
	uint32_t ns;
} moments[] = {
	{ "1970-01-01T00:00:00Z", 0, 0 },
	{ "2026-12-31T00:00:00Z", 1798675200, 0 },
	{ "2000-02-29T12:34:56Z", 951827696, 0 },
	{ "2000-03-01T00:00:00Z", 951868800, 0 },
	{ "2100-03-01T00:00:00Z", 4107542400, 0 },
	{ "1969-12-31T23:59:59Z", -1, 0 },
	{ "0001-01-01T00:00:00Z", -62135596800, 0 },
	{ "9999-12-31T23:59:59Z", 253402300799, 0 },
	{ "2026-01-01T02:00:00+02:00", 1767225600, 0 },
	{ "2025-12-31T18:30:00-05:30", 1767225600, 0 },
	{ "2026-01-01T00:00:00.5Z", 1767225600, 500000000 },
	{ "2026-01-01T00:00:00.1234567899Z", 1767225600, 123456789 },
};

Test(policy_words, moments)
{
	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		struct moment moment = { 0 };

		cr_expect_null(moment_parse(moments[i].text, &moment), "%s", moments[i].text);
		cr_expect_eq(moment.seconds, moments[i].seconds, "%s: %ld", moments[i].text,
			     (long)moment.seconds);
		cr_expect_eq(moment.ns, moments[i].ns, "%s", moments[i].text);
		cr_expect(moment.set);
	}
}

Test(policy_words, no_moments)
{
	static const char *const texts[] = {
		"",
		"2026",
		"2026-12-31",
		"2026-12-31 00:00:00Z",
		"2026-12-31t00:00:00Z",
		"2026-12-31T00:00:00z",
		"2026-12-31T00:00:00",
		"2026-12-31T00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-12-31T24:00:00Z",
		"2026-12-31T00:60:00Z",
		"2026-12-31T00:00:60Z",
		"2026-12-31T00:00:00.Z",
		"2026-12-31T00:00:00+2",
		"2026-12-31T00:00:00Zx",
		"0000-12-31T00:00:00Z",
		"-026-12-31T00:00:00Z",
	};
	struct moment moment = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_not_null(moment_parse(texts[i], &moment), "%s", texts[i]);
	cr_expect_not(moment.set);
}

Test(policy_words, moments_on_the_boot_clock)
{
	struct moment moment = { .seconds = 1000, .ns = 5, .set = true }, never = { 0 };
	const uint64_t second = 1000000000;

	cr_expect_eq(moment_boottime(&never, 0, 0), 0);
	cr_expect_eq(moment_boottime(&moment, 990 * second, 7 * second), 17 * second + 5);
	cr_expect_eq(moment_boottime(&moment, 1000 * second + 5, 7 * second), 1, "just now");
	cr_expect_eq(moment_boottime(&moment, 2000 * second, 7 * second), 1);
	moment.seconds = -62135596800;
	cr_expect_eq(moment_boottime(&moment, 2000 * second, 7 * second), 1);
	moment.seconds = 253402300799;
	cr_expect_eq(moment_boottime(&moment, 2000 * second, 7 * second), INT64_MAX,
		     "the evaluator compares values below 2^63");
}
