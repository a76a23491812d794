/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/trust_internal.h"

#include <openssl/crypto.h>

#include "user/agent/sweep.h"
#include "user/base/clock.h"
#include "user/credential/secret_pages.h"

#define CHANGED_BYTES (NODE_TABLE_MAX * sizeof(struct cs_node_keys))

/* ---- opening ---- */

static int open_tables(struct agent *agent)
{
	const struct agent_options *options = agent->options;
	struct trust *trust = agent->trust;
	const struct key_ring_options ring = { .lifetime_ms = options->key_lifetime_s * 1000 };
	const struct node_table_options table = {
		.own_number = agent->number,
		.own_name = agent->node_name,
		.trust_domain = options->trust_domain,
	};
	int r;

	trust->changed = secret_pages_new(CHANGED_BYTES);
	if (!trust->changed)
		return -errno;
	r = key_ring_new(&ring, &trust->ring);
	if (r == 0)
		r = node_table_new(&table, &trust->table);
	if (r == 0)
		r = trust_open_records(agent);
	if (r == 0 && options->bundles)
		r = source_directory_new(options->bundles, &trust->bundle_files);
	return r;
}

int trust_open(struct agent *agent)
{
	int r;

	if (!agent->options->nodes)
		return 0;
	agent->trust = calloc(1, sizeof(*agent->trust));
	if (!agent->trust)
		return -ENOMEM;
	agent->trust->muted = true;
	agent->trust->begin_ms = clock_ms(CLOCK_BOOTTIME);
	r = trust_open_credential(agent);
	if (r == 0)
		r = open_tables(agent);
	return r;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void trust_done(struct agent *agent)
{
	struct trust *trust = agent->trust;

	if (!trust)
		return;
	free_event(trust->timer);
	free_event(trust->on_source);
	free_event(trust->on_records);
	free_event(trust->on_bundles);
	credential_source_free(trust->source);
	credential_done(&trust->credential);
	source_free(trust->bundle_files);
	source_free(trust->records);
	publisher_free(trust->publisher);
	free(trust->all.item);
	bundles_done(&trust->federated);
	key_ring_free(trust->ring);
	node_table_free(trust->table);
	for (size_t i = 0; i < trust->n_said; i++)
		free(trust->said[i].file);
	free(trust->said);
	secret_pages_free(trust->changed, CHANGED_BYTES);
	free(trust);
	agent->trust = NULL;
}

/* ---- keys ---- */

static int keep_ring(struct agent *agent)
{
	struct cs_vault vault = { 0 };
	int r;

	_Static_assert(sizeof(vault) == KEY_RING_SEALED_BYTES, "the vault holds one sealed ring");
	key_ring_seal(agent->trust->ring, vault.byte);
	r = datapath_vault_write(agent->dp, &vault);
	OPENSSL_cleanse(&vault, sizeof(vault));
	if (r < 0)
		log_error("cannot keep the node's keys for the next agent", "error=\"%s\"",
			  datapath_error(agent->dp));
	return r;
}

static void resume_ring(struct agent *agent)
{
	struct cs_vault vault = { 0 };
	int r;

	r = datapath_vault_read(agent->dp, &vault);
	if (r == 0)
		r = key_ring_unseal(agent->trust->ring, vault.byte, trust_now_ms());
	OPENSSL_cleanse(&vault, sizeof(vault));
	if (r == 0)
		log_info("goes on with the node's keys", "source=kernel");
}

/*
 * New keys when they are due. The kernel has them before the record says so: whoever reads
 * the record may use them at once.
 */
static int turn_ring(struct agent *agent, bool publish)
{
	struct trust *trust = agent->trust;
	int64_t now_ms = trust_now_ms();
	int changed = 0, r;

	/* It must not be sent with as long as the others may not have heard of it. */
	if (!trust_is_told(trust))
		changed = key_ring_restart(trust->ring, now_ms);
	r = key_ring_tick(trust->ring, now_ms);
	if (r < 0) {
		log_error("cannot make node keys", "error=\"%s\"", strerror(-r));
		return r;
	}
	changed |= r;
	if (changed)
		keep_ring(agent);
	r = trust_push_keys(agent, /* all= */ false);
	if (changed || publish)
		trust_publish(agent);
	return r;
}

/* ---- following ---- */

static void sweep_and_say(struct agent *agent, const char *why)
{
	unsigned int cut = 0;

	sweep(agent, &cut);
	log_info("connections of other nodes are judged again", "cause=\"%s\" cut=%u", why, cut);
}

static int judge(struct agent *agent)
{
	struct trust *trust = agent->trust;
	struct revocations revoked;
	struct node_trust by = trust_judge_by(trust, &revoked);
	int r = node_table_judge(trust->table, &by);

	if (r < 0)
		log_error("cannot judge the node records", "error=\"%s\"", strerror(-r));
	trust_say_records(agent);
	return r;
}

/* Something about nodes changed: keys and scope follow, and live connections. */
static void follow(struct agent *agent, const char *why, bool all, bool publish)
{
	struct trust *trust = agent->trust;
	int r = turn_ring(agent, publish), scope = 0;

	if (all)
		r = trust_push_keys(agent, true) > 0 || r > 0;
	if (trust->image)
		scope = scope_rebuild(agent, trust->image);
	if (r > 0 || scope > 0)
		sweep_and_say(agent, why);
}

static void wind_timer(struct agent *agent)
{
	struct trust *trust = agent->trust;
	/* What is due is asked as of the moment at which we began to look: something may have
	 * become due between our look at it and now, and would be taken for done. */
	int64_t now_ms = trust->looked_ms, wait_ms;
	int64_t due_ms = now_ms + TRUST_TICK_MAX_MS;
	struct timeval when;

	due_ms = MIN(due_ms, key_ring_due_ms(trust->ring, now_ms));
	due_ms = MIN(due_ms, node_table_due_ms(trust->table, trust->ring, now_ms));
	due_ms = MIN(due_ms, trust_own_due_ms(trust));
	if (!trust_is_told(trust))
		due_ms = MIN(due_ms, key_ring_restart_ms(trust->ring));
	if (*trust->records_error || (*trust->publish_error && !trust->publisher->ops->retries))
		due_ms = MIN(due_ms, now_ms + TRUST_DIRECTORY_RETRY_MS);
	wait_ms = MAX(due_ms - trust_now_ms(), TRUST_TICK_MIN_MS);
	when = (struct timeval){ .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	event_add(trust->timer, &when);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct trust *trust = agent->trust;
	bool own, publish = *trust->publish_error && !trust->publisher->ops->retries;
	int r;

	(void)fd;
	(void)what;
	trust->looked_ms = trust_now_ms();
	own = trust_judge_own(agent);
	if (*trust->records_error)
		trust_read_records(agent);
	judge(agent);
	r = turn_ring(agent, publish);
	if (own)
		r = trust_push_keys(agent, true) > 0 || r > 0;
	if (r > 0)
		sweep_and_say(agent, "time");
	wind_timer(agent);
}

static void on_source(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	bool muted;

	(void)fd;
	(void)what;
	agent->trust->looked_ms = trust_now_ms();
	if (trust_take_credential(agent)) {
		agent->trust->age = TRUST_AGE_NONE;
		muted = trust_judge_own(agent);
		if (*agent->trust->records_error)
			trust_read_records(agent);
		judge(agent);
		follow(agent, "credential", muted, /* publish= */ true);
	}
	wind_timer(agent);
}

static void on_records(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	int r = source_dispatch(agent->trust->records);

	(void)fd;
	(void)what;
	agent->trust->looked_ms = trust_now_ms();
	if (r < 0)
		log_error("cannot watch the node records", "error=\"%s\"", strerror(-r));
	if (r > 0 && trust_read_records(agent) == 0) {
		follow(agent, "node records", false, false);
		trust_publish_if_gone(agent);
	}
	wind_timer(agent);
}

static void on_bundles(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)fd;
	(void)what;
	agent->trust->looked_ms = trust_now_ms();
	if (source_dispatch(agent->trust->bundle_files) <= 0)
		return;
	trust_read_bundles(agent);
	judge(agent);
	follow(agent, "bundles", false, false);
	wind_timer(agent);
}

int trust_follow(struct agent *agent, const struct image *image)
{
	struct trust *trust = agent->trust;
	int r, scope = 0;

	if (!trust)
		return 0;
	trust->image = image;
	trust_judge_own(agent);
	judge(agent);
	r = trust_push_keys(agent, true);
	if (image)
		scope = scope_rebuild(agent, image);
	return r < 0 ? r : scope < 0 ? scope : r || scope;
}

int trust_follow_delta(struct agent *agent, const struct image *image,
		       const struct image_delta *delta)
{
	if (!agent->trust)
		return 0;
	agent->trust->image = image;
	return scope_update(agent, image, delta);
}

/* ---- starting ---- */

int trust_start(struct agent *agent)
{
	struct trust *trust = agent->trust;

	if (!trust) {
		datapath_set_node_scope(agent->dp, CS_NODE_SCOPE_OFF);
		return 0;
	}
	resume_ring(agent);
	trust_take_credential(agent);
	trust_judge_own(agent);
	trust_read_bundles(agent);
	trust_read_records(agent);
	turn_ring(agent, /* publish= */ true);
	return 0;
}

int trust_watch(struct agent *agent)
{
	struct trust *trust = agent->trust;
	int r;

	if (!trust)
		return 0;
	trust->timer = evtimer_new(agent->base, on_timer, agent);
	if (!trust->timer)
		return -ENOMEM;
	r = loop_read(agent->base, trust->source->ops->fd(trust->source), on_source, agent,
		      &trust->on_source);
	if (r == 0)
		r = loop_read(agent->base, source_fd(trust->records), on_records, agent,
			      &trust->on_records);
	if (r == 0 && trust->bundle_files)
		r = loop_read(agent->base, source_fd(trust->bundle_files), on_bundles, agent,
			      &trust->on_bundles);
	trust->looked_ms = 0; /* it was a while ago that trust_start() looked */
	wind_timer(agent);
	return r;
}
