/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "tools/scale/scale.h"
#include "user/base/clock.h"
#include "user/source/source.h"

#define TIMES 200 /* each small change is made so often */
#define POLICY_TIMES 20

struct scale {
	struct policy_engine *engine;
	struct rule_ids *ids;
	struct image *image;
	struct datapath *dp; /* NULL: without a kernel */
	struct datapath_update update; /* the last */
};

/* ---- measuring ---- */

static struct cost now(void)
{
	return (struct cost){ clock_ns(CLOCK_THREAD_CPUTIME_ID), clock_ns(CLOCK_MONOTONIC) };
}

static struct cost since(struct cost start)
{
	struct cost end = now();

	return (struct cost){ end.cpu_ns - start.cpu_ns, end.wall_ns - start.wall_ns };
}

static void say(const char *what, struct cost cost)
{
	printf("%-44s %10.3f ms CPU %10.3f ms\n", what, cost.cpu_ns / 1e6, cost.wall_ns / 1e6);
}

static int by_cpu(const void *a, const void *b)
{
	const struct cost *x = a, *y = b;

	return (x->cpu_ns > y->cpu_ns) - (x->cpu_ns < y->cpu_ns);
}

static void say_all(const char *what, struct cost *costs, size_t n)
{
	char text[128];

	qsort(costs, n, sizeof(*costs), by_cpu);
	snprintf(text, sizeof(text), "%s, median", what);
	say(text, costs[n / 2]);
	snprintf(text, sizeof(text), "%s, 99 of 100", what);
	say(text, costs[n * 99 / 100]);
	snprintf(text, sizeof(text), "%s, most", what);
	say(text, costs[n - 1]);
}

