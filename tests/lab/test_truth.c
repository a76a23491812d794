/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The truth table by real sockets: ten hosts on one bridge, nine of them workloads with a
 * cgroup and a network namespace of their own, each of which asks all others on every
 * port, protocol and family at once. What is denied must be silence, what is allowed an
 * answer of the right server. SCTP is judged offline only: few kernels of labs have it.
 */
#include "tests/lab/test_common.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/lab/programs/prober.h"
#include "tests/truth/truth.h"

#define SILENCE_MS 180 /* denied: no answer for that long */
#define PATIENCE_MS 2500 /* allowed, but nothing came: asked again, for that long */
#define TRIES 3
#define PROBES (TRUTH_ENDS * PROBER_PER_TARGET)
#define REPORTED_MAX 12

struct fixture {
	struct lab *lab;
	struct lab_host *host[TRUTH_ENDS];
	struct lab_process *prober[TRUTH_ENDS];
	int commands[TRUTH_ENDS];
	int error[TRUTH_ENDS]; /* of the first probe of this case that saw one */
	unsigned long number; /* of the round */
	unsigned long probes; /* answered or silent as they should */
	unsigned long cases;
	unsigned int wrong;
};

static struct fixture f;

static void fail_test(const char *text)
{
	cr_assert(false, "%s", text);
	abort(); /* not reached: the assertion ends the test */
}

static void start_prober(size_t i)
{
	const struct truth_end *end = &truth_ends[i];
	struct lab_host *host = lab_host(f.lab, end->cells, end->address[0], end->address[1]);
	struct lab_place place = lab_place(i == TRUTH_WORLD ? NULL : end->name, host);
	const char *fifo = lab_printf(f.lab, "%s", lab_path(f.lab, end->cells));
	const char *argv[TRUTH_ENDS + 5] = { lab_program(f.lab, "prober"), end->name, "80", fifo };

	for (size_t t = 0; t < TRUTH_ENDS; t++)
		argv[4 + t] = lab_printf(f.lab, "%s=%s,%s", truth_ends[t].name,
					 truth_ends[t].address[0], truth_ends[t].address[1]);
	f.host[i] = host;
	lab_check(f.lab, mkfifo(fifo, 0600) == 0, "cannot make %s", fifo);
	f.prober[i] = lab_spawn(f.lab, &(struct lab_spawn){ .place = place, .argv = argv });
	lab_check(f.lab, lab_read(f.prober[i], LAB_WAIT_MS), "prober %s is not ready", end->name);
	f.commands[i] = open(fifo, O_WRONLY | O_CLOEXEC);
}

static void setup(void)
{
	_cleanup_free_ char *world = truth_text("world.yaml");

	if (!world)
		cr_skip_test("needs the source tree");
	lab_on_failure(fail_test);
	f = (struct fixture){ .lab = lab_new("truth") };
	lab_manifest(f.lab, "world.yaml", world);
	for (size_t i = 0; i < TRUTH_WORLD; i++)
		lab_cgroup(f.lab, truth_ends[i].name);
	lab_agent_start(f.lab);
	for (size_t i = 0; i < TRUTH_ENDS; i++)
		start_prober(i);
}

static void teardown(void)
{
	for (size_t i = 0; f.lab && i < TRUTH_ENDS; i++)
		close(f.commands[i]);
	lab_free(f.lab);
	f.lab = NULL;
}

TestSuite(truth, .init = setup, .fini = teardown, .timeout = 280);

/* What probe @i of @from should see: '.' or 'X'; '-' for what is not asked. */
static char expected(const struct truth_case *c, size_t from, size_t i)
{
	size_t to = i / PROBER_PER_TARGET, family = i / 4 % 2, protocol = i / 2 % 2, port = i % 2;

	if (from == TRUTH_WORLD && to == TRUTH_WORLD)
		return PROBER_SKIPPED;
	return c->denied[truth_flow(protocol, port, family)][from][to] ? PROBER_SILENT
								       : PROBER_ANSWERED;
}

