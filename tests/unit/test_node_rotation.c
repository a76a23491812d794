/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promise of rotation: whatever a node sends with, the receiver has. Nodes with rings
 * and tables live through simulated time, with clocks that differ, records that arrive late
 * and agents that are started again; after every step every sender's key is compared with
 * what the receiver has for that phase. What the kernel holds is modelled apart from the
 * tables, as it outlives the agents.
 */
#include <criterion/criterion.h>

#include "test_node.h"
#include "user/credential/node_table.h"
#include "user/credential/secret.h"

#define NODES_MAX 3
#define NODES_NUMBER_MAX 8
#define HOST_TEXT_MAX 16
#define NONE INT64_MAX

struct scenario {
	const char *name;
	int64_t lifetime_ms, activation_ms;
	int64_t delay_max_ms; /* of a record: at most the activation */
	int64_t skew_ms; /* clocks are apart by this much at most */
	int64_t step_max_ms; /* between two moments at which something may happen */
	size_t nodes;
	unsigned int steps;
	unsigned int restart; /* one step in this many; 0: never */
};

/* A record on its way, or arrived. */
struct copy {
	char *text;
	int64_t at_ms; /* true time of arrival; NONE: nothing is on its way */
};

struct host {
	char name[HOST_TEXT_MAX], file[HOST_TEXT_MAX];
	uint16_t number;
	int64_t offset_ms; /* of its clock */
	struct svid *svid;
	struct key_ring *ring;
	struct node_table *table;
	uint8_t vault[KEY_RING_SEALED_BYTES];
	int64_t issued_ms;
	struct cs_node_keys kernel[NODES_NUMBER_MAX];
	char *has[NODES_MAX]; /* the records that arrived here */
	struct copy coming[NODES_MAX];
};

struct world {
	const struct scenario *s;
	struct node_ca ca;
	struct bundles bundles;
	int64_t now_ms; /* true time */
	struct host host[NODES_MAX];
	unsigned long rotations, checks;
};

static int64_t clock_of(const struct world *w, const struct host *host)
{
	return w->now_ms + host->offset_ms;
}

static int64_t random_up_to(int64_t max)
{
	return max > 0 ? (random() << 16 ^ random()) % (max + 1) : 0;
}

static int into_kernel(void *arg, const struct cs_node_keys *keys)
{
	struct host *host = arg;

	cr_assert_lt(keys->node, NODES_NUMBER_MAX);
	host->kernel[keys->node] = *keys;
	return 0;
}

static void start_table(struct host *host)
{
	const struct node_table_options options = { host->number, host->name, "example.org" };

	cr_assert_eq(node_table_new(&options, &host->table), 0);
}

static void start_ring(const struct scenario *s, struct host *host)
{
	const struct key_ring_options options = { s->lifetime_ms, s->activation_ms };

	cr_assert_eq(key_ring_new(&options, &host->ring), 0);
}

/* ---- what an agent does ---- */

static void publish(struct world *w, struct host *host)
{
	struct node_record *record = calloc(1, sizeof(*record));

	record->trust_domain = strdup("example.org");
	strcpy(record->name, host->name);
	record->number = host->number;
	host->issued_ms = node_record_issue_ms(host->issued_ms, clock_of(w, host));
	record->issued_ms = host->issued_ms;
	record->n_keys = key_ring_public(host->ring, record->key);
	for (size_t i = 0; i < w->s->nodes; i++) {
		struct copy *copy = &w->host[i].coming[host - w->host];

		/* What is on its way is not overtaken: it arrives when it would have. */
		if (copy->at_ms == NONE)
			copy->at_ms = w->now_ms + random_up_to(w->s->delay_max_ms);
		free(copy->text);
		copy->text = node_record_signed_text(record, host->svid);
	}
	node_record_free(record);
}

static void read_records(struct world *w, struct host *host)
{
	const struct node_trust trust = { &w->bundles, NULL, clock_of(w, host), NODE_SKEW_MS };
	struct node_document documents[NODES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < w->s->nodes; i++)
		if (host->has[i])
			documents[n++] = (struct node_document){
				.name = w->host[i].file,
				.text = host->has[i],
				.length = strlen(host->has[i]),
			};
	cr_assert_eq(node_table_read(host->table, documents, n, &trust), 0);
	for (size_t i = 0; i < n; i++) {
		const struct node_entry *entry = node_table_entry(host->table, i);

		cr_assert_eq(entry->flaw, NODE_FLAW_NONE, "%s: %s of %s: %s %s", w->s->name,
			     host->name, entry->file, node_flaw_name(entry->flaw), entry->detail);
	}
}

