/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent knows its API server by is renewed below it: the history that its watches go
 * on from, the tokens, the authorities. After each, new pods and new policies still reach all.
 */
#include "tests/kube/test_kube_follow.h"
#include "tests/lab/lab_internal.h"

#define NODES 3
#define REFUSED_MS 30000 /* the API server believes a token for ten seconds after it died */
#define AGENT_PODS "/api/v1/namespaces/" KUBE_SYSTEM "/pods"

static struct cluster k;
static struct kube_node *node[NODES];
static struct kube_pod *server[NODES];
static unsigned int rounds;

static void setup(void)
{
	cluster_new(&k, "kube-renew");
	node[0] = k.a;
	node[1] = k.b;
	node[2] = k.c;
	cluster_start(&k);
	for (int i = 0; i < NODES; i++)
		server[i] =
			cluster_pod(node[i], 2, "shop", lab_printf(k.lab, "server-%d", i), true);
	rounds = 0;
}

static void teardown(void)
{
	cluster_free(&k);
}

TestSuite(kube_renew, .init = setup, .fini = teardown, .timeout = 600);

static const char friends_only[] =
	"apiVersion: networking.k8s.io/v1\n"
	"kind: NetworkPolicy\n"
	"metadata: {name: friends-only, namespace: shop}\n"
	"spec:\n"
	"  podSelector: {matchExpressions: [{key: app, operator: Exists}]}\n"
	"  ingress: [{from: [{podSelector: {matchLabels: {friend: \"yes\"}}}]}]\n";

static void reaches(struct kube_pod *from, bool answers)
{
	for (int i = 0; i < NODES; i++)
		cluster_becomes(from, server[i], 8080, answers);
}

/* A pod that was never seen and a policy that was never seen, on every node. */
static void news_reach_all(struct follow before[NODES], const char *what)
{
	static struct lab_host *host[NODES];
	static const char *address[NODES];
	int on = (int)(rounds % NODES);
	struct kube_pod_spec spec = { .namespace = "shop", .labels = "{}", .node = node[on] };
	struct kube_pod *fresh;

	if (rounds < NODES)
		host[on] = cluster_host(node[on], 3, &address[on]);
	spec.name = lab_printf(k.lab, "fresh-%u", rounds++);
	spec.host = host[on];
	spec.address = address[on];
	fresh = kube_pod(k.kube, &spec);
	reaches(fresh, true);
	kube_apply(k.kube, friends_only);
	reaches(fresh, false);
	kube_delete(k.kube, friends_only);
	reaches(fresh, true);
	kube_pod_delete(fresh);
	for (int i = 0; i < NODES; i++) {
		const struct follow now = follow_read(node[i]);

		printf("kube_renew: %s: %s: %lld lists, %lld watches, %lld times 410, %lld "
		       "connections, %lld failures\n",
		       what, node[i]->name, now.lists - before[i].lists,
		       now.watches - before[i].watches, now.expired - before[i].expired,
		       now.connections - before[i].connections, now.failures - before[i].failures);
	}
}

static void remember(struct follow before[NODES])
{
	for (int i = 0; i < NODES; i++)
		before[i] = follow_read(node[i]);
}

/* All of them must have come back over a new connection. */
static void reconnect(struct follow before[NODES])
{
	for (int i = 0; i < NODES; i++)
		cr_assert(follow_cut(node[i]), "%s had no connection", node[i]->name);
	lab_sleep_ms(200);
	follow_wait(node, NODES, NULL);
	for (int i = 0; i < NODES; i++)
		cr_assert_gt(follow_read(node[i]).connections, before[i].connections,
			     "%s has its old connection", node[i]->name);
}

/* ---- history ---- */

Test(kube_renew, history_is_gone)
{
	struct follow before[NODES];

	for (int round = 0; round < 2; round++) {
		long long expired = 0;

		remember(before);
		kube_cluster(k.kube, "compact");
		follow_wait(node, NODES, NULL);
		for (int i = 0; i < NODES; i++)
			expired += follow_read(node[i]).expired - before[i].expired;
		cr_assert_gt(expired, 0, "nobody was told 410");
		news_reach_all(before, "the history is gone");
	}
}

/* ---- tokens ---- */