/* Resident memory, now and at most. */
static void say_memory(const char *when)
{
	struct rusage usage;
	unsigned long size = 0, resident = 0;
	double mib;
	FILE *from = fopen("/proc/self/statm", "re");

	if (from && fscanf(from, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (from)
		fclose(from);
	getrusage(RUSAGE_SELF, &usage);
	mib = (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
	printf("%-44s %10.1f MiB, at most %.1f MiB\n", when, mib, (double)usage.ru_maxrss / 1024);
}

/* ---- doing ---- */

static void fail(const char *what, ssize_t r, const struct policy_errors *errors)
{
	char *text = errors && errors->n ? policy_error_text(&errors->item[0]) : NULL;

	fprintf(stderr, "scale: %s: %s\n", what, text ? text : strerror(-(int)r));
	exit(1);
}

static void compile_staged(struct scale *s, ssize_t r, struct policy_result *ret)
{
	static const char *const networks[] = { "10.0.0.0/8", NULL };
	const struct policy_options options = {
		.trust_domain = "example.org",
		.default_verdict = CS_VERDICT_ALLOW,
		.tag_networks = networks,
		.salt = { 1, 2 },
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
	};
	struct policy_errors errors = { 0 };

	if (r >= 0)
		r = policy_engine_compile(s->engine, &options, s->ids, POLICY_PEERS, ret, &errors);
	if (r < 0)
		fail("compile", r, &errors);
}

static void into_kernel(struct scale *s, const struct policy_result *result)
{
	int r = 0;

	if (s->dp && result->effort == POLICY_PEERS)
		r = datapath_update(s->dp, result->image, result->delta, &s->update);
	else if (s->dp)
		r = datapath_commit(s->dp, result->image);
	if (r < 0) {
		fprintf(stderr, "scale: %s\n", datapath_error(s->dp));
		exit(1);
	}
}

static void accept_result(struct scale *s, const struct policy_result *result)
{
	policy_engine_accept(s->engine);
	if (result->image != s->image)
		image_free(s->image);
	s->image = result->image;
}

/* One document that came, changed, or (without text) went; into force. */
static struct cost change(struct scale *s, const char *name, char *text, enum policy_effort effort)
{
	struct policy_document document = { .name = name,
					    .text = text,
					    .length = text ? strlen(text) : 0 };
	struct policy_errors errors = { 0 };
	struct policy_result result;
	struct cost start = now(), cost;
	ssize_t r;

	r = policy_engine_stage_one(s->engine, &document, &errors);
	if (r < 0)
		fail(name, r, &errors);
	compile_staged(s, r, &result);
	into_kernel(s, &result);
	accept_result(s, &result);
	cost = since(start);
	if (result.effort != effort)
		fail("more was compiled than needs be", -EINVAL, NULL);
	free(text);
	return cost;
}

/* What the agent does when a file changed: reads, finds out which, puts it in force. */
static struct cost take_files(struct scale *s, struct source *source, enum policy_effort effort)
{
	_cleanup_(source_documents_done) struct source_documents read = { 0 };
	struct policy_document *staged;
	struct policy_errors errors = { 0 };
	struct policy_result result;
	struct cost start = now();
	ssize_t r = source_read(source, &read);

	if (r < 0)
		fail(source_error(source), r, NULL);
	staged = calloc(read.n + 1, sizeof(*staged));
	for (size_t i = 0; i < read.n; i++)
		staged[i] = (struct policy_document){ read.item[i].name, read.item[i].text,
						      read.item[i].length, read.item[i].digest };
	r = policy_engine_stage(s->engine, staged, read.n, &errors);
	free(staged);
	if (r < 0)
		fail("files", r, &errors);
	compile_staged(s, r, &result);
	into_kernel(s, &result);
	accept_result(s, &result);
	if (result.effort != effort)
		fail("more was compiled than needs be", -EINVAL, NULL);
	return since(start);
}

static void files(struct scale *s, const struct policy_document *documents)
{
	struct source *source = NULL;
	struct cost come[TIMES], go[TIMES];
	char *text, name[64];

	s->engine = policy_engine_free(s->engine); /* it knows the same by other names */
	if (policy_engine_new(&s->engine) < 0 || files_open(documents, DOCUMENTS, &source) < 0)
		return;
	say("files: read, parse, compile, commit", take_files(s, source, POLICY_WHOLE));
	for (unsigned int i = 0; i < TIMES; i++) {
		snprintf(name, sizeof(name), "new-%u.yaml", i);
		text = world_workload(i);
		files_write(name, text);
		files_wait(source);
		come[i] = take_files(s, source, POLICY_PEERS);
		files_write(name, NULL);
		files_wait(source);
		go[i] = take_files(s, source, POLICY_PEERS);
		free(text);
	}
	say_all("files: one workload came", come, TIMES);
	say_all("files: one workload went", go, TIMES);
	files_close(source);
}

static void whole(struct scale *s, struct policy_document *documents)
{
	struct policy_errors errors = { 0 };
	struct policy_result result;
	struct cost start;
	size_t bytes = 0;
	ssize_t r;

	world_documents(documents);
	for (size_t i = 0; i < DOCUMENTS; i++)
		bytes += documents[i].length;
	printf("%d policies, %d workloads in %d documents, %.1f MiB\n", POLICIES, WORKLOADS,
	       DOCUMENTS, bytes / (double)(1 << 20));
	say_memory("the texts");
	start = now();
	r = policy_engine_stage(s->engine, documents, DOCUMENTS, &errors);
	if (r < 0)
		fail("parse", r, &errors);
	say("all: parse", since(start));
	say_memory("parsed");
	start = now();
	compile_staged(s, r, &result);
	say("all: compile", since(start));
	start = now();
	into_kernel(s, &result);
	if (s->dp)
		say("all: commit", since(start));
	accept_result(s, &result);
	printf("%zu identities, %zu rulesets, %zu selectors, %zu bitmaps\n", s->image->n_identities,
	       s->image->n_rulesets, s->image->n_selectors, s->image->n_bitmaps);
	say_memory("compiled");
	start = now();
	r = policy_engine_stage(s->engine, documents, DOCUMENTS, &errors);
	say("nothing changed: found out by digests", since(start));
	policy_engine_reject(s->engine);
}

static void local(struct scale *s)
{
	static const char text[] = "apiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
				   "metadata: {name: own, namespace: ns1, labels: {tier: web}}\n"
				   "spec: {cgroup: own, addresses: [10.255.0.1]}\n";

	say("one workload of this node came",
	    change(s, "/etc/countersign/manifests/own.yaml", strdup(text), POLICY_RULES));
}

static void policies(struct scale *s)
{
	struct cost costs[POLICY_TIMES];

	for (unsigned int i = 0; i < POLICY_TIMES; i++)
		costs[i] = change(s, "/etc/countersign/manifests/ns003-policies-00.yaml",
				  world_policies(3, i + 1), POLICY_RULES);
	say_all("one policy changed", costs, POLICY_TIMES);
}

static void workloads(struct scale *s)
{
	struct cost come[TIMES], go[TIMES];
	size_t writes = 0, addresses = 0, removals = 0;
	char name[64];

	for (unsigned int i = 0; i < TIMES; i++) {
		snprintf(name, sizeof(name), "/etc/countersign/manifests/new-%u.yaml", i);
		come[i] = change(s, name, world_workload(i), POLICY_PEERS);
		writes += s->update.identity_writes;
		addresses += s->update.address_writes;
	}
	for (unsigned int i = 0; i < TIMES; i++) {
		snprintf(name, sizeof(name), "/etc/countersign/manifests/new-%u.yaml", i);
		go[i] = change(s, name, NULL, POLICY_PEERS);
		removals += s->update.removals;
	}
	say_all("one workload came", come, TIMES);
	say_all("one workload went", go, TIMES);
	if (s->dp)
		printf("%d workloads came: %zu identity map writes, %zu address map writes; went: "
		       "%zu removals\n",
		       TIMES, writes, addresses, removals);
}

int main(void)
{
	static struct policy_document documents[DOCUMENTS];
	struct scale s = { 0 };
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (policy_engine_new(&s.engine) < 0 || rule_ids_new(&s.ids) < 0)
		return 1;
	s.dp = kernel_open();
	if (!s.dp)
		printf("without a kernel: needs root\n");
	whole(&s, documents);
	policies(&s);
	local(&s);
	workloads(&s);
	say_memory("in the end");
	files(&s, documents);
	for (size_t i = 0; i < DOCUMENTS; i++) {
		free((char *)documents[i].name);
		free((char *)documents[i].text);
	}
	policy_engine_free(s.engine);
	rule_ids_free(s.ids);
	image_free(s.image);
	if (s.dp)
		kernel_close(s.dp);
	return 0;
}
