/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as they come from an API server, pruned in pieces of every size. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "user/kube/prune.h"

#define KEPT_MAX 4096
#define TEXTS_MAX 16

struct told {
	char *text[TEXTS_MAX]; /* NULL: too large */
	bool item[TEXTS_MAX];
	size_t n;
};

static int on_text(void *arg, bool item, const char *text, size_t length)
{
	struct told *told = arg;

	cr_assert_lt(told->n, TEXTS_MAX);
	cr_assert(!text || strlen(text) == length);
	told->item[told->n] = item;
	told->text[told->n++] = text ? strdup(text) : NULL;
	return 0;
}

static void told_done(struct told *told)
{
	for (size_t i = 0; i < told->n; i++)
		free(told->text[i]);
	*told = (struct told){ 0 };
}

/* In two pieces, the first of @split bytes. */
static int run(const struct kube_field *fields, const char *text, size_t split, size_t max,
	       struct told *told)
{
	struct kube_pruner *pruner;
	int r;

	cr_assert_eq(kube_pruner_new(fields, max, on_text, told, &pruner), 0);
	r = kube_pruner_feed(pruner, text, split);
	if (r == 0)
		r = kube_pruner_feed(pruner, text + split, strlen(text) - split);
	if (r == 0 && !kube_pruner_idle(pruner))
		r = -EAGAIN;
	kube_pruner_free(pruner);
	return r;
}

static void gives(const struct kube_field *fields, const char *text, const char *const *wanted)
{
	for (size_t split = 0; split <= strlen(text); split++) {
		struct told told = { 0 };
		size_t n = 0;

		cr_assert_eq(run(fields, text, split, KEPT_MAX, &told), 0, "%zu of %s", split,
			     text);
		for (; wanted[n]; n++) {
			cr_assert_lt(n, told.n);
			cr_assert_str_eq(told.text[n], wanted[n], "split at %zu", split);
		}
		cr_assert_eq(told.n, n);
		told_done(&told);
	}
}

#define POD                                                                                          \
	"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-1\",\"namespace\":"    \
	"\"t\",\"uid\":\"e0\",\"resourceVersion\":\"7\",\"creationTimestamp\":\"2026-11-25T\","      \
	"\"labels\":{\"app\":\"we\\\"b\",\"b/c.d\":\"\"},\"annotations\":{\"note\":\"\\u003cb\"},"   \
	"\"managedFields\":[{\"manager\":\"kubectl\",\"fieldsV1\":{\"f:metadata\":{\"f:x\":{}}}}]}," \
	"\"spec\":{\"volumes\":[{\"name\":\"v\",\"projected\":{\"sources\":[]}}],\"containers\":"    \
	"[{\"name\":\"a\",\"env\":[{\"name\":\"X\",\"value\":\"{}[],:\"}],\"ports\":[{"              \
	"\"containerPort\":80}]},{\"name\":\"b\",\"resources\":{}}],\"priority\":-0.5e+3},"          \
	"\"status\":{\"phase\":\"Running\",\"podIPs\":null}}"

Test(kube_prune, a_pod_at_every_split)
{
	static const char *const fields[] = { "metadata.labels", "spec.containers[].ports",
					      "status.podIPs", NULL };
	static const char *const wanted[] = {
		"{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
		"\"metadata\":{\"name\":\"web-1\",\"namespace\":\"t\",\"resourceVersion\":\"7\","
		"\"labels\":{\"app\":\"we\\\"b\",\"b/c.d\":\"\"},\"annotations\":{}},"
		"\"spec\":{\"containers\":[{\"ports\":[{\"containerPort\":80}]},{}]},"
		"\"status\":{\"podIPs\":null}}}",
		"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\","
		"\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}},\"spec\":{}}}",
		NULL,
	};
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;

	cr_assert_eq(kube_fields_event(fields, &field), 0);
	gives(field,
	      "{\"type\":\"ADDED\",\"object\":" POD "}\n"
	      "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\","
	      "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}},\"spec\":{\"a\":[]}}}\r\n",
	      wanted);
}

