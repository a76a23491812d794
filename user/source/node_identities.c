/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/node_identities.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/kube/reflector.h"
#include "user/source/kept_records.h"
#include "user/source/node_identity_document.h"

#define KEEP_SHARE 100 /* writing the file takes at most this part of the time */
#define WAITING "the node records were not heard of yet"

struct identity {
	char name[NODE_IDENTITY_NAME_MAX];
	char *text;
	size_t length;
	struct cs_key digest;
	uint64_t list; /* the last one that it was in */
};

struct identities {
	struct source source;
	struct kube_reflector *reflector;
	struct identity *item; /* by name */
	size_t n, room;
	uint64_t list; /* counts them */
	bool known; /* there is something to tell: from the server or from the file */
	bool synced;
	bool changed; /* since the agent was told last */
	bool unkept; /* something changed since the file was written */
	char *file;
	char why_no_news[KUBE_ERROR_MAX], why_not_kept[KUBE_ERROR_MAX];
	int event; /* readable: there is news */
	struct event *settle, *keep;
};

/* ---- the records ---- */

/* The place of @name, or where it belongs. */
static size_t place_of(const struct identities *s, const char *name, bool *ret_found)
{
	size_t low = 0, high = s->n;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(s->item[middle].name, name);

		if (order == 0)
			*ret_found = true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_room(struct identities *s)
{
	size_t room = s->room ? 2 * s->room : 64;
	struct identity *more;

	if (s->n < s->room)
		return 0;
	if (s->n >= NODE_IDENTITIES_MAX)
		return -ENOSPC;
	more = reallocarray(s->item, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->item = more;
	s->room = room;
	return 0;
}

/* Takes @text over, also on failure. 1: it is news. */
static int put(struct identities *s, const char *name, char *text)
{
	size_t length = strlen(text);
	struct cs_key digest = document_digest(name, text, length);
	bool found, same;
	size_t at = place_of(s, name, &found);
	struct identity *item = found ? &s->item[at] : NULL;

	if (!found) {
		int r = make_room(s);

		if (r < 0) {
			free(text);
			return r;
		}
		item = &s->item[at];
		memmove(item + 1, item, (s->n - at) * sizeof(*item));
		*item = (struct identity){ 0 };
		snprintf(item->name, sizeof(item->name), "%s", name);
		s->n++;
	}
	same = found && item->digest.k0 == digest.k0 && item->digest.k1 == digest.k1;
	free(item->text);
	item->text = text;
	item->length = length;
	item->digest = digest;
	item->list = s->list;
	return !same;
}

static bool take_out(struct identities *s, const char *name)
{
	bool found;
	size_t at = place_of(s, name, &found);

	if (!found)
		return false;
	free(s->item[at].text);
	s->n--;
	memmove(&s->item[at], &s->item[at + 1], (s->n - at) * sizeof(*s->item));
	return true;
}

/* Those that the list which ends now did not have. */
static bool take_out_unlisted(struct identities *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->item[i].list == s->list)
			s->item[n++] = s->item[i];
		else
			free(s->item[i].text);
	}
	if (n == s->n)
		return false;
	s->n = n;
	return true;
}

/* ---- what was kept ---- */

static int put_kept(void *arg, const json_t *object)
{
	struct identities *s = arg;
	char name[NODE_IDENTITY_NAME_MAX];
	char *text;
	int r = node_identity_document(object, name, &text);

	return r < 0 ? r : MIN(put(s, name, text), 0);
}

static void read_kept(struct identities *s)
{
	int r = s->file ? kept_records_read(s->file, put_kept, s) : -ENOENT;

	s->known = r == 0;
	if (r < 0 && r != -ENOENT)
		snprintf(s->why_not_kept, sizeof(s->why_not_kept), "%s: %s", s->file, strerror(-r));
}

static int next_kept(void *arg, size_t i, const char **ret_text, size_t *ret_length)
{
	const struct identities *s = arg;

	if (i >= s->n)
		return -ENOENT;
	*ret_text = s->item[i].text;
	*ret_length = s->item[i].length;
	return 0;
}

static void start_timer(struct event *timer, int64_t ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (!event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &wait);
}

/* In a large cluster the file is large: then it is written less often. */
static void on_keep(evutil_socket_t fd, short what, void *arg)
{
	struct identities *s = arg;
	int64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	(void)fd;
	(void)what;
	if (!s->unkept)
		return;
	s->unkept = false;
	r = kept_records_write(s->file, next_kept, s);
	*s->why_not_kept = '\0';
	if (r < 0)
		snprintf(s->why_not_kept, sizeof(s->why_not_kept), "%s: %s", s->file, strerror(-r));
	/* Runs out in any case, so that changes until then wait. */
	start_timer(s->keep, MAX((clock_ns(CLOCK_MONOTONIC) - begin_ns) / 1000000 * KEEP_SHARE,
				 (int64_t)NODE_IDENTITIES_KEEP_MS));
}

