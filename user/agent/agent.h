/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's state: the rooms, wired together around one event loop. */
#pragma once

#include "user/agent/cgroups.h"
#include "user/agent/epochs.h"
#include "user/agent/expiry.h"
#include "user/agent/netns.h"
#include "user/agent/options.h"
#include "user/agent/refusals.h"
#include "user/agent/rollback.h"
#include "user/agent/rule_ages.h"
#include "user/base/loop.h"
#include "user/datapath/datapath.h"
#include "user/flow/flow.h"
#include "user/policy/engine.h"
#include "user/source/source.h"

struct control;
struct kube_client;
struct kube_tell;
struct trust;

/* What the last reload came to. */
struct agent_reload {
	int64_t realtime_ns; /* 0: there was none yet */
	bool ok;
	char **errors; /* "file:line: field: message" */
	size_t n_errors;
	uint32_t epoch; /* in force since */
	unsigned int cut; /* connections ended by it */
	enum policy_effort effort; /* that it took */
	struct datapath_update update; /* of POLICY_PEERS */
	uint64_t cpu_ns; /* from documents to policy in force */
};

/* How many events were lost, seen at two moments. */
struct agent_losses {
	uint64_t before;
	uint64_t now;
};

struct agent {
	const struct agent_options *options;
	const char *cgroup_root;
	char node_name[65];
	uint16_t number; /* of this node: --node, or claimed */
	uint64_t salt[2];

	struct event_base *base;
	struct event *events[32];
	size_t n_events;

	struct trust *trust; /* NULL: there are no other nodes */
	struct kube_client *kube; /* NULL: there is no API server */
	struct signer *signer; /* NULL: no --signer */
	struct collector *collector; /* NULL: no --nodes kubernetes: */
	struct kube_tell *tell; /* what the cluster is told; NULL: nothing */
	struct source *objects; /* of the API server, part of @source; borrowed */
	struct source *source;
	bool documents_read; /* all of @source once: from then on its changes are enough */
	struct refusals refusals; /* of a source with changes */
	struct event *retry_timer; /* of them; one of @events */
	struct event *sweep_timer; /* one of @events; NULL until the loop runs */
	int64_t swept_ms; /* CLOCK_BOOTTIME, by that timer */
	struct rule_ids *rule_ids;
	struct policy_engine *engine;
	struct datapath *dp;
	struct cgroups *cgroups;
	struct epochs epochs;
	struct netns_set adopted; /* namespaces whose sockets were adopted; closed */
	unsigned int not_adopted;
	int *cgroup_errors; /* by workload: what datapath_set_cgroup() said */

	struct event *ring_timer; /* one of @events */
	unsigned int quiet_ticks; /* of it, without an event or a reader */
	struct flow_history *history;
	struct flow_names names;
	struct control *control;

	bool started; /* the service manager was told READY */
	struct agent_reload last;
	struct cs_key documents; /* digest of what it read; zero: nothing could be read */
	struct agent_losses losses;

	struct rollback rollback; /* the history, and the pin */
	struct expiry expiry;
	struct rule_ages rule_ages;
};

/* Runs the agent until a signal ends it; logs. 0 or a negative errno. */
int agent_run(const struct agent_options *options, const char *cgroup_root);

/* Removes what an agent with the same options left; logs. */
int agent_uninstall(const struct agent_options *options);
