/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/source_directory.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "user/base/clock.h"
#include "user/credential/error.h"

#define SOURCE_EVENTS_BYTES 4096
#define SOURCE_MASK                                                                         \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static int64_t now_s(void)
{
	return clock_ns(CLOCK_REALTIME) / NS_PER_S;
}

static int copy(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int copy_options(struct source_directory *source, const char *path,
			const struct credential_options *options)
{
	source->svid_lifetime_s = options->svid_lifetime_s;
	if (copy(path, &source->path) < 0 ||
	    copy(options->trust_domain, &source->trust_domain) < 0 ||
	    copy(options->node_name, &source->node_name) < 0 ||
	    copy(options->key_uri, &source->key_uri) < 0 ||
	    copy(options->key_provider, &source->key_provider) < 0)
		return -ENOMEM;
	return 0;
}

static int epoll_add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return ret_errno(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static int arm(struct source_directory *source, unsigned int ms)
{
	/* Zero would stop the timer. */
	const struct itimerspec once = {
		.it_value = { .tv_sec = ms / 1000, .tv_nsec = MAX(ms % 1000 * 1000000L, 1L) },
	};

	return ret_errno(timerfd_settime(source->timer, 0, &once, NULL));
}

static int open_descriptors(struct source_directory *source)
{
	int r;

	source->epoll = epoll_create1(EPOLL_CLOEXEC);
	source->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	source->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (source->epoll < 0 || source->inotify < 0 || source->timer < 0)
		return -errno;
	r = epoll_add(source->epoll, source->inotify);
	if (r == 0)
		r = epoll_add(source->epoll, source->timer);
	/* Whoever only waits for the descriptor gets the first credential as well. */
	return r == 0 ? arm(source, 0) : r;
}

int source_directory_init(struct source_directory *source, const char *path,
			  const struct credential_options *options, struct credential_error *reterr)
{
	int r;

	source->epoll = source->inotify = source->timer = -EBADF;
	source->wd = -1;
	source->due = true;
	if (!*path)
		return credential_fail(reterr, -EINVAL,
				       "the directory is missing behind the colon");
	r = copy_options(source, path, options);
	if (r == 0)
		r = open_descriptors(source);
	return r < 0 ? credential_fail(reterr, r, "%s cannot be watched: %s", path, strerror(-r))
		     : 0;
}

void source_directory_done(struct source_directory *source)
{
	closep(&source->inotify);
	closep(&source->timer);
	closep(&source->epoll);
	free(source->path);
	free(source->trust_domain);
	free(source->node_name);
	free(source->key_uri);
	free(source->key_provider);
}

int source_directory_fd(const struct credential_source *source)
{
	return ((const struct source_directory *)source)->epoll;
}

/* Anew before every reading, so what changes from then on is told, in whatever directory
 * has the name by now. When it cannot be watched, reading it says why. */
static void watch(struct source_directory *source)
{
	int wd = inotify_add_watch(source->inotify, source->path, SOURCE_MASK);

	if (source->wd >= 0 && source->wd != wd)
		inotify_rm_watch(source->inotify, source->wd);
	source->wd = wd;
}

/* Whether something changed; what exactly does not matter. */
static bool take_changes(struct source_directory *source)
{
	char buffer[SOURCE_EVENTS_BYTES]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	bool changed = false;
	ssize_t n;

	while ((n = read(source->inotify, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			const struct inotify_event *event = (const void *)p;

			/* IN_IGNORED ends a watch that was replaced. */
			changed = changed || !(event->mask & IN_IGNORED);
			p += sizeof(*event) + event->len;
		}
	}
	return changed;
}

/* Whether it is time to read. */
static bool is_due(struct source_directory *source)
{
	bool changed = take_changes(source), expired;
	uint64_t ticks;

	if (source->due)
		return true;
	expired = read(source->timer, &ticks, sizeof(ticks)) == sizeof(ticks);
	/* Not started again by later changes, so a busy directory cannot put it off. */
	if (changed && !source->settling && !expired) {
		source->settling = true;
		arm(source, SOURCE_SETTLE_MS);
	}
	return expired;
}

/* When to read next without word of a change. */
static void plan(struct source_directory *source)
{
	int64_t wait_ms = SOURCE_LOOK_MS;

	if (source->source.failures)
		wait_ms = credential_backoff_ms(source->source.failures);
	else if (source->renew_s)
		wait_ms = MIN(wait_ms, MAX(source->renew_s - now_s(), (int64_t)1) * 1000);
	source->source.retry_s = source->source.failures ? now_s() + (wait_ms + 999) / 1000 : 0;
	arm(source, (unsigned int)wait_ms);
}

int source_directory_dispatch(struct credential_source *s, struct credential *ret)
{
	struct source_directory *source = (struct source_directory *)s;
	struct credential_error error = { 0 };
	int r;

	if (!is_due(source))
		return 0;
	source->due = false;
	source->settling = false;
	watch(source);
	r = source->read(source, ret, &error);
	if (r < 0) {
		if (!*error.text)
			credential_fail(&error, r, "%s", strerror(-r));
		credential_fail(&s->error, r, "%.120s: %.380s", source->path, error.text);
		s->failures++;
	} else {
		s->error.text[0] = '\0';
		s->failures = 0;
	}
	plan(source);
	return r;
}

int source_verify(const struct source_directory *source, const struct credential *credential,
		  struct credential_error *reterr)
{
	return credential_verify(credential, source->trust_domain, source->node_name, reterr);
}
