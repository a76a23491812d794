/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help, man pages and shell completion say the same: all is compared with the option
 * tables, through `countersign help --dump` and countersignd's help.
 */
#include <ctype.h>
#include <libgen.h>

#include "test_cli_server.h"
#include "user/agent/options.h"

#define FILE_MAX (256 << 10)
#define WORDS_MAX 128

/* Words that begin with "--", sorted and without duplicates. */
struct words {
	char *word[WORDS_MAX];
	size_t n;
};

static void words_add(struct words *words, const char *text, size_t length)
{
	for (size_t i = 0; i < words->n; i++)
		if (strlen(words->word[i]) == length && strncmp(words->word[i], text, length) == 0)
			return;
	cr_assert_lt(words->n, WORDS_MAX);
	words->word[words->n++] = strndup(text, length);
}

static bool words_have(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->n; i++)
		if (streq(words->word[i], word))
			return true;
	return false;
}

static void words_done(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->word[i]);
	words->n = 0;
}

/* Every long option that stands between @text and @end. */
static struct words options_in(const char *text, const char *end)
{
	struct words words = { 0 };

	while (text < end && (text = memmem(text, (size_t)(end - text), "--", 2))) {
		size_t length = 2;

		while (text + length < end &&
		       (isalnum((unsigned char)text[length]) || text[length] == '-'))
			length++;
		if (length > 2 && isalpha((unsigned char)text[2]))
			words_add(&words, text, length);
		text += length;
	}
	return words;
}

static void expect_same(const struct words *want, const struct words *got, const char *where)
{
	for (size_t i = 0; i < want->n; i++)
		cr_expect(words_have(got, want->word[i]), "%s lacks %s", where, want->word[i]);
	for (size_t i = 0; i < got->n; i++)
		cr_expect(words_have(want, got->word[i]), "%s tells of %s, which is none", where,
			  got->word[i]);
}

/* A file of the source tree; man pages' escaped dashes become plain. */
static char *source_file(const char *name)
{
	const char *root = getenv("COUNTERSIGN_SOURCE");
	char here[] = __FILE__, path[4096], *text, *to;
	FILE *f;
	size_t n;

	if (root)
		snprintf(path, sizeof(path), "%s/%s", root, name);
	else
		snprintf(path, sizeof(path), "%s/../../%s", dirname(here), name);
	f = fopen(path, "r");
	cr_assert_not_null(f, "%s: %m (run from the source root, or set COUNTERSIGN_SOURCE)", path);
	text = calloc(1, FILE_MAX);
	n = fread(text, 1, FILE_MAX - 1, f);
	cr_assert(n > 0 && n < FILE_MAX - 1, "%s", path);
	fclose(f);
	to = text;
	for (const char *from = text; *from; from++)
		if (from[0] != '\\' || from[1] != '-')
			*to++ = *from;
	*to = '\0';
	return text;
}

/* The dump's options of @verb ("" for the common ones). */
static struct words dumped_options(const char *verb)
{
	struct outcome o = run_cli("help", "--dump");
	struct words words = { 0 };
	char *save, *line, start[64];

