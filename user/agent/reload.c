/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/reload_internal.h"

#include "user/agent/expiry.h"
#include "user/agent/health.h"
#include "user/agent/pod_guard.h"
#include "user/agent/rollback.h"
#include "user/agent/sweep.h"
#include "user/agent/trial.h"
#include "user/agent/trust.h"
#include "user/base/clock.h"
#include "user/base/host.h"
#include "user/base/quote.h"

#define DIGEST_FACTOR 0x9e3779b97f4a7c15ULL /* odd; what it spreads are keyed hashes already */

void attempt_done(struct attempt *attempt)
{
	policy_errors_done(&attempt->errors);
	host_addresses_freep(&attempt->addresses);
	free(attempt->staged);
	free(attempt->cgroup_errors);
}

void reload_done(struct agent_reload *last)
{
	for (size_t i = 0; i < last->n_errors; i++)
		free(last->errors[i]);
	free(last->errors);
	*last = (struct agent_reload){ 0 };
}

void reload_add_error(struct agent_reload *last, char *text)
{
	char **more = reallocarray(last->errors, last->n_errors + 1, sizeof(*more));

	if (more)
		last->errors = more;
	if (!more || !text) {
		free(text);
		return;
	}
	more[last->n_errors++] = text;
}

static void add_errors(struct agent_reload *last, const struct policy_errors *errors)
{
	char *more;

	for (size_t i = 0; i < errors->n; i++)
		reload_add_error(last, policy_error_text(&errors->item[i]));
	if (errors->total > errors->n &&
	    asprintf(&more, "and %zu more errors", errors->total - errors->n) >= 0)
		reload_add_error(last, more);
}

/* Tells documents that were read before from others. */
static struct cs_key digest(const struct policy_document *documents, size_t n)
{
	struct cs_key sum = { .k0 = n + 1, .k1 = 1 };

	for (size_t i = 0; i < n; i++) {
		sum.k0 = sum.k0 * DIGEST_FACTOR + documents[i].digest.k0;
		sum.k1 = sum.k1 * DIGEST_FACTOR + documents[i].digest.k1;
	}
	return sum;
}

static int list_documents(struct attempt *attempt)
{
	const struct source_documents *documents = attempt->documents;

	attempt->staged = calloc(documents->n + 1, sizeof(*attempt->staged));
	if (!attempt->staged)
		return -ENOMEM;
	for (size_t i = 0; i < documents->n; i++) {
		struct policy_document *staged = &attempt->staged[i];

		staged->name = documents->item[i].name;
		staged->text = documents->item[i].text;
		staged->length = documents->item[i].length;
		staged->digest = documents->item[i].digest;
		if (!staged->digest.k0)
			staged->digest =
				document_digest(staged->name, staged->text, staged->length);
	}
	return 0;
}

/* Where nothing is enforced, the default denies nothing either. */
static uint8_t default_verdict(const struct agent_options *options)
{
	bool denies = options->default_verdict == CS_VERDICT_DENY;

	return options->audit && denies ? CS_VERDICT_AUDIT : options->default_verdict;
}

/* What every compile is given; @addresses are the node's own. */
static struct policy_options options_of(const struct agent *agent, char **addresses)
{
	return (struct policy_options){
		.trust_domain = agent->options->trust_domain,
		.node_name = agent->trust || agent->kube ? agent->node_name : NULL,
		.default_verdict = default_verdict(agent->options),
		.tag_networks = (const char *const *)agent->options->tag_networks,
		.host_addresses = (const char *const *)addresses,
		.audit = agent->options->audit,
		.salt = { agent->salt[0], agent->salt[1] },
		.salt_by_domain = !agent->options->salt_file,
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
	};
}

/* Without them the entity Host matches nothing: no reason to keep a policy out. */
static void read_addresses(struct attempt *attempt)
{
	int r = host_addresses(&attempt->addresses);

	if (r < 0)
		log_warning("cannot list this node's addresses", "error=\"%s\"", strerror(-r));
}

