/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/rollback.h"

#include <stdarg.h>

#include "user/agent/agent.h"
#include "user/agent/reload.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/quote.h"

#define HISTORY_NAME "history"

static char *history_path(const struct agent_options *options)
{
	return options->history_dir ? strdup(options->history_dir)
				    : path_join(options->state, HISTORY_NAME);
}

static int open_failed(const char *path, int r)
{
	const char *remedy = "name another directory with --history-dir";

	if (r == -EPERM)
		remedy = "it must be the agent's user's, and nobody else may write to it";
	else if (r == -EWOULDBLOCK)
		remedy = "another agent uses it: give each its own --history-dir";
	log_error("cannot open the history", "path=\"%s\" error=\"%s\" remedy=\"%s\"", path,
		  strerror(-r), remedy);
	return r;
}

static void log_damaged(const struct revisions *revisions)
{
	for (size_t i = 0; i < revisions_count(revisions); i++) {
		const struct revisions_item *item = revisions_at(revisions, i);

		if (item->damage)
			log_warning("a revision is damaged, it is not used",
				    "revision=%u error=\"%s\"", item->number,
				    revisions_damage_text(item->damage));
	}
}

int rollback_open(struct agent *agent)
{
	struct rollback *rollback = &agent->rollback;
	_cleanup_free_ char *path = history_path(agent->options);
	int r;

	if (!path)
		return -ENOMEM;
	r = revisions_open(path, agent->options->history, &rollback->revisions);
	if (r < 0)
		return open_failed(path, r);
	log_damaged(rollback->revisions);
	r = pin_read(revisions_directory(rollback->revisions), &rollback->pin);
	rollback->pin_damaged = r < 0;
	return r == -ENOMEM ? r : 0;
}

void rollback_done(struct agent *agent)
{
	agent->rollback.revisions = revisions_free(agent->rollback.revisions);
}

int rollback_uninstall(const struct agent_options *options)
{
	_cleanup_free_ char *path = history_path(options);
	int r;

	if (!path)
		return -ENOMEM;
	r = revisions_remove(path);
	return r < 0 ? open_failed(path, r) : 0;
}

bool rollback_is_pinned(const struct agent *agent)
{
	return agent->rollback.pin.revision || agent->rollback.pin_damaged;
}

/* ---- the history grows ---- */

static struct revision describe(const struct agent *agent)
{
	static const struct image none = { .n_rules = 1 };
	const struct image *image = epochs_current(&agent->epochs) ?: &none;

	return (struct revision){
		.realtime_ns = agent->last.realtime_ns,
		.origin = agent->rollback.origin ? *agent->rollback.origin
						 : origin_of_agent("directory change"),
		.workloads = image->n_workloads,
		.policies = image->n_policies,
		.rules = image->n_rules ? image->n_rules - 1 : 0,
	};
}

static void note_waiting(struct rollback *rollback, const struct source_documents *documents)
{
	const struct revisions_item *item = revisions_find(rollback->revisions, rollback->in_force);
	struct cs_key digest = revision_digest(documents);

	rollback->waiting = !item || item->damage || item->is.digest.k0 != digest.k0 ||
			    item->is.digest.k1 != digest.k1;
}

static void warn_not_kept(struct rollback *rollback, int r)
{
	snprintf(rollback->warning, sizeof(rollback->warning),
		 "the policy in force cannot be kept in the history: %s", strerror(-r));
	log_warning("cannot keep the policy in the history", "error=\"%s\"", strerror(-r));
}

void rollback_save(struct agent *agent)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	const struct image *image = epochs_current(&agent->epochs);
	struct rollback *rollback = &agent->rollback;
	int r;

	if (!rollback->unsaved || !image || rollback_is_pinned(agent))
		return;
	/* Others by now: when they are accepted they are kept, or this is tried again. */
	if (reload_read_in_force(agent, &documents) < 0)
		return;
	rollback->unsaved = false;
	r = revisions_refresh(rollback->revisions, image->n_workloads, &documents);
	if (r < 0)
		warn_not_kept(rollback, r);
}

static void on_save(evutil_socket_t fd, short what, void *agent)
{
	(void)fd;
	(void)what;
	rollback_save(agent);
}

int rollback_watch(struct agent *agent)
{
	struct event *timer = event_new(agent->base, -1, 0, on_save, agent);

	if (!timer)
		return -ENOMEM;
	agent->rollback.timer = timer;
	agent->events[agent->n_events++] = timer;
	return 0;
}

static void save_later(struct rollback *rollback)
{
	const struct timeval wait = { .tv_sec = ROLLBACK_SAVE_S };

	rollback->unsaved = true;
	if (rollback->timer && !event_pending(rollback->timer, EV_TIMEOUT, NULL))
		event_add(rollback->timer, &wait);
}

void rollback_accepted(struct agent *agent, const struct source_documents *documents)
{
	struct rollback *rollback = &agent->rollback;
	struct revision revision = describe(agent);
	uint32_t number = 0;
	int r;

	if (rollback_is_pinned(agent)) {
		note_waiting(rollback, documents);
		return;
	}
	/* Workloads of other nodes that come and go are no other policy, unless somebody asks. */
	if (agent->last.effort == POLICY_PEERS && !rollback->origin && rollback->in_force) {
		rollback->last_good = false;
		save_later(rollback);
		return;
	}
	rollback->unsaved = false;
	r = revisions_add(rollback->revisions, &revision, documents, &number);
	rollback->in_force = number;
	rollback->last_good = false;
	rollback->warning[0] = '\0';
	if (r < 0)
		warn_not_kept(rollback, r);
}

/* ---- a revision in force ---- */

