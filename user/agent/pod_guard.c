/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/pod_guard.h"

#include "user/agent/agent.h"
#include "user/base/quote.h"

void pod_guard_follow(void *arg)
{
	struct agent *agent = arg;
	struct cgroups_pods pods;
	int r;

	cgroups_pods(agent->cgroups, &pods);
	const struct datapath_pods marks = {
		.waiting = pods.root,
		.n_waiting = pods.n_roots,
		.exempt = pods.static_pod,
		.n_exempt = pods.n_static,
	};

	r = datapath_set_pods(agent->dp, &marks);
	if (r < 0) {
		_cleanup_free_ char *text = quote(datapath_error(agent->dp));

		log_error("cannot guard the cgroups of pods", "error=\"%s\"", text ?: "");
		return;
	}
	log_debug("cgroups of pods", "roots=%zu unknown_static_pods=%zu", pods.n_roots,
		  pods.n_static);
}

uint64_t pod_guard_cgroup_of(void *arg, const struct image_workload *workload)
{
	const struct agent *agent = arg;

	return workload->pod_uid ? cgroups_pod_id(agent->cgroups, workload->pod_uid) : 0;
}