static int compile(struct agent *agent, struct attempt *attempt, enum policy_effort least)
{
	const struct policy_options options = options_of(agent, attempt->addresses);
	int r;

	r = policy_engine_compile(agent->engine, &options, agent->rule_ids, least, &attempt->result,
				  &attempt->errors);
	if (r < 0)
		add_errors(&agent->last, &attempt->errors);
	return r;
}

static int commit(struct agent *agent, struct attempt *attempt)
{
	const struct image *image = attempt->result.image;
	int r;

	attempt->cgroup_errors = calloc(image->n_workloads + 1, sizeof(*attempt->cgroup_errors));
	if (!attempt->cgroup_errors)
		return -ENOMEM;
	/* What is revoked goes first; what comes must be claimable when it is allowed. */
	r = trust_follow(agent, image);
	if (r >= 0)
		r = datapath_commit(agent->dp, image);
	if (r < 0) {
		trust_follow(agent, epochs_current(&agent->epochs));
		reload_add_error(&agent->last, strdup(datapath_error(agent->dp)));
	}
	return r < 0 ? r : 0;
}

/* Up to here nothing has changed; a failure in the kernel changes nothing either. */
static int compile_and_commit(struct agent *agent, struct attempt *attempt)
{
	const struct policy_result *result = &attempt->result;
	int r;

	read_addresses(attempt);
	r = compile(agent, attempt, POLICY_PEERS);
	if (r < 0)
		return r;
	if (result->effort == POLICY_PEERS) {
		int scope = trust_follow_delta(agent, result->image, result->delta);

		r = scope < 0 ? scope
			      : datapath_update(agent->dp, result->image, result->delta,
						&agent->last.update);
		agent->last.update.stamped |= scope > 0;
		if (r == 0)
			return 0;
		log_debug("the change takes a commit", "error=\"%s\"", datapath_error(agent->dp));
		r = compile(agent, attempt, POLICY_WHOLE);
	}
	return r < 0 ? r : commit(agent, attempt);
}

void reload_set_cgroup(void *arg, size_t workload, uint64_t id)
{
	struct agent *agent = arg;
	const struct image *image = epochs_current(&agent->epochs);
	const struct image_workload *w = &image->workloads[workload];
	int r;

	r = datapath_set_cgroup(agent->dp, workload, id);
	agent->cgroup_errors[workload] = r;
	if (r < 0)
		log_error("cannot place workload", "workload=\"%s/%s\" cgroup=\"%s\" error=\"%s\"",
			  w->namespace, w->name, cgroups_path(agent->cgroups, workload),
			  datapath_error(agent->dp));
	else
		log_debug(id ? "workload placed" : "workload waits for its cgroup",
			  "workload=\"%s/%s\" cgroup=\"%s\" cgroup_id=%llu", w->namespace, w->name,
			  cgroups_path(agent->cgroups, workload), (unsigned long long)id);
}

/* The image is in force: names, cgroups and live connections follow. */
static void follow(struct agent *agent, struct attempt *attempt)
{
	struct image *image = attempt->result.image;
	int r;

	policy_engine_accept(agent->engine);
	free(agent->cgroup_errors);
	agent->cgroup_errors = TAKE_PTR(attempt->cgroup_errors);
	epochs_add(&agent->epochs, datapath_epoch(agent->dp), image);
	r = cgroups_follow(agent->cgroups, image);
	if (r < 0)
		log_warning("cannot follow every cgroup",
			    "error=\"%s\" remedy=\"raise fs.inotify.max_user_watches\"",
			    strerror(-r));
	pod_guard_follow(agent); /* static pods may be known by now; and our own cgroup */
	if (agent->objects)
		sweep_soon(agent);
	else
		sweep(agent, &agent->last.cut);
	expiry_follow(agent);
	rule_ages_follow(&agent->rule_ages, image, clock_ns(CLOCK_BOOTTIME));
}