static void keys_into_kernel(struct world *w, struct host *host, bool all)
{
	cr_assert_eq(node_table_keys(host->table, host->ring, clock_of(w, host), all, into_kernel,
				     host),
		     0);
}

/* What is due by the clock, in the order that node_table.h asks for. */
static void tick(struct world *w, struct host *host)
{
	const struct node_trust trust = { &w->bundles, NULL, clock_of(w, host), NODE_SKEW_MS };
	int r = key_ring_tick(host->ring, clock_of(w, host));

	cr_assert_geq(r, 0);
	if (r > 0)
		key_ring_seal(host->ring, host->vault);
	cr_assert_eq(node_table_judge(host->table, &trust), 0);
	keys_into_kernel(w, host, false);
	if (r > 0)
		publish(w, host);
	w->rotations += r;
}

/* The agent dies and another takes over: from the vault and the records on disk. */
static void restart(struct world *w, struct host *host)
{
	node_table_free(host->table);
	key_ring_free(host->ring);
	start_table(host);
	start_ring(w->s, host);
	cr_assert_eq(key_ring_unseal(host->ring, host->vault, clock_of(w, host)), 0);
	read_records(w, host);
	keys_into_kernel(w, host, true);
	tick(w, host);
}

static void deliver(struct world *w, struct host *host)
{
	bool arrived = false;

	for (size_t i = 0; i < w->s->nodes; i++) {
		struct copy *copy = &host->coming[i];

		if (copy->at_ms > w->now_ms)
			continue;
		free(host->has[i]);
		host->has[i] = TAKE_PTR(copy->text);
		copy->at_ms = NONE;
		arrived = true;
	}
	if (!arrived)
		return;
	read_records(w, host);
	keys_into_kernel(w, host, false);
}

/* ---- the promise ---- */

static void check(struct world *w, const struct host *from, const struct host *to)
{
	const struct cs_node_keys *send = &from->kernel[to->number];
	const struct cs_node_keys *receive = &to->kernel[from->number];
	unsigned int phase = send->send_phase, bit = 1U << phase;

	cr_assert_eq(send->refusal, 0, "%s: %s refuses %s", w->s->name, from->name, to->name);
	cr_assert(send->send_valid & bit, "%s: %s cannot send to %s", w->s->name, from->name,
		  to->name);
	cr_assert(receive->receive_valid & bit, "%s: %s to %s, phase %u: no key (has %x, past %x)",
		  w->s->name, from->name, to->name, phase, receive->receive_valid,
		  receive->receive_past);
	cr_assert_eq(memcmp(&send->send[phase], &receive->receive[phase], sizeof(struct cs_key)), 0,
		     "%s: %s to %s, phase %u: another key", w->s->name, from->name, to->name,
		     phase);
	cr_assert_eq(receive->receive_valid & receive->receive_past, 0);
	w->checks++;
}

static void check_all(struct world *w)
{
	for (size_t i = 0; i < w->s->nodes; i++)
		for (size_t j = 0; j < w->s->nodes; j++)
			if (i != j)
				check(w, &w->host[i], &w->host[j]);
}

/* ---- the world ---- */

static void world_start(struct world *w)
{
	const struct scenario *s = w->s;

	cr_assert_eq(secret_init(NULL), 0);
	node_ca_make("example.org", &w->ca);
	w->bundles = (struct bundles){ &w->ca.bundle, 1 };
	w->now_ms = NOON_MS;
	for (size_t i = 0; i < s->nodes; i++) {
		struct host *host = &w->host[i];

		host->number = i + 1;
		snprintf(host->name, sizeof(host->name), "host-%zu", i);
		snprintf(host->file, sizeof(host->file), "%u.json", host->number);
		/* The first two are as far apart as can be. */
		host->offset_ms = i == 0   ? -s->skew_ms / 2
				  : i == 1 ? s->skew_ms / 2
					   : random_up_to(s->skew_ms) - s->skew_ms / 2;
		host->svid = node_svid_make(&w->ca, host->name, NULL);
		for (size_t j = 0; j < s->nodes; j++)
			host->coming[j].at_ms = NONE;
		start_table(host);
		start_ring(s, host);
	}
	for (size_t i = 0; i < s->nodes; i++)
		tick(w, &w->host[i]);
	/* Nobody knows anybody yet; what is promised begins when they do. */
	w->now_ms += s->delay_max_ms;
	for (size_t i = 0; i < s->nodes; i++)
		deliver(w, &w->host[i]);
	w->rotations = 0;
}

