/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit: what just fits is taken, one more is refused with the limit's name. */
#include "test_policy.h"
#include "user/policy/yaml.h"

#include <stdarg.h>

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define ONE WORKLOAD "metadata: {name: w, namespace: shop}\nspec: {cgroup: w}\n"

/* Manifests that grow. */
struct text {
	char *text;
	size_t length;
	FILE *stream;
};

static void text_open(struct text *t)
{
	t->stream = open_memstream(&t->text, &t->length);
	cr_assert_not_null(t->stream);
}

static void text_close(struct text *t)
{
	if (t->stream)
		fclose(t->stream);
	t->stream = NULL;
	free(t->text);
	t->text = NULL;
}

/* Parses and compiles what was written; returns the compile's result. */
static int compile_text(struct compiled *c, struct text *t)
{
	fclose(t->stream);
	t->stream = NULL;
	compiled_parse(c, "test.yaml", t->text);
	cr_assert_eq(c->r, 0, "%s", c->errors.n ? c->errors.item[0].message : "");
	compiled_compile(c);
	return c->r;
}

/* The first error names all of @names. */
static void expect_error(const struct compiled *c, const char *names, ...)
{
	const char *name = names;
	va_list args;

	cr_assert_eq(c->errors.n, 1);
	va_start(args, names);
	for (; name; name = va_arg(args, const char *))
		cr_expect_not_null(strstr(c->errors.item[0].message, name), "no \"%s\" in \"%s\"",
				   name, c->errors.item[0].message);
	va_end(args);
}

/* Writes what the n-th element of a test is. */
typedef void (*write_fn)(FILE *f, size_t i);

struct limit_case {
	const char *head;
	write_fn element;
	const char *tail;
	size_t fits; /* elements */
	const char *names[4]; /* in the error */
};

static void write_port(FILE *f, size_t i)
{
	fprintf(f, "%s{ports: [{port: %zu}]}", i ? "," : "", i + 1);
}

static void write_peer_rule(FILE *f, size_t i)
{
	if (i % 200 == 0)
		fprintf(f,
			WORKLOAD
			"metadata: {name: w%04zu, namespace: n%04zu}\nspec: {cgroup: w%04zu}\n" POLICY
			"metadata: {name: p%04zu, namespace: n%04zu}\nspec:\n  subject: {}\n"
			"  ingress:\n",
			i, i, i, i, i);
	fprintf(f, "  - {from: [{serviceAccounts: [{name: a%zu}]}]}\n", i);
}

static void write_local(FILE *f, size_t i)
{
	fprintf(f, WORKLOAD "metadata: {name: w%zu}\nspec: {cgroup: w%zu}\n", i, i);
}

static void write_name(FILE *f, size_t i)
{
	fprintf(f, WORKLOAD "metadata: {name: w%zu}\nspec: {serviceAccount: s%zu}\n", i, i);
}

static void write_ruleset(FILE *f, size_t i)
{
	fprintf(f,
		WORKLOAD
		"metadata: {name: w%04zu, namespace: n%04zu}\nspec: {cgroup: w%04zu}\n" POLICY
		"metadata: {name: p, namespace: n%04zu}\n"
		"spec: {subject: {}, ingress: [{ports: [{port: 1}]}]}\n",
		i, i, i, i);
}

/* Each workload matches one selector of its own, so each has a bitmap of its own. */
static void write_bitmap(FILE *f, size_t i)
{
	write_peer_rule(f, i);
	if (i % 200 == 199)
		for (size_t w = i - 199; w <= i; w++)
			fprintf(f,
				WORKLOAD "metadata: {name: v%zu, namespace: n%04zu}\n"
					 "spec: {serviceAccount: a%zu}\n",
				w, w / 200 * 200, w);
}

static void write_class(FILE *f, size_t i)
{
	if (i % 1000 == 0)
		fprintf(f, "%s{from: [{cidrs: [{cidr: 10.0.0.0/8}", i ? "]}]}," : "");
	fprintf(f, ",{cidr: 10.%zu.%zu.0/24}", i / 256, i % 256);
}

