/* SPDX-License-Identifier: Apache-2.0 */
/* What a reflector tells its owner, and asks next, for each thing that a server may do. */
#include <criterion/criterion.h>

#include "tests/unit/test_kube_server.h"

#define FAILS(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"
#define STREAM "sendInitialEvents=true"
#define OBJECT(name, version)                                                                    \
	"\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\",\"resourceVersion\":\"" version \
	"\"}"
#define EVENT(type, name, version) \
	"{\"type\":\"" type        \
	"\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," OBJECT(name, version) "}}\n"
#define END(version)                                                                                       \
	"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"" version \
	"\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define BOOKMARK(version) \
	"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" version "\"}}}\n"
#define GONE                                                                                      \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too old\",\"reason\":" \
	"\"Expired\",\"code\":410}}\n"
#define PAGE(version, next, items)                                                    \
	JSON_200 "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version \
		 "\",\"continue\":\"" next "\"},\"items\":[" items "]}"
#define ITEM(name, version) "{" OBJECT(name, version) "}"

struct owner {
	char told[1024]; /* "begin +a -b synced !trouble" */
	const char *until; /* done when this was told */
	bool done, frees;
	struct kube_reflector *reflector;
};

static void tell(struct owner *owner, const char *mark, const char *text)
{
	size_t n = strlen(owner->told);

	snprintf(owner->told + n, sizeof(owner->told) - n, "%s%s%s", n ? " " : "", mark, text);
	if (owner->until && strstr(owner->told, owner->until))
		owner->done = true;
}

static const char *name_of(const json_t *object)
{
	cr_expect_str_eq(json_string_value(json_object_get(object, "kind")), "Pod");
	cr_expect_str_eq(json_string_value(json_object_get(object, "apiVersion")), "v1");
	return json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
}

static void on_begin(void *arg)
{
	tell(arg, "begin", "");
}

static void on_set(void *arg, json_t *object)
{
	struct owner *owner = arg;

	tell(owner, "+", name_of(object));
	if (owner->frees)
		owner->reflector = kube_reflector_free(owner->reflector);
	owner->done |= owner->frees;
}

static void on_gone(void *arg, json_t *object)
{
	tell(arg, "-", name_of(object));
}

static void on_synced(void *arg)
{
	tell(arg, "synced", "");
}

static void on_trouble(void *arg, const char *text)
{
	tell(arg, "!", text);
}

static const struct kube_reflector_ops ops = { on_begin, on_set, on_gone, on_synced, on_trouble };

static void run(const struct scripted *script, size_t n, bool optional, struct owner *owner,
		struct kube_reflector_stats *stats, struct scripted_server *server)
{
	static const char *const fields[] = { "spec.nodeName", NULL };
	const struct kube_resource resource = { .group = "",
						.version = "v1",
						.plural = "pods",
						.kind = "Pod",
						.optional = optional,
						.fields = fields };
	struct kube_client *client;

	scripted_start(server, script, n);
	client = scripted_client(server);
	cr_assert_eq(kube_reflector_new(client, &resource, &ops, owner, &owner->reflector), 0);
	cr_expect(scripted_run(server, &owner->done, 12000), "told: %s", owner->told);
	if (owner->reflector)
		kube_reflector_stats(owner->reflector, stats);
	kube_reflector_free(owner->reflector);
	kube_client_free(client);
}

static void tells(const struct scripted *script, size_t n, bool optional, const char *told,
		  struct kube_reflector_stats *stats)
{
	struct owner owner = { .until = told };
	struct scripted_server server;

	run(script, n, optional, &owner, stats, &server);
	cr_expect_str_eq(owner.told, told);
	scripted_stop(&server);
}

Test(kube_reflector, a_streaming_list_byte_by_byte)
{
	static const struct scripted script[] = {
		{ STREAM,
		  JSON_200 EVENT("ADDED", "a", "1") EVENT("ADDED", "b", "2") END("5")
			  EVENT("MODIFIED", "a", "6") BOOKMARK("8") EVENT("DELETED", "b", "9"),
		  true, true },
	};
	struct kube_reflector_stats stats;

	tells(script, 1, false, "begin +a +b synced +a -b", &stats);
	cr_expect(stats.served && stats.synced && stats.watching);
	cr_expect_eq(stats.events, 4);
	cr_expect_eq(stats.bookmarks, 2);
	cr_expect_str_eq(stats.resource_version, "9");
}

