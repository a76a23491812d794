/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/kubescale/kubescale.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "user/base/clock.h"

#define TIMES 50 /* of each change */
#define ALL_TEXTS ((size_t)256 << 20)
#define SOME_TEXTS ((size_t)16 << 20)

struct scale {
	struct policy_engine *engine;
	struct rule_ids *ids;
	struct image *image; /* in force */
	struct world world; /* the change at hand */
};

static void fail(const char *what, ssize_t r, const struct policy_errors *errors)
{
	char *text = errors && errors->n ? policy_error_text(&errors->item[0]) : NULL;

	fprintf(stderr, "kubescale: %s: %s\n", what, text ? text : strerror(-(int)r));
	exit(1);
}

/* ---- memory ---- */

static double resident_kib(const char *field)
{
	FILE *from = fopen("/proc/self/status", "re");
	char line[256];
	double kib = 0;

	while (from && fgets(line, sizeof(line), from))
		if (startswith(line, field))
			kib = strtod(line + strlen(field), NULL);
	if (from)
		fclose(from);
	return kib;
}

static void say_memory(const char *when)
{
	struct mallinfo2 info = mallinfo2();
	double mib = 1 << 20;

	printf("%-46s %8.1f MiB resident (at most %.1f), %.1f allocated, %.1f of that mapped\n",
	       when, resident_kib("VmRSS:") / 1024, resident_kib("VmHWM:") / 1024,
	       (double)(info.uordblks + info.hblkhd) / mib, (double)info.hblkhd / mib);
}

/* ---- changes ---- */

static const char *const efforts[] = { "everything", "rules", "in place" };

static int compile_staged(struct scale *s, struct policy_result *ret, struct policy_errors *errors)
{
	static const char *const networks[] = { "10.0.0.0/8", NULL };
	static const char *const host[] = { "192.168.0.0/32", NULL };
	const struct policy_options options = {
		.trust_domain = "example.org",
		.node_name = LOCAL_NODE,
		.default_verdict = CS_VERDICT_ALLOW,
		.tag_networks = networks,
		.host_addresses = host,
		.salt = { 1, 2 },
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
	};

	return policy_engine_compile(s->engine, &options, s->ids, POLICY_PEERS, ret, errors);
}

