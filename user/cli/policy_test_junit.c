/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test results as JUnit's XML, as CI systems read it: one suite per PolicyTest, one test
 * case per case, with file and line so that a failure is shown at its place.
 */
#include "user/cli/policy_test.h"
#include "user/cli/policy_words.h"

#define SECONDS(ns) ((double)(ns) / 1e9)

/* Text inside an attribute or element. Characters that XML 1.0 does not have become '?'. */
static void put_xml(FILE *out, const char *text)
{
	static const struct {
		char character;
		const char *entity;
	} entities[] = {
		{ '&', "&amp;" },  { '<', "&lt;" },   { '>', "&gt;" },
		{ '"', "&quot;" }, { '\n', "&#10;" }, { '\t', "&#9;" },
	};
	size_t n;

	for (; *text; text += MAX(n, (size_t)1)) {
		const char *entity = NULL;

		n = policy_utf8_length(text);
		for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
			if (*text == entities[i].character)
				entity = entities[i].entity;
		if (entity)
			fputs(entity, out);
		else if (!n || (uint8_t)*text < ' ' || *text == 0x7f ||
			 strncmp(text, "\xef\xbf\xbe", 3) == 0 ||
			 strncmp(text, "\xef\xbf\xbf", 3) == 0)
			fputc('?', out);
		else
			fwrite(text, 1, n, out);
	}
}

static void put_attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	put_xml(out, value);
	fputc('"', out);
}

static void put_place(FILE *out, const struct place *place)
{
	put_attribute(out, "file", place->file);
	fprintf(out, " line=\"%u\"", place->line);
}

/* What a person needs to understand the failure, below its one-line message. */
static void put_details(FILE *out, const struct case_result *result)
{
	const struct policy_case *c = result->wanted;
	_cleanup_free_ char *by = policy_decider_text(result->rule, result->reason);

	put_xml(out, c->from);
	fprintf(out, " -&gt; ");
	put_xml(out, c->to);
	fprintf(out, " port %u/%s\n", result->port, policy_protocol_word(c->protocol));
	if (result->outcome == CASE_FAILED) {
		fprintf(out, "got %s ", case_verdict_word(result->verdict));
		put_xml(out, by ?: "");
		fputc('\n', out);
	}
	for (int d = CS_DIRECTIONS - 1; d >= 0; d--) {
		if (!result->trace[d])
			continue;
		fprintf(out, "%s: ", policy_direction_word((unsigned int)d));
		put_xml(out, result->trace[d]);
		fputc('\n', out);
	}
}

static void put_case(FILE *out, const char *class, const struct case_result *result)
{
	static const char *const elements[] = {
		[CASE_FAILED] = "failure",
		[CASE_ERROR] = "error",
	};
	const char *element = elements[result->outcome];

	fprintf(out, "    <testcase");
	put_attribute(out, "classname", class);
	put_attribute(out, "name", result->wanted->name);
	put_place(out, &result->wanted->place);
	fprintf(out, " time=\"%.6f\"", SECONDS(result->took_ns));
	if (!element) {
		fprintf(out, "/>\n");
		return;
	}
	fprintf(out, ">\n      <%s", element);
	put_attribute(out, "message", result->message);
	fputc('>', out);
	put_details(out, result);
	fprintf(out, "</%s>\n    </testcase>\n", element);
}

/* The attributes that suites and their whole have in common. */
static void put_counts(FILE *out, const size_t count[static CASE_ERROR + 1], uint64_t ns)
{
	fprintf(out,
		" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" time=\"%.6f\">\n",
		count[CASE_PASSED] + count[CASE_FAILED] + count[CASE_ERROR], count[CASE_FAILED],
		count[CASE_ERROR], SECONDS(ns));
}

static uint64_t time_of(const struct test_report *report, size_t count[static CASE_ERROR + 1])
{
	uint64_t ns = 0;

	for (size_t i = 0; i < report->n; i++) {
		count[report->results[i].outcome]++;
		ns += report->results[i].took_ns;
	}
	return ns;
}

static int put_suite(FILE *out, const struct test_report *report)
{
	_cleanup_free_ char *name = test_report_name(report);
	size_t count[CASE_ERROR + 1] = { 0 };
	uint64_t ns = time_of(report, count);

	if (!name)
		return CLI_FAILED;
	fprintf(out, "  <testsuite");
	put_attribute(out, "name", name);
	put_place(out, &report->test->place);
	put_counts(out, count, ns);
	for (size_t i = 0; i < report->n; i++)
		put_case(out, name, &report->results[i]);
	fprintf(out, "  </testsuite>\n");
	return CLI_OK;
}

int test_report_junit(const struct cli *cli, const struct test_run *run)
{
	size_t ignored[CASE_ERROR + 1] = { 0 };
	uint64_t ns = 0;
	int r = CLI_OK;

	for (size_t i = 0; i < run->n; i++)
		ns += time_of(&run->reports[i], ignored);
	fprintf(cli->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	put_attribute(cli->out, "name", "countersign policy test");
	put_counts(cli->out, run->count, ns);
	for (size_t i = 0; i < run->n && r == CLI_OK; i++)
		r = put_suite(cli->out, &run->reports[i]);
	fprintf(cli->out, "</testsuites>\n");
	return r;
}
