/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/kube_report.h"

#include <sys/random.h>

#include "user/base/clock.h"
#include "user/base/hex.h"
#include "user/base/loop.h"
#include "user/kube/apply.h"

#define INSTANCE_BYTES 8

struct kube_reporter {
	struct kube_client *client;
	const struct kube_ledger *ledger;
	char *node, *version;
	char instance[2 * INSTANCE_BYTES + 1];
	unsigned int life_ms;
	struct condition enforcing;
	uint32_t epoch;

	struct event *timer;
	struct kube_call *call; /* NULL: none is under way */
	bool pending; /* something may have changed since the last write began */
	char owner[KUBE_UID_MAX]; /* UID of the Node in the object; "" before it was made */
	bool made; /* the object is there, with @owner */
	bool making; /* what @call does */
	char *sent, *written; /* essence of what is under way, and of what was written last */
	int64_t written_ms;
	unsigned int failed; /* in a row */
	struct kube_reporter_status status;
};

static uint32_t any_number(void)
{
	uint32_t random = 0;

	return getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0 ? 0 : random;
}

unsigned int kube_report_delay_ms(size_t nodes, uint32_t random)
{
	uint64_t window = MIN(nodes, LEDGER_NODES_MAX) * 1000 / KUBE_REPORT_WRITES_PER_S;

	return (unsigned int)(window * random / UINT32_MAX);
}

static void arm(struct kube_reporter *reporter, int64_t wait_ms)
{
	struct timeval timeout = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

	event_add(reporter->timer, &timeout);
}

/* After a write, or when there was nothing to write. */
static void rest(struct kube_reporter *reporter)
{
	int64_t life = reporter->life_ms;
	int64_t gap = kube_report_delay_ms(kube_ledger_nodes(reporter->ledger), any_number());

	if (reporter->pending)
		arm(reporter, KUBE_REPORT_GAP_MS + gap);
	else
		arm(reporter, life - life * any_number() / 5 / UINT32_MAX);
}

static void begin(struct kube_reporter *reporter);

static void failed(struct kube_reporter *reporter, const char *message)
{
	reporter->failed++;
	reporter->status.failures++;
	reporter->pending = true;
	snprintf(reporter->status.trouble, sizeof(reporter->status.trouble), "%s %s: %s",
		 REPORT_KIND, reporter->node, message);
	arm(reporter, kube_backoff_ms(reporter->failed));
}

static void on_done(void *arg, const struct kube_response *response)
{
	struct kube_reporter *reporter = arg;
	enum kube_outcome outcome = kube_outcome(response);

	reporter->call = NULL;
	if (outcome != KUBE_WRITTEN) {
		/* Somebody may have deleted it: then it is made again. */
		reporter->made = false;
		failed(reporter, response->message);
		return;
	}
	reporter->failed = 0;
	*reporter->status.trouble = 0;
	if (reporter->making) {
		reporter->made = true;
		begin(reporter);
		return;
	}
	reporter->status.writes++;
	reporter->written_ms = clock_ms(CLOCK_BOOTTIME);
	free(reporter->written);
	reporter->written = TAKE_PTR(reporter->sent);
	rest(reporter);
}

static struct report_facts facts_of(const struct kube_reporter *reporter)
{
	return (struct report_facts){
		.node = reporter->node,
		.version = reporter->version,
		.instance = reporter->instance,
		.enforcing = reporter->enforcing,
		.epoch = reporter->epoch,
		.realtime_s = clock_ns(CLOCK_REALTIME) / NS_PER_S,
	};
}

static int apply(struct kube_reporter *reporter, const json_t *object, const char *subresource)
{
	const struct kube_handlers handlers = { .on_done = on_done, .arg = reporter };
	const struct kube_apply write = {
		.path = { .group = "countersign.dev",
			  .version = "v1alpha1",
			  .plural = REPORT_PLURAL,
			  .name = reporter->node,
			  .subresource = subresource },
		.object = object,
		.force = true,
	};

	if (!object)
		return -ENOMEM;
	return kube_apply_start(reporter->client, &write, &handlers, &reporter->call);
}

static int make_object(struct kube_reporter *reporter, const char *owner)
{
	const struct report_facts facts = facts_of(reporter);
	json_auto_t *object = report_object(&facts, owner);

	reporter->making = true;
	snprintf(reporter->owner, sizeof(reporter->owner), "%s", owner);
	return apply(reporter, object, NULL);
}

