/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods that live for moments and connect in their first millisecond, under default deny with an
 * allow rule. No sandbox is set up and no image pulled in between, so the agent has less time
 * here than any container runtime would give it.
 */
#include "tests/kube/test_kube.h"

#define PODS 500
#define AT_ONCE 8 /* as many hosts: each address is used again at once */
#define ALLOWED_MS "6000"
#define FORBIDDEN_MS "150"
#define RETRY_MS 900 /* the kernel sends a lost SYN again after a second */
#define SANDBOX_MS 60 /* less than any container runtime takes from pod to first container */

static struct cluster k;
static struct kube_pod *db;

static void setup(void)
{
	cluster_new(&k, "kube-start");
	cluster_start(&k);
	db = cluster_pod(k.b, 2, "shop", "db", true);
	lab_serve(k.lab, db->place, lab_printf(k.lab, "%s:8081", db->spec.address));
	kube_apply(
		k.kube,
		"apiVersion: networking.k8s.io/v1\n"
		"kind: NetworkPolicy\n"
		"metadata: {name: default-deny, namespace: shop}\n"
		"spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n"
		"---\n"
		"apiVersion: networking.k8s.io/v1\n"
		"kind: NetworkPolicy\n"
		"metadata: {name: job-to-db, namespace: shop}\n"
		"spec:\n"
		"  podSelector: {matchLabels: {app: job}}\n"
		"  policyTypes: [Egress]\n"
		"  egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 8080}]}]\n"
		"---\n"
		"apiVersion: networking.k8s.io/v1\n"
		"kind: NetworkPolicy\n"
		"metadata: {name: db-from-job, namespace: shop}\n"
		"spec:\n"
		"  podSelector: {matchLabels: {app: db}}\n"
		"  ingress: [{from: [{podSelector: {matchLabels: {app: job}}}], ports: [{port: 8080}]}]\n");
}

static void teardown(void)
{
	cluster_free(&k);
}

TestSuite(kube_start, .init = setup, .fini = teardown, .timeout = 900);

struct runner {
	struct lab_host *host;
	const char *address;
	struct kube_pod *pod;
	struct lab_process *allowed, *forbidden;
};

struct tally {
	unsigned int answered, lost, late, crossed;
};

static void begin(struct runner *runner, unsigned int i, unsigned int sandbox_ms)
{
	const struct kube_pod_spec spec = {
		.namespace = "shop",
		.name = lab_printf(k.lab, "job-%u", i),
		.labels = "{\"app\": \"job\"}",
		.node = i % 2 ? k.a : k.c,
		.host = runner->host,
		.address = runner->address,
		.qos = (enum kube_qos)(i % 3),
	};

	runner->pod = kube_pod_create(k.kube, &spec);
	if (sandbox_ms)
		lab_sleep_ms(sandbox_ms);
	/* A container's first process is in its cgroup from its first instruction on. */
	runner->forbidden = lab_traffic(k.lab, runner->pod->place, "connect",
					"--timeout=" FORBIDDEN_MS,
					lab_printf(k.lab, "%s:8081", db->spec.address));
	runner->allowed = lab_traffic(k.lab, runner->pod->place, "connect", "--timeout=" ALLOWED_MS,
				      lab_printf(k.lab, "%s:8080", db->spec.address));
	kube_pod_running(runner->pod);
}

static void end(struct runner *runner, struct tally *tally)
{
	json_t *forbidden = lab_read(runner->forbidden, LAB_WAIT_MS);
	json_t *allowed = lab_read(runner->allowed, LAB_WAIT_MS);

	cr_assert(forbidden && allowed, "a pod's program said nothing");
	tally->crossed += lab_bool(forbidden, "connected");
	tally->answered += lab_bool(allowed, "answered");
	tally->lost += !lab_bool(allowed, "answered");
	tally->late += lab_bool(allowed, "answered") && lab_real(allowed, "ms") > RETRY_MS;
	lab_kill(runner->forbidden);
	lab_kill(runner->allowed);
	kube_pod_delete(runner->pod);
	*runner = (struct runner){ .host = runner->host, .address = runner->address };
}

static struct tally run(unsigned int pods, unsigned int sandbox_ms)
{
	struct runner runner[AT_ONCE] = { 0 };
	struct tally tally = { 0 };

	for (int i = 0; i < AT_ONCE; i++)
		runner[i].host = cluster_host(i % 2 ? k.a : k.c, 2 + i / 2, &runner[i].address);
	for (unsigned int i = 0; i < pods + AT_ONCE; i++) {
		struct runner *next = &runner[i % AT_ONCE];

		if (next->pod)
			end(next, &tally);
		if (i < pods)
			begin(next, i, sandbox_ms);
	}
	return tally;
}

static void report(const struct tally *tally, const char *what)
{
	unsigned int n = tally->answered + tally->lost;

	printf("kube_start: %s: %u pods, %u reached the allowed port, %u of them needed a second SYN "
	       "(%.1f%%), %u reached the forbidden one\n",
	       what, n, tally->answered, tally->late, 100.0 * tally->late / n, tally->crossed);
	cr_assert_eq(tally->crossed, 0, "%u pods reached a forbidden port", tally->crossed);
	cr_assert_eq(tally->lost, 0, "%u pods never reached the allowed port", tally->lost);
}

Test(kube_start, the_first_millisecond)
{
	struct tally tally = run(PODS, 0);

	report(&tally, "connected at once");
}

Test(kube_start, the_first_millisecond_after_a_sandbox)
{
	struct tally tally = run(PODS / 5, SANDBOX_MS);

	report(&tally, "connected 60 ms after the pod was bound");
}