/* Puts the documents of the world at hand in force; what it took of this thread, in ms. */
static double put_in_force(struct scale *s, enum policy_effort *ret)
{
	struct policy_errors errors = { 0 };
	struct policy_result result;
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	ssize_t r;

	r = policy_engine_stage_changes(s->engine, s->world.document, s->world.n, &errors);
	if (r >= 0)
		r = compile_staged(s, &result, &errors);
	if (r < 0)
		fail("change", r, &errors);
	policy_engine_accept(s->engine);
	if (result.image != s->image)
		image_free(s->image);
	s->image = result.image;
	*ret = result.effort;
	return (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Fills the world with change @i of one kind. */
typedef void (*change_fn)(struct world *w, unsigned int i, unsigned int n);

static void measure(struct scale *s, const char *what, change_fn fn, unsigned int n)
{
	enum policy_effort effort = POLICY_PEERS, one;
	double ms[TIMES];

	for (unsigned int i = 0; i < TIMES; i++) {
		world_clear(&s->world);
		fn(&s->world, i, n);
		world_sort(&s->world);
		ms[i] = put_in_force(s, &one);
		effort = MIN(effort, one);
	}
	qsort(ms, TIMES, sizeof(*ms), by_value);
	printf("%-46s %9.3f ms, at most %9.3f ms CPU; %s; %.1f us each\n", what, ms[TIMES / 2],
	       ms[TIMES - 1], efforts[effort], ms[TIMES / 2] * 1000 / n);
}

static bool is_local(unsigned int pod)
{
	return pod % NODES == 7;
}

/* The @k-th pod of change @i, of other nodes; none twice in a run. */
static unsigned int pod_of(unsigned int i, unsigned int n, unsigned int k)
{
	unsigned int pod = (i * n + k) * 17 % PODS;

	return is_local(pod) ? pod + 1 : pod;
}

static void pods_go(struct world *w, unsigned int i, unsigned int n)
{
	for (unsigned int k = 0; k < n; k++) {
		world_pod(w, pod_of(i, n, k), 0, false);
		w->document[w->n - 1].text = NULL;
	}
}

static void pods_come(struct world *w, unsigned int i, unsigned int n)
{
	for (unsigned int k = 0; k < n; k++)
		world_pod(w, pod_of(i, n, k), 0, false);
}

static void pods_move(struct world *w, unsigned int i, unsigned int n)
{
	for (unsigned int k = 0; k < n; k++)
		world_pod(w, pod_of(i, n, k), 1, false);
}

static void slices_change(struct world *w, unsigned int i, unsigned int n)
{
	for (unsigned int k = 0; k < n; k++)
		world_slice(w, (i * n + k) % NAMESPACES, i % SLICES_EACH, i % 3 ? 9 : 0);
}

static void local_goes(struct world *w, unsigned int i, unsigned int n)
{
	(void)n;
	world_pod(w, i / 2 % (PODS / NODES) * NODES + 7, 0, true);
	if (i % 2 == 0)
		w->document[w->n - 1].text = NULL;
}

static void policy_changes(struct world *w, unsigned int i, unsigned int n)
{
	(void)n;
	world_policy(w, i * 7 % NAMESPACES, i % POLICIES_EACH, 1 + i);
}

static void namespace_changes(struct world *w, unsigned int i, unsigned int n)
{
	(void)n;
	world_namespace(w, i * 7 % NAMESPACES, i % 2 ? "t3" : "t4");
}

static void namespace_comes(struct world *w, unsigned int i, unsigned int n)
{
	(void)n;
	world_namespace(w, NAMESPACES + i, "new");
}

static void node_changes(struct world *w, unsigned int i, unsigned int n)
{
	(void)n;
	world_node(w, 1 + i, 1);
}

/* ---- all of it ---- */

static void start(struct scale *s)
{
	struct policy_errors errors = { 0 };
	struct policy_result result;
	struct world all;
	uint64_t begin;
	ssize_t r;

	world_new(&all, DOCUMENTS, ALL_TEXTS);
	world_all(&all);
	printf("%u pods, %u policies, %u Services, %u EndpointSlices, %u Nodes; texts %.1f MiB\n",
	       PODS, NAMESPACES * POLICIES_EACH, NAMESPACES * SERVICES_EACH,
	       NAMESPACES * SLICES_EACH, NODES, (double)all.used / (1 << 20));
	begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	r = policy_engine_stage(s->engine, all.document, all.n, &errors);
	if (r < 0)
		fail("parse", r, &errors);
	world_done(&all);
	printf("%-46s %9.3f ms CPU\n", "all: parse",
	       (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / 1e6);
	malloc_trim(0);
	say_memory("parsed");
	begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	r = compile_staged(s, &result, &errors);
	if (r < 0)
		fail("compile", r, &errors);
	policy_engine_accept(s->engine);
	s->image = result.image;
	printf("%-46s %9.3f ms CPU\n", "all: compile",
	       (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / 1e6);
	malloc_trim(0);
	say_memory("compiled");
	printf("%zu identities, %zu addresses, %zu placements, %zu rulesets, %zu selectors\n",
	       s->image->n_identities, s->image->n_endpoints, s->image->n_placements,
	       s->image->n_rulesets, s->image->n_selectors);
}

int main(void)
{
	static const unsigned int batches[] = { 1, 10, 100 };
	struct scale s = { 0 };
	char what[64];

	/* Large tables stay mappings of their own: what of them is not used costs nothing. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (policy_engine_new(&s.engine) < 0 || rule_ids_new(&s.ids) < 0)
		return 1;
	start(&s);
	world_new(&s.world, 1000, SOME_TEXTS);
	for (size_t i = 0; i < ARRAY_SIZE(batches); i++) {
		snprintf(what, sizeof(what), "pods of other nodes go, %u at once", batches[i]);
		measure(&s, what, pods_go, batches[i]);
		snprintf(what, sizeof(what), "pods of other nodes come, %u at once", batches[i]);
		measure(&s, what, pods_come, batches[i]);
		snprintf(what, sizeof(what), "their addresses change, %u at once", batches[i]);
		measure(&s, what, pods_move, batches[i]);
		measure(&s, "and change back", pods_come, batches[i]);
		snprintf(what, sizeof(what), "EndpointSlices change, %u at once", batches[i]);
		measure(&s, what, slices_change, batches[i]);
	}
	measure(&s, "a pod of this node goes or comes", local_goes, 1);
	measure(&s, "a policy changes", policy_changes, 1);
	measure(&s, "labels of a namespace change", namespace_changes, 1);
	measure(&s, "a namespace comes", namespace_comes, 1);
	measure(&s, "a node's address changes", node_changes, 1);
	malloc_trim(0);
	say_memory("in the end");
	world_done(&s.world);
	policy_engine_free(s.engine);
	rule_ids_free(s.ids);
	image_free(s.image);
	return 0;
}