static void world_end(struct world *w)
{
	for (size_t i = 0; i < w->s->nodes; i++) {
		struct host *host = &w->host[i];

		node_table_free(host->table);
		key_ring_free(host->ring);
		svid_free(host->svid);
		for (size_t j = 0; j < NODES_MAX; j++) {
			free(host->has[j]);
			free(host->coming[j].text);
		}
	}
	node_ca_done(&w->ca);
}

/* The next moment at which anybody has something to do, or a random one before it. */
static int64_t next_moment(const struct world *w)
{
	int64_t next = w->now_ms + 1 + random_up_to(w->s->step_max_ms);

	for (size_t i = 0; i < w->s->nodes; i++) {
		const struct host *host = &w->host[i];
		int64_t now = clock_of(w, host), due = key_ring_due_ms(host->ring, now);

		due = MIN(due, node_table_due_ms(host->table, host->ring, now));
		cr_assert_gt(due, now, "%s: due again at once", host->name);
		next = MIN(next, due - host->offset_ms);
		for (size_t j = 0; j < w->s->nodes; j++)
			next = MIN(next, host->coming[j].at_ms);
	}
	return next;
}

/* At one moment: what arrives, then what is due. In between nobody is left in the dark. */
static void step(struct world *w)
{
	w->now_ms = next_moment(w);
	for (size_t i = 0; i < w->s->nodes; i++) {
		deliver(w, &w->host[i]);
		check_all(w);
	}
	for (size_t i = 0; i < w->s->nodes; i++) {
		struct host *host = &w->host[i];

		if (w->s->restart && random() % w->s->restart == 0)
			restart(w, host);
		else
			tick(w, host);
		check_all(w);
	}
}

static void run(const struct scenario *s, unsigned int seed)
{
	struct world w = { .s = s };

	srandom(seed);
	world_start(&w);
	for (unsigned int i = 0; i < s->steps; i++)
		step(&w);
	cr_expect_geq(w.rotations, 100, "%s: only %lu rotations", s->name, w.rotations);
	cr_expect_geq(w.checks, 1000UL);
	world_end(&w);
}

/* ---- the scenarios ---- */

#define MINUTE_MS 60000

/* Records may arrive as late as the activation; clocks may be apart by all of the skew. */
Test(node_rotation, an_hour_and_two_minutes_of_skew)
{
	run(&(struct scenario){ .name = "1 h",
				.lifetime_ms = HOUR_MS,
				.delay_max_ms = MINUTE_MS,
				.skew_ms = NODE_SKEW_MS,
				.step_max_ms = 20 * MINUTE_MS,
				.nodes = 3,
				.steps = 1200,
				.restart = 20 },
	    1);
}

/* Keys of two seconds are over when a clock that is behind sees them made: none matters, as
 * no node compares another's times with its own clock but for the skew. */
Test(node_rotation, two_seconds_and_two_minutes_of_skew)
{
	run(&(struct scenario){ .name = "2 s",
				.lifetime_ms = 2000,
				.activation_ms = 750,
				.delay_max_ms = 250,
				.skew_ms = NODE_SKEW_MS,
				.step_max_ms = 700,
				.nodes = 3,
				.steps = 1200,
				.restart = 20 },
	    2);
}

Test(node_rotation, the_shortest_lifetime)
{
	run(&(struct scenario){ .name = "1 s",
				.lifetime_ms = KEY_LIFETIME_MS_MIN,
				.activation_ms = KEY_LIFETIME_MS_MIN * 3 / 8,
				.delay_max_ms = KEY_LIFETIME_MS_MIN * 3 / 8,
				.skew_ms = 1000,
				.step_max_ms = 300,
				.nodes = 2,
				.steps = 1000,
				.restart = 10 },
	    3);
}

Test(node_rotation, random_scenarios)
{
	for (unsigned int seed = 100; seed < 106; seed++) {
		struct scenario s = { .name = "random", .nodes = 2, .steps = 600 };

		srandom(seed);
		s.lifetime_ms = KEY_LIFETIME_MS_MIN + random_up_to(HOUR_MS);
		s.activation_ms = 1 + random_up_to(s.lifetime_ms * 3 / 8 - 1);
		s.delay_max_ms = s.activation_ms;
		s.skew_ms = random_up_to(NODE_SKEW_MS);
		s.step_max_ms = s.lifetime_ms / 3;
		s.restart = random() % 2 ? 7 : 0;
		run(&s, seed);
	}
}