static void _printf_(2, 3) set_error(struct agent_reload *ret, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	ret->errors = n < 0 ? NULL : calloc(1, sizeof(*ret->errors));
	if (ret->errors)
		ret->errors[ret->n_errors++] = text;
	else if (n >= 0)
		free(text);
}

/* Compiles and commits it. It is in force when this returns 0. */
static int use_revision(struct agent *agent, uint32_t number, struct agent_reload *ret)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	int r;

	r = revisions_read(agent->rollback.revisions, number, &documents);
	if (r == -ENOENT)
		set_error(ret, "there is no revision %u: see `countersign policy history`", number);
	else if (r < 0)
		set_error(ret, "revision %u cannot be used: %s", number, revisions_damage_text(r));
	if (r == 0)
		r = reload_documents(agent, &documents, ret);
	if (r == 0)
		agent->rollback.in_force = number;
	return r;
}

static void log_use(const char *message, uint32_t number, const struct agent_reload *outcome)
{
	_cleanup_free_ char *text = quote(outcome->n_errors ? outcome->errors[0] : "");

	if (outcome->ok)
		log_info(message, "revision=%u epoch=%u cut=%u", number, outcome->epoch,
			 outcome->cut);
	else
		log_error("cannot use a revision", "revision=%u error=\"%s\"", number, text ?: "");
}

int rollback_to(struct agent *agent, uint32_t number, const struct origin *origin,
		struct agent_reload *ret)
{
	struct rollback *rollback = &agent->rollback;
	int dir = revisions_directory(rollback->revisions);
	const struct pin pin = {
		.revision = number,
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.origin = *origin,
	};
	int r;

	*ret = (struct agent_reload){ 0 };
	if (agent->objects) {
		set_error(ret, "this agent's policy comes from the API server: change it there, "
			       "with kubectl or in the repository that it is applied from");
		return -EOPNOTSUPP;
	}
	r = pin_prepare(dir, &pin);
	if (r < 0) {
		set_error(ret, "cannot write the pin: %s", strerror(-r));
		return r;
	}
	r = use_revision(agent, number, ret);
	log_use("pinned, changes of the manifests wait", number, ret);
	if (r < 0) {
		pin_abandon(dir);
		return r;
	}
	rollback->pin = pin;
	rollback->pin_damaged = rollback->last_good = false;
	rollback->waiting = true; /* until the manifests are seen to say the same */
	rollback->problem[0] = rollback->warning[0] = '\0';
	revisions_protect(rollback->revisions, number);
	r = pin_settle(dir);
	if (r < 0)
		snprintf(rollback->warning, sizeof(rollback->warning),
			 "the pin will not outlive the agent: %s", strerror(-r));
	return 0;
}

int rollback_release(struct agent *agent, const struct origin *origin)
{
	struct rollback *rollback = &agent->rollback;
	const struct pin pin = rollback->pin;
	bool damaged = rollback->pin_damaged;
	int r;

	if (!rollback_is_pinned(agent))
		return -ENOENT;
	rollback->pin = (struct pin){ 0 };
	rollback->pin_damaged = false;
	rollback->origin = origin;
	r = reload(agent);
	rollback->origin = NULL;
	if (r < 0) {
		rollback->pin = pin;
		rollback->pin_damaged = damaged;
		return r;
	}
	rollback->waiting = false;
	rollback->problem[0] = '\0';
	revisions_protect(rollback->revisions, 0);
	log_info("pin released", "revision=%u epoch=%u", pin.revision, agent->epochs.current);
	r = pin_remove(revisions_directory(rollback->revisions));
	if (r < 0)
		snprintf(rollback->warning, sizeof(rollback->warning),
			 "the pin comes back with the next start, its file cannot be removed: %s",
			 strerror(-r));
	return 0;
}

int rollback_again(struct agent *agent)
{
	struct agent_reload outcome = { 0 };
	int r;

	r = reload_again(agent, &outcome);
	if (r != -ENODATA)
		log_use("policy in force anew", agent->rollback.in_force, &outcome);
	reload_done(&outcome);
	return r == -ENODATA ? reload(agent) : r;
}

/* ---- the start ---- */

static int start_pinned(struct agent *agent)
{
	struct rollback *rollback = &agent->rollback;
	struct agent_reload outcome = { 0 };
	int r = -EBADMSG;

	if (rollback->pin_damaged)
		set_error(&outcome, "the pin's file is damaged");
	else
		r = use_revision(agent, rollback->pin.revision, &outcome);
	log_use("pinned, changes of the manifests wait", rollback->pin.revision, &outcome);
	if (r < 0)
		snprintf(rollback->problem, sizeof(rollback->problem),
			 "the pinned revision cannot be put in force: %s: release it, or roll back "
			 "to another",
			 outcome.n_errors ? outcome.errors[0] : strerror(-r));
	reload_done(&outcome);
	reload(agent); /* for its errors, and to know whether something waits */
	return r;
}

static int start_last_good(struct agent *agent, int error)
{
	const struct revisions_item *newest = revisions_newest(agent->rollback.revisions);
	struct agent_reload outcome = { 0 };
	int r;

	if (!newest)
		return error;
	r = use_revision(agent, newest->number, &outcome);
	log_use("the manifests are refused, the last good revision is in force", newest->number,
		&outcome);
	agent->rollback.last_good = r == 0;
	reload_done(&outcome);
	return r;
}

int rollback_start(struct agent *agent)
{
	const struct origin origin = origin_of_agent("agent start");
	int r;

	agent->rollback.origin = &origin;
	if (rollback_is_pinned(agent))
		r = start_pinned(agent);
	else
		r = reload(agent);
	agent->rollback.origin = NULL;
	return r < 0 && !rollback_is_pinned(agent) ? start_last_good(agent, r) : r;
}
