/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ten minutes of a cluster's life in one: whatever happens on the way, in the end every node
 * knows what the API server has. KUBE_SOAK_S: for how long (60; 600 is the real thing).
 * KUBE_SOAK_SEED: the same choices again, if not the same moments.
 */
#include <signal.h>

#include "tests/kube/test_kube_soak.h"

#define SOAK_S 60
#define KEY_LIFETIME "120s" /* more than twice of what a server that was killed is away */
#define PAUSE_MS 150 /* between operations, at most */
#define CALM_MS 1000 /* between mishaps, at least */
#define TROUBLE_MS 5000 /* and at most that more */
#define CONNECTIONS 10
#define TRIES 5

static struct soak soak;
static struct kube_pod *web, *db, *spy;
static struct lab_process *allowed, *denied;

static const char crds[] = "crds/standard";

static void setup(void)
{
	struct cluster *k = &soak.cluster;

	cluster_new(k, "kube-soak");
	kube_ctl(k->kube, "apply", "--server-side", "-f",
		 lab_printf(k->lab, "%s/%s", getenv("KUBEBUILDER_ASSETS"), crds));
	soak.node[0] = k->a;
	soak.node[1] = k->b;
	soak.node[2] = k->c;
	soak.node[SOAK_NODES] = kube_node(k->kube, "host-d", SOAK_NODES + 1);
	soak.n_nodes = SOAK_NODES;
	soak_open(&soak);
	cluster_start(k, "--key-lifetime", KEY_LIFETIME);
}

static void teardown(void)
{
	cluster_free(&soak.cluster);
}

TestSuite(kube_soak, .init = setup, .fini = teardown, .timeout = 2400);

/* ---- pods that nothing is done to ---- */

static const char guarded[] = "apiVersion: countersign.dev/v1alpha1\n"
			      "kind: IdentityPolicy\n"
			      "metadata: {name: db, namespace: guarded}\n"
			      "spec:\n"
			      "  subject: {selector: {matchLabels: {app: db}}}\n"
			      "  ingress:\n"
			      "  - name: from-web\n"
			      "    authentication: Required\n"
			      "    from: [{selector: {matchLabels: {app: web}}}]\n";

static void load_begins(void)
{
	struct lab *lab = soak.cluster.lab;
	const char *to;

	kube_namespace(soak.cluster.kube, "guarded", "{\"team\": \"guarded\"}");
	web = cluster_pod(soak.node[0], 2, "guarded", "web", false);
	db = cluster_pod(soak.node[1], 2, "guarded", "db", true);
	spy = cluster_pod(soak.node[2], 2, "guarded", "spy", false);
	kube_apply(soak.cluster.kube, guarded);
	cluster_becomes(spy, db, SOAK_PORT, false);
	cluster_becomes(web, db, SOAK_PORT, true);
	to = lab_printf(lab, "%s:%d", db->spec.address, SOAK_PORT);
	allowed = lab_traffic(lab, web->place, "connect", "--count=0", "--summary", "--reset",
			      "--interval=10", "--timeout=5000", to);
	denied = lab_traffic(lab, spy->place, "connect", "--count=0", "--summary", "--interval=10",
			     "--timeout=50", to);
}

static json_t *tally(struct lab_process *process)
{
	json_t *line;

	lab_signal(process, SIGTERM);
	line = lab_read(process, LAB_WAIT_MS);
	cr_assert(line, "a client says nothing");
	cr_assert_gt(lab_int(line, "attempts"), 100);
	return line;
}

static void load_ends(void)
{
	json_t *good = tally(allowed), *bad = tally(denied);

	printf("kube_soak: meanwhile %lld allowed connections, %lld failed, slowest %.0f ms; %lld "
	       "denied, %lld passed\n",
	       (long long)lab_int(good, "attempts"), (long long)lab_int(good, "failed"),
	       lab_real(good, "max_ms"), (long long)lab_int(bad, "attempts"),
	       (long long)lab_int(bad, "connected"));
	cr_assert_eq(lab_int(good, "failed"), 0, "allowed connections failed");
	cr_assert_eq(lab_int(bad, "connected"), 0, "denied connections passed");
}

/* ---- what is to be in force ---- */

/* Pods of other nodes are known by their addresses. */
static bool explained(const struct soak_pod *from, const struct soak_pod *to)
{
	json_t *reply = lab_node_request(
		to->node->lab,
		lab_printf(soak.cluster.lab,
			   "{\"verb\":\"explain\",\"from\":\"%s\",\"to\":\"%s/%s\",\"port\":%d}",
			   from->address, soak_namespaces[to->ns], to->pod->spec.name, SOAK_PORT));
	const json_t *ingress = json_object_get(json_array_get(reply, 0), "ingress");

	cr_assert(lab_bool(ingress, "known"), "%s does not judge its own pod: %s", to->node->name,
		  json_dumps(reply, 0));
	return streq(lab_str(ingress, "verdict"), "allow");
}

static const char *pair_text(const struct soak_pod *from, const struct soak_pod *to)
{
	return lab_printf(soak.cluster.lab, "%s/%s (app-%d, team-%d) to %s/%s (app-%d, team-%d)",
			  soak_namespaces[from->ns], from->pod->spec.name, from->app,
			  soak.team[from->ns], soak_namespaces[to->ns], to->pod->spec.name, to->app,
			  soak.team[to->ns]);
}