static void ask(size_t from, const char *letters, unsigned int timeout)
{
	char line[PROBES + 64];
	int n = snprintf(line, sizeof(line), "%lu %u %s\n", f.number, timeout, letters);

	lab_check(f.lab, write(f.commands[from], line, n) == n, "cannot ask prober %zu", from);
}

static void hear(size_t from, char letters[static PROBES + 1])
{
	json_t *reply = lab_read(f.prober[from], LAB_WAIT_MS);

	lab_check(f.lab, reply && lab_int(reply, "number") == (json_int_t)f.number,
		  "prober %s does not answer", truth_ends[from].name);
	snprintf(letters, PROBES + 1, "%s", lab_str(reply, "letters"));
	if (!f.error[from])
		f.error[from] = (int)lab_int(reply, "errno");
}

/* An error of the network below (no neighbour, say) is asked about again, and said. */
static bool is_late(size_t from, char letter)
{
	if (letter == PROBER_ERROR)
		fprintf(stderr, "truth: %s: %s, asked again\n", truth_ends[from].name,
			strerror(f.error[from]));
	return letter == PROBER_SILENT || letter == PROBER_ERROR;
}

/*
 * One round of all probers; into @seen. Of what was silent and should not have been, all
 * is left as the next round's question; returns how much that is.
 */
static size_t round_of(char ask_for[TRUTH_ENDS][PROBES + 1], char seen[TRUTH_ENDS][PROBES + 1],
		       unsigned int timeout)
{
	size_t again = 0;

	f.number++;
	for (size_t from = 0; from < TRUTH_ENDS; from++)
		ask(from, ask_for[from], timeout);
	for (size_t from = 0; from < TRUTH_ENDS; from++) {
		char letters[PROBES + 1];

		hear(from, letters);
		for (size_t i = 0; i < PROBES; i++) {
			bool late = ask_for[from][i] == PROBER_ANSWERED &&
				    is_late(from, letters[i]);

			if (letters[i] != PROBER_SKIPPED)
				seen[from][i] = letters[i];
			if (!late)
				ask_for[from][i] = PROBER_SKIPPED;
			again += late;
		}
	}
	return again;
}

static void report(const struct truth_case *c, size_t from, size_t i, char want, char got)
{
	if (f.wrong++ >= REPORTED_MAX)
		return;
	fprintf(stderr, "truth: %s: %s > %s %s/%zu IPv%d: expected '%c', seen '%c'%s%s\n", c->name,
		truth_ends[from].name, truth_ends[i / PROBER_PER_TARGET].name,
		i / 2 % 2 ? "UDP" : "TCP", 80 + i % 2, i / 4 % 2 ? 6 : 4, want, got,
		got == PROBER_ERROR ? ", error: " : "",
		got == PROBER_ERROR ? strerror(f.error[from]) : "");
}

static void compare(const struct truth_case *c, char seen[TRUTH_ENDS][PROBES + 1])
{
	for (size_t from = 0; from < TRUTH_ENDS; from++) {
		for (size_t i = 0; i < PROBES; i++) {
			char want = expected(c, from, i);

			if (want == PROBER_SKIPPED)
				continue;
			f.probes++;
			if (seen[from][i] != want)
				report(c, from, i, want, seen[from][i]);
		}
	}
}

static void probe_case(const struct truth_case *c)
{
	char ask_for[TRUTH_ENDS][PROBES + 1] = { 0 }, seen[TRUTH_ENDS][PROBES + 1] = { 0 };
	unsigned int timeout = SILENCE_MS;

	memset(f.error, 0, sizeof(f.error));
	for (size_t from = 0; from < TRUTH_ENDS; from++)
		for (size_t i = 0; i < PROBES; i++)
			ask_for[from][i] = expected(c, from, i);
	for (int try = 0; try < TRIES && round_of(ask_for, seen, timeout) > 0; try++)
		timeout = PATIENCE_MS;
	compare(c, seen);
}