Test(kube_prune, all_but_managed_fields)
{
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;
	struct told told = { 0 };
	json_t *whole = json_loads(POD, 0, NULL), *pruned;

	cr_assert_eq(kube_fields_new(NULL, &field), 0);
	cr_assert_eq(run(field, POD, 0, KEPT_MAX, &told), 0);
	cr_assert_eq(told.n, 1);
	pruned = json_loads(told.text[0], 0, NULL);
	json_object_del(json_object_get(whole, "metadata"), "managedFields");
	cr_expect(json_equal(whole, pruned));
	json_decref(whole);
	json_decref(pruned);
	told_done(&told);
}

Test(kube_prune, a_list_item_by_item)
{
	static const char *const fields[] = { "data", NULL };
	static const char *const wanted[] = {
		"{\"metadata\":{\"name\":\"a\"},\"data\":{\"x\":[[1],[2,[3]]]}}",
		"{\"metadata\":{\"name\":\"b\"}}",
		"{\"kind\":\"L\",\"items\":[],\"metadata\":{\"resourceVersion\":\"5\",\"continue\":"
		"\"abc\",\"remainingItemCount\":3}}",
		NULL,
	};
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;

	cr_assert_eq(kube_fields_list(fields, &field), 0);
	gives(field,
	      "{ \"kind\" : \"L\", \"items\": [ {\"metadata\":{\"name\":\"a\",\"items\":[1]},\"data\":"
	      "{\"x\":[[1],[2,[3]]]}} ,{\"metadata\":{\"name\":\"b\"},\"z\":{}}],\"x\":[{}],"
	      "\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"abc\",\"remainingItemCount\":3}}",
	      wanted);
}

Test(kube_prune, a_name_with_escapes_is_the_same_name)
{
	static const char *const fields[] = { "spec", NULL };
	static const char *const wanted[] = { "{\"sp\\u0065c\":1}", NULL };
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;

	cr_assert_eq(kube_fields_new(fields, &field), 0);
	gives(field, "{\"sp\\u0065c\":1,\"sp\\u0066c\":2}", wanted);
}