/* Nothing moved; only idle connections must be told, and only when it may matter to them. */
static void follow_peers(struct agent *agent)
{
	policy_engine_accept(agent->engine);
	if (agent->last.update.stamped && agent->objects)
		sweep_soon(agent);
	else if (agent->last.update.stamped)
		sweep(agent, &agent->last.cut);
}

static void log_update(const struct agent_reload *last)
{
	log_info("workloads changed",
		 "epoch=%u identity_writes=%zu address_writes=%zu "
		 "removals=%zu decided_anew=%s cut=%u cpu_us=%llu",
		 last->epoch, last->update.identity_writes, last->update.address_writes,
		 last->update.removals, last->update.stamped ? "yes" : "no", last->cut,
		 (unsigned long long)last->cpu_ns / 1000);
}

static void log_policy(const struct agent *agent)
{
	const struct agent_reload *last = &agent->last;
	const struct image *image = epochs_current(&agent->epochs);

	log_info("policy in force",
		 "epoch=%u workloads=%zu policies=%zu rules=%zu cut=%u compiled=%s cpu_us=%llu",
		 last->epoch, image->n_workloads, image->n_policies,
		 image->n_rules ? image->n_rules - 1 : 0, last->cut,
		 last->effort == POLICY_RULES ? "rules" : "everything",
		 (unsigned long long)last->cpu_ns / 1000);
}

static void log_outcome(const struct agent *agent)
{
	const struct agent_reload *last = &agent->last;

	for (size_t i = 0; i < last->n_errors; i++) {
		_cleanup_free_ char *text = quote(last->errors[i]);

		log_error("manifests refused", "error=\"%s\"", text ?: "");
	}
	if (!last->ok)
		log_error("reload failed, what was in force stays in force", "epoch=%u",
			  agent->epochs.current);
	else if (rollback_is_pinned(agent))
		log_info("manifests checked, they wait until the pin is released",
			 "epoch=%u pinned_revision=%u", agent->epochs.current,
			 agent->rollback.pin.revision);
	else if (!epochs_current(&agent->epochs))
		log_error("all objects are refused, what was in force stays in force", "epoch=%u",
			  agent->epochs.current);
	else if (last->effort == POLICY_PEERS && agent->objects)
		log_debug("workloads changed", "epoch=%u cpu_us=%llu", last->epoch,
			  (unsigned long long)last->cpu_ns / 1000); /* all the time, in a cluster */
	else if (last->effort == POLICY_PEERS)
		log_update(last);
	else
		log_policy(agent);
}

static int stage(struct agent *agent, struct attempt *attempt)
{
	ssize_t r;

	if (!attempt->documents)
		return policy_engine_stage_again(agent->engine);
	if (!attempt->staged && list_documents(attempt) < 0)
		return -ENOMEM;
	r = policy_engine_stage(agent->engine, attempt->staged, attempt->documents->n,
				&attempt->errors);
	if (r < 0)
		add_errors(&agent->last, &attempt->errors);
	return r < 0 ? (int)r : 0;
}

int reload_put_staged(struct agent *agent, struct attempt *attempt)
{
	int r = compile_and_commit(agent, attempt);

	if (r < 0) {
		policy_engine_reject(agent->engine);
		return r;
	}
	agent->last.effort = attempt->result.effort;
	if (attempt->result.effort == POLICY_PEERS)
		follow_peers(agent);
	else
		follow(agent, attempt);
	agent->last.epoch = agent->epochs.current;
	return 0;
}

static int put_in_force(struct agent *agent, struct attempt *attempt)
{
	int r = stage(agent, attempt);

	if (r == 0)
		return reload_put_staged(agent, attempt);
	policy_engine_reject(agent->engine);
	return r;
}

