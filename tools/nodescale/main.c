/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodescale: what many nodes cost one agent: reading and verifying their records, deriving
 * the keys, and what is done again when time passes or one record changes. The method and
 * the figures are in docs/performance.md.
 *
 *	nodescale [NODES]
 */
#include <sys/resource.h>

#include "tools/nodescale/nodescale.h"
#include "user/base/clock.h"
#include "user/credential/secret.h"

#define NODES_DEFAULT 5000
#define HOUR_MS 3600000

static void check(const char *what, int r)
{
	if (r == 0)
		return;
	fprintf(stderr, "nodescale: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* The highest resident memory so far. */
static void say(const char *what, int64_t start_ns)
{
	int64_t took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%-52s %10.1f ms CPU, at most %.1f MiB\n", what, took / 1e6,
	       (double)usage.ru_maxrss / 1024);
}

/* Runs @call, which gives 0, and says what it took. */
#define MEASURE(what, call)                                        \
	do {                                                       \
		int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID); \
		check(what, call);                                 \
		say(what, start);                                  \
	} while (0)

static int count(void *arg, const struct cs_node_keys *keys)
{
	if (keys->receive_valid && !keys->refusal)
		++*(size_t *)arg;
	return 0;
}

struct scale {
	struct node_table *table;
	struct key_ring *ring;
	struct node_document *documents;
	size_t n;
	struct node_trust trust;
};

static void expect_told(const char *what, size_t told, size_t expected)
{
	if (told == expected)
		return;
	fprintf(stderr, "nodescale: %s: %zu nodes got keys, expected %zu\n", what, told, expected);
	exit(1);
}

static void derive(struct scale *s, const char *what, size_t expected)
{
	size_t told = 0;

	MEASURE(what, node_table_keys(s->table, s->ring, s->trust.now_ms, false, count, &told));
	expect_told(what, told, expected);
}

static void run(struct scale *s)
{
	MEASURE("read, parse and verify all records",
		node_table_read(s->table, s->documents, s->n, &s->trust));
	derive(s, "derive all keys (one of ours, two of each peer's)", s->n);
	MEASURE("read again, nothing changed",
		node_table_read(s->table, s->documents, s->n, &s->trust));
	nodes_renew(&s->documents[s->n / 2], s->n / 2);
	MEASURE("read again, one record changed",
		node_table_read(s->table, s->documents, s->n, &s->trust));
	derive(s, "its keys", 1);
	s->trust.now_ms += HOUR_MS / 2;
	MEASURE("judge all, half an hour later", node_table_judge(s->table, &s->trust));
	if (key_ring_tick(s->ring, s->trust.now_ms) != 1)
		check("rotate", -EINVAL);
	derive(s, "derive all for our next key", s->n);
}

int main(int argc, char **argv)
{
	const struct key_ring_options ring = { .lifetime_ms = HOUR_MS };
	const struct node_table_options table = { UINT16_MAX, "me", "example.org" };
	struct scale s = { .n = argc > 1 ? strtoul(argv[1], NULL, 10) : NODES_DEFAULT };
	struct bundles bundles = { 0 };

	if (s.n < 1 || s.n > NODE_TABLE_MAX) {
		fprintf(stderr, "usage: nodescale [NODES], at most %d\n", NODE_TABLE_MAX);
		return 2;
	}
	check("secure heap", secret_init(NULL));
	s.trust = (struct node_trust){ &bundles, NULL, clock_ns(CLOCK_REALTIME) / 1000000,
				       NODE_SKEW_MS };
	s.documents = calloc(s.n, sizeof(*s.documents));
	if (!s.documents)
		check("documents", -ENOMEM);
	nodes_make(s.documents, s.n, s.trust.now_ms, &bundles);
	say("before: records made", clock_ns(CLOCK_THREAD_CPUTIME_ID));
	check("ring", key_ring_new(&ring, &s.ring));
	key_ring_tick(s.ring, s.trust.now_ms);
	check("table", node_table_new(&table, &s.table));
	run(&s);
	node_table_free(s.table);
	key_ring_free(s.ring);
	nodes_done(s.documents, s.n);
	bundles_done(&bundles);
	return 0;
}
