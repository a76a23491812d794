/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to the API server to packets on three nodes. The figures are printed, never
 * judged: machines differ. What is judged is that each change arrives at all.
 */

#include "tests/kube/test_kube.h"
#include "user/base/clock.h"

#define TRIES 200
#define NODES 3
#define POLICY "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
#define CONNECT_MS "5000"

static struct cluster k;

static void setup(void)
{
	cluster_new(&k, "kube-speed");
	cluster_start(&k);
}

static void teardown(void)
{
	cluster_free(&k);
}

TestSuite(kube_speed, .init = setup, .fini = teardown, .timeout = 900);

static double now_ms(void)
{
	return clock_ns(CLOCK_REALTIME) / 1e6;
}

/* The way may be open, or closed, before the answer is here. */
static double not_negative(double ms)
{
	return ms > 0 ? ms : 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *what, double *ms, size_t n)
{
	qsort(ms, n, sizeof(*ms), by_value);
	printf("kube_speed: %s: p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, most %.1f ms, %zu tries\n",
	       what, ms[n / 2], ms[n * 9 / 10], ms[n * 99 / 100], ms[n - 1], n);
}

/* When the next line says @event; pulses alternate, so no other can come. */
static double moment(struct lab_process *pulse, const char *event)
{
	json_t *line = lab_read(pulse, ENFORCED_MS);

	cr_assert(line, "no \"%s\" within %d ms", event, ENFORCED_MS);
	cr_assert_str_eq(lab_str(line, "event"), event);
	return lab_real(line, "ms");
}

/* The last of the three nodes. */
static double last_moment(struct lab_process *const pulse[NODES], const char *event)
{
	double last = 0;

	for (int i = 0; i < NODES; i++) {
		double one = moment(pulse[i], event);
		last = MAX(last, one);
	}
	return last;
}

static json_t *deny_all(void)
{
	json_t *policy = json_pack("{s:s, s:s, s:{s:s}, s:{s:{}, s:[s]}}", "apiVersion",
				   "networking.k8s.io/v1", "kind", "NetworkPolicy", "metadata",
				   "name", "nobody", "spec", "podSelector", "policyTypes",
				   "Ingress");

	return lab_keep(k.lab, policy);
}

/* A pod on each node serves, and is called from the node before it. */
Test(kube_speed, a_policy_on_all_nodes)
{
	struct kube_node *const nodes[NODES] = { k.a, k.b, k.c };
	double on[TRIES], off[TRIES], api_on[TRIES], api_off[TRIES];
	struct kube_pod *server[NODES], *client[NODES];
	struct lab_process *pulse[NODES];

	for (int i = 0; i < NODES; i++) {
		server[i] =
			cluster_pod(nodes[i], 2, "shop", lab_printf(k.lab, "server-%d", i), true);
		client[i] =
			cluster_pod(nodes[i], 3, "other", lab_printf(k.lab, "client-%d", i), false);
	}
	for (int i = 0; i < NODES; i++) {
		const char *to = server[(i + 1) % NODES]->spec.address;
		const char *argv[] = { lab_program(k.lab, "pulse"),
				       lab_printf(k.lab, "%s:8080", to), NULL };

		cluster_becomes(client[i], server[(i + 1) % NODES], 8080, true);
		pulse[i] = lab_spawn(k.lab, &(struct lab_spawn){ .place = client[i]->place,
								 .argv = argv });
	}
	last_moment(pulse, "open");
	for (int i = 0; i < TRIES; i++) {
		double begun = now_ms(), answered;

		kube_call(k.kube, "POST", POLICY, deny_all(), NULL);
		answered = now_ms();
		api_on[i] = answered - begun;
		on[i] = not_negative(last_moment(pulse, "closed") - answered);
		begun = now_ms();
		kube_call(k.kube, "DELETE", POLICY "/nobody", NULL, NULL);
		answered = now_ms();
		api_off[i] = answered - begun;
		off[i] = not_negative(last_moment(pulse, "open") - answered);
	}
	report("the API server takes a policy", api_on, TRIES);
	report("from its answer until three nodes deny", on, TRIES);
	report("the API server deletes a policy", api_off, TRIES);
	report("from its answer until three nodes allow", off, TRIES);
}

/* A pod that is called for the first time by one that has just been made, under default deny. */
Test(kube_speed, a_pod_until_its_first_connection)
{
	static struct {
		double api, rest;
		int tries;
	} run[TRIES];
	double api[TRIES], rest[TRIES];
	struct kube_pod *db = cluster_pod(k.b, 2, "shop", "db", true);
	const char *address;
	struct lab_host *host = cluster_host(k.a, 2, &address);
	unsigned int first = 0;

	kube_apply(k.kube, "apiVersion: networking.k8s.io/v1\n"
			   "kind: NetworkPolicy\n"
			   "metadata: {name: db, namespace: shop}\n"
			   "spec:\n"
			   "  podSelector: {matchLabels: {app: db}}\n"
			   "  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]\n");
	lab_sleep_ms(500);
	for (int i = 0; i < TRIES; i++) {
		const struct kube_pod_spec spec = {
			.namespace = "shop",
			.name = lab_printf(k.lab, "web-%d", i),
			.labels = "{\"app\": \"web\"}",
			.node = k.a,
			.host = host,
			.address = address,
		};
		const char *argv[] = { lab_program(k.lab, "pulse"),
				       lab_printf(k.lab, "%s:8080", db->spec.address), "--once",
				       CONNECT_MS, NULL };
		double begun = now_ms(), answered;
		struct lab_process *pulse;
		struct kube_pod *pod;
		json_t *line;

		pod = kube_pod_create(k.kube, &spec);
		answered = now_ms();
		pulse = lab_spawn(k.lab, &(struct lab_spawn){ .place = pod->place, .argv = argv });
		line = lab_read(pulse, LAB_WAIT_MS);
		cr_assert(line, "a pod never reached the other one");
		run[i].api = answered - begun;
		run[i].rest = not_negative(lab_real(line, "ms") - answered);
		run[i].tries = (int)lab_int(line, "tries");
		lab_wait(pulse, LAB_WAIT_MS);
		kube_pod_delete(pod);
	}
	for (int i = 0; i < TRIES; i++) {
		api[i] = run[i].api;
		rest[i] = run[i].rest;
		first += run[i].tries == 1;
	}
	report("the API server takes a pod", api, TRIES);
	report("from its answer until the pod's first connection to another node", rest, TRIES);
	printf("kube_speed: %u of %d at the first SYN\n", first, TRIES);
}