static const char *token_of(const struct kube_node *of)
{
	const char *path = lab_node_path(of->lab, "account/token");
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char text[8192] = "";

	lab_check(k.lab, f && fgets(text, sizeof(text), f), "cannot read %s", path);
	return lab_printf(k.lab, "%.*s", (int)strcspn(text, "\n"), text);
}

static bool is_accepted(const char *token)
{
	int code;

	kube_ctl_argv(k.kube, &code,
		      LAB_ARGV("--kubeconfig", "/dev/null", "--server", "https://10.77.0.254:6443",
			       "--certificate-authority", lab_path(k.lab, "kube/ca.crt"), "--token",
			       token, "get", "--raw", "/version"));
	return code == 0;
}

static void must_be_refused(const char *token)
{
	uint64_t end = lab_now_ms() + REFUSED_MS;

	while (is_accepted(token)) {
		lab_check(k.lab, lab_now_ms() < end, "the old token is still accepted");
		lab_sleep_ms(500);
	}
}

/* The agent's pod is another one from now on: what was bound to the one before is dead. */
static void replace_agent_pod(const struct kube_node *of)
{
	const char *path = lab_printf(k.lab, AGENT_PODS "/countersign-%s", of->name);
	json_t *object = json_deep_copy(kube_call(k.kube, "GET", path, NULL, NULL));
	json_t *metadata = json_object_get(object, "metadata");
	static const char *const servers_own[] = { "uid", "resourceVersion", "creationTimestamp",
						   "generation", "managedFields" };

	lab_keep(k.lab, object);
	for (size_t i = 0; i < ARRAY_SIZE(servers_own); i++)
		json_object_del(metadata, servers_own[i]);
	json_object_del(object, "status");
	kube_call(k.kube, "DELETE", lab_printf(k.lab, "%s?gracePeriodSeconds=0", path), NULL, NULL);
	kube_call(k.kube, "POST", AGENT_PODS, object, NULL);
}

/* In good order: the new token is there before the old one dies. */
Test(kube_renew, tokens_rotate)
{
	struct follow before[NODES];
	const char *old[NODES];

	remember(before);
	for (int i = 0; i < NODES; i++) {
		old[i] = token_of(node[i]);
		cr_assert(is_accepted(old[i]), "a token in use is refused");
		replace_agent_pod(node[i]);
	}
	kube_cluster(k.kube, "refresh");
	for (int i = 0; i < NODES; i++) {
		must_be_refused(old[i]);
		cr_assert(is_accepted(token_of(node[i])), "the new token is refused");
	}
	reconnect(before);
	news_reach_all(before, "new tokens");
}

/* The other way round: an agent without a valid token goes on, says so, and comes back. */
Test(kube_renew, a_token_dies_before_the_next_is_there)
{
	uint64_t end = lab_now_ms() + FOLLOW_MS;
	const char *old = token_of(k.a), *error = "";
	struct follow before[NODES];

	remember(before);
	kube_apply(k.kube, friends_only);
	cluster_becomes(server[1], server[0], 8080, false);
	replace_agent_pod(k.a);
	must_be_refused(old);
	cr_assert(follow_cut(k.a), "%s had no connection", k.a->name);
	while (!strcasestr(error, "Unauthorized")) {
		lab_check(k.lab, lab_now_ms() < end, "%s does not say that it is refused: \"%s\"",
			  k.a->name, error);
		lab_sleep_ms(100);
		error = lab_str(kube_node_status(k.a), "last_error");
	}
	cr_assert(!follow_read(k.a).watching);
	cr_assert(!cluster_answers(server[1], server[0], 8080), "policy went with the token");
	kube_delete(k.kube, friends_only);
	kube_cluster(k.kube, "refresh");
	follow_wait(node, NODES, NULL);
	cluster_becomes(server[1], server[0], 8080, true);
	news_reach_all(before, "a token that came late");
}

/* ---- authorities ---- */

Test(kube_renew, the_ca_rotates)
{
	struct follow before[NODES];

	remember(before);
	kube_cluster(k.kube, "rotate-ca", "--overlap");
	reconnect(before);
	news_reach_all(before, "a second authority");
	remember(before);
	kube_cluster(k.kube, "rotate-ca");
	reconnect(before);
	news_reach_all(before, "the second authority alone");
}
