/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints docs/reasons.md from the lists of reasons.h, with the argument policy-codes
 * docs/policy-codes.md from lint_codes.h, or with conditions docs/conditions.md from
 * condition_list.h: `make docs` writes them, `make check` compares.
 */
#include <countersign/reasons.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "user/kube/condition_list.h"
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

static const char conditions_head[] =
	"<!-- Made by `make docs` from user/kube/condition_list.h: do not edit. -->\n"
	"# Conditions and Events\n\n"
	"What a cluster is told. Every agent writes one `NodeReport`, named after its node; the one that\n"
	"holds the Lease `countersign-leader` reads them and writes the conditions of policies. All of it is\n"
	"for people and for what waits on conditions: enforcement depends on none of it.\n\n"
	"- `Realized` is `True` only while every node has said that it enforces this very generation; wait for\n"
	"  it with `kubectl wait --for=condition=Realized identitypolicy/NAME`, which looks at\n"
	"  `observedGeneration`, too.\n"
	"- Every Node counts but those labelled `countersign.dev/agent=none`. A node without an agent, or one\n"
	"  that was not heard of for 15 minutes (reports come every 5), makes it `Unknown` once all others\n"
	"  enforce; not in a leader's first 45 seconds, as the API server may have been away for all. A report without a Node of its name counts for nothing; it is the Node's dependent and goes\n"
	"  with it.\n"
	"- An agent that ends leaves in force what was in force. So a node counts on while it is silent for a\n"
	"  while, but for a newer generation it never does before its agent is back and says so.\n"
	"- IdentityPolicy and ClusterIdentityPolicy have `status.realized` (\"2/3\"), `status.subjects` and both\n"
	"  conditions. ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy have the\n"
	"  conditions under the types `countersign.dev/Accepted` and `countersign.dev/Realized`, as others may\n"
	"  write there, too. A NetworkPolicy has no status in the API: when it is refused there is an Event.\n"
	"- A status is written by server-side apply (field manager `countersign`), when it differs from what\n"
	"  the API server has: at once when a verdict changes, every ten seconds for progress, 50 a second at\n"
	"  most. `Realized` is not said to be `False` in the first second of a generation.\n"
	"- The same Event about the same object within ten minutes is one with a count; an object gets 25 at\n"
	"  once and one more every five minutes.\n";

static const char *status_word(const char *status)
{
	return strcmp(status, "TRUE") == 0    ? "True"
	       : strcmp(status, "FALSE") == 0 ? "False"
					      : "Unknown";
}

static void print_condition(const char *type, const char *status, const char *reason,
			    const char *meaning, const char *remedy)
{
	printf("| `%c", type[0]);
	for (size_t i = 1; type[i]; i++)
		putchar(tolower((unsigned char)type[i]));
	printf("` | %s | `%s` | %s |%s%s |\n", status_word(status), reason, meaning,
	       remedy[0] ? " " : "", remedy);
}

static void print_conditions(void)
{
	printf("%s", conditions_head);
	printf("\n## Types\n\n| type | of | `True` means |\n|---|---|---|\n");
#define X(name, text, of, meaning) printf("| `" text "` | " of " | " meaning " |\n");
	CONDITION_TYPES(X)
#undef X
	printf("\n## Reasons\n\n| type | status | reason | meaning | remedy |\n|---|---|---|---|---|\n");
#define X(name, text, type, status, meaning, remedy) \
	print_condition(#type, #status, text, meaning, remedy);
	CONDITION_REASONS(X)
#undef X
	printf("\n## Events\n\n| reason | type | about | meaning |\n|---|---|---|---|\n");
#define X(name, text, type, action, regarding, meaning) \
	printf("| `" text "` | " type " | " regarding " | " meaning " |\n");
	EVENT_REASONS(X)
#undef X
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "policy-codes") == 0)
		print_codes();
	else if (argc > 1 && strcmp(argv[1], "conditions") == 0)
		print_conditions();
	else
		print_reasons();
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
