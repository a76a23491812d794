/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/reload_changes.h"

#include "user/agent/kube_tell.h"
#include "user/agent/reload_internal.h"
#include "user/base/clock.h"
#include "user/base/quote.h"

#define ATTEMPTS_MAX 64 /* compiles for one batch; what is undecided then waits */
#define ATTEMPTS_BLIND_MAX 16 /* the same when nothing says which documents are at fault */

/* One document of a batch. */
struct candidate {
	struct source_document document;
	char *message; /* why it is left out; NULL: it is not */
};

/* What is to come into force together, sorted by name. */
struct batch {
	struct candidate *item;
	size_t n;
	struct policy_document *staged; /* room for all of them */
	unsigned int attempts, blind;
	bool in_force; /* some of it came into force */
};

static void candidate_done(struct candidate *candidate)
{
	struct source_documents one = { 0 };

	one.item = malloc(sizeof(*one.item));
	if (one.item) {
		one.item[0] = candidate->document;
		one.n = 1;
		source_documents_done(&one);
	}
	free(candidate->message);
}

static void batch_done(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		candidate_done(&batch->item[i]);
	free(batch->item);
	free(batch->staged);
}

static struct candidate *find(const struct batch *batch, const char *name)
{
	size_t low = 0, high = batch->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(batch->item[middle].document.name, name);

		if (order == 0)
			return &batch->item[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- making a batch ---- */

/* A copy, as the list of refusals goes when it is replaced. */
static int again(const struct refusal *refusal, struct candidate *ret)
{
	const struct source_document *from = &refusal->document;
	struct source_document copy = { .length = from->length, .digest = from->digest };

	copy.name = strdup(from->name);
	copy.text = from->text ? malloc(from->length + 1) : NULL;
	if (!copy.name || (from->text && !copy.text)) {
		free(copy.name);
		free(copy.text);
		return -ENOMEM;
	}
	if (from->text)
		memcpy(copy.text, from->text, from->length + 1);
	ret->document = copy;
	return 0;
}

/* Both lists are sorted; a newer version of a refused document takes its place. */
static int merge(struct batch *batch, struct source_documents *changes,
		 const struct refusals *refusals)
{
	size_t c = 0, f = 0;
	int r = 0, order;

	batch->item = calloc(changes->n + refusals->n + 1, sizeof(*batch->item));
	batch->staged = calloc(changes->n + refusals->n + 1, sizeof(*batch->staged));
	if (!batch->item || !batch->staged)
		return -ENOMEM;
	while (r == 0 && (c < changes->n || f < refusals->n)) {
		order = c == changes->n ? 1
			: f == refusals->n
				? -1
				: strcmp(changes->item[c].name, refusals->item[f].document.name);
		if (order > 0) {
			r = again(&refusals->item[f++], &batch->item[batch->n]);
			batch->n += r == 0;
			continue;
		}
		f += order == 0;
		batch->item[batch->n++].document = changes->item[c];
		changes->item[c++] = (struct source_document){ 0 };
	}
	return r;
}

/* ---- into force ---- */

/* Leaves out the documents that @errors name; returns how many were not left out before. */
static size_t leave_out(struct batch *batch, const struct policy_errors *errors)
{
	struct candidate *candidate;
	size_t n = 0;

	for (size_t i = 0; i < errors->n; i++) {
		const struct policy_error *error = &errors->item[i];

		candidate = error->file ? find(batch, error->file) : NULL;
		if (!candidate || candidate->message || !candidate->document.text)
			continue;
		if (asprintf(&candidate->message, "%s%s%s", error->field ?: "",
			     error->field && *error->field ? ": " : "", error->message ?: "") < 0)
			candidate->message = NULL;
		n += candidate->message != NULL;
	}
	return n;
}

static size_t list(const struct batch *batch, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		const struct source_document *document = &batch->item[i].document;

		if (batch->item[i].message)
			continue;
		batch->staged[n++] = (struct policy_document){
			.name = document->name,
			.text = document->text,
			.length = document->length,
			.digest = document->digest,
		};
	}
	return n;
}

static int attempt(struct agent *agent, struct batch *batch, size_t n, struct attempt *ret)
{
	ssize_t r;

	batch->attempts++;
	r = policy_engine_stage_changes(agent->engine, batch->staged, n, &ret->errors);
	if (r == 0) {
		policy_engine_reject(agent->engine); /* they are in force as they are */
		return 0;
	}
	r = r < 0 ? r : reload_put_staged(agent, ret);
	if (r < 0)
		policy_engine_reject(agent->engine);
	return (int)r;
}

static void leave_out_all(struct batch *batch, size_t from, size_t to, const char *why)
{
	for (size_t i = from; i < to; i++)
		if (!batch->item[i].message)
			batch->item[i].message = strdup(why);
}

static int apply(struct agent *agent, struct batch *batch, size_t from, size_t to);

/* Nothing says which of them it is: each half for itself. */
static int apply_halves(struct agent *agent, struct batch *batch, size_t from, size_t to,
			const char *why)
{
	size_t middle = from + (to - from) / 2;
	int r;

	if (to - from == 1 || batch->blind >= ATTEMPTS_BLIND_MAX) {
		leave_out_all(batch, from, to, why);
		return 0;
	}
	batch->blind++;
	r = apply(agent, batch, from, middle);
	return r < 0 ? r : apply(agent, batch, middle, to);
}

static void why_not(const struct agent *agent, const struct policy_errors *errors, int error,
		    char *ret, size_t size)
{
	_cleanup_free_ char *text = errors->n ? policy_error_text(&errors->item[0]) : NULL;

	if (!text && agent->last.n_errors)
		text = strdup(agent->last.errors[agent->last.n_errors - 1]);
	snprintf(ret, size, "%s", text ?: strerror(-error));
}

/* Documents [@from, @to) of the batch; < 0: memory is short, all that is not in force waits. */
static int apply(struct agent *agent, struct batch *batch, size_t from, size_t to)
{
	char why[512];
	size_t n;
	int r;

	while ((n = list(batch, from, to))) {
		_cleanup_(attempt_done) struct attempt tried = { 0 };

		if (batch->attempts >= ATTEMPTS_MAX) {
			leave_out_all(batch, from, to, "not tried: too many others are refused");
			return 0;
		}
		r = attempt(agent, batch, n, &tried);
		if (r == 0) {
			batch->in_force = true;
			return 0;
		}
		if (r == -ENOMEM)
			return r;
		why_not(agent, &tried.errors, r, why, sizeof(why));
		log_debug("a batch is refused", "documents=%zu errors=%zu error=\"%s\"", n,
			  tried.errors.total, why);
		if (leave_out(batch, &tried.errors))
			continue;
		return apply_halves(agent, batch, from, to, why);
	}
	return 0;
}

/* ---- what is left out ---- */

static int take_refused(struct batch *batch, struct refusals *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < batch->n; i++)
		n += batch->item[i].message != NULL;
	ret->item = calloc(n + 1, sizeof(*ret->item));
	if (!ret->item)
		return -ENOMEM;
	for (size_t i = 0; i < batch->n; i++) {
		struct candidate *candidate = &batch->item[i];
		struct refusal *refusal = &ret->item[ret->n];

		if (!candidate->message)
			continue;
		refusal->document = candidate->document;
		refusal->message = TAKE_PTR(candidate->message);
		candidate->document = (struct source_document){ 0 };
		ret->n++;
	}
	return 0;
}