static bool is_due(const struct kube_reporter *reporter)
{
	int64_t life = reporter->life_ms;

	return !reporter->written || !streq(reporter->sent, reporter->written) ||
	       clock_ms(CLOCK_BOOTTIME) - reporter->written_ms >= life - life / 5;
}

/* 0: nothing to write. */
static int write_status(struct kube_reporter *reporter)
{
	const struct report_facts facts = facts_of(reporter);
	json_auto_t *status = report_status(&facts, reporter->ledger);
	json_auto_t *object = NULL;
	int r;

	free(reporter->sent);
	reporter->sent = status ? report_essence(status) : NULL;
	reporter->pending = false;
	if (!reporter->sent)
		return -ENOMEM;
	if (!is_due(reporter))
		return 0;
	object = json_pack("{s:s, s:s, s:{s:s}, s:O}", "apiVersion", REPORT_API, "kind",
			   REPORT_KIND, "metadata", "name", reporter->node, "status", status);
	reporter->making = false;
	r = apply(reporter, object, "status");
	return r < 0 ? r : 1;
}

static void begin(struct kube_reporter *reporter)
{
	const struct ledger_node *node = kube_ledger_find_node(reporter->ledger, reporter->node);
	const char *owner = node ? node->uid : "";
	int r;

	/* Its owner is the Node of now: when that is deleted the cluster deletes the report. */
	if (!reporter->made || !streq(owner, reporter->owner))
		r = make_object(reporter, owner);
	else
		r = write_status(reporter);
	if (r < 0) {
		reporter->call = NULL;
		failed(reporter, strerror(-r));
		return;
	}
	if (reporter->call)
		return;
	reporter->status.unchanged++;
	rest(reporter);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct kube_reporter *reporter = arg;

	(void)fd;
	(void)what;
	if (!reporter->call && reporter->enforcing.set)
		begin(reporter);
}

static int make_instance(struct kube_reporter *reporter)
{
	uint8_t bytes[INSTANCE_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) < 0)
		return -errno;
	hex_write(bytes, sizeof(bytes), reporter->instance);
	return 0;
}

int kube_reporter_new(const struct kube_reporter_options *options, struct kube_reporter **ret)
{
	_cleanup_(kube_reporter_freep) struct kube_reporter *reporter =
		calloc(1, sizeof(*reporter));

	if (!reporter)
		return -ENOMEM;
	reporter->client = options->client;
	reporter->ledger = options->ledger;
	reporter->life_ms = options->life_ms ?: KUBE_REPORT_LIFE_MS;
	reporter->node = strdup(options->node);
	reporter->version = strdup(options->version);
	reporter->timer = evtimer_new(kube_client_base(options->client), on_timer, reporter);
	if (!reporter->node || !reporter->version || !reporter->timer)
		return -ENOMEM;
	if (make_instance(reporter) < 0)
		return -EIO;
	*ret = TAKE_PTR(reporter);
	return 0;
}

struct kube_reporter *kube_reporter_free(struct kube_reporter *reporter)
{
	if (!reporter)
		return NULL;
	kube_call_cancel(reporter->call);
	if (reporter->timer)
		event_free(reporter->timer);
	free(reporter->node);
	free(reporter->version);
	free(reporter->sent);
	free(reporter->written);
	free(reporter);
	return NULL;
}

void kube_reporter_changed(struct kube_reporter *reporter, enum condition_reason reason,
			   const char *message, uint32_t epoch)
{
	struct condition to = { .reason = reason };
	bool first = !reporter->enforcing.set;

	snprintf(to.message, sizeof(to.message), "%s", message);
	condition_follow(&reporter->enforcing, &to, clock_ns(CLOCK_REALTIME) / NS_PER_S);
	reporter->enforcing = to;
	reporter->epoch = epoch;
	if (reporter->pending)
		return; /* the timer is set for it, or a write is under way that ends with it */
	reporter->pending = true;
	if (!reporter->call || first) {
		int64_t since = clock_ms(CLOCK_BOOTTIME) - reporter->written_ms;
		unsigned int delay =
			kube_report_delay_ms(kube_ledger_nodes(reporter->ledger), any_number());

		arm(reporter, MAX(KUBE_REPORT_GAP_MS - since, 1) + delay);
	}
}

void kube_reporter_status(const struct kube_reporter *reporter, struct kube_reporter_status *ret)
{
	*ret = reporter->status;
}