static const struct limit_case limits[] = {
	{ ONE POLICY "metadata: {name: p, namespace: shop}\nspec: {subject: {}, ingress: [",
	  write_port,
	  "]}\n",
	  CS_RULES_MAX,
	  { "256", "CS_RULES_MAX", "shop/p", "shop/w" } },
	{ "",
	  write_peer_rule,
	  "",
	  CS_SELECTORS_MAX,
	  { "4096", "CS_SELECTORS_MAX", "n4000/p4000", "n4000/w4000" } },
	{ "", write_local, "", CS_WORKLOADS_USABLE, { "1022", "CS_WORKLOADS_MAX" } },
	{ "", write_name, "", CS_NAMES_MAX - 1, { "32768", "CS_NAMES_MAX" } },
	{ "", write_ruleset, "", CS_RULESETS_MAX - 1, { "512", "CS_RULESETS_MAX", "n0511/w0511" } },
	{ ONE POLICY "metadata: {name: p, namespace: shop}\nspec: {subject: {}, ingress: [",
	  write_class,
	  "]}]}]}\n",
	  CS_CLASSES_MAX - 2,
	  { "16383", "CS_CLASSES_MAX", "shop/p" } },
};

static void write_case(const struct limit_case *l, size_t n, FILE *f)
{
	fputs(l->head, f);
	for (size_t i = 0; i < n; i++)
		l->element(f, i);
	fputs(l->tail, f);
}

ParameterizedTestParameters(policy_limits, limit)
{
	static size_t index[ARRAY_SIZE(limits)];

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, ARRAY_SIZE(limits));
}

ParameterizedTest(const size_t *index, policy_limits, limit)
{
	const struct limit_case *l = &limits[*index];
	struct text text = { 0 };
	_compiled_ fits, more;

	compiled_init(&fits);
	text_open(&text);
	write_case(l, l->fits, text.stream);
	cr_expect_eq(compile_text(&fits, &text), 0, "%s: %s", l->names[1],
		     fits.errors.n ? fits.errors.item[0].message : "");
	text_close(&text);

	compiled_init(&more);
	text_open(&text);
	write_case(l, l->fits + 1, text.stream);
	cr_expect_eq(compile_text(&more, &text), -ENOSPC, "%s", l->names[1]);
	expect_error(&more, l->names[0], l->names[1], l->names[2], l->names[3], NULL);
	text_close(&text);
}

/* 4,096 selectors give 4,096 rows, but row 0 is the empty one: one too many. */
Test(policy_limits, bitmaps)
{
	struct text text = { 0 };
	_compiled_ c;

	compiled_init(&c);
	text_open(&text);
	for (size_t i = 0; i < 4000; i++)
		write_bitmap(text.stream, i);
	cr_assert_eq(compile_text(&c, &text), 0);
	cr_expect_eq(c.image->n_bitmaps, 4001);
	text_close(&text);

	text_open(&text);
	fprintf(text.stream,
		WORKLOAD "metadata: {name: z, namespace: z}\nspec: {cgroup: z}\n" POLICY
			 "metadata: {name: z, namespace: z}\nspec:\n  subject: {}\n"
			 "  ingress:\n");
	for (size_t i = 0; i < 96; i++)
		fprintf(text.stream, "  - {from: [{serviceAccounts: [{name: z%zu}]}]}\n", i);
	for (size_t i = 0; i < 96; i++)
		fprintf(text.stream,
			WORKLOAD
			"metadata: {name: z%zu, namespace: z}\nspec: {serviceAccount: z%zu}\n",
			i, i);
	cr_assert_eq(compile_text(&c, &text), -ENOSPC);
	expect_error(&c, "4096", "CS_BITMAPS_MAX", NULL);
	cr_expect_eq(c.errors.item[0].file && c.errors.item[0].line > 0, 1);
	text_close(&text);
}

