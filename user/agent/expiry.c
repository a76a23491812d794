/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/expiry.h"

#include <sys/timerfd.h>

#include "user/agent/agent.h"
#include "user/agent/local_rules.h"
#include "user/agent/sweep.h"
#include "user/base/clock.h"
#include "user/base/quote.h"

#define CLOCK_WATCH_S (365LL * 24 * 60 * 60) /* the timer must be armed to see the clock set */

static int set_timer(int fd, uint64_t ns, int flags)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S },
	};

	return ret_errno(timerfd_settime(fd, TFD_TIMER_ABSTIME | flags, &when, NULL));
}

static int watch_clock(const struct expiry *expiry)
{
	return set_timer(expiry->clock, clock_ns(CLOCK_REALTIME) + CLOCK_WATCH_S * NS_PER_S,
			 TFD_TIMER_CANCEL_ON_SET);
}

int expiry_open(struct agent *agent)
{
	struct expiry *expiry = &agent->expiry;

	expiry->told_ns = clock_ns(CLOCK_BOOTTIME);
	expiry->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	expiry->clock = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (expiry->timer < 0 || expiry->clock < 0)
		return -errno;
	return watch_clock(expiry);
}

void expiry_done(struct agent *agent)
{
	closep(&agent->expiry.timer);
	closep(&agent->expiry.clock);
}

/* Disarmed (0) when nothing is going to end. */
void expiry_follow(struct agent *agent)
{
	const struct image *image = epochs_current(&agent->epochs);
	struct expiry *expiry = &agent->expiry;
	uint64_t next = image ? local_rules_next_expiry(image, expiry->told_ns) : 0;
	int r;

	if (next)
		next = MAX(next, expiry->swept_ns + EXPIRY_SPACING_MS * NS_PER_MS);
	r = set_timer(expiry->timer, next, 0);
	if (r < 0)
		log_error("cannot set the timer of exceptions", "error=\"%s\"", strerror(-r));
}

static void log_ended(const struct image_rule *rule)
{
	_cleanup_free_ char *name = flow_rule_text(rule);
	_cleanup_free_ char *reason = quote(rule->reason ?: "");
	_cleanup_free_ char *ticket = quote(rule->ticket ?: "");

	log_info("exception ended", "rule=\"%s\" reason=\"%s\" ticket=\"%s\"", name ?: "",
		 reason ?: "", ticket ?: "");
}

/* Those that ended after told_ns. */
static void log_all_ended(const struct agent *agent, const struct image *image, uint64_t now)
{
	_cleanup_free_ struct local_rule *rules = local_rules(image);

	for (size_t id = 1; rules && id < image->n_rules; id++)
		if (rules[id].action && rules[id].expires_ns > agent->expiry.told_ns &&
		    rules[id].expires_ns <= now)
			log_ended(&image->rules[id]);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	const struct image *image = epochs_current(&agent->epochs);
	uint64_t ticks, now = clock_ns(CLOCK_BOOTTIME);
	unsigned int cut = 0;

	(void)what;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks) || !image)
		return;
	sweep(agent, &cut);
	log_all_ended(agent, image, now);
	log_info("connections of ended exceptions are cut", "cut=%u", cut);
	agent->expiry.told_ns = now;
	agent->expiry.swept_ns = now;
	expiry_follow(agent);
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	const struct image *image = epochs_current(&agent->epochs);
	uint64_t ticks;
	bool set = read(fd, &ticks, sizeof(ticks)) < 0 && errno == ECANCELED;

	(void)what;
	watch_clock(&agent->expiry);
	if (!set)
		return;
	agent->names.boot_to_real_ns = clock_boot_to_real_ns();
	if (!image || !local_rules_expire(image))
		return;
	log_info("the clock was set, exceptions are timed anew", "epoch=%u", agent->epochs.current);
	rollback_again(agent);
}

int expiry_start(struct agent *agent)
{
	struct event **event = &agent->events[agent->n_events];
	int r;

	r = loop_read(agent->base, agent->expiry.timer, on_end, agent, &event[0]);
	if (r < 0)
		return r;
	agent->n_events++;
	r = loop_read(agent->base, agent->expiry.clock, on_clock, agent, &event[1]);
	agent->n_events += r == 0;
	return r;
}
