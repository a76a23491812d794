/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server is away, under load: nothing that is allowed fails, nothing that is denied
 * passes, keys turn, agents that are restarted come up with what they knew, and when it is back
 * nobody lists what it knows already. KUBE_OUTAGE_S: for how long (30).
 */
#include <signal.h>

#include "tests/kube/test_kube_follow.h"

#define OUTAGE_S 30
#define RETURN_S 60 /* for the API server to start and the agents to find it */
#define NODES 3
#define TRIES 4 /* of a list, with growing waits between them */
#define DENIED_MS "50"
#define CERTIFICATE_MS 30000 /* until a new SVID in the files is taken up */
#define RECORDS "/apis/countersign.dev/v1alpha1/nodeidentities"

static struct cluster k;
static struct kube_node *node[NODES];
static struct kube_pod *web, *db, *batch, *cache, *spy;

static void setup(void)
{
	cluster_new(&k, "kube-outage");
	node[0] = k.a;
	node[1] = k.b;
	node[2] = k.c;
}

static void teardown(void)
{
	cluster_free(&k);
}

TestSuite(kube_outage, .init = setup, .fini = teardown, .timeout = 2400);

/* db takes proven peers only, so it needs the keys of now; cache has the simpler kind. */
static const char policies[] =
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: IdentityPolicy\n"
	"metadata: {name: db, namespace: shop}\n"
	"spec:\n"
	"  subject: {selector: {matchLabels: {app: db}}}\n"
	"  ingress:\n"
	"  - name: from-web\n"
	"    authentication: Required\n"
	"    from: [{selector: {matchLabels: {app: web}}}]\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\n"
	"kind: NetworkPolicy\n"
	"metadata: {name: cache, namespace: shop}\n"
	"spec:\n"
	"  podSelector: {matchLabels: {app: cache}}\n"
	"  ingress: [{from: [{podSelector: {matchLabels: {app: batch}}}]}]\n";

static const char web_is_out[] = "apiVersion: countersign.dev/v1alpha1\n"
				 "kind: ClusterIdentityPolicy\n"
				 "metadata: {name: web-is-out}\n"
				 "spec:\n"
				 "  tier: Admin\n"
				 "  priority: 1\n"
				 "  subject: {selector: {matchLabels: {app: db}}}\n"
				 "  ingress:\n"
				 "  - name: web\n"
				 "    action: Deny\n"
				 "    from: [{selector: {matchLabels: {app: web}}}]\n";

/* From node to node, in both directions and to two of them. */
static void pods_and_policy(void)
{
	web = cluster_pod(k.a, 2, "shop", "web", false);
	batch = cluster_pod(k.c, 2, "shop", "batch", false);
	spy = cluster_pod(k.c, 3, "other", "spy", false);
	db = cluster_pod(k.b, 2, "shop", "db", true);
	cache = cluster_pod(k.a, 3, "shop", "cache", true);
	kube_apply(k.kube, policies);
	cluster_becomes(spy, db, 8080, false);
	cluster_becomes(web, cache, 8080, false);
	cluster_becomes(batch, cache, 8080, true);
	cluster_verified(web, db, 8080);
}

/* ---- load ---- */

enum { WEB_DB, BATCH_CACHE, ALLOWED, SPY_DB = ALLOWED, BATCH_DB, SPY_CACHE, LOADS };

static struct lab_process *load[LOADS];

static struct lab_process *begin_load(const struct kube_pod *from, const struct kube_pod *to,
				      const char *timeout)
{
	return lab_traffic(k.lab, from->place, "connect", "--count=0", "--summary", "--reset",
			   "--interval=5", lab_printf(k.lab, "--timeout=%s", timeout),
			   lab_printf(k.lab, "%s:8080", to->spec.address));
}

