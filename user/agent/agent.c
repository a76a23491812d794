/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/agent.h"

#include <signal.h>
#include <sys/resource.h>

#include "user/agent/caps.h"
#include "user/agent/claim.h"
#include "user/agent/collector.h"
#include "user/agent/control.h"
#include "user/agent/events.h"
#include "user/agent/health.h"
#include "user/agent/kube.h"
#include "user/agent/kube_tell.h"
#include "user/agent/lock.h"
#include "user/agent/pod_guard.h"
#include "user/agent/reload.h"
#include "user/agent/reload_changes.h"
#include "user/agent/salt.h"
#include "user/agent/signer.h"
#include "user/agent/sweep.h"
#include "user/agent/trust.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/notify.h"
#include "user/base/quote.h"

#define SOCKET_NAME "agent.sock"
#define LOCK_NAME "agent.lock"

static void agent_done(struct agent *agent)
{
	signer_done(agent); /* first: it gives its lease back */
	control_free(agent->control);
	collector_done(agent);
	trust_done(agent);
	for (size_t i = 0; i < agent->n_events; i++)
		event_free(agent->events[i]);
	source_free(agent->source);
	refusals_done(&agent->refusals);
	kube_tell_done(agent);
	kube_done(agent);
	cgroups_free(agent->cgroups);
	policy_engine_free(agent->engine);
	rule_ids_free(agent->rule_ids);
	rule_ages_done(&agent->rule_ages);
	expiry_done(agent);
	rollback_done(agent);
	flow_history_free(agent->history);
	epochs_done(&agent->epochs);
	netns_set_done(&agent->adopted);
	free(agent->cgroup_errors);
	reload_done(&agent->last);
	datapath_close(agent->dp);
	if (agent->base)
		event_base_free(agent->base);
}

/* Keeps other agents out of the state directory; the datapath guards its pins itself. */
static int lock_state(const struct agent_options *options, int *ret_lock)
{
	_cleanup_free_ char *path = path_join(options->state, LOCK_NAME);
	int r, pid = 0;

	if (!path)
		return -ENOMEM;
	r = lock_file(path, ret_lock, &pid);
	if (r == -EWOULDBLOCK)
		log_error(
			"another agent is running",
			"state=\"%s\" pid=%d remedy=\"stop it, or use another --state and --bpffs\"",
			options->state, pid);
	else if (r < 0)
		log_error("cannot lock the state directory", "path=\"%s\" error=\"%s\"", path,
			  strerror(-r));
	return r;
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct agent *agent = arg;

	(void)what;
	log_info("stopping, what is in force stays in force", "signal=%d", (int)sig);
	rollback_save(agent);
	event_base_loopbreak(agent->base);
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	const struct origin origin = origin_of_agent("SIGHUP");
	struct agent *agent = arg;

	(void)sig;
	(void)what;
	agent->rollback.origin = &origin;
	reload_asked(agent);
	agent->rollback.origin = NULL;
}

static void take_source(struct agent *agent)
{
	int r = reload_changes(agent);

	if (r == -EOPNOTSUPP)
		reload_if_changed(agent);
	else if (r < 0 && r != -EAGAIN)
		log_error("cannot take changes in", "error=\"%s\"", strerror(-r));
}

static void on_source(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	int r = source_dispatch(agent->source);

	(void)fd;
	(void)what;
	if (r < 0)
		log_error("cannot watch the manifests",
			  "error=\"%s\" remedy=\"send SIGHUP after changes\"", strerror(-r));
	if (r > 0)
		take_source(agent);
}

static void on_cgroups(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	int r = cgroups_dispatch(agent->cgroups);

	(void)fd;
	(void)what;
	if (r < 0)
		log_error("cannot watch the cgroups", "error=\"%s\"", strerror(-r));
}

