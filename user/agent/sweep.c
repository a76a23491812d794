/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/sweep.h"

#include "user/base/clock.h"
#include "user/base/file.h"

static void collect(struct agent *agent, struct netns_set *set)
{
	const struct image *image = epochs_current(&agent->epochs);
	int r;

	r = netns_add_own(set);
	if (r < 0)
		log_warning("cannot open the agent's network namespace", "error=\"%s\"",
			    strerror(-r));
	for (size_t i = 0; image && i < image->n_workloads; i++) {
		_cleanup_free_ char *path = NULL;

		if (!cgroups_id(agent->cgroups, i))
			continue;
		path = path_join(agent->cgroup_root, cgroups_path(agent->cgroups, i));
		r = path ? netns_add_cgroup(set, path) : -ENOMEM;
		if (r < 0)
			log_warning("not every network namespace is known",
				    "cgroup=\"%s\" error=\"%s\"", path ?: "", strerror(-r));
	}
}

/* Those of a namespace that were all adopted need no second look: new ones are ours. */
static void adopt(struct agent *agent, struct netns *netns)
{
	const struct netns *known = netns_set_find(&agent->adopted, netns);
	int r;

	if (known && !known->not_adopted)
		return;
	r = datapath_adopt(agent->dp, netns->fd, &netns->not_adopted);
	if (r < 0)
		log_warning("cannot adopt older sockets", "netns=%llu error=\"%s\"",
			    (unsigned long long)netns->ino, datapath_error(agent->dp));
	else if (netns->not_adopted && !known)
		log_warning("sockets older than the agent send no tags",
			    "netns=%llu sockets=%u remedy=\"restart their programs\"",
			    (unsigned long long)netns->ino, netns->not_adopted);
	agent->not_adopted += netns->not_adopted;
}

void sweep(struct agent *agent, unsigned int *cut)
{
	struct netns_set set = { 0 };
	int r;

	collect(agent, &set);
	agent->not_adopted = 0;
	for (size_t i = 0; i < set.n; i++) {
		adopt(agent, &set.item[i]);
		r = datapath_sweep(agent->dp, set.item[i].fd, cut);
		if (r < 0)
			log_warning("cannot end denied connections", "netns=%llu error=\"%s\"",
				    (unsigned long long)set.item[i].ino, datapath_error(agent->dp));
	}
	netns_set_close(&set);
	netns_set_done(&agent->adopted);
	agent->adopted = set;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	unsigned int cut = 0;

	(void)fd;
	(void)what;
	sweep(agent, &cut);
	agent->swept_ms = clock_ms(CLOCK_BOOTTIME);
	if (cut)
		log_info("ended denied connections", "cut=%u epoch=%u", cut, agent->epochs.current);
}

void sweep_soon(struct agent *agent)
{
	int64_t wait_ms = agent->swept_ms + SWEEP_PAUSE_MS - clock_ms(CLOCK_BOOTTIME);
	struct timeval wait;

	if (!agent->sweep_timer) {
		on_timer(-1, 0, agent);
		return;
	}
	if (event_pending(agent->sweep_timer, EV_TIMEOUT, NULL))
		return;
	wait_ms = MAX(wait_ms, (int64_t)SWEEP_SOON_MS);
	wait = (struct timeval){ .tv_usec = wait_ms * 1000 };
	event_add(agent->sweep_timer, &wait);
}

int sweep_watch(struct agent *agent)
{
	agent->sweep_timer = event_new(agent->base, -1, 0, on_timer, agent);
	if (!agent->sweep_timer)
		return -ENOMEM;
	agent->events[agent->n_events++] = agent->sweep_timer;
	return 0;
}
