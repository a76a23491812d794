/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/events.h"

#include "user/agent/control.h"
#include "user/base/clock.h"

static void take(const struct cs_event *event, void *arg)
{
	struct agent *agent = arg;

	flow_history_add(agent->history, event);
}

/* While nothing happens and nobody watches, the ring is looked at less often. */
static void wind_timer(struct agent *agent)
{
	bool busy = agent->quiet_ticks < EVENTS_QUIET_TICKS;
	unsigned int ms = busy ? EVENTS_EVERY_MS : EVENTS_QUIET_MS;
	const struct timeval next = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(agent->ring_timer, &next);
}

void events_watched(struct agent *agent)
{
	bool slow = agent->quiet_ticks >= EVENTS_QUIET_TICKS;

	agent->quiet_ticks = 0;
	if (slow)
		wind_timer(agent);
}

void events_take(struct agent *agent)
{
	int n = datapath_consume(agent->dp, take, agent);

	if (n < 0)
		log_debug("cannot read events", "error=\"%s\"", strerror(-n));
	if (n > 0 || control_has_streams(agent->control))
		events_watched(agent);
	control_pump(agent->control);
}

static void on_ring(evutil_socket_t fd, short what, void *agent)
{
	(void)fd;
	(void)what;
	events_take(agent);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	if (agent->quiet_ticks < EVENTS_QUIET_TICKS)
		agent->quiet_ticks++;
	events_take(agent);
	wind_timer(agent);
}

/* The clocks drift apart as the wall clock is set; losses are told when they grow. */
static void on_slow_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct datapath_status status;

	(void)fd;
	(void)what;
	agent->names.boot_to_real_ns = clock_boot_to_real_ns();
	if (datapath_status(agent->dp, &status) < 0)
		return;
	agent->losses.before = agent->losses.now;
	agent->losses.now = status.stats[CS_STAT_EVENTS_LOST];
	if (agent->losses.now > agent->losses.before)
		log_warning("verdict events are lost", "lost=%llu seconds=%u",
			    (unsigned long long)(agent->losses.now - agent->losses.before),
			    LOSSES_EVERY_MS / 1000);
}

int events_start(struct agent *agent)
{
	struct event **event = &agent->events[agent->n_events];
	struct datapath_status status;
	int r;

	/* What was lost before this agent came is not its news. */
	if (datapath_status(agent->dp, &status) == 0)
		agent->losses.before = agent->losses.now = status.stats[CS_STAT_EVENTS_LOST];
	r = loop_read(agent->base, datapath_event_fd(agent->dp), on_ring, agent, &event[0]);
	if (r < 0)
		return r;
	agent->n_events++;
	r = loop_every(agent->base, LOSSES_EVERY_MS, on_slow_tick, agent, &event[1]);
	if (r < 0)
		return r;
	agent->n_events++;
	agent->ring_timer = event_new(agent->base, -1, 0, on_tick, agent);
	if (!agent->ring_timer)
		return -ENOMEM;
	agent->events[agent->n_events++] = agent->ring_timer;
	wind_timer(agent);
	return 0;
}
