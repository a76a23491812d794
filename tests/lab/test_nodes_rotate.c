/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that change every second under load, with agents that die and come back meanwhile: no
 * connection that is allowed fails, none passes that is not. LAB_ROTATIONS: how many of them.
 */
#include "tests/lab/test_nodes_record.h"

#include <signal.h>

#define ROTATIONS 100
#define ROTATION_MS 1000 /* half of --key-lifetime */
#define AWAY_MS \
	700 /* the activation, three eighths of a lifetime, less the time to read a record */
#define RATE_MIN 500 /* new connections per second */
#define TEST_S 280

static struct nodes n;
static struct lab_process *allowed, *denied;

static void setup(void)
{
	nodes_new(&n, "nodes-rotate");
	nodes_policy(&n);
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_rotate, .init = setup, .fini = teardown, .timeout = TEST_S);

static unsigned int rotations_wanted(void)
{
	const char *text = getenv("LAB_ROTATIONS");
	int n_wanted = text ? atoi(text) : 0;

	return n_wanted > 0 ? n_wanted : ROTATIONS;
}

static void load_starts(void)
{
	allowed = lab_traffic(n.lab, n.client, "connect", "--count=0", "--summary", "--reset",
			      "--timeout=5000", SERVER4 ":8080");
	denied = lab_traffic(n.lab, n.report, "connect", "--count=0", "--summary", "--timeout=20",
			     SERVER4 ":8080");
}

/* The newest public key of a node, as its record says. */
struct newest {
	int node;
	uint8_t key[NODE_KEY_BYTES];
};

/* Whether there is another one than last time. */
static bool rotated(struct newest *last)
{
	_cleanup_(node_record_freep) struct node_record *record = nodes_record(&n, last->node);

	if (memcmp(record->key[0].public_key, last->key, NODE_KEY_BYTES) == 0)
		return false;
	memcpy(last->key, record->key[0].public_key, NODE_KEY_BYTES);
	return true;
}

enum mishap { KILLED, STOPPED, MISHAPS };

static void befall(struct lab_node *node, enum mishap mishap, unsigned int *longest_ms)
{
	uint64_t start = lab_now_ms();

	if (mishap == KILLED)
		lab_node_kill9(node);
	else
		lab_node_stop(node);
	lab_sleep_ms(random() % 300);
	lab_node_restart(node);
	*longest_ms = MAX(*longest_ms, (unsigned int)(lab_now_ms() - start));
}

struct figures {
	unsigned int rotations[2], mishaps[MISHAPS]; /* of host-a and host-b */
	unsigned int longest_ms; /* that an agent was away */
	uint64_t ms;
};

/* About every fourth rotation something happens to one of the agents. */
static void run(struct figures *f)
{
	uint64_t start = lab_now_ms(), next = start + 2000;
	uint64_t end = start + (TEST_S - 60) * 1000;
	struct newest newest[] = { { .node = NODE_A }, { .node = NODE_B } };
	unsigned int wanted = rotations_wanted();

	for (size_t i = 0; i < ARRAY_SIZE(newest); i++)
		rotated(&newest[i]);
	while (MIN(f->rotations[0], f->rotations[1]) < wanted && lab_now_ms() < end) {
		for (size_t i = 0; i < ARRAY_SIZE(newest); i++)
			f->rotations[i] += rotated(&newest[i]);
		if (lab_now_ms() >= next) {
			enum mishap mishap = random() % MISHAPS;

			befall(random() % 2 ? n.a : n.b, mishap, &f->longest_ms);
			f->mishaps[mishap]++;
			next = lab_now_ms() + ROTATION_MS + random() % (6 * ROTATION_MS);
		}
		lab_sleep_ms(100);
	}
	f->ms = lab_now_ms() - start;
	cr_assert_geq(MIN(f->rotations[0], f->rotations[1]), wanted,
		      "only %u and %u rotations in %llu ms", f->rotations[0], f->rotations[1],
		      (unsigned long long)f->ms);
}

static json_t *tally(struct lab_process *p)
{
	json_t *line;

	lab_signal(p, SIGTERM);
	line = lab_read(p, LAB_WAIT_MS);
	cr_assert(line, "a client says nothing");
	return line;
}

/*
 * Segments that were refused for lack of a key. They are sent again, so their connections
 * do not fail, but they are slow. A node sends with a new key only when all agents had time to
 * read of it: an agent that is away for longer than the activation has missed it.
 */
static long long lacked_keys(struct lab_node *node)
{
	static const char *const reasons[] = { "NO_KEY",       "KEY_EXPIRED", "BAD_MAC",
					       "UNKNOWN_NODE", "WRONG_NODE",  "AUTH_REQUIRED" };
	long long sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		sum += (long long)lab_node_counter(node, "deny", reasons[i]);
	return sum;
}

Test(nodes_rotate, nothing_allowed_fails_and_nothing_denied_passes)
{
	struct figures f = { 0 };
	json_t *good, *bad;
	long long lacking;
	double rate;

	srandom(lab_now_ms());
	nodes_start(&n, "--key-lifetime", "2s");
	load_starts();
	run(&f);
	good = tally(allowed);
	bad = tally(denied);
	rate = lab_int(good, "attempts") * 1e3 / f.ms;
	printf("%u and %u rotations in %.1f s with %u kills and %u stops: %lld connections "
	       "(%.0f/s), %lld failed, slowest %.0f ms; %lld denied, %lld of them passed\n",
	       f.rotations[0], f.rotations[1], f.ms / 1e3, f.mishaps[KILLED], f.mishaps[STOPPED],
	       (long long)lab_int(good, "attempts"), rate, (long long)lab_int(good, "failed"),
	       lab_real(good, "max_ms"), (long long)lab_int(bad, "attempts"),
	       (long long)lab_int(bad, "connected"));
	cr_assert_eq(lab_int(good, "failed"), 0, "allowed connections failed: %s",
		     json_dumps(good, 0));
	cr_assert_eq(lab_int(bad, "connected"), 0, "denied connections passed");
	cr_assert_gt(lab_int(bad, "attempts"), f.rotations[0]);
	lacking = lacked_keys(n.a) + lacked_keys(n.b);
	printf("%lld segments lacked a key; an agent was away for %u ms at most\n", lacking,
	       f.longest_ms);
	/* A few are on their way when their keys are replaced; what comes next passes. */
	cr_expect(lacking < f.rotations[0] / 4 || f.longest_ms >= AWAY_MS,
		  "%lld segments lacked a key", lacking);
	cr_assert_geq(rate, RATE_MIN, "the load was only %.0f connections per second", rate);
}

/* A connection outlives the keys that it was made with. */
Test(nodes_rotate, a_held_connection_survives_rotations)
{
	struct newest newest = { .node = NODE_A };
	struct lab_process *hold;
	int rotations = 0;

	nodes_start(&n, "--key-lifetime", "2s");
	hold = lab_traffic(n.lab, n.client, "hold", "--interval=5", "--timeout=3000",
			   SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	rotated(&newest);
	for (int i = 0; i < 100 && rotations < 6; i++) {
		rotations += rotated(&newest);
		lab_sleep_ms(100);
	}
	cr_assert_geq(rotations, 6);
	cr_assert_null(lab_read(hold, 100), "the connection broke or stalled");
}
