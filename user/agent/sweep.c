/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/sweep.h"

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
