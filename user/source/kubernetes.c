/* SPDX-License-Identifier: Apache-2.0 */
/* The API server as a source of documents. */
#include "user/source/kubernetes_internal.h"

#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#define MUCH_BYTES (1 << 20) /* of texts handed over at once: worth giving back */
#define GIVE_BACK_MS 1000 /* after which the reader should be done with them */

static const char *kind_name(uint8_t kind)
{
	return kube_kinds[kind].resource.kind;
}

static void kubernetes_free(struct source *source)
{
	struct kubernetes *k = (struct kubernetes *)source;

	for (size_t i = 0; i < k->n; i++)
		kube_reflector_free(k->follower[i].reflector);
	journal_free(k->journal);
	closep(&k->timer);
	closep(&k->event);
	closep(&k->epoll);
	store_done(&k->store);
	free(k->names);
	free(k);
}

static void kubernetes_freep(struct kubernetes **k)
{
	if (*k)
		kubernetes_free(&(*k)->source);
}

bool kubernetes_ready(const struct kubernetes *k)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->follower[i].kind->required && !k->follower[i].known)
			return false;
	return true;
}

static bool has_news(const struct kubernetes *k)
{
	return kubernetes_ready(k) && (k->store.n_changes || !k->was_read);
}

void kubernetes_signal(struct kubernetes *k)
{
	if (!k->signalled && has_news(k))
		k->signalled = eventfd_write(k->event, 1) == 0;
}

/* "waiting for the API server: pods, nodes not listed yet: connection refused" */
static int waiting(struct kubernetes *k)
{
	size_t room = sizeof(k->source.error), n;
	const char *comma = "", *trouble = "";
	char *at = k->source.error;

	n = (size_t)snprintf(at, room, "waiting for the API server: ");
	for (size_t i = 0; i < k->n; i++) {
		const struct follower *f = &k->follower[i];

		if (!f->kind->required || f->known)
			continue;
		n += (size_t)snprintf(at + MIN(n, room - 1), room - MIN(n, room - 1), "%s%s", comma,
				      f->kind->resource.plural);
		comma = ", ";
		if (!*trouble)
			trouble = f->trouble;
	}
	n = MIN(n, room - 1);
	snprintf(at + n, room - n, " not listed yet%s%s", *trouble ? ": " : "", trouble);
	return -EAGAIN;
}

/* ---- the timer ---- */

void kubernetes_schedule(struct kubernetes *k)
{
	int ms = k->journal ? journal_wait_ms(k->journal) : -1;
	struct itimerspec when = { 0 };

	if (k->gives_back)
		ms = ms < 0 ? GIVE_BACK_MS : MIN(ms, GIVE_BACK_MS);
	if (ms < 0 || k->timer_runs)
		return;
	when.it_value.tv_sec = ms / 1000;
	when.it_value.tv_nsec = ms % 1000 * 1000000L;
	k->timer_runs = timerfd_settime(k->timer, 0, &when, NULL) == 0;
}

static void take_time(struct kubernetes *k)
{
	uint64_t ticks;

	if (read(k->timer, &ticks, sizeof(ticks)) < 0)
		return;
	k->timer_runs = false;
	/* Hundreds of thousands of small texts leave holes that only this closes. */
	if (k->gives_back)
		malloc_trim(0);
	k->gives_back = false;
	if (k->journal)
		journal_tick(k->journal);
	kubernetes_schedule(k);
}

/* ---- reading ---- */

static void handed_over(struct kubernetes *k, size_t bytes, char *names)
{
	free(k->names);
	k->names = names;
	k->was_read = true;
	k->gives_back |= bytes >= MUCH_BYTES;
	kubernetes_schedule(k);
}

static int kubernetes_read(struct source *source, struct source_documents *ret)
{
	struct kubernetes *k = (struct kubernetes *)source;
	size_t bytes = k->store.change_bytes;
	char *names;
	int r;

	if (!kubernetes_ready(k))
		return waiting(k);
	r = store_take_all(&k->store, ret, &names);
	if (r < 0) {
		snprintf(source->error, sizeof(source->error), "the API server's objects: %s",
			 strerror(-r));
		return r;
	}
	handed_over(k, bytes, names);
	return 0;
}