/* A named port that every peer numbers otherwise. */
Test(policy_limits, named_ports_count_as_rules)
{
	struct text text = { 0 };
	_compiled_ c;

	compiled_init(&c);
	text_open(&text);
	fputs(ONE POLICY "metadata: {name: p, namespace: shop}\n"
			 "spec: {subject: {}, egress: [{ports: [{port: http}]}]}\n",
	      text.stream);
	for (size_t i = 0; i <= CS_RULES_MAX; i++)
		fprintf(text.stream,
			WORKLOAD "metadata: {name: w%zu}\nspec: {ports: [{name: http, port: "
				 "%zu}]}\n",
			i, i + 1);
	cr_assert_eq(compile_text(&c, &text), -ENOSPC);
	expect_error(&c, "CS_RULES_MAX", "shop/p", "shop/w", NULL);
	text_close(&text);
}

/* The last good image is untouched when the next does not fit. */
Test(policy_limits, the_last_image_stays)
{
	const struct image *before;
	struct text text = { 0 };
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, ONE);
	before = c.image;
	text_open(&text);
	write_case(&limits[0], CS_RULES_MAX + 1, text.stream);
	fclose(text.stream);
	text.stream = NULL;
	compiled_parse(&c, "test.yaml", text.text + strlen(ONE));
	cr_assert_eq(c.r, 0);
	compiled_compile(&c);
	cr_assert_eq(c.r, -ENOSPC);
	cr_expect_eq(c.image, before);
	cr_expect_not_null(image_workload(c.image, "shop/w"));
	text_close(&text);
}

/* 10,000 policies and 10,000 identities: within seconds, also under ASan. */
Test(policy_limits, many_policies, .timeout = 60)
{
	struct judged flow = { "n7/w", CS_INGRESS, "n7/p3", IPPROTO_TCP, 80, .verified = false };
	struct text text = { 0 };
	_compiled_ c;

	compiled_init(&c);
	text_open(&text);
	for (int i = 0; i < 10000; i++)
		fprintf(text.stream,
			POLICY "metadata: {name: p%d, namespace: n%d}\nspec: {subject: "
			       "{selector: {matchLabels: {app: a%d}}}, ingress: [{from: "
			       "[{selector: {matchLabels: {app: p%d}}}]}]}\n",
			i, i % 1000, i / 1000, i / 1000 + 3);
	for (int i = 0; i < 10000; i++)
		fprintf(text.stream,
			WORKLOAD "metadata: {name: p%d, namespace: n%d, labels: {app: p%d, "
				 "id: x%d}}\n",
			i / 1000, i % 1000, i / 1000, i);
	fputs(WORKLOAD "metadata: {name: w, namespace: n7, labels: {app: a0}}\nspec: {cgroup: w}\n",
	      text.stream);
	cr_assert_eq(compile_text(&c, &text), 0);
	cr_expect_eq(c.image->n_policies, 10000);
	cr_expect_eq(c.image->n_selectors, 1, "only what this node needs");
	cr_expect_eq(judge(c.image, &flow).verdict, CS_VERDICT_ALLOW);
	flow.peer = "n7/p4";
	cr_expect_eq(judge(c.image, &flow).verdict, CS_VERDICT_DENY);
	flow.peer = "n8/p3";
	cr_expect_eq(judge(c.image, &flow).verdict, CS_VERDICT_DENY);
	text_close(&text);
}

/* A document of more nodes than any manifest needs, and a file larger than is read. */
Test(policy_limits, yaml)
{
	static const char start[] = "a: [";
	size_t n = YAML_NODES_MAX + 8, size = YAML_SIZE_MAX + 1;
	char *text = malloc(size);
	_compiled_ c;

	cr_assert_not_null(text);
	compiled_init(&c);
	memcpy(text, start, strlen(start));
	for (size_t i = 0; i < n; i++)
		memcpy(text + strlen(start) + 2 * i, "x,", 2);
	cr_expect_eq(policy_set_parse(c.set, "many.yaml", text, strlen(start) + 2 * n, &c.errors),
		     -EBADMSG);
	expect_error(&c, "more than 1000000 nodes in one document", NULL);
	policy_errors_done(&c.errors);
	memset(text, '\n', size);
	cr_expect_eq(policy_set_parse(c.set, "large.yaml", text, size, &c.errors), -EBADMSG);
	expect_error(&c, "is larger than 67108864 bytes", NULL);
	cr_expect_eq(c.errors.item[0].line, 0, "it is about the whole file");
	free(text);
}
