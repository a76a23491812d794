/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints docs/reasons.md from the lists of reasons.h, or with the argument policy-codes
 * docs/policy-codes.md from lint_codes.h: `make docs` writes them, `make check` compares.
 */
#include <countersign/reasons.h>
#include <stdio.h>
#include <string.h>

#include "user/policy/lint_codes.h"

struct row {
	int number;
	const char *name; /* of the constant, without its prefix */
	const char *column[3]; /* what else the list says */
};

struct table {
	const char *head; /* of the page's section, with its columns */
	const struct row *rows;
	size_t n_rows;
	int columns;
};

#define X(num, name, desc, text, remedy) { num, #name, { text, remedy, desc } },
static const struct row reasons[] = { CS_REASONS(X) };
#undef X

#define X(num, name, level, text) { num, #name, { level, text } },
static const struct row auths[] = { CS_AUTHS(X) };
#undef X

#define X(num, name, metric, text) { num, #name, { metric, text } },
static const struct row stats[] = { CS_STATS(X) };
#undef X

#define ROWS(array) (array), sizeof(array) / sizeof((array)[0])

static const struct table tables[] = {
	{
		"## Why a verdict fell\n\n"
		"Every verdict has one reason; it is the same number in events, counters and\n"
		"texts. The last column is Hubble's `drop_reason_desc`.\n\n"
		"| number | reason | meaning | remedy | Hubble |\n|--:|---|---|---|---|\n",
		ROWS(reasons),
		3,
	},
	{
		"## How the peer is known\n\n"
		"`authentication` is what people see; only `verified` rests on a MAC.\n\n"
		"| number | name | authentication | meaning |\n|--:|---|---|---|\n",
		ROWS(auths),
		2,
	},
	{
		"## What is counted beside verdicts\n\n"
		"| number | name | metric | meaning |\n|--:|---|---|---|\n",
		ROWS(stats),
		2,
	},
};

static void print_table(const struct table *table)
{
	printf("\n%s", table->head);
	for (size_t i = 0; i < table->n_rows; i++) {
		const struct row *row = &table->rows[i];

		printf("| %d | `%s` |", row->number, row->name);
		for (int c = 0; c < table->columns; c++)
			printf(row->column[c][0] ? " %s |" : "%s |", row->column[c]);
		printf("\n");
	}
}

static void print_codes(void)
{
	static const char *const severities[] = {
		[LINT_INFO] = "info",
		[LINT_WARNING] = "warning",
		[LINT_ERROR] = "error",
	};

	printf("<!-- Made by `make docs` from user/policy/lint_codes.h: do not edit. -->\n"
	       "# Codes of `countersign policy check`\n\nA code is never reused; "
	       "`countersign policy codes` lists them too.\n");
#define X(code, name, severity, title, why, remedy)                                               \
	printf("\n## " code "\n\n**%s: " title ".** Why it matters: " why ". What to do: " remedy \
	       ".\n",                                                                             \
	       severities[LINT_##severity]);
	LINT_CODES(X)
#undef X
}

static void print_reasons(void)
{
	printf("<!-- Made by `make docs` from include/countersign/reasons.h: do not edit. -->\n"
	       "# Reasons\n\nA number is never reused.\n");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		print_table(&tables[i]);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "policy-codes") == 0)
		print_codes();
	else
		print_reasons();
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