static int kubernetes_changes(struct source *source, struct source_documents *ret)
{
	struct kubernetes *k = (struct kubernetes *)source;
	size_t bytes = k->store.change_bytes;
	int r;

	if (!kubernetes_ready(k))
		return waiting(k);
	r = store_take_changes(&k->store, ret);
	if (r < 0) {
		snprintf(source->error, sizeof(source->error),
			 "changes of the API server's objects: %s", strerror(-r));
		return r;
	}
	handed_over(k, bytes, NULL);
	return 0;
}

static int kubernetes_fd(const struct source *source)
{
	return ((const struct kubernetes *)source)->epoll;
}

static int kubernetes_dispatch(struct source *source)
{
	struct kubernetes *k = (struct kubernetes *)source;
	eventfd_t n;

	if (eventfd_read(k->event, &n) < 0 && errno != EAGAIN)
		return -errno;
	k->signalled = false;
	take_time(k);
	return has_news(k);
}

static int watch(struct kubernetes *k, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return fd < 0 ? -errno : ret_errno(epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &event));
}

static int open_descriptors(struct kubernetes *k)
{
	int r;

	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (k->epoll < 0)
		return -errno;
	k->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = watch(k, k->event);
	if (r < 0)
		return r;
	k->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	return watch(k, k->timer);
}

int kubernetes_open(const char *journal, const char *cluster, struct kubernetes **ret)
{
	static const struct source_ops ops = {
		.read = kubernetes_read,
		.changes = kubernetes_changes,
		.fd = kubernetes_fd,
		.dispatch = kubernetes_dispatch,
		.free = kubernetes_free,
	};
	_cleanup_(kubernetes_freep) struct kubernetes *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->source.ops = &ops;
	k->epoll = k->event = k->timer = -EBADF;
	r = open_descriptors(k);
	if (r == 0)
		r = store_init(&k->store, kind_name);
	if (r < 0)
		return r;
	for (k->n = 0; k->n < MIN(kube_kinds_n, KUBERNETES_KINDS_MAX); k->n++)
		k->follower[k->n] = (struct follower){
			.owner = k,
			.kind = &kube_kinds[k->n],
			.index = (uint8_t)k->n,
		};
	r = journal ? kubernetes_open_journal(k, journal, cluster) : 0;
	if (r < 0)
		return r;
	kubernetes_schedule(k);
	kubernetes_signal(k);
	*ret = TAKE_PTR(k);
	return 0;
}

int kubernetes_follow(struct kubernetes *k)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->n; i++) {
		struct follower *f = &k->follower[i];
		struct kube_reflector *old = f->reflector;

		/* Should there be no new one, the old one goes on. */
		r = kube_reflector_new(k->client, &f->kind->resource, &kubernetes_ops, f,
				       &f->reflector);
		if (r == 0)
			kube_reflector_free(old);
	}
	return r;
}

int source_kubernetes_new(const struct source_kubernetes_options *options, struct source **ret)
{
	const char *cluster = kube_config_server(kube_client_config(options->client));
	_cleanup_(kubernetes_freep) struct kubernetes *k = NULL;
	int r;

	r = kubernetes_open(options->journal, cluster, &k);
	if (r < 0)
		return r;
	k->client = options->client;
	r = kubernetes_follow(k);
	if (r < 0)
		return r;
	*ret = &TAKE_PTR(k)->source;
	return 0;
}

bool source_kubernetes_synced(const struct source *source)
{
	const struct kubernetes *k = (const struct kubernetes *)source;

	for (size_t i = 0; i < k->n; i++)
		if (!k->follower[i].synced)
			return false;
	return true;
}

static void trouble_of(const struct follower *f, char ret[KUBE_ERROR_MAX])
{
	if (*f->trouble)
		memcpy(ret, f->trouble, KUBE_ERROR_MAX);
	else if (f->refused + f->left_out > 1)
		snprintf(ret, KUBE_ERROR_MAX, "%llu objects are refused, the last: %.384s",
			 (unsigned long long)(f->refused + f->left_out), f->refusal);
	else
		memcpy(ret, f->refusal, KUBE_ERROR_MAX);
}

int source_kubernetes_status(const struct source *source, size_t i,
			     struct source_kubernetes_status *ret)
{
	const struct kubernetes *k = (const struct kubernetes *)source;
	const struct follower *f = &k->follower[i];

	if (i >= k->n)
		return -ENOENT;
	*ret = (struct source_kubernetes_status){
		.kind = f->kind->resource.kind,
		.objects = f->objects,
	};
	if (f->reflector)
		kube_reflector_stats(f->reflector, &ret->stats);
	trouble_of(f, ret->trouble);
	return 0;
}