static void load_begins(void)
{
	load[WEB_DB] = begin_load(web, db, "5000");
	load[BATCH_CACHE] = begin_load(batch, cache, "5000");
	load[SPY_DB] = begin_load(spy, db, DENIED_MS);
	load[BATCH_DB] = begin_load(batch, db, DENIED_MS);
	load[SPY_CACHE] = begin_load(spy, cache, DENIED_MS);
}

static void load_ends(void)
{
	long long attempts[2] = { 0 }, wrong[2] = { 0 };
	double slowest = 0;

	for (int i = 0; i < LOADS; i++) {
		bool denied = i >= ALLOWED;
		json_t *line;

		lab_signal(load[i], SIGTERM);
		line = lab_read(load[i], LAB_WAIT_MS);
		cr_assert(line, "a client says nothing");
		cr_assert_gt(lab_int(line, "attempts"), 100);
		attempts[denied] += lab_int(line, "attempts");
		wrong[denied] += lab_int(line, denied ? "connected" : "failed");
		if (!denied && lab_real(line, "max_ms") > slowest)
			slowest = lab_real(line, "max_ms");
	}
	printf("kube_outage: %lld allowed connections, %lld failed, slowest %.0f ms; %lld denied, "
	       "%lld passed\n",
	       attempts[0], wrong[0], slowest, attempts[1], wrong[1]);
	cr_assert_eq(wrong[0], 0, "allowed connections failed");
	cr_assert_eq(wrong[1], 0, "denied connections passed");
}

/* ---- records ---- */

/* The object of @of's record, as the API server has it. */
static json_t *record_of(const struct kube_node *of)
{
	json_t *list = kube_call(k.kube, "GET", RECORDS, NULL, NULL), *item;
	size_t i;

	json_array_foreach(json_object_get(list, "items"), i, item)
		if (streq(lab_str(item, "spec.node"), of->name))
			return json_object_get(item, "spec");
	lab_fail(k.lab, "%s has no record", of->name);
}

static const char *newest_key(const struct kube_node *of)
{
	const json_t *keys = json_object_get(record_of(of), "keys");

	return lab_str(json_array_get(keys, 0), "publicKey");
}

static json_t *credentials(const struct kube_node *of)
{
	json_t *reply = lab_node_request(of->lab, "{\"verb\":\"credentials\"}");

	lab_check(k.lab, reply, "%s does not say what it holds", of->name);
	return json_array_get(reply, 0);
}

static void holds_svid(const struct kube_node *of, const char *serial)
{
	uint64_t end = lab_now_ms() + CERTIFICATE_MS;

	while (!streq(lab_str(credentials(of), "svid.serial"), serial)) {
		lab_check(k.lab, lab_now_ms() < end, "%s does not take up its new SVID", of->name);
		lab_sleep_ms(100);
	}
}

/* ---- the outage ---- */

/* What is known stays known, and that it may be old is said. */
static void restarted_while_away(struct kube_node *of, void (*end)(struct lab_node *lab))
{
	const char *before = follow_image(of);
	struct follow now;

	end(of->lab);
	lab_sleep_ms(500);
	lab_node_restart(of->lab);
	now = follow_read(of);
	cr_assert(now.answers && !now.synced, "%s says that it is in sync", of->name);
	cr_assert_str_eq(follow_image(of), before, "%s knows others than before", of->name);
}

static void silence_is_said(struct kube_node *of, long long away_ms, const char *words)
{
	const struct follow now = follow_read(of);
	const char *text;
	int code;

	cr_assert(!now.watching, "%s watches a server that is away", of->name);
	cr_assert(now.silent_ms < 0 || now.silent_ms > away_ms - 2000, "silent for %lld of %lld ms",
		  now.silent_ms, away_ms);
	text = lab_node_cli(of->lab, &code, "status");
	cr_assert(strstr(text, words), "status does not say \"%s\":\n%s", words, text);
}

static void wait_until(uint64_t ms)
{
	while (lab_now_ms() < ms)
		lab_sleep_ms(MIN(ms - lab_now_ms(), 500));
}

