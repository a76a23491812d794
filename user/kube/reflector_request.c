/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses that a reflector asks for. */
#include "user/kube/reflector_internal.h"

struct text {
	char *text;
	size_t length;
	FILE *file;
};

static void text_done(struct text *text)
{
	if (text->file)
		fclose(text->file);
	free(text->text);
}

static int add_escaped(struct text *text, const char *name, const char *value)
{
	char *escaped;

	if (!value)
		return 0;
	escaped = curl_easy_escape(NULL, value, 0);
	if (!escaped)
		return -ENOMEM;
	fprintf(text->file, "&%s=%s", name, escaped);
	curl_free(escaped);
	return 0;
}

static void add_path(struct text *text, const struct kube_resource *resource)
{
	if (*resource->group)
		fprintf(text->file, "/apis/%s/%s", resource->group, resource->version);
	else
		fprintf(text->file, "/api/%s", resource->version);
	if (resource->namespace)
		fprintf(text->file, "/namespaces/%s", resource->namespace);
	fprintf(text->file, "/%s", resource->plural);
}

/* The server ends a watch after a time of our choice: not all nodes at the same moment. */
static void add_watch(struct text *text)
{
	fprintf(text->file, "?watch=true&allowWatchBookmarks=true&timeoutSeconds=%u",
		KUBE_WATCH_MIN_S + arc4random_uniform(KUBE_WATCH_MIN_S + 1));
}

/*
 * Lists name no resourceVersion: they are as new as the newest when they were asked for. So a
 * server that lags behind another, which was asked before, takes nobody back in time.
 */
static int make_path(struct kube_reflector *reflector, struct text *text)
{
	const struct kube_resource *resource = reflector->resource;
	int r = 0;

	add_path(text, resource);
	switch (reflector->phase) {
	case KUBE_STREAMS:
		add_watch(text);
		fputs("&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", text->file);
		break;
	case KUBE_PAGES:
		fprintf(text->file, "?limit=%u", reflector->limit);
		r = add_escaped(text, "continue", reflector->next_page);
		break;
	default:
		add_watch(text);
		r = add_escaped(text, "resourceVersion", reflector->version);
	}
	if (r == 0)
		r = add_escaped(text, "fieldSelector", resource->field_selector);
	if (r == 0)
		r = add_escaped(text, "labelSelector", resource->label_selector);
	if (fflush(text->file) != 0)
		r = -ENOMEM;
	return r;
}

int kube_reflector_request(struct kube_reflector *reflector, const struct kube_handlers *handlers)
{
	_cleanup_(text_done) struct text text = { 0 };
	struct kube_request request = { 0 };
	int r;

	text.file = open_memstream(&text.text, &text.length);
	if (!text.file)
		return -ENOMEM;
	r = make_path(reflector, &text);
	if (r == 0)
		r = kube_reflector_pruner(reflector);
	if (r < 0)
		return r;
	request.path = text.text;
	/* A streaming list becomes a watch, with its silence. */
	request.silence_ms = reflector->phase == KUBE_PAGES ? KUBE_LIST_SILENCE_MS
							    : KUBE_WATCH_SILENCE_MS;
	reflector->outcome = KUBE_NOTHING;
	reflector->begun_ms = 0;
	reflector->page_bytes = 0;
	return kube_call_start(reflector->client, &request, handlers, &reflector->call);
}
