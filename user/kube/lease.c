/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/lease.h"

#include <jansson.h>
#include <sys/random.h>

#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/kube/lease_state.h"
#include "user/kube/path.h"
#include "user/kube/time.h"

#define API "coordination.k8s.io/v1"

struct kube_lease {
	struct kube_client *client;
	kube_lease_fn on_change;
	void *arg;
	char *namespace, *name, *identity;
	char *path; /* of the object */
	char *list; /* of all Leases of the namespace: where one is made */
	struct lease_state state;
	json_t *object; /* as it was seen last, with what is not ours in it; NULL: none */

	struct event *timer;
	struct kube_call *call; /* NULL: none is under way */
	enum lease_act act; /* of @call */
	int64_t asked_ms;

	bool told; /* what @on_change said last */
	uint64_t gained, lost;
	char trouble[KUBE_ERROR_MAX];
};

static uint32_t any_number(void)
{
	uint32_t random = 0;

	/* A bad number is no worse than candidates that come back together. */
	return getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0 ? 0 : random;
}

static void arm_at(struct kube_lease *lease, int64_t at_ms)
{
	int64_t wait = MAX(at_ms - clock_ms(CLOCK_BOOTTIME), 1);
	struct timeval timeout = { .tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000 };

	event_add(lease->timer, &timeout);
}

static void arm(struct kube_lease *lease)
{
	arm_at(lease, lease_wakes_ms(&lease->state, clock_ms(CLOCK_BOOTTIME)));
}

static void tell(struct kube_lease *lease)
{
	bool leads = lease_leads(&lease->state, clock_ms(CLOCK_BOOTTIME));

	if (leads == lease->told)
		return;
	lease->told = leads;
	*(leads ? &lease->gained : &lease->lost) += 1;
	if (lease->on_change)
		lease->on_change(lease->arg, leads);
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static int read_record(const json_t *object, const struct lease_state *state,
		       struct lease_record *ret)
{
	const json_t *spec = json_object_get(object, "spec");
	const char *version = text_at(json_object_get(object, "metadata"), "resourceVersion");
	const char *holder = text_at(spec, "holderIdentity");
	int64_t seconds = json_integer_value(json_object_get(spec, "leaseDurationSeconds"));
	int64_t renewed_ms;

	if (!*version || strlen(version) >= sizeof(ret->version) ||
	    strlen(holder) >= sizeof(ret->holder))
		return -EBADMSG;
	*ret = (struct lease_record){
		.duration_ms = MAX(MIN(seconds, INT32_MAX), 0) * 1000,
		.transitions = json_integer_value(json_object_get(spec, "leaseTransitions")),
	};
	strcpy(ret->version, version);
	strcpy(ret->holder, holder);
	if (kube_time_parse(text_at(spec, "renewTime"), &renewed_ms) == 0)
		ret->overdue = clock_ms(CLOCK_REALTIME) - renewed_ms > state->options.deadline_ms;
	return 0;
}

static int answered(struct kube_lease *lease, const struct kube_response *response)
{
	struct lease_record record = { 0 };
	json_t *object = NULL;
	int r = 0;

	if (response->error)
		return response->error;
	if (response->status == 404 && lease->act == LEASE_LOOK) {
		json_decref(TAKE_PTR(lease->object));
	} else if (response->status / 100 != 2) {
		return -EAGAIN;
	} else {
		object = json_loadb(response->body, response->length, 0, NULL);
		r = read_record(object, &lease->state, &record);
		if (r < 0) {
			json_decref(object);
			return r;
		}
		json_decref(lease->object);
		lease->object = object;
	}
	lease_succeeded(&lease->state, lease->act, &record, lease->asked_ms,
			clock_ms(CLOCK_BOOTTIME), any_number());
	return r;
}

static void on_done(void *arg, const struct kube_response *response)
{
	struct kube_lease *lease = arg;
	int r;

	lease->call = NULL;
	r = answered(lease, response);
	if (r < 0)
		lease_failed(&lease->state, clock_ms(CLOCK_BOOTTIME), any_number());
	/* 409 is how the server arbitrates, no trouble. */
	if (r < 0 && response->status != 409)
		snprintf(lease->trouble, sizeof(lease->trouble), "Lease %s/%s: %s",
			 lease->namespace, lease->name, response->message);
	else
		*lease->trouble = 0;
	arm(lease);
	tell(lease);
}

static json_t *spec_of(const struct kube_lease *lease, const char *holder)
{
	const struct lease_state *state = &lease->state;
	const json_t *before = json_object_get(lease->object, "spec");
	bool mine = streq(state->seen.holder, lease->identity) && *state->seen.version;
	int64_t duration = *holder ? state->options.duration_ms : 1000;
	char now[KUBE_TIME_MAX];
	const char *since = now;

	kube_time_text(clock_ns(CLOCK_REALTIME), now);
	if (mine && *text_at(before, "acquireTime"))
		since = text_at(before, "acquireTime");
	return json_pack(
		"{s:s, s:I, s:s, s:s, s:I}", "holderIdentity", holder, "leaseDurationSeconds",
		(json_int_t)(duration + 999) / 1000, "acquireTime", since, "renewTime", now,
		"leaseTransitions",
		(json_int_t)(state->seen.transitions + (!mine && *state->seen.version ? 1 : 0)));
}

/* The object to write, with @holder in it; what others put there stays. */
static char *body_of(const struct kube_lease *lease, const char *holder)
{
	json_auto_t *object = lease->object ? json_copy(lease->object)
					    : json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion",
							API, "kind", "Lease", "metadata", "name",
							lease->name, "namespace", lease->namespace);

	if (!object || json_object_set_new(object, "spec", spec_of(lease, holder)) < 0)
		return NULL;
	return json_dumps(object, JSON_COMPACT);
}