static const char *const broken[] = {
	"[]",
	"1",
	"\"a\"",
	"}",
	"{]",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{\"a\":[1,]}",
	"{,}",
	"{\"a\":[,]}",
	"{\"a\" 1}",
	"{\"a\":1 \"b\":2}",
	"{a:1}",
	"{\"a\":01}",
	"{\"a\":1.}",
	"{\"a\":.5}",
	"{\"a\":1e}",
	"{\"a\":1e+}",
	"{\"a\":-}",
	"{\"a\":+1}",
	"{\"a\":1.5.5}",
	"{\"a\":tru}",
	"{\"a\":nulll}",
	"{\"a\":True}",
	"{\"a\":\"\t\"}",
	"{\"a\":\"\\x\"}",
	"{\"a\":\"\\u12g4\"}",
	"{\"a\":[1}}",
	"{\"a\":{\"b\":1]}",
	"{\"a\":1}}",
	"{\"a\":'b'}",
	"{\"a\n\":1}",
	"{\"a\":1}x",
};

/* Whether @text is refused both where it is kept and where it is dropped. */
static void refused(const char *text)
{
	static const char *const kept[] = { "a", NULL }, *const dropped[] = { "b", NULL };

	for (int i = 0; i < 2; i++) {
		_cleanup_(kube_field_freep) struct kube_field *field = NULL;
		struct told told = { 0 };

		cr_assert_eq(kube_fields_new(i ? kept : dropped, &field), 0);
		cr_expect_eq(run(field, text, 0, KEPT_MAX, &told), -EBADMSG, "%s", text);
		told_done(&told);
	}
}

Test(kube_prune, what_is_no_json_is_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		refused(broken[i]);
}

static char *nested(unsigned int depth)
{
	char *text = malloc(2 * depth + 16), *p = text + sprintf(text, "{\"a\":");

	memset(p, '[', depth - 1);
	memset(p + depth - 1, ']', depth - 1);
	strcpy(p + 2 * (depth - 1), "}");
	return text;
}

Test(kube_prune, nesting_has_a_limit)
{
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;
	_cleanup_free_ char *fits = nested(KUBE_DEPTH_MAX), *deep = nested(KUBE_DEPTH_MAX + 1);
	struct told told = { 0 };

	cr_assert_eq(kube_fields_new(NULL, &field), 0);
	cr_expect_eq(run(field, fits, 0, KEPT_MAX, &told), 0);
	refused(deep);
	told_done(&told);
}

/* What is dropped has no limit; what is kept has one for each item. */
Test(kube_prune, size_has_a_limit)
{
	static const char *const fields[] = { "a", NULL };
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;
	_cleanup_free_ char *text = NULL, *long_one = calloc(1, KEPT_MAX + 1);
	struct told told = { 0 };

	memset(long_one, 'x', KEPT_MAX);
	cr_assert_eq(kube_fields_list(fields, &field), 0);
	cr_assert_gt(asprintf(&text,
			      "{\"items\":[{\"b\":\"%s\",\"a\":1},{\"a\":\"%s\"},{\"a\":2}]}",
			      long_one, long_one),
		     0);
	cr_assert_eq(run(field, text, 0, KEPT_MAX, &told), 0);
	cr_assert_eq(told.n, 4);
	cr_expect_str_eq(told.text[0], "{\"a\":1}");
	cr_expect_null(told.text[1]);
	cr_expect_str_eq(told.text[2], "{\"a\":2}");
	cr_expect_str_eq(told.text[3], "{\"items\":[]}");
	cr_expect(told.item[2] && !told.item[3]);
	told_done(&told);
}

Test(kube_prune, a_wanted_name_has_a_limit_only_where_names_matter)
{
	static const char *const fields[] = { "a", NULL };
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;
	_cleanup_free_ char *name = calloc(1, KUBE_NAME_MAX + 1), *kept = NULL, *dropped = NULL;
	struct told told = { 0 };

	memset(name, 'n', KUBE_NAME_MAX);
	cr_assert_eq(kube_fields_new(fields, &field), 0);
	cr_assert_gt(asprintf(&kept, "{\"%s\":1}", name), 0);
	cr_assert_gt(asprintf(&dropped, "{\"b\":{\"%s\":1}}", name), 0);
	cr_expect_eq(run(field, kept, 0, KEPT_MAX, &told), -EBADMSG);
	cr_expect_eq(run(field, dropped, 0, KEPT_MAX, &told), 0);
	told_done(&told);
}

static int stop(void *arg, bool item, const char *text, size_t length)
{
	(void)item;
	(void)text;
	(void)length;
	++*(int *)arg;
	return -ECANCELED;
}

Test(kube_prune, the_owner_may_stop)
{
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;
	struct kube_pruner *pruner;
	int times = 0;

	cr_assert_eq(kube_fields_new(NULL, &field), 0);
	cr_assert_eq(kube_pruner_new(field, KEPT_MAX, stop, &times, &pruner), 0);
	cr_expect_eq(kube_pruner_feed(pruner, "{}{}", 4), -ECANCELED);
	cr_expect_eq(times, 1);
	kube_pruner_free(pruner);
}

Test(kube_prune, paths)
{
	static const char *const overlapping[] = { "spec.a.b", "spec", "spec.c", "m.x\\.y.z",
						   NULL };
	static const char *const bad[] = { ".a", "a..b" };
	static const char *const wanted[] = { "{\"spec\":{\"q\":1},\"m\":{\"x.y\":{\"z\":2}}}",
					      NULL };
	_cleanup_(kube_field_freep) struct kube_field *field = NULL;

	cr_assert_eq(kube_fields_new(overlapping, &field), 0);
	gives(field, "{\"spec\":{\"q\":1},\"m\":{\"x\":{\"y\":1},\"x.y\":{\"z\":2,\"w\":3}}}",
	      wanted);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *const paths[] = { bad[i], NULL };
		struct kube_field *none = NULL;

		cr_expect_eq(kube_fields_new(paths, &none), -EINVAL, "%s", bad[i]);
	}
}
