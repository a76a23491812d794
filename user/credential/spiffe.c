/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SPIFFE Workload API as a source: one call with an endless answer. Each message in it is
 * everything anew. When the call ends, for whatever reason, another is made after a back-off;
 * what was received stays good meanwhile. A message that is refused does not end the call, as
 * the next one may come at any time, but it is asked for again after the back-off.
 */
#include "user/credential/spiffe.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "user/credential/grpc.h"
#include "user/credential/workload.h"

#define METHOD "/SpiffeWorkloadAPI/FetchX509SVID"
#define ANSWER_MS 30000
/* gRPC servers close connections with pings more often than every five minutes. */
#define IDLE_MS 330000

struct spiffe_source {
	struct credential_source base;
	struct spiffe_times times;
	char *socket;
	char *trust_domain, *node_name;
	int epoll, timer;
	struct grpc_call *call; /* NULL: waiting to connect again */
	uint32_t events; /* that the epoll watches call's socket for */
	uint64_t received; /* by the call when the timer was set */
	bool asked; /* something is due: the answer or a ping's */
	bool answered; /* the call brought a good message */
	bool refused; /* the last message: it is asked for again */
	int result; /* of the last failure, for dispatch() */
	struct credential fresh; /* svid NULL: none */
};

static struct spiffe_source *spiffe(struct credential_source *base)
{
	return (struct spiffe_source *)base;
}

static void set_timer(struct spiffe_source *source, unsigned int ms)
{
	struct itimerspec timer = { .it_value.tv_sec = ms / 1000 };

	/* Zero would stop the timer. */
	timer.it_value.tv_nsec = ms ? ms % 1000 * 1000000 : 1;
	timerfd_settime(source->timer, 0, &timer, NULL);
}

/* Says what went wrong and when it is tried again. */
static void set_failure(struct spiffe_source *source, int r, const struct credential_error *error)
{
	unsigned int ms = source->times.backoff_ms(++source->base.failures);

	source->asked = false;
	source->base.retry_s = time(NULL) + ms / 1000 + 1;
	set_timer(source, ms);
	source->result =
		credential_fail(&source->base.error, r, "%s: %s", source->socket, error->text);
}

static void set_success(struct spiffe_source *source)
{
	source->base.failures = 0;
	source->base.retry_s = 0;
	source->base.error.text[0] = '\0';
	source->refused = source->asked = false;
	source->answered = true;
	set_timer(source, source->times.idle_ms);
}

static void await_answer(struct spiffe_source *source)
{
	source->asked = true;
	source->received = grpc_call_received(source->call);
	set_timer(source, source->times.answer_ms);
}

/* Of several messages the last one counts. */
static void on_message(void *arg, const uint8_t *message, size_t length)
{
	struct spiffe_source *source = arg;
	const struct credential_options options = {
		.trust_domain = source->trust_domain,
		.node_name = source->node_name,
	};
	struct credential_error error = { "out of memory" };
	struct credential fresh;
	int r;

	r = workload_parse(message, length, &options, &fresh, &error);
	if (r < 0) {
		source->refused = true;
		set_failure(source, r, &error);
		return;
	}
	credential_done(&source->fresh);
	source->fresh = fresh;
	set_success(source);
}

static int watch(struct spiffe_source *source, int operation)
{
	struct epoll_event event = { .events = grpc_call_events(source->call) };

	if (operation == EPOLL_CTL_MOD && event.events == source->events)
		return 0;
	source->events = event.events;
	return ret_errno(epoll_ctl(source->epoll, operation, grpc_call_fd(source->call), &event));
}

/* Closing the socket takes it out of the epoll. */
static void end_call(struct spiffe_source *source)
{
	source->call = grpc_call_free(source->call);
	source->refused = source->asked = source->answered = false;
}

static void fail_call(struct spiffe_source *source, int r, const struct credential_error *error)
{
	end_call(source);
	set_failure(source, r, error);
}

static void start_call(struct spiffe_source *source)
{
	const struct grpc_options options = {
		.socket = source->socket,
		.method = METHOD,
		.metadata_name = "workload.spiffe.io",
		.metadata_value = "true",
		.on_message = on_message,
		.arg = source,
	};
	struct credential_error error = { "out of memory" };
	int r;

	end_call(source);
	r = grpc_call_new(&options, &source->call, &error);
	if (r == 0)
		r = watch(source, EPOLL_CTL_ADD);
	if (r < 0)
		fail_call(source, r, &error);
	else
		await_answer(source);
}

/* A stopped process keeps its sockets open: only silence tells. */
static bool is_dead(const struct spiffe_source *source)
{
	return source->asked &&
	       (!source->answered || grpc_call_received(source->call) == source->received);
}

