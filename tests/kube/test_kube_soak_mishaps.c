/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong meanwhile. Some of it lasts, and is mended when its time has come. */
#include <signal.h>

#include "tests/kube/test_kube_soak.h"
#include "tests/lab/lab_internal.h"

#define SERVER "10.77.0.254"
#define STOPPED_MS 3000
#define CUT_MS 4000 /* at most */
#define DEAD_MS 2000

/* Of one node; only one at a time. */
static struct lasting {
	void (*mend)(struct lab_node *node); /* NULL: all is well */
	uint64_t until_ms;
} lasting[SOAK_NODES];

/* A node that nothing ails, from now on for @ms; NULL: there is none. */
static struct kube_node *victim(struct soak *soak, void (*mend)(struct lab_node *node), int ms)
{
	int first = soak_random(SOAK_NODES);

	for (int i = 0; i < SOAK_NODES; i++) {
		int at = (first + i) % SOAK_NODES;

		if (lasting[at].mend)
			continue;
		lasting[at] = (struct lasting){ mend, lab_now_ms() + (uint64_t)ms };
		return soak->node[at];
	}
	return NULL;
}

void soak_mend(struct soak *soak, bool all)
{
	for (int i = 0; i < SOAK_NODES; i++) {
		struct lasting *l = &lasting[i];

		if (!l->mend || (!all && lab_now_ms() < l->until_ms))
			continue;
		l->mend(soak->node[i]->lab);
		*l = (struct lasting){ NULL };
	}
}

/* ---- the API server ---- */

static bool server_killed(struct soak *soak)
{
	kube_cluster(soak->cluster.kube, "stop-apiserver", "KILL");
	lab_sleep_ms((unsigned int)soak_random(3000));
	soak_mend(soak, false);
	kube_cluster(soak->cluster.kube, "start-apiserver");
	return true;
}

static bool history_compacted(struct soak *soak)
{
	kube_cluster(soak->cluster.kube, "compact");
	return true;
}

static bool tokens_renewed(struct soak *soak)
{
	kube_cluster(soak->cluster.kube, "refresh");
	return true;
}

/* ---- agents ---- */

/* What it has counted is lost with it. */
static void keep_counts(struct soak *soak, struct kube_node *node)
{
	const struct follow now = follow_read(node);

	for (int i = 0; i < SOAK_NODES; i++) {
		struct follow *past = &soak->past[i];

		if (soak->node[i] != node)
			continue;
		past->lists += now.lists;
		past->watches += now.watches;
		past->expired += now.expired;
		past->connections += now.connections;
		past->failures += now.failures;
	}
}

static struct kube_node *killed(struct soak *soak)
{
	struct kube_node *node = victim(soak, lab_node_restart, soak_random(DEAD_MS));

	if (!node)
		return NULL;
	keep_counts(soak, node);
	lab_node_kill9(node->lab);
	return node;
}

static bool agent_killed(struct soak *soak)
{
	return killed(soak);
}

static bool agent_forgets(struct soak *soak)
{
	const struct kube_node *node = killed(soak);

	if (node)
		unlink(lab_node_path(node->lab, "state/objects.journal"));
	return node;
}

static void go_on(struct lab_node *node)
{
	lab_signal(lab_node_agent(node), SIGCONT);
}

static bool agent_stopped(struct soak *soak)
{
	const struct kube_node *node = victim(soak, go_on, STOPPED_MS);

	if (node)
		lab_signal(lab_node_agent(node->lab), SIGSTOP);
	return node;
}

/* ---- the way between them ---- */

static void connect_again(struct lab_node *node)
{
	lab_nft(node->lab, lab_node_host(node), "delete table inet soak\n");
}

static bool way_cut(struct soak *soak)
{
	const struct kube_node *node =
		victim(soak, connect_again, 1000 + soak_random(CUT_MS - 1000));

	if (node)
		lab_nft(soak->cluster.lab, lab_node_host(node->lab),
			"table inet soak {\n"
			"	chain out {\n"
			"		type filter hook output priority 0;\n"
			"		ip daddr " SERVER " drop\n"
			"	}\n"
			"}\n");
	return node;
}

static bool connection_broken(struct soak *soak)
{
	return follow_cut(soak->node[soak_random(SOAK_NODES)]);
}

struct soak_deed soak_mishaps[] = {
	{ "API server killed", 2, server_killed, 0 },
	{ "history compacted", 2, history_compacted, 0 },
	{ "tokens renewed", 1, tokens_renewed, 0 },
	{ "agent killed", 4, agent_killed, 0 },
	{ "agent killed and its journal lost", 1, agent_forgets, 0 },
	{ "agent stopped for 3 s", 3, agent_stopped, 0 },
	{ "way to the server cut for seconds", 4, way_cut, 0 },
	{ "connection broken", 6, connection_broken, 0 },
};
const size_t soak_mishaps_n = ARRAY_SIZE(soak_mishaps);