/* While an older revision is pinned the source's documents are checked, no more. */
static int check_only(struct agent *agent, struct attempt *attempt)
{
	struct policy_options options;
	int r;

	agent->last.epoch = agent->epochs.current;
	read_addresses(attempt);
	options = options_of(agent, attempt->addresses);
	r = trial_check(attempt->documents, &options, &attempt->errors);
	if (r < 0)
		add_errors(&agent->last, &attempt->errors);
	return r;
}

void reload_begin(struct agent *agent)
{
	if (agent->started)
		health_notify_reloading();
	reload_done(&agent->last);
	agent->last.realtime_ns = clock_ns(CLOCK_REALTIME);
}

int reload_end(struct agent *agent, int r)
{
	if (r < 0 && !agent->last.n_errors)
		reload_add_error(&agent->last, strdup(strerror(-r)));
	agent->last.ok = r == 0;
	log_outcome(agent);
	if (agent->started)
		health_notify_ready(agent);
	return r;
}

/* The source's documents, into force or, when another revision is pinned, on trial. */
static int take(struct agent *agent, struct attempt *attempt, uint64_t cpu_ns)
{
	int r;

	reload_begin(agent);
	r = rollback_is_pinned(agent) ? check_only(agent, attempt) : put_in_force(agent, attempt);
	agent->last.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	if (r == 0)
		rollback_accepted(agent, attempt->documents);
	return reload_end(agent, r);
}

/* @always: also when the documents are those that were read last. */
static int run(struct agent *agent, bool always)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	_cleanup_(attempt_done) struct attempt attempt = { .documents = &documents };
	uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct cs_key sum = { 0 };
	int r;

	r = source_read(agent->source, &documents);
	if (r == 0 && list_documents(&attempt) == 0)
		sum = digest(attempt.staged, documents.n);
	if (!always && memcmp(&sum, &agent->documents, sizeof(sum)) == 0)
		return 0;
	agent->documents = sum;
	if (r == 0)
		return take(agent, &attempt, cpu_ns);
	reload_begin(agent);
	agent->last.epoch = agent->epochs.current;
	reload_add_error(&agent->last, strdup(source_error(agent->source)));
	return reload_end(agent, r);
}

/* Not about the source: agent->last is lent and given back. */
static int put_aside(struct agent *agent, struct attempt *attempt, struct agent_reload *ret)
{
	struct agent_reload source = agent->last;
	int r;

	agent->last = (struct agent_reload){ .realtime_ns = clock_ns(CLOCK_REALTIME) };
	r = put_in_force(agent, attempt);
	if (r < 0 && !agent->last.n_errors)
		reload_add_error(&agent->last, strdup(strerror(-r)));
	agent->last.ok = r == 0;
	*ret = agent->last;
	agent->last = source;
	return r;
}

int reload_documents(struct agent *agent, const struct source_documents *documents,
		     struct agent_reload *ret)
{
	_cleanup_(attempt_done) struct attempt attempt = { .documents = documents };

	return put_aside(agent, &attempt, ret);
}

int reload_again(struct agent *agent, struct agent_reload *ret)
{
	_cleanup_(attempt_done) struct attempt attempt = { 0 };

	return put_aside(agent, &attempt, ret);
}

int reload_read_in_force(struct agent *agent, struct source_documents *ret)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	_cleanup_(attempt_done) struct attempt attempt = { .documents = &documents };
	struct cs_key sum;
	int r;

	r = source_read(agent->source, &documents);
	if (r == 0)
		r = list_documents(&attempt);
	if (r < 0)
		return r;
	sum = digest(attempt.staged, documents.n);
	if (!agent->last.ok || memcmp(&sum, &agent->documents, sizeof(sum)) != 0)
		return -EAGAIN;
	*ret = documents;
	documents = (struct source_documents){ 0 };
	return 0;
}

int reload(struct agent *agent)
{
	return run(agent, /* always= */ true);
}

int reload_if_changed(struct agent *agent)
{
	return run(agent, /* always= */ false);
}
