/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-watch [--kubeconfig FILE] [--context NAME] [--in-cluster DIR] [--field PATH]... [--optional]
 *            [--label SELECTOR] GROUP/VERSION/PLURAL/KIND...
 * kube-watch [--kubeconfig FILE].. --get PATH...
 *
 * What the reflectors tell, a line of JSON each: {"ms", "kind", "event", "name", ...}. SIGUSR1
 * prints a line of counters for each kind and one for the client; SIGTERM ends it. --get makes
 * calls and prints {"path", "error", "status", "reason", "message", "length"}; - is standard
 * input: a path per line, asked for one after the other.
 */
#include <getopt.h>
#include <signal.h>

#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/kube/reflector.h"

#define KINDS_MAX 32
#define FIELDS_MAX 32

struct kind {
	struct kube_resource resource;
	struct kube_reflector *reflector;
};

static struct kind kinds[KINDS_MAX];
static size_t kinds_n;
static const char *fields[FIELDS_MAX + 1];
static struct kube_client *client;
static struct event_base *base;

static void print(json_t *line)
{
	json_object_set_new(line, "ms", json_integer(clock_ns(CLOCK_BOOTTIME) / 1000000));
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

static void told(const struct kind *kind, const char *event, json_t *more)
{
	json_t *line = json_pack("{s:s, s:s}", "kind", kind->resource.kind, "event", event);

	if (more) {
		json_object_update(line, more);
		json_decref(more);
	}
	print(line);
}

static json_t *named(json_t *object)
{
	json_t *metadata = json_object_get(object, "metadata");
	char name[512];

	snprintf(name, sizeof(name), "%s/%s",
		 json_string_value(json_object_get(metadata, "namespace")) ?: "",
		 json_string_value(json_object_get(metadata, "name")) ?: "");
	return json_pack("{s:s, s:O, s:O*}", "name", name, "version",
			 json_object_get(metadata, "resourceVersion"), "data",
			 json_object_get(object, "data"));
}

static void on_begin(void *arg)
{
	told(arg, "begin", NULL);
}

static void on_set(void *arg, json_t *object)
{
	told(arg, "set", named(object));
}

static void on_gone(void *arg, json_t *object)
{
	told(arg, "gone", named(object));
}

static void on_synced(void *arg)
{
	told(arg, "synced", NULL);
}

static void on_trouble(void *arg, const char *text)
{
	told(arg, "trouble", json_pack("{s:s}", "text", text));
}

static void print_stats(evutil_socket_t fd, short what, void *arg)
{
	struct kube_client_stats c;

	(void)fd;
	(void)what;
	(void)arg;
	for (size_t i = 0; i < kinds_n; i++) {
		struct kube_reflector_stats s;

		kube_reflector_stats(kinds[i].reflector, &s);
		told(&kinds[i], "stats",
		     json_pack("{s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "served",
			       s.served, "synced", s.synced, "watching", s.watching, "lists",
			       (json_int_t)s.lists, "watches", (json_int_t)s.watches, "events",
			       (json_int_t)s.events, "bookmarks", (json_int_t)s.bookmarks,
			       "expired", (json_int_t)s.expired, "too_large",
			       (json_int_t)s.too_large, "malformed", (json_int_t)s.malformed,
			       "version", s.resource_version));
	}
	kube_client_stats(client, &c);
	print(json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:s}", "event", "client", "calls",
			(json_int_t)c.calls, "failures", (json_int_t)c.failures, "bytes",
			(json_int_t)c.bytes_received, "connections", (json_int_t)c.connections,
			"http2", c.http2, "last_error", c.last_error));
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static int add_kind(char *text, const struct kube_resource *like)
{
	struct kube_resource *resource;

	if (kinds_n >= KINDS_MAX)
		return -E2BIG;
	resource = &kinds[kinds_n].resource;
	*resource = *like;
	resource->group = strsep(&text, "/");
	resource->version = strsep(&text, "/");
	resource->plural = strsep(&text, "/");
	resource->kind = text;
	if (!resource->kind)
		return -EINVAL;
	kinds_n++;
	return 0;
}