static void say(struct refusals *refusals)
{
	for (size_t i = 0; i < refusals->n; i++) {
		struct refusal *refusal = &refusals->item[i];
		_cleanup_free_ char *text = quote(refusal->message);

		if (!refusal->said)
			log_error("refused, its last good version stays in force",
				  "object=\"%s\" error=\"%s\"", refusal->document.name, text ?: "");
		refusal->said = true;
	}
}

static void wind_retry(struct agent *agent)
{
	unsigned int ms = refusals_retry_ms(&agent->refusals);
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (agent->refusals.n && agent->retry_timer)
		event_add(agent->retry_timer, &wait);
}

/* Memory was short: everything that is not known to be in force waits for another try. */
static int finish(struct agent *agent, struct batch *batch, int error)
{
	struct refusals fresh = { 0 };
	int r;

	if (error < 0)
		leave_out_all(batch, 0, batch->n, strerror(-error));
	r = take_refused(batch, &fresh);
	if (r == 0)
		refusals_replace(&agent->refusals, &fresh);
	say(&agent->refusals);
	wind_retry(agent);
	return r < 0 ? r : error;
}

/* ---- the way in ---- */

static int take(struct agent *agent, struct source_documents *changes)
{
	_cleanup_(batch_done) struct batch batch = { 0 };
	uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int r = merge(&batch, changes, &agent->refusals);

	if (r == 0 && !batch.n && agent->documents_read)
		return 0;
	reload_begin(agent);
	agent->last.epoch = agent->epochs.current;
	if (r == 0)
		r = apply(agent, &batch, 0, batch.n);
	agent->last.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	r = finish(agent, &batch, r);
	return reload_end(agent, r);
}

/* An empty cluster has a policy, too: the default. */
static int take_nothing(struct agent *agent)
{
	_cleanup_(attempt_done) struct attempt nothing = { 0 };
	ssize_t r;

	if (agent->refusals.n || epochs_current(&agent->epochs))
		return 0;
	r = policy_engine_stage(agent->engine, NULL, 0, &nothing.errors);
	return r < 0 ? (int)r : reload_put_staged(agent, &nothing);
}

int reload_changes(struct agent *agent)
{
	_cleanup_(source_documents_done) struct source_documents changes = { 0 };
	int r;

	if (!agent->objects)
		return -EOPNOTSUPP;
	r = agent->documents_read ? source_changes(agent->source, &changes)
				  : source_read(agent->source, &changes);
	if (r < 0)
		return r;
	kube_tell_documents(agent, &changes, !agent->documents_read);
	r = take(agent, &changes);
	if (r == 0 && !agent->documents_read)
		r = take_nothing(agent);
	agent->documents_read |= r == 0;
	/* When memory is short nothing more is claimed. */
	if (r == 0)
		kube_tell_settled(agent);
	return r;
}

int reload_asked(struct agent *agent)
{
	int r = reload_changes(agent);

	return r == -EOPNOTSUPP ? reload(agent) : r;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	reload_changes(arg);
}

int reload_changes_watch(struct agent *agent)
{
	agent->retry_timer = event_new(agent->base, -1, 0, on_retry, agent);
	if (!agent->retry_timer)
		return -ENOMEM;
	agent->events[agent->n_events++] = agent->retry_timer;
	wind_retry(agent);
	return 0;
}