static int add_events(struct agent *agent)
{
	static const struct {
		int sig;
		event_callback_fn fn;
	} signals[] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_hup } };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals) && r == 0; i++) {
		r = loop_signal(agent->base, signals[i].sig, signals[i].fn, agent,
				&agent->events[agent->n_events]);
		agent->n_events += r == 0;
	}
	if (r == 0) {
		r = loop_read(agent->base, source_fd(agent->source), on_source, agent,
			      &agent->events[agent->n_events]);
		agent->n_events += r == 0;
	}
	if (r == 0) {
		r = loop_read(agent->base, cgroups_fd(agent->cgroups), on_cgroups, agent,
			      &agent->events[agent->n_events]);
		agent->n_events += r == 0;
	}
	if (r == 0)
		r = expiry_start(agent);
	if (r == 0)
		r = reload_changes_watch(agent);
	if (r == 0)
		r = sweep_watch(agent);
	if (r == 0)
		r = rollback_watch(agent);
	if (r == 0)
		r = trust_watch(agent);
	return r < 0 ? r : events_start(agent);
}

static const struct image *image_at(void *agent, uint32_t epoch)
{
	return epochs_at(&((struct agent *)agent)->epochs, epoch);
}

static int open_cgroups(struct agent *agent)
{
	const struct agent_options *options = agent->options;
	const struct cgroups_ops ops = {
		.placed = reload_set_cgroup,
		.pods = options->pod_cgroups || options->kubernetes ? pod_guard_follow : NULL,
	};

	return cgroups_new(agent->cgroup_root, &ops, agent, &agent->cgroups);
}

/* Everything that needs neither the kernel's programs nor privileges. */
static int prepare(struct agent *agent)
{
	const struct agent_options *options = agent->options;
	int r;

	if (options->node_name)
		snprintf(agent->node_name, sizeof(agent->node_name), "%s", options->node_name);
	else
		gethostname(agent->node_name, sizeof(agent->node_name) - 1);
	agent->names = (struct flow_names){
		.node_name = agent->node_name,
		.trust_domain = options->trust_domain,
		.image_at = image_at,
		.arg = agent,
		.boot_to_real_ns = clock_boot_to_real_ns(),
	};
	r = salt_read(options->salt_file, options->trust_domain, agent->salt);
	if (r < 0) {
		log_error("cannot read the cluster salt",
			  "path=\"%s\" error=\"%s\" remedy=\"16 to 4096 random bytes\"",
			  options->salt_file, strerror(-r));
		return r;
	}
	agent->base = event_base_new();
	if (!agent->base)
		return -ENOMEM;
	r = rule_ids_new(&agent->rule_ids);
	if (r == 0)
		r = policy_engine_new(&agent->engine);
	if (r == 0)
		r = flow_history_new(FLOW_HISTORY_MAX, &agent->history);
	if (r == 0)
		r = kube_open(agent);
	if (r == 0)
		r = claim_open(agent);
	if (r == 0)
		r = kube_open_source(agent);
	if (r == 0)
		r = open_cgroups(agent);
	if (r == 0)
		r = rollback_open(agent);
	if (r == 0)
		r = expiry_open(agent);
	if (r == 0)
		r = trust_open(agent);
	if (r == 0)
		r = signer_open(agent);
	if (r == 0)
		r = kube_tell_open(agent);
	if (r == 0)
		r = collector_open(agent, kube_tell_is_leader);
	return r;
}

static int open_datapath(struct agent *agent)
{
	const struct datapath_options options = {
		.cgroup_root = agent->cgroup_root,
		.bpffs = agent->options->bpffs,
		.node = agent->number,
		.deny_mode = agent->options->deny_mode,
		.own_node = agent->options->own_node,
	};
	int r;

	r = datapath_open(&options, &agent->dp);
	if (r < 0) {
		_cleanup_free_ char *text = quote(datapath_error(agent->dp));

		log_error("cannot load the programs", "errno=%d error=\"%s\"", -r, text ?: "");
		return r;
	}
	datapath_ask_cgroups(agent->dp, pod_guard_cgroup_of, agent);
	pod_guard_follow(agent); /* before anything is attached, or asks an API server */
	return 0;
}

/*
 * The first policy. When it is bad the last good one of the history takes its place; when
 * there is none, what an earlier agent left in force stays so, and this one runs,
 * unhealthy, until the manifests are mended; if there is nothing in force it ends, as
 * running without enforcement would look like enforcement.
 */
