/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments, and tables for people. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "user/cli/parse.h"
#include "user/cli/table.h"

struct port_case {
	char text[24];
	int port; /* -1: refused */
	char protocol[8];
};

ParameterizedTestParameters(cli_parse, ports)
{
	static struct port_case cases[] = {
		{ "8080/tcp", 8080, "TCP" },
		{ "53/UDP", 53, "UDP" },
		{ "9/sctp", 9, "SCTP" },
		{ "80", 80, "TCP" },
		{ "1/tcp", 1, "TCP" },
		{ "65535/tcp", 65535, "TCP" },
		{ "0/tcp", -1, "" },
		{ "65536/tcp", -1, "" },
		{ "", -1, "" },
		{ "/tcp", -1, "" },
		{ "80/", -1, "" },
		{ "80/icmp", -1, "" },
		{ "-1/tcp", -1, "" },
		{ "+80/tcp", -1, "" },
		{ " 80/tcp", -1, "" },
		{ "0x50/tcp", -1, "" },
		{ "80/tcp/udp", -1, "" },
		{ "80tcp", -1, "" },
		{ "4294967376/tcp", -1, "" },
		{ "99999999999999999999", -1, "" },
	};

	return cr_make_param_array(struct port_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct port_case *c, cli_parse, ports)
{
	struct parse_port port = { 7, "untouched" };
	int r = parse_port(c->text, &port);

	if (c->port < 0) {
		cr_expect_eq(r, -EINVAL, "%s", c->text);
		cr_expect_str_eq(port.protocol, "untouched");
		return;
	}
	cr_assert_eq(r, 0, "%s", c->text);
	cr_expect_eq(port.port, c->port);
	cr_expect_str_eq(port.protocol, c->protocol);
}

Test(cli_parse, workloads)
{
	cr_expect(parse_is_workload("shop/checkout"));
	cr_expect_not(parse_is_workload("checkout"));
	cr_expect_not(parse_is_workload("/checkout"));
	cr_expect_not(parse_is_workload("shop/"));
	cr_expect_not(parse_is_workload("a/b/c"));
	cr_expect_not(parse_is_workload(""));
}

Test(cli_parse, numbers)
{
	unsigned long n = 7;

	cr_expect_eq(parse_count("0", 10, &n), 0);
	cr_expect_eq(n, 0);
	cr_expect_eq(parse_count("10", 10, &n), 0);
	cr_expect_eq(n, 10);
	cr_expect_eq(parse_count("11", 10, &n), -EINVAL);
	cr_expect_eq(parse_count("1 ", 10, &n), -EINVAL);
	cr_expect_eq(n, 10, "touched on failure");
}

Test(cli_parse, formats)
{
	bool json = true;

	cr_expect_eq(parse_format(NULL, "text", &json), 0);
	cr_expect_not(json);
	cr_expect_eq(parse_format("json", "text", &json), 0);
	cr_expect(json);
	cr_expect_eq(parse_format("text", "text", &json), 0);
	cr_expect_not(json);
	cr_expect_eq(parse_format("compact", "text", &json), -EINVAL);
}

static char *print(const struct table *table)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	table_print(table, out);
	fclose(out);
	return text;
}

Test(cli_table, aligns)
{
	struct table *table = table_new((const char *const[]){ "A", "LONG", "C" }, 3);
	char *text;

	table_row(table, (const char *const[]){ "wide cell", NULL, "x" });
	table_row(table, (const char *const[]){ "", "y", "tab\there" });
	text = print(table);
	cr_expect_str_eq(text, "A          LONG  C\n"
			       "wide cell        x\n"
			       "           y     tab?here\n");
	free(text);
	cr_expect_null(table_free(table));
}

Test(cli_table, says_what_it_leaves_out)
{
	struct table *table = table_new((const char *const[]){ "N" }, 1);
	char *text;

	for (int i = 0; i < TABLE_ROWS_MAX + 4; i++)
		table_row(table, (const char *const[]){ "row" });
	text = print(table);
	cr_expect(strstr(text, "(5 more; -o json shows all)"));
	free(text);
	table_free(table);
	cr_expect_null(table_free(NULL));
}