static int watch(void)
{
	static const struct kube_reflector_ops ops = { on_begin, on_set, on_gone, on_synced,
						       on_trouble };
	struct event *end = NULL, *stats = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < kinds_n; i++)
		r = kube_reflector_new(client, &kinds[i].resource, &ops, &kinds[i],
				       &kinds[i].reflector);
	if (r == 0)
		r = loop_signal(base, SIGTERM, on_end, base, &end);
	if (r == 0)
		r = loop_signal(base, SIGUSR1, print_stats, NULL, &stats);
	if (r == 0)
		event_base_dispatch(base);
	for (size_t i = 0; i < kinds_n; i++)
		kube_reflector_free(kinds[i].reflector);
	if (end)
		event_free(end);
	if (stats)
		event_free(stats);
	return r;
}

static int get(const char *path)
{
	const struct kube_request request = { .path = path };
	struct kube_answer answer;
	int r;

	r = kube_call_wait(client, &request, &answer);
	if (r < 0)
		return r;
	print(json_pack("{s:s, s:i, s:i, s:s, s:s, s:I}", "path", path, "error",
			answer.response.error, "status", (int)answer.response.status, "reason",
			answer.reason, "message", answer.message, "length",
			(json_int_t)answer.response.length));
	kube_answer_done(&answer);
	return 0;
}

static int get_all(char **paths)
{
	char line[4096];
	int r = 0;

	for (; *paths && r == 0; paths++) {
		if (!streq(*paths, "-"))
			r = get(*paths);
		while (streq(*paths, "-") && r == 0 && fgets(line, sizeof(line), stdin)) {
			line[strcspn(line, "\n")] = '\0';
			r = get(line);
		}
	}
	return r;
}

static int parse(int argc, char **argv, struct kube_config_options *options,
		 struct kube_resource *like, bool *gets)
{
	static const struct option longs[] = {
		{ "kubeconfig", required_argument, NULL, 'k' },
		{ "context", required_argument, NULL, 'c' },
		{ "in-cluster", required_argument, NULL, 'i' },
		{ "field", required_argument, NULL, 'f' },
		{ "label", required_argument, NULL, 'l' },
		{ "optional", no_argument, NULL, 'o' },
		{ "get", no_argument, NULL, 'g' },
		{ 0 },
	};
	size_t n = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'k')
			options->kubeconfig = optarg;
		else if (option == 'c')
			options->context = optarg;
		else if (option == 'i')
			options->in_cluster_dir = optarg;
		else if (option == 'f' && n < FIELDS_MAX)
			fields[n++] = optarg;
		else if (option == 'l')
			like->label_selector = optarg;
		else if (option == 'o')
			like->optional = true;
		else if (option == 'g')
			*gets = true;
		else
			return -EINVAL;
	}
	like->fields = n ? fields : NULL;
	return 0;
}

int main(int argc, char **argv)
{
	struct kube_config_options options = { 0 };
	struct kube_resource like = { 0 };
	struct kube_config *config = NULL;
	struct kube_error error = { "" };
	bool gets = false;
	int r;

	r = parse(argc, argv, &options, &like, &gets);
	for (int i = optind; r == 0 && !gets && i < argc; i++)
		r = add_kind(argv[i], &like);
	if (r == 0)
		r = kube_config_new(&options, &config, &error);
	base = event_base_new();
	if (r == 0 && base)
		r = kube_client_new(base, config, "kube-watch", &client, &error);
	if (r == 0)
		r = gets ? get_all(argv + optind) : watch();
	kube_client_free(client);
	event_base_free(base);
	if (r < 0)
		fprintf(stderr, "kube-watch: %s\n", error.text[0] ? error.text : strerror(-r));
	return r < 0;
}