static int first_policy(struct agent *agent)
{
	struct datapath_status status;
	int r;

	r = datapath_status(agent->dp, &status);
	if (r < 0)
		return r;
	agent->epochs.current = status.epoch; /* its image is gone with the agent before */
	if (status.epoch)
		log_info("adopted what is in force", "epoch=%u programs=%zu", status.epoch,
			 status.programs_attached);
	r = reload_changes(agent);
	if (r == -EOPNOTSUPP)
		r = rollback_start(agent);
	if (r < 0)
		trust_follow(agent, NULL); /* what was adopted goes on, with fresh keys */
	if (r == -EAGAIN) {
		log_info("nothing new comes into force yet", "reason=\"%s\"",
			 source_error(agent->source));
		return 0;
	}
	if (r < 0 && !status.epoch) {
		log_error("no policy to put in force, nothing is attached", "manifests=\"%s\"",
			  agent->options->manifests ?: "");
		return r;
	}
	return 0;
}

/* More namespaces and clients than the usual 1024 descriptors. */
static void raise_limits(void)
{
	struct rlimit files;
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_MEMLOCK, &all); /* kernels before 5.11 charge maps to it */
}

static int start(struct agent *agent)
{
	_cleanup_free_ char *socket_path = path_join(agent->options->state, SOCKET_NAME);
	int r;

	if (!socket_path)
		return -ENOMEM;
	r = prepare(agent);
	if (r == 0)
		r = open_datapath(agent);
	if (r < 0)
		return r;
	r = caps_drop();
	if (r < 0) {
		log_error("cannot drop privileges", "error=\"%s\"", strerror(-r));
		return r;
	}
	r = trust_start(agent);
	if (r == 0)
		r = first_policy(agent);
	if (r == 0)
		r = add_events(agent);
	if (r < 0)
		return r;
	r = control_new(agent, socket_path, &agent->control);
	if (r < 0)
		log_error("cannot listen", "path=\"%s\" error=\"%s\"", socket_path, strerror(-r));
	return r;
}

int agent_run(const struct agent_options *options, const char *cgroup_root)
{
	_cleanup_close_ int lock = -EBADF; /* goes last */
	_cleanup_(agent_done) struct agent agent = {
		.options = options,
		.cgroup_root = cgroup_root,
		.expiry = { .timer = -EBADF, .clock = -EBADF },
	};
	int r;

	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	r = directory_make(options->state, 0755);
	if (r < 0) {
		log_error("cannot make the state directory", "path=\"%s\" error=\"%s\"",
			  options->state, strerror(-r));
		return r;
	}
	r = lock_state(options, &lock);
	if (r < 0)
		return r;
	r = start(&agent);
	if (r < 0) {
		log_error("cannot start", "error=\"%s\"", strerror(-r));
		return r;
	}
	agent.started = true;
	health_notify_ready(&agent);
	if (event_base_dispatch(agent.base) < 0)
		r = -EIO;
	kube_tell_release(&agent);
	notify_send("STOPPING=1\nSTATUS=what is in force stays in force");
	return r;
}

int agent_uninstall(const struct agent_options *options)
{
	_cleanup_close_ int lock = -EBADF;
	_cleanup_free_ char *socket_path = path_join(options->state, SOCKET_NAME);
	_cleanup_free_ char *lock_path = path_join(options->state, LOCK_NAME);
	const struct datapath_options dp = {
		.cgroup_root = options->cgroup_root,
		.bpffs = options->bpffs,
	};
	int r = 0;

	if (!socket_path || !lock_path)
		return -ENOMEM;
	if (access(options->state, F_OK) == 0)
		r = lock_state(options, &lock);
	if (r == 0)
		r = datapath_uninstall(&dp);
	if (r < 0) {
		log_error("cannot remove everything", "bpffs=\"%s\" error=\"%s\"", options->bpffs,
			  r == -EWOULDBLOCK ? strerror(-r) : datapath_error(NULL));
		return r;
	}
	r = rollback_uninstall(options);
	unlink(socket_path);
	unlink(lock_path);
	rmdir(options->state); /* unless something else is in it */
	log_info("removed", "bpffs=\"%s\"", options->bpffs);
	return r;
}