static void run_case(const struct truth_case *c)
{
	unsigned int wrong = f.wrong;

	lab_manifest(f.lab, "case.yaml", c->manifests);
	f.cases++;
	if (c->refused) {
		cr_expect(!lab_bool(lab_try_reload(f.lab), "ok"), "%s: was not refused", c->name);
		return;
	}
	lab_reload(f.lab);
	probe_case(c);
	cr_expect_eq(f.wrong, wrong, "%s: %u flows differ, see above", c->name, f.wrong - wrong);
}

static void run_group(const char *name)
{
	_cleanup_(truth_done) struct truth_group group;

	cr_assert_eq(truth_load(name, &group), 0);
	for (size_t i = 0; i < group.n; i++)
		run_case(group.cases[i]);
	fprintf(stderr, "truth: %s: %lu cases, %lu probes by real sockets, %u differ\n", name,
		f.cases, f.probes, f.wrong);
}

/* From x/a, 0 or the errno. */
static int dial(const char *const *args)
{
	struct lab_place place = lab_place("x/a", f.host[0]);

	return (int)lab_int(lab_connect_argv(f.lab, place, args), "errno");
}

static const char from_red[] = "apiVersion: networking.k8s.io/v1\n"
			       "kind: NetworkPolicy\n"
			       "metadata: {name: p, namespace: y}\n"
			       "spec:\n"
			       "  podSelector: {matchLabels: {pod: b}}\n"
			       "  ingress:\n"
			       "  - from:\n"
			       "    - namespaceSelector: {matchLabels: {stage: prod}}\n"
			       "      podSelector: {matchLabels: {team: red}}\n";

/* Replaces the first @old of world.yaml by @new, which is as long. */
static void relabel(char *world, const char *old, const char *new)
{
	char *at = strstr(world, old);

	cr_assert_not_null(at);
	memcpy(at, new, strlen(new));
	lab_manifest(f.lab, "world.yaml", world);
	lab_reload(f.lab);
}

/* First of the pod, then of its namespace. */
Test(truth, changed_labels_take_effect)
{
	static const char *const yb[] = { "connect", "--timeout=400", "10.88.0.18:80", NULL };
	_cleanup_free_ char *world = truth_text("world.yaml");

	lab_manifest(f.lab, "case.yaml", from_red);
	lab_reload(f.lab);
	cr_expect_eq(dial(yb), 0);
	relabel(world, "team: red", "team: tea");
	cr_expect_eq(dial(yb), ETIMEDOUT);
	relabel(world, "team: tea", "team: red");
	cr_expect_eq(dial(yb), 0);
	relabel(world, "stage: prod", "stage: past");
	cr_expect_eq(dial(yb), ETIMEDOUT);
	relabel(world, "stage: past", "stage: prod");
	cr_expect_eq(dial(yb), 0);
}

/* Nobody listens on port 82: the datagram is allowed, and so is what comes back. */
Test(truth, an_icmp_error_of_an_allowed_flow_arrives)
{
	static const char *const v4[] = { "connect", "--udp", "--timeout=400", "10.88.0.18:82",
					  NULL };
	static const char *const v6[] = { "connect", "--udp", "--timeout=400", "[fd88::2:2]:82",
					  NULL };

	lab_manifest(f.lab, "case.yaml", from_red);
	lab_reload(f.lab);
	cr_expect_eq(dial(v4), ECONNREFUSED);
	cr_expect_eq(dial(v6), ECONNREFUSED);
}

/* clang-format off */
Test(truth, isolation) { run_group("isolation"); }
Test(truth, peers) { run_group("peers"); }
Test(truth, ports) { run_group("ports"); }
Test(truth, blocks) { run_group("blocks"); }
Test(truth, cluster) { run_group("cluster"); }
Test(truth, cluster_match) { run_group("cluster-match"); }
Test(truth, admin) { run_group("admin"); }
Test(truth, mixed) { run_group("mixed"); }
Test(truth, identity) { run_group("identity"); }
/* clang-format on */