/* A watch that ends goes on from the last bookmark, at once. */
Test(kube_reflector, resumes)
{
	static const struct scripted script[] = {
		{ STREAM, JSON_200 EVENT("ADDED", "a", "1") END("5") BOOKMARK("7"), false, false },
		{ "&resourceVersion=7 ", JSON_200 EVENT("ADDED", "b", "8"), false, false },
		{ "&resourceVersion=8 ", JSON_200 EVENT("DELETED", "a", "9"), true, false },
	};
	struct kube_reflector_stats stats;

	tells(script, 3, false, "begin +a synced +b -a", &stats);
	cr_expect_eq(stats.lists, 1);
}

Test(kube_reflector, pages_where_streaming_is_refused)
{
	static const char *const refusals[] = { FAILS("400 Bad"), FAILS("422 Invalid"),
						FAILS("403 No"), JSON_200 BOOKMARK("3") };

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct scripted script[] = {
			{ STREAM, refusals[i], false, false },
			{ "pods?limit=500 ", PAGE("5", "a/b=", ITEM("a", "1") "," ITEM("b", "2")),
			  false, true },
			{ "pods?limit=500&continue=a%2Fb%3D ", PAGE("5", "", ITEM("c", "3")), false,
			  false },
			{ "&resourceVersion=5 ", JSON_200 EVENT("DELETED", "a", "6"), true, false },
		};
		struct kube_reflector_stats stats;

		/* The bookmark came after the streaming list seemed to have begun. */
		tells(script, 4, false,
		      i == 3 ? "begin begin +a +b +c synced -a" : "begin +a +b +c synced -a",
		      &stats);
	}
}

Test(kube_reflector, a_page_that_is_forgotten_starts_over)
{
	static const struct scripted script[] = {
		{ STREAM, FAILS("400 Bad"), false, false },
		{ "limit=500 ", PAGE("5", "next", ITEM("a", "1")), false, false },
		{ "continue=next ", FAILS("410 Gone"), false, false },
		{ "limit=500 ", PAGE("9", "", ITEM("b", "2")), false, false },
		{ "&resourceVersion=9 ", JSON_200, true, false },
	};
	struct kube_reflector_stats stats;

	tells(script, 5, false, "begin +a begin +b synced", &stats);
	cr_expect_eq(stats.expired, 1);
}

/* Nothing is told as gone: what the new list does not have, is. */
Test(kube_reflector, an_old_watch_lists_anew)
{
	static const char *const ways[] = { JSON_200 GONE, FAILS("410 Gone") };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct scripted script[] = {
			{ STREAM, JSON_200 EVENT("ADDED", "a", "1") END("5"), false, false },
			{ "&resourceVersion=5 ", ways[i], false, false },
			{ STREAM, JSON_200 EVENT("ADDED", "b", "8") END("9"), true, false },
		};
		struct kube_reflector_stats stats;

		tells(script, 3, false, "begin +a synced begin +b synced", &stats);
		cr_expect_eq(stats.expired, 1);
	}
}

static const char *const garbage[] = {
	"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"",
	"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\"}}}\n",
	"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"6\"}}}\n",
	"{\"type\":\"ADDED\",\"object\":5}\n",
	"{\"type\":\"STRANGE\",\"object\":{}}\n",
	"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\xff\",\"resourceVersion\":\"6\"}}}\n",
	"<html>\n",
	"[]\n",
};

/* Cut in the middle, it goes on from where it was; what is not understood needs a new list. */
Test(kube_reflector, garbage_in_a_watch)
{
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		_cleanup_free_ char *answer = NULL;
		struct scripted script[] = {
			{ STREAM, JSON_200 EVENT("ADDED", "a", "1") END("5"), false, false },
			{ "&resourceVersion=5 ", NULL, false, false },
			{ i ? STREAM : "&resourceVersion=5 ", NULL, true, false },
		};
		struct kube_reflector_stats stats;
		struct scripted_server server;
		struct owner owner = { .until = i ? "begin +c synced" : "+c" };

		cr_assert_gt(asprintf(&answer, JSON_200 "%s", garbage[i]), 0);
		script[1].answer = answer;
		script[2].answer = i ? JSON_200 EVENT("ADDED", "c", "8") END("9")
				     : JSON_200 EVENT("ADDED", "c", "8");
		run(script, 3, false, &owner, &stats, &server);
		cr_expect_eq(stats.malformed, i ? 1 : 0, "%zu: %s", i, owner.told);
		cr_expect(startswith(owner.told, "begin +a synced"), "%zu: %s", i, owner.told);
		cr_expect_null(strstr(owner.told, "-a"));
		scripted_stop(&server);
	}
}