static void api_server_is_away(unsigned int seconds)
{
	uint64_t begin;

	kube_cluster(k.kube, "stop-apiserver", "KILL");
	begin = lab_now_ms();
	restarted_while_away(k.a, lab_node_kill9);
	restarted_while_away(k.b, lab_node_stop);
	for (int i = 0; i < NODES; i++)
		holds_svid(node[i], lab_ca_node(k.ca, node[i]->lab).serial);
	wait_until(begin + seconds * 1000ULL);
	silence_is_said(k.a, seconds * 1000LL, "has not answered");
	silence_is_said(k.c, seconds * 1000LL, "has not answered for");
}

/* The agents at the end of the outage, and the keys that the others knew then. */
struct before {
	struct follow follow[NODES];
	const char *key[NODES];
};

static void remember_keys(struct before *before)
{
	for (int i = 0; i < NODES; i++)
		before->key[i] = newest_key(node[i]);
}

static void remember_agents(struct before *before)
{
	for (int i = 0; i < NODES; i++)
		before->follow[i] = follow_read(node[i]);
}

static void no_storm(const struct before *before, const struct follow_times *times)
{
	static const bool restarted[NODES] = { true, true, false };
	uint64_t first = UINT64_MAX, last = 0;

	printf("kube_outage: the API server is ready %llu ms after its start\n",
	       (unsigned long long)times->server_ms);
	for (int i = 0; i < NODES; i++) {
		const struct follow now = follow_read(node[i]), *then = &before->follow[i];
		long long lists = follow_lists(then, &now);

		printf("kube_outage: %s follows it after %llu ms: %u of %u kinds, %lld lists, %lld "
		       "watches begun, %lld were told 410\n",
		       node[i]->name, (unsigned long long)times->node_ms[i], now.served, now.kinds,
		       lists, now.watches - then->watches, now.expired - then->expired);
		/* One of each kind; who was restarted also tried while the server did not listen yet. */
		cr_assert_leq(lists, (restarted[i] ? TRIES : 1) * now.served,
			      "%s listed %lld times", node[i]->name, lists);
		first = MIN(first, times->node_ms[i]);
		last = MAX(last, times->node_ms[i]);
	}
	printf("kube_outage: %llu ms between the first and the last agent\n",
	       (unsigned long long)(last - first));
}

/* The keys turned while there was nobody to tell; then it was told. */
static void keys_turned(const struct before *before)
{
	uint64_t end = lab_now_ms() + FOLLOW_MS;

	for (int i = 0; i < NODES; i++)
		while (streq(newest_key(node[i]), before->key[i])) {
			lab_check(k.lab, lab_now_ms() < end, "%s published no new key",
				  node[i]->name);
			lab_sleep_ms(200);
		}
}

/*
 * Keys turn at half of their lifetime, which is to be in the middle of the outage; the key
 * before must last until the new one is published.
 */
Test(kube_outage, the_api_server_is_away)
{
	unsigned int away_s = follow_seconds("KUBE_OUTAGE_S", OUTAGE_S);
	unsigned int lifetime_s = 2 * (away_s + RETURN_S);
	uint64_t start = lab_now_ms();
	struct follow_times times;
	struct before before;

	cluster_start(&k, "--key-lifetime", lab_printf(k.lab, "%us", lifetime_s));
	pods_and_policy();
	load_begins();
	wait_until(start + (lifetime_s - away_s) * 500ULL);
	remember_keys(&before);
	api_server_is_away(away_s);
	remember_agents(&before);
	times = follow_wait(node, NODES, follow_start_server(&k));
	no_storm(&before, &times);
	keys_turned(&before);
	load_ends();
	kube_apply(k.kube, web_is_out);
	cluster_becomes(web, db, 8080, false);
	kube_delete(k.kube, web_is_out);
	cluster_becomes(web, db, 8080, true);
	cluster_verified(web, db, 8080);
}