static void on_timer(struct spiffe_source *source)
{
	struct credential_error error = { "the server does not answer" };
	int r;

	if (!source->call || source->refused) {
		start_call(source);
	} else if (is_dead(source)) {
		fail_call(source, -ETIMEDOUT, &error);
	} else if (source->asked) {
		source->asked = false;
		set_timer(source, source->times.idle_ms);
	} else {
		r = grpc_call_ping(source->call, &error);
		if (r < 0)
			fail_call(source, r, &error);
		else
			await_answer(source);
	}
}

static void on_socket(struct spiffe_source *source)
{
	struct credential_error error = { "out of memory" };
	int r;

	r = grpc_call_dispatch(source->call, &error);
	if (r == 0)
		r = watch(source, EPOLL_CTL_MOD);
	if (r < 0)
		fail_call(source, r, &error);
}

static int spiffe_dispatch(struct credential_source *base, struct credential *ret)
{
	struct spiffe_source *source = spiffe(base);
	uint64_t expired;
	int result;

	if (read(source->timer, &expired, sizeof(expired)) == sizeof(expired))
		on_timer(source);
	if (source->call)
		on_socket(source);
	result = source->result;
	source->result = 0;
	if (!source->fresh.svid)
		return result;
	*ret = source->fresh;
	source->fresh = (struct credential){ .svid = NULL };
	return 1;
}

static int spiffe_fd(const struct credential_source *base)
{
	return ((const struct spiffe_source *)base)->epoll;
}

static void spiffe_free(struct credential_source *base)
{
	struct spiffe_source *source = spiffe(base);

	grpc_call_free(source->call);
	credential_done(&source->fresh);
	closep(&source->timer);
	closep(&source->epoll);
	free(source->socket);
	free(source->trust_domain);
	free(source->node_name);
	free(source);
}

static void spiffe_freep(struct spiffe_source **source)
{
	if (*source)
		spiffe_free(&(*source)->base);
}

/* "unix:///run/agent.sock" or "unix:/run/agent.sock"; NULL: neither. */
static const char *socket_path(const char *where)
{
	if (startswith(where, "unix:///"))
		return where + strlen("unix://");
	return startswith(where, "unix:/") && where[6] != '/' && where[6] ? where + 5 : NULL;
}

static int fill_source(struct spiffe_source *source, const char *path,
		       const struct credential_options *options)
{
	struct epoll_event event = { .events = EPOLLIN };

	source->socket = strdup(path);
	source->trust_domain = strdup(options->trust_domain);
	source->node_name = strdup(options->node_name);
	if (!source->socket || !source->trust_domain || !source->node_name)
		return -ENOMEM;
	source->epoll = epoll_create1(EPOLL_CLOEXEC);
	source->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (source->epoll < 0 || source->timer < 0 ||
	    epoll_ctl(source->epoll, EPOLL_CTL_ADD, source->timer, &event) < 0)
		return -errno;
	return 0;
}

int spiffe_source_new(const char *where, const struct credential_options *options,
		      const struct spiffe_times *times, struct credential_source **ret,
		      struct credential_error *reterr)
{
	_cleanup_(spiffe_freep) struct spiffe_source *source = NULL;
	const char *path = socket_path(where);
	int r;

	if (!path)
		return credential_fail(reterr, -EINVAL,
				       "spiffe:%s: not a Unix socket, write spiffe:unix:///PATH",
				       where);
	if (options->key_uri)
		return credential_fail(reterr, -EINVAL,
				       "spiffe:%s: the Workload API brings the key, so a key's URI "
				       "cannot be given",
				       where);
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->base.ops = &credential_spiffe;
	source->times = *times;
	source->epoll = source->timer = -EBADF;
	r = fill_source(source, path, options);
	if (r < 0)
		return credential_fail(reterr, r, "spiffe:%s: %s", where, strerror(-r));
	/* A server that is not there yet is said in the source's error, and tried again. */
	start_call(source);
	*ret = &TAKE_PTR(source)->base;
	return 0;
}

static int spiffe_open(const char *where, const struct credential_options *options,
		       struct credential_source **ret, struct credential_error *reterr)
{
	const struct spiffe_times times = {
		.answer_ms = ANSWER_MS,
		.idle_ms = IDLE_MS,
		.backoff_ms = credential_backoff_ms,
	};

	return spiffe_source_new(where, options, &times, ret, reterr);
}

const struct credential_source_ops credential_spiffe = {
	.scheme = "spiffe",
	.open = spiffe_open,
	.fd = spiffe_fd,
	.dispatch = spiffe_dispatch,
	.free = spiffe_free,
};