static int begin(struct kube_lease *lease)
{
	const struct kube_handlers handlers = { .on_done = on_done, .arg = lease };
	_cleanup_free_ char *body = NULL;
	struct kube_request request = { .path = lease->path,
					.timeout_ms = lease->state.options.renew_ms };

	lease->act = lease_next(&lease->state, clock_ms(CLOCK_BOOTTIME));
	if (lease->act != LEASE_LOOK) {
		body = body_of(lease, lease->identity);
		if (!body)
			return -ENOMEM;
		request.method = lease->act == LEASE_CREATE ? "POST" : "PUT";
		request.path = lease->act == LEASE_CREATE ? lease->list : lease->path;
		request.body = body;
		request.length = strlen(body);
	}
	lease->asked_ms = clock_ms(CLOCK_BOOTTIME);
	return kube_call_start(lease->client, &request, &handlers, &lease->call);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct kube_lease *lease = arg;
	int64_t now = clock_ms(CLOCK_BOOTTIME);
	int r = 0;

	(void)fd;
	(void)what;
	if (!lease->call && now >= lease->state.next_ms)
		r = begin(lease);
	if (r < 0) {
		lease_failed(&lease->state, now, any_number());
		snprintf(lease->trouble, sizeof(lease->trouble), "Lease %s/%s: %s",
			 lease->namespace, lease->name, strerror(-r));
	}
	/* With a call under way its end arms the timer, but leading may end before that. */
	if (!lease->call)
		arm(lease);
	else if (lease_leads(&lease->state, now))
		arm_at(lease, lease->state.leads_until_ms);
	tell(lease);
}

static int set_names(struct kube_lease *lease, const struct kube_lease_options *options)
{
	const struct kube_path path = { .group = "coordination.k8s.io",
					.version = "v1",
					.namespace = options->namespace,
					.plural = "leases",
					.name = options->name };
	struct kube_path list = path;

	list.name = NULL;
	lease->namespace = strdup(options->namespace);
	lease->name = strdup(options->name);
	lease->identity = strdup(options->identity);
	lease->path = kube_path_text(&path);
	lease->list = kube_path_text(&list);
	if (!lease->namespace || !lease->name || !lease->identity || !lease->path || !lease->list)
		return -ENOMEM;
	lease->state.options.identity = lease->identity;
	return 0;
}

int kube_lease_new(struct kube_client *client, const struct kube_lease_options *options,
		   kube_lease_fn on_change, void *arg, struct kube_lease **ret)
{
	_cleanup_(kube_lease_freep) struct kube_lease *lease = calloc(1, sizeof(*lease));
	int r;

	if (!lease)
		return -ENOMEM;
	lease->client = client;
	lease->on_change = on_change;
	lease->arg = arg;
	r = lease_state_init(&lease->state, options, clock_ms(CLOCK_BOOTTIME));
	if (r == 0)
		r = set_names(lease, options);
	if (r < 0)
		return r;
	lease->timer = evtimer_new(kube_client_base(client), on_timer, lease);
	if (!lease->timer)
		return -ENOMEM;
	arm(lease);
	*ret = TAKE_PTR(lease);
	return 0;
}

struct kube_lease *kube_lease_free(struct kube_lease *lease)
{
	if (!lease)
		return NULL;
	kube_call_cancel(lease->call);
	if (lease->timer)
		event_free(lease->timer);
	json_decref(lease->object);
	free(lease->namespace);
	free(lease->name);
	free(lease->identity);
	free(lease->path);
	free(lease->list);
	free(lease);
	return NULL;
}

void kube_lease_release(struct kube_lease *lease)
{
	_cleanup_(kube_answer_done) struct kube_answer answer = { 0 };
	_cleanup_free_ char *body = NULL;
	struct kube_request request = { .method = "PUT" };

	if (!lease)
		return;
	event_del(lease->timer);
	lease->call = kube_call_cancel(lease->call);
	lease->on_change = NULL;
	/* When a renewal was on its way the version is not known: then it just runs out. */
	if (!kube_lease_is_leader(lease))
		return;
	lease->state.leads_until_ms = -LEASE_NEVER;
	body = body_of(lease, "");
	if (!body)
		return;
	request.path = lease->path;
	request.body = body;
	request.length = strlen(body);
	request.timeout_ms = lease->state.options.retry_ms;
	if (kube_call_wait(lease->client, &request, &answer) == 0 &&
	    answer.response.status / 100 == 2)
		*lease->state.seen.holder = 0;
}

bool kube_lease_is_leader(const struct kube_lease *lease)
{
	return lease && lease_leads(&lease->state, clock_ms(CLOCK_BOOTTIME));
}

const char *kube_lease_holder(const struct kube_lease *lease)
{
	return lease->state.seen.holder;
}

void kube_lease_candidates(struct kube_lease *lease, size_t n)
{
	lease->state.candidates = MAX(n, 1);
}

void kube_lease_status(const struct kube_lease *lease, struct kube_lease_status *ret)
{
	*ret = (struct kube_lease_status){
		.leader = kube_lease_is_leader(lease),
		.transitions = lease->state.seen.transitions,
		.gained = lease->gained,
		.lost = lease->lost,
	};
	snprintf(ret->holder, sizeof(ret->holder), "%s", lease->state.seen.holder);
	snprintf(ret->trouble, sizeof(ret->trouble), "%s", lease->trouble);
}
