/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/reload.h"

#include "user/agent/health.h"
#include "user/agent/sweep.h"
#include "user/base/clock.h"
#include "user/base/host.h"
#include "user/base/quote.h"

/* Everything one reload works with. */
struct attempt {
	struct source_documents documents;
	int read_error; /* of reading them */
	struct cs_key digest; /* of them */
	struct policy_errors errors;
	struct policy_set *set;
	struct image *image;
};

static void attempt_done(struct attempt *attempt)
{
	source_documents_done(&attempt->documents);
	policy_errors_done(&attempt->errors);
	policy_set_free(attempt->set);
	image_free(attempt->image);
}

void reload_done(struct agent_reload *last)
{
	for (size_t i = 0; i < last->n_errors; i++)
		free(last->errors[i]);
	free(last->errors);
	*last = (struct agent_reload){ 0 };
}

/* Takes @text over. */
static void add_error(struct agent_reload *last, char *text)
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
		add_error(last, policy_error_text(&errors->item[i]));
	if (errors->total > errors->n &&
	    asprintf(&more, "and %zu more errors", errors->total - errors->n) >= 0)
		add_error(last, more);
}

/* After a failure each further file is only checked, on its own, for its errors' sake. */
static int parse(struct attempt *attempt)
{
	int r, first;

	first = policy_set_new(&attempt->set);
	for (size_t i = 0; i < attempt->documents.n && first != -ENOMEM; i++) {
		const struct source_document *d = &attempt->documents.item[i];
		_cleanup_(policy_set_freep) struct policy_set *alone = NULL;

		r = first < 0 ? policy_set_new(&alone) : 0;
		if (r == 0)
			r = policy_set_parse(alone ?: attempt->set, d->name, d->text, d->length,
					     &attempt->errors);
		first = first < 0 ? first : r;
	}
	return first;
}

static int compile(struct agent *agent, struct attempt *attempt)
{
	_cleanup_(host_addresses_freep) char **addresses = NULL;
	struct policy_options options = {
		.trust_domain = agent->options->trust_domain,
		.default_verdict = agent->options->default_verdict,
		.tag_networks = (const char *const *)agent->options->tag_networks,
		.salt = { agent->salt[0], agent->salt[1] },
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
	};
	int r;

	/* Without them the entity Host matches nothing: no reason to keep a policy out. */
	r = host_addresses(&addresses);
	if (r < 0)
		log_warning("cannot list this node's addresses", "error=\"%s\"", strerror(-r));
	options.host_addresses = (const char *const *)addresses;
	return policy_compile(attempt->set, &options, agent->rule_ids, &attempt->image,
			      &attempt->errors);
}

/* Up to here nothing has changed; a failure of the commit changes nothing either. */
static int prepare_and_commit(struct agent *agent, struct attempt *attempt)
{
	struct agent_reload *last = &agent->last;
	int r;

	r = attempt->read_error;
	if (r < 0) {
		add_error(last, strdup(source_error(agent->source)));
		return r;
	}
	r = parse(attempt);
	if (r == 0)
		r = compile(agent, attempt);
	if (r < 0) {
		add_errors(last, &attempt->errors);
		return r;
	}
	r = datapath_commit(agent->dp, attempt->image);
	if (r < 0)
		add_error(last, strdup(datapath_error(agent->dp)));
	return r;
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
static int follow(struct agent *agent, struct image *image, int *errors)
{
	struct agent_reload *last = &agent->last;
	struct datapath_status status;
	int r;

	r = datapath_status(agent->dp, &status);
	if (r < 0) {
		add_error(last, strdup(datapath_error(agent->dp)));
		image_free(image);
		free(errors);
		return r;
	}
	last->epoch = status.epoch;
	free(agent->cgroup_errors);
	agent->cgroup_errors = errors;
	epochs_add(&agent->epochs, status.epoch, image);
	r = cgroups_follow(agent->cgroups, image);
	if (r < 0)
		log_warning("cannot follow every cgroup",
			    "error=\"%s\" remedy=\"raise fs.inotify.max_user_watches\"",
			    strerror(-r));
	sweep(agent, &last->cut);
	return 0;
}

static void log_outcome(const struct agent *agent)
{
	const struct agent_reload *last = &agent->last;
	const struct image *image = epochs_current(&agent->epochs);

	for (size_t i = 0; i < last->n_errors; i++) {
		_cleanup_free_ char *text = quote(last->errors[i]);

		log_error("manifests refused", "error=\"%s\"", text ?: "");
	}
	if (!last->ok)
		log_error("reload failed, what was in force stays in force", "epoch=%u",
			  agent->epochs.current);
	else
		log_info("policy in force", "epoch=%u workloads=%zu policies=%zu rules=%zu cut=%u",
			 last->epoch, image->n_workloads, image->n_policies,
			 image->n_rules ? image->n_rules - 1 : 0, last->cut);
}

/* Tells documents that were read before from others. */
static struct cs_key digest(const struct source_documents *documents)
{
	struct cs_key sum = { .k0 = documents->n + 1, .k1 = 1 };

	for (size_t i = 0; i < documents->n; i++) {
		const struct source_document *d = &documents->item[i];

		sum.k0 = cs_siphash_bytes(&sum, d->name, strlen(d->name));
		sum.k1 = cs_siphash_bytes(&sum, d->text, d->length);
	}
	return sum;
}

static int put_in_force(struct agent *agent, struct attempt *attempt)
{
	_cleanup_free_ int *errors = NULL;
	int r;

	r = prepare_and_commit(agent, attempt);
	if (r < 0)
		return r;
	errors = calloc(attempt->image->n_workloads + 1, sizeof(*errors));
	if (!errors)
		return -ENOMEM;
	return follow(agent, TAKE_PTR(attempt->image), TAKE_PTR(errors));
}

static int run(struct agent *agent, struct attempt *attempt)
{
	int r;

	if (agent->started)
		health_notify_reloading();
	reload_done(&agent->last);
	agent->last.realtime_ns = clock_ns(CLOCK_REALTIME);
	r = put_in_force(agent, attempt);
	if (r < 0 && !agent->last.n_errors)
		add_error(&agent->last, strdup(strerror(-r)));
	agent->last.ok = r == 0;
	agent->documents = attempt->digest;
	log_outcome(agent);
	if (agent->started)
		health_notify_ready(agent);
	return r;
}

static void read_documents(struct agent *agent, struct attempt *attempt)
{
	attempt->read_error = source_read(agent->source, &attempt->documents);
	if (attempt->read_error == 0)
		attempt->digest = digest(&attempt->documents);
}

int reload(struct agent *agent)
{
	_cleanup_(attempt_done) struct attempt attempt = { 0 };

	read_documents(agent, &attempt);
	return run(agent, &attempt);
}

int reload_if_changed(struct agent *agent)
{
	_cleanup_(attempt_done) struct attempt attempt = { 0 };

	read_documents(agent, &attempt);
	if (attempt.digest.k0 == agent->documents.k0 && attempt.digest.k1 == agent->documents.k1)
		return 0;
	return run(agent, &attempt);
}