	cr_assert_eq(o.code, CLI_OK);
	snprintf(start, sizeof(start), "option\t%s\t", verb);
	for (line = strtok_r(o.out, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (startswith(line, start))
			words_add(&words, line + strlen(start),
				  strcspn(line + strlen(start), "\t"));
	outcome_done(&o);
	return words;
}

/* Where the man page's part on @verb begins; *@ret_end is where it ends. */
static const char *man_part(const char *man, const char *verb, const char **ret_end)
{
	char title[64];
	const char *start;

	snprintf(title, sizeof(title), "\n.SS %s\n", verb);
	start = strstr(man, title);
	cr_assert_not_null(start, "countersign.1 says nothing of %s", verb);
	start += strlen(title);
	*ret_end = strstr(start, "\n.S");
	if (!*ret_end)
		*ret_end = start + strlen(start);
	return start;
}

Test(cli_docs, dump_knows_every_verb)
{
	struct outcome o = run_cli("help", "--dump");

	for (size_t i = 0; i < cli_n_verbs; i++) {
		char line[64];

		snprintf(line, sizeof(line), "verb\t%s\t", cli_verbs[i]->name);
		expect_in(o.out, line);
	}
	expect_in(o.out, "option\tflows\t--follow\t-f\t\n");
	expect_in(o.out, "option\tflows\t--last\t\tN\n");
	expect_in(o.out, "option\t\t--state\t\tDIR\n");
	expect_in(o.out, "option\t(cluster)\t--namespace\t-n\tNS\n");
	expect_not_in(o.out, "--dump");
	outcome_done(&o);
}

Test(cli_docs, man_page_has_every_option)
{
	char *man = source_file("docs/man/countersign.1");

	for (size_t i = 0; i < cli_n_verbs; i++) {
		const char *end, *part = man_part(man, cli_verbs[i]->name, &end);
		struct words want = dumped_options(cli_verbs[i]->name), got = options_in(part, end);

		expect_same(&want, &got, cli_verbs[i]->name);
		words_done(&want);
		words_done(&got);
	}
	free(man);
}

Test(cli_docs, man_page_has_the_common_options)
{
	char *man = source_file("docs/man/countersign.1");
	const char *start = strstr(man, ".SH OPTIONS"), *end = strstr(man, ".SH CLUSTERS");
	struct words want = dumped_options(""), got;

	cr_assert(start && end);
	got = options_in(start, end);
	expect_same(&want, &got, "OPTIONS");
	words_done(&want);
	words_done(&got);
	free(man);
}

Test(cli_docs, man_page_has_the_options_of_clusters)
{
	char *man = source_file("docs/man/countersign.1");
	const char *start = strstr(man, ".SH CLUSTERS"), *end = strstr(man, ".SH VERBS");
	struct words want = dumped_options("(cluster)"), got;

	cr_assert(start && end);
	got = options_in(start, end);
	expect_same(&want, &got, "CLUSTERS");
	words_done(&want);
	words_done(&got);
	free(man);
}

Test(cli_docs, man_page_has_no_other_verbs)
{
	char *man = source_file("docs/man/countersign.1");

	for (const char *at = man; (at = strstr(at, "\n.SS ")); at++) {
		char *name = strndup(at + 5, strcspn(at + 5, "\n"));

		cr_expect(cli_find_verb(name), "countersign.1 tells of a verb %s", name);
		free(name);
	}
	free(man);
}

Test(cli_docs, completion_has_every_option)
{
	char *script = source_file("tools/completion/countersign.bash");

	for (size_t i = 0; i < cli_n_verbs; i++) {
		const char *line, *quote = strchr(cli_verbs[i]->name, ' ') ? "'" : "";
		char case_label[64];
		struct words want = dumped_options(cli_verbs[i]->name), got = { 0 };

		snprintf(case_label, sizeof(case_label), "\n\t%s%s%s) printf", quote,
			 cli_verbs[i]->name, quote);
		line = strstr(script, case_label);
		if (line)
			got = options_in(line + 1, strchrnul(line + 1, '\n'));
		expect_same(&want, &got, cli_verbs[i]->name);
		words_done(&want);
		words_done(&got);
	}
	free(script);
}

/* The words of the line "name='...'" of the script. */
static char *script_list(const char *script, const char *name)
{
	char start[64];
	const char *line;

	snprintf(start, sizeof(start), "local %s='", name);
	line = strstr(script, start);
	cr_assert_not_null(line, "%s", start);
	line += strlen(start);
	return strndup(line, strcspn(line, "'"));
}

/* How many verbs the script's list offers; a group's word stands for its own list. */
static size_t offered_verbs(const char *script, const char *list, const char *group)
{
	char *verbs = script_list(script, list), *save, *word;
	size_t n = 0;

	for (word = strtok_r(verbs, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char name[128];

		if (!*group && cli_is_group(word)) {
			snprintf(name, sizeof(name), "%s_verbs", word);
			n += offered_verbs(script, name, word);
			continue;
		}
		snprintf(name, sizeof(name), "%s%s%s", group, *group ? " " : "", word);
		cr_expect(cli_find_verb(name), "the completion offers %s", name);
		n++;
	}
	free(verbs);
	return n;
}

Test(cli_docs, completion_has_every_verb)
{
	char *script = source_file("tools/completion/countersign.bash");

	cr_expect_eq(offered_verbs(script, "verbs", ""), cli_n_verbs);
	free(script);
}

static void expect_list(const char *script, const char *name, const char *verb)
{
	char *list = script_list(script, name);
	struct words want = dumped_options(verb), got = options_in(list, list + strlen(list));

	expect_same(&want, &got, name);
	words_done(&want);
	words_done(&got);
	free(list);
}

Test(cli_docs, completion_has_the_common_options)
{
	char *script = source_file("tools/completion/countersign.bash");

	expect_list(script, "common", "");
	expect_list(script, "cluster", "(cluster)");
	free(script);
}

/* The function that says which verbs take the options of clusters. */
Test(cli_docs, completion_knows_who_asks_an_agent)
{
	char *script = source_file("tools/completion/countersign.bash");
	const char *start = strstr(script, "_countersign_asks_agent() {"), *end;

	cr_assert_not_null(start);
	end = strstr(start, "\n}");
	cr_assert_not_null(end);
	for (size_t i = 0; i < cli_n_verbs; i++) {
		const char *name = cli_verbs[i]->name;
		char quoted[64], first[64], last[64];
		bool found;

		snprintf(quoted, sizeof(quoted), "'%s'", name);
		snprintf(first, sizeof(first), " %s |", name);
		snprintf(last, sizeof(last), " %s)", name);
		found = memmem(start, end - start, quoted, strlen(quoted)) ||
			memmem(start, end - start, first, strlen(first)) ||
			memmem(start, end - start, last, strlen(last));
		cr_expect_eq(found, cli_verbs[i]->asks_agent, "%s", name);
	}
	free(script);
}

struct verb_name {
	char name[32];
};

ParameterizedTestParameters(cli_docs, help_of_verb)
{
	static struct verb_name names[64];

	cr_assert_leq(cli_n_verbs, ARRAY_SIZE(names));
	for (size_t i = 0; i < cli_n_verbs; i++)
		snprintf(names[i].name, sizeof(names[i].name), "%s", cli_verbs[i]->name);
	return cr_make_param_array(struct verb_name, names, cli_n_verbs);
}

ParameterizedTest(struct verb_name *v, cli_docs, help_of_verb)
{
	char words[sizeof(v->name)], *second;
	struct outcome by_option, by_verb;
	struct words own = dumped_options(v->name), common = dumped_options("");
	struct words cluster = dumped_options("(cluster)");
	struct words got;

	strcpy(words, v->name);
	second = strchr(words, ' ');
	if (second)
		*second++ = '\0';
	by_option = second ? run_cli(words, second, "--help") : run_cli(words, "--help");
	by_verb = second ? run_cli("help", words, second) : run_cli("help", words);
	got = options_in(by_option.out, by_option.out + strlen(by_option.out));
	cr_expect_eq(by_option.code, CLI_OK);
	cr_expect_str_eq(by_option.out, by_verb.out);
	expect_in(by_option.out, cli_find_verb(v->name)->description);
	for (size_t i = 0; i < common.n; i++)
		words_add(&own, common.word[i], strlen(common.word[i]));
	for (size_t i = 0; i < cluster.n && cli_find_verb(v->name)->asks_agent; i++)
		words_add(&own, cluster.word[i], strlen(cluster.word[i]));
	expect_same(&own, &got, v->name);
	words_done(&own);
	words_done(&common);
	words_done(&cluster);
	words_done(&got);
	outcome_done(&by_option);
	outcome_done(&by_verb);
}

Test(cli_docs, help_lists_every_verb)
{
	struct outcome o = run_cli("--help");

	cr_expect_eq(o.code, CLI_OK);
	for (size_t i = 0; i < cli_n_verbs; i++) {
		expect_in(o.out, cli_verbs[i]->name);
		expect_in(o.out, cli_verbs[i]->description);
	}
	outcome_done(&o);
}

Test(cli_docs, options_fit_the_table)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		cr_expect_leq(cli_verbs[i]->n_options, (size_t)CLI_OPTIONS_MAX, "%s",
			      cli_verbs[i]->name);
}

Test(cli_docs, agent_man_page_has_every_option)
{
	char *man = source_file("docs/man/countersignd.8"), *help = NULL;
	const char *start = strstr(man, ".SH OPTIONS"), *end = strstr(man, ".SH SIGNALS");
	struct words want, got;
	size_t length;
	FILE *out = open_memstream(&help, &length);

	cr_assert(start && end && out);
	options_help(out);
	fclose(out);
	want = options_in(help, help + length);
	got = options_in(start, end);
	cr_expect_gt(want.n, 8, "countersignd's help lists its options");
	expect_same(&want, &got, "countersignd.8");
	words_done(&want);
	words_done(&got);
	free(help);
	free(man);
}