/* Every pair, as the node of the receiver explains it. */
static void explained_as_predicted(void)
{
	unsigned int pairs = 0, allow = 0, wrong = 0;

	for (int i = 0; i < SOAK_PODS * SOAK_PODS; i++) {
		const struct soak_pod *from = &soak.pod[i / SOAK_PODS];
		const struct soak_pod *to = &soak.pod[i % SOAK_PODS];
		bool predicted;

		if (from == to || !from->pod || !to->pod)
			continue;
		predicted = soak_allows(&soak, from, to);
		pairs++;
		allow += predicted;
		if (explained(from, to) == predicted)
			continue;
		wrong++;
		printf("kube_soak: DIFFERENCE: %s: predicted %s\n", pair_text(from, to),
		       predicted ? "allow" : "deny");
	}
	printf("kube_soak: %u pairs explained, %u allowed, %u not as predicted\n", pairs, allow,
	       wrong);
	cr_assert_eq(wrong, 0);
}

static struct soak_pod *some_pod(void)
{
	struct soak_pod *pod;

	do
		pod = &soak.pod[soak_random(SOAK_PODS)];
	while (!pod->pod);
	return pod;
}

/* Two pods of which the verdict is @wanted, if it is that of any of a hundred pairs. */
static bool some_pair(bool wanted, struct soak_pod **ret_from, struct soak_pod **ret_to)
{
	for (int i = 0; i < 100; i++) {
		*ret_from = some_pod();
		*ret_to = some_pod();
		if (*ret_from != *ret_to && soak_allows(&soak, *ret_from, *ret_to) == wanted)
			return true;
	}
	return false;
}

/* A pod's cgroup is found within moments, so the first try may be early. */
static void connected_as_predicted(void)
{
	unsigned int done[2] = { 0 };

	for (int i = 0; i < SOAK_PODS; i++)
		if (soak.pod[i].pod)
			lab_serve(soak.cluster.lab, soak.pod[i].pod->place,
				  lab_printf(soak.cluster.lab, "%s:%d", soak.pod[i].address,
					     SOAK_PORT));
	for (int i = 0; i < CONNECTIONS; i++) {
		bool predicted = i % 2 == 0, answers = false;
		struct soak_pod *from, *to;

		if (!some_pair(predicted, &from, &to))
			continue;
		for (int n = 0; n < TRIES && !answers; n++)
			answers = cluster_answers(from->pod, to->pod, SOAK_PORT);
		cr_assert_eq(answers, predicted, "%s: predicted %s", pair_text(from, to),
			     predicted ? "allow" : "deny");
		done[predicted]++;
	}
	printf("kube_soak: %u connections passed and %u did not, as predicted\n", done[true],
	       done[false]);
	cr_assert_gt(done[true] + done[false], 0);
}

/* ---- the soak ---- */

static unsigned int seed(void)
{
	const char *text = getenv("KUBE_SOAK_SEED");

	return text ? (unsigned int)strtoul(text, NULL, 10) : (unsigned int)lab_now_ms();
}

static void run(unsigned int seconds)
{
	uint64_t end = lab_now_ms() + seconds * 1000ULL, next = lab_now_ms() + CALM_MS;

	while (lab_now_ms() < end) {
		soak_do(&soak, soak_operations, soak_operations_n);
		soak_mend(&soak, false);
		if (lab_now_ms() >= next) {
			soak_do(&soak, soak_mishaps, soak_mishaps_n);
			next = lab_now_ms() + CALM_MS + (uint64_t)soak_random(TROUBLE_MS);
		}
		lab_sleep_ms((unsigned int)soak_random(PAUSE_MS));
	}
	soak_mend(&soak, true);
}

static void print_agents(void)
{
	for (int i = 0; i < SOAK_NODES; i++) {
		const struct follow now = follow_read(soak.node[i]), *past = &soak.past[i];

		printf("kube_soak: %s: %lld lists, %lld watches, %lld times 410, %lld connections, "
		       "%lld calls failed\n",
		       soak.node[i]->name, past->lists + now.lists, past->watches + now.watches,
		       past->expired + now.expired, past->connections + now.connections,
		       past->failures + now.failures);
	}
}

/* An agent that has heard all of it at once, and pods on its node. */
static void fresh_node_agrees(void)
{
	struct kube_node *node = soak.node[SOAK_NODES];

	lab_ca_node(soak.cluster.ca, node->lab);
	cluster_start_node(node, LAB_ARGV("--key-lifetime", KEY_LIFETIME));
	for (int i = SOAK_PODS - SOAK_FRESH; i < SOAK_PODS; i++)
		soak_pod_make(&soak, &soak.pod[i]);
	soak.n_nodes++;
	cr_assert_eq(soak_differences(&soak), 0, "the nodes and the API server differ");
}

Test(kube_soak, ends_equal)
{
	unsigned int seconds = follow_seconds("KUBE_SOAK_S", SOAK_S), number = seed();

	printf("kube_soak: %u s, KUBE_SOAK_SEED=%u\n", seconds, number);
	fflush(stdout);
	srandom(number);
	load_begins();
	run(seconds);
	follow_wait(soak.node, SOAK_NODES, NULL);
	soak_print("operations", soak_operations, soak_operations_n);
	soak_print("mishaps", soak_mishaps, soak_mishaps_n);
	print_agents();
	cr_assert_eq(soak_differences(&soak), 0, "the nodes and the API server differ");
	fresh_node_agrees();
	explained_as_predicted();
	connected_as_predicted();
	load_ends();
}