/* ---- news ---- */

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct identities *s = arg;

	(void)fd;
	(void)what;
	eventfd_write(s->event, 1);
}

static void note_change(struct identities *s)
{
	s->changed = s->unkept = true;
	start_timer(s->settle, NODE_IDENTITIES_SETTLE_MS);
	if (s->file)
		start_timer(s->keep, 0);
}

static void on_begin(void *arg)
{
	((struct identities *)arg)->list++;
}

static void remove_object(struct identities *s, const json_t *object)
{
	char name[NODE_IDENTITY_NAME_MAX];

	/* Before there is anything to tell, there is nothing to tell of it. */
	if (node_identity_name(object, name) == 0 && take_out(s, name) && s->known)
		note_change(s);
}

static void on_set(void *arg, json_t *object)
{
	struct identities *s = arg;
	char name[NODE_IDENTITY_NAME_MAX];
	char *text;
	int r = node_identity_document(object, name, &text);

	if (r == 0) {
		r = put(s, name, text);
		if (r > 0 && s->known)
			note_change(s);
	} else if (r == -ENODATA) {
		remove_object(s, object);
	}
	if (r < 0 && r != -ENODATA)
		snprintf(s->why_no_news, sizeof(s->why_no_news), "a NodeIdentity was left out: %s",
			 strerror(-r));
}

static void on_gone(void *arg, json_t *object)
{
	remove_object(arg, object);
}

static void on_synced(void *arg)
{
	struct identities *s = arg;
	bool news = take_out_unlisted(s) || !s->known || !s->synced;

	s->known = s->synced = true;
	if (news)
		note_change(s);
}

static void on_trouble(void *arg, const char *text)
{
	struct identities *s = arg;

	snprintf(s->why_no_news, sizeof(s->why_no_news), "%s", text);
}

/* ---- the source ---- */

static int identities_read(struct source *source, struct source_documents *ret)
{
	struct identities *s = (struct identities *)source;
	struct source_document *list;

	if (!s->known) {
		snprintf(source->error, sizeof(source->error), WAITING "%s%.400s",
			 *s->why_no_news ? ": " : "", s->why_no_news);
		return -EAGAIN;
	}
	list = calloc(s->n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		list[i] = (struct source_document){
			.name = s->item[i].name,
			.text = s->item[i].text,
			.length = s->item[i].length,
			.digest = s->item[i].digest,
			.borrowed = true,
		};
	*ret = (struct source_documents){ .item = list, .n = s->n };
	return 0;
}

static int identities_fd(const struct source *source)
{
	return ((const struct identities *)source)->event;
}

static int identities_dispatch(struct source *source)
{
	struct identities *s = (struct identities *)source;
	bool changed = s->changed;
	eventfd_t count;

	eventfd_read(s->event, &count);
	s->changed = false;
	return changed;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void identities_free(struct source *source)
{
	struct identities *s = (struct identities *)source;

	kube_reflector_free(s->reflector);
	if (s->keep)
		on_keep(-1, 0, s); /* what is known by now */
	free_event(s->keep);
	free_event(s->settle);
	for (size_t i = 0; i < s->n; i++)
		free(s->item[i].text);
	free(s->item);
	free(s->file);
	closep(&s->event);
	free(s);
}

static void identities_freep(struct identities **s)
{
	if (*s)
		identities_free(&(*s)->source);
}

static int start(struct identities *s, const struct source_node_identities_options *options)
{
	static const struct kube_resource resource = {
		.group = "countersign.dev",
		.version = "v1alpha1",
		.plural = "nodeidentities",
		.kind = "NodeIdentity",
		.fields = node_identity_fields,
	};
	static const struct kube_reflector_ops ops = {
		.begin = on_begin,
		.set = on_set,
		.gone = on_gone,
		.synced = on_synced,
		.trouble = on_trouble,
	};
	struct event_base *base = kube_client_base(options->client);

	s->file = options->file ? strdup(options->file) : NULL;
	if (options->file && !s->file)
		return -ENOMEM;
	s->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->event < 0)
		return -errno;
	s->settle = evtimer_new(base, on_settled, s);
	s->keep = evtimer_new(base, on_keep, s);
	if (!s->settle || !s->keep)
		return -ENOMEM;
	read_kept(s);
	return kube_reflector_new(options->client, &resource, &ops, s, &s->reflector);
}

int source_node_identities_new(const struct source_node_identities_options *options,
			       struct source **ret)
{
	static const struct source_ops ops = {
		.read = identities_read,
		.fd = identities_fd,
		.dispatch = identities_dispatch,
		.free = identities_free,
	};
	_cleanup_(identities_freep) struct identities *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->source.ops = &ops;
	s->event = -EBADF;
	r = start(s, options);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(s)->source;
	return 0;
}

bool source_node_identities_synced(const struct source *source)
{
	return ((const struct identities *)source)->synced;
}

const char *source_node_identities_trouble(const struct source *source)
{
	const struct identities *s = (const struct identities *)source;

	return *s->why_no_news ? s->why_no_news : s->why_not_kept;
}