Test(kube_reflector, troubles_are_told_and_end)
{
	static const struct scripted script[] = {
		{ STREAM, FAILS("500 X"), false, false },
		{ STREAM, FAILS("500 X"), false, false },
		{ STREAM, JSON_200 END("5"), true, false },
	};
	struct kube_reflector_stats stats;
	struct owner owner = { .until = "synced !" };
	struct scripted_server server;

	run(script, 3, false, &owner, &stats, &server);
	cr_expect(startswith(owner.told, "!cannot list pods: HTTP 500"), "%s", owner.told);
	cr_expect_eq(strstr(owner.told + 1, "!cannot"), NULL, "told twice: %s", owner.told);
	scripted_stop(&server);
}

Test(kube_reflector, an_absent_kind)
{
	static const struct scripted script[] = { { STREAM, FAILS("404 Not Found"), false,
						    false } };
	struct kube_reflector_stats stats;
	struct owner owner = { .until = "!cannot list pods: HTTP 404" };
	struct scripted_server server;

	tells(script, 1, true, "begin synced", &stats);
	cr_expect_not(stats.served);
	/* One that must be there is not empty. */
	run(script, 1, false, &owner, &stats, &server);
	cr_expect_not(stats.synced);
	scripted_stop(&server);
}

/* A server that is just starting may say 404 once; that must not drop what is known. */
Test(kube_reflector, a_kind_that_is_absent_for_a_moment)
{
	static const struct scripted script[] = {
		{ STREAM, JSON_200 EVENT("ADDED", "a", "1") END("5"), false, false },
		{ "&resourceVersion=5 ", FAILS("404 Not Found"), false, false },
		{ STREAM, JSON_200 EVENT("ADDED", "a", "1") END("6"), true, false },
	};
	struct kube_reflector_stats stats;

	tells(script, 3, true, "begin +a synced begin +a synced", &stats);
	cr_expect(stats.served);
}

Test(kube_reflector, retry_after_is_kept)
{
	static const struct scripted script[] = {
		{ STREAM, "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nConnection: close\r\n\r\n", false,
		  false },
		{ STREAM, JSON_200 END("5"), true, false },
	};
	struct kube_reflector_stats stats;
	struct owner owner = { .until = "synced" };
	struct scripted_server server;

	run(script, 2, false, &owner, &stats, &server);
	cr_expect_geq(server.at_ms[1] - server.at_ms[0], 1000);
	scripted_stop(&server);
}

Test(kube_reflector, watches_that_end_at_once_are_no_busy_loop)
{
	static const struct scripted script[] = {
		{ STREAM, JSON_200 END("5"), false, false },
		{ "&resourceVersion=5 ", JSON_200, false, false },
	};
	struct kube_reflector_stats stats;
	struct owner owner = { .until = "ends each watch at once" };
	struct scripted_server server;

	run(script, 2, false, &owner, &stats, &server);
	cr_expect_leq(server.requests, 8, "%zu", server.requests);
	scripted_stop(&server);
}

/* While one watches, the others go on and the old version stays; a list is not whole then. */
Test(kube_reflector, an_object_that_is_too_large)
{
	static const char head[] = JSON_200 END("5") "{\"type\":\"MODIFIED\",\"object\":{" OBJECT(
		"a", "6") ",\"spec\":{\"nodeName\":\"";
	static const char tail[] = "\"}}}\n" EVENT("ADDED", "b", "7");
	size_t size = KUBE_OBJECT_BYTES_MAX + 1;
	_cleanup_free_ char *answer = malloc(sizeof(head) + size + sizeof(tail));
	struct scripted script = { STREAM, answer, true, false };
	struct kube_reflector_stats stats;
	struct owner owner = { .until = "+b" };
	struct scripted_server server;

	memcpy(answer, head, sizeof(head) - 1);
	memset(answer + sizeof(head) - 1, 'x', size);
	memcpy(answer + sizeof(head) - 1 + size, tail, sizeof(tail));
	run(&script, 1, false, &owner, &stats, &server);
	cr_expect(startswith(owner.told, "begin synced !an object of pods has more than"), "%s",
		  owner.told);
	cr_expect_eq(stats.too_large, 1);
	cr_expect_str_eq(stats.resource_version, "7");
	scripted_stop(&server);
}

Test(kube_reflector, freed_by_its_owner_from_within)
{
	static const struct scripted script[] = {
		{ STREAM, JSON_200 EVENT("ADDED", "a", "1") EVENT("ADDED", "b", "2") END("5"), true,
		  false },
	};
	struct kube_reflector_stats stats;
	struct scripted_server server;
	struct owner owner = { .frees = true };

	run(script, 1, false, &owner, &stats, &server);
	cr_expect_str_eq(owner.told, "begin +a");
	scripted_stop(&server);
}
