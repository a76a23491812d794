/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kube/test_kube_follow.h"

#include "tests/lab/lab_internal.h"

#define FOLLOW_SERVER "10.77.0.254"
#define SAMPLE_MS 50
#define STAYS 4 /* samples in a row: a watch that is refused is open for a moment, too */

static bool is_behind(const json_t *kind)
{
	return !lab_bool(kind, "synced") ||
	       (lab_bool(kind, "served") && !lab_bool(kind, "watching"));
}

static void add_kind(struct follow *follow, const json_t *kind)
{
	if (follow->kinds < FOLLOW_KINDS_MAX) {
		follow->lists_of[follow->kinds] = lab_int(kind, "lists");
		follow->served_of[follow->kinds++] = lab_bool(kind, "served");
	}
	follow->served += lab_bool(kind, "served");
	follow->lists += lab_int(kind, "lists");
	follow->watches += lab_int(kind, "watches");
	follow->expired += lab_int(kind, "expired");
	if (is_behind(kind))
		follow->watching = false;
}

struct follow follow_read(struct kube_node *node)
{
	json_t *reply = lab_node_request(node->lab, "{\"verb\":\"status\",\"brief\":true}");
	json_t *status = json_object_get(json_array_get(reply, 0), "kubernetes"), *kind;
	struct follow follow = { .answers = json_is_object(status), .watching = true };
	size_t i;

	if (!follow.answers)
		return (struct follow){ 0 };
	follow.synced = lab_bool(status, "synced");
	follow.connections = lab_int(status, "connections");
	follow.failures = lab_int(status, "failures");
	follow.silent_ms = lab_int(status, "last_success_ms");
	json_array_foreach(json_object_get(status, "kinds"), i, kind)
		add_kind(&follow, kind);
	return follow;
}

long long follow_lists(const struct follow *then, const struct follow *now)
{
	long long lists = 0;

	for (unsigned int i = 0; i < now->kinds; i++)
		if (now->served_of[i])
			lists += now->lists_of[i] - then->lists_of[i];
	return lists;
}

bool follow_whole(const struct follow *follow)
{
	return follow->answers && follow->synced && follow->watching;
}

/* The kinds that keep a node from being whole, and why. */
static const char *lacking(struct kube_node *node)
{
	json_t *status = kube_node_status(node), *kind;
	const char *text = "";
	size_t i;

	json_array_foreach(json_object_get(status, "kinds"), i, kind)
		if (is_behind(kind))
			text = lab_printf(kube_lab(node->kube), "%s%s (%s) ", text,
					  lab_str(kind, "kind"), lab_str(kind, "trouble"));
	return text;
}

struct lab_process *follow_start_server(struct cluster *cluster)
{
	const char *argv[] = { lab_program(cluster->lab, "../tests/kube/cluster.sh"),
			       "start-apiserver", lab_path(cluster->lab, "kube"), NULL };

	return lab_spawn(cluster->lab, &(struct lab_spawn){ .argv = argv });
}

struct wait {
	struct kube_node *const *nodes;
	size_t n, good;
	struct lab_process *server; /* NULL: it has started */
	uint64_t begin, since; /* the call; the server's start */
	unsigned int row[FOLLOW_NODES_MAX];
	struct follow_times times;
};

static void look_at_server(struct wait *wait)
{
	if (!wait->server)
		return;
	wait->since = lab_now_ms();
	if (lab_alive(wait->server))
		return;
	lab_check(kube_lab(wait->nodes[0]->kube), lab_wait(wait->server, LAB_WAIT_MS) == 0,
		  "the API server does not start");
	wait->times.server_ms = lab_now_ms() - wait->begin;
	wait->server = NULL;
}

static void look_at_node(struct wait *wait, size_t i)
{
	const struct follow now = follow_read(wait->nodes[i]);

	wait->row[i] = follow_whole(&now) ? wait->row[i] + 1 : 0;
	if (wait->row[i] == 1)
		wait->times.node_ms[i] = lab_now_ms() - wait->begin;
	wait->good += wait->row[i] >= STAYS;
	if (!wait->row[i] && lab_now_ms() - wait->since >= FOLLOW_MS)
		lab_fail(kube_lab(wait->nodes[i]->kube),
			 "%s does not follow the API server after %d ms: %s", wait->nodes[i]->name,
			 FOLLOW_MS, lacking(wait->nodes[i]));
}

struct follow_times follow_wait(struct kube_node *const *nodes, size_t n,
				struct lab_process *server)
{
	struct wait wait = { .nodes = nodes, .n = n, .server = server };

	lab_check(kube_lab(nodes[0]->kube), n <= FOLLOW_NODES_MAX, "too many nodes");
	wait.begin = wait.since = lab_now_ms();
	while (wait.server || wait.good < n) {
		wait.good = 0;
		look_at_server(&wait);
		for (size_t i = 0; i < n; i++)
			look_at_node(&wait, i);
		lab_sleep_ms(SAMPLE_MS);
	}
	return wait.times;
}

bool follow_cut(struct kube_node *node)
{
	const char *argv[] = { "ss", "-K", "-t", "dst", FOLLOW_SERVER, NULL };
	struct lab *lab = kube_lab(node->kube);
	const char *output;
	int code;

	output = lab_run(lab, lab_place(NULL, lab_node_host(node->lab)), argv, &code);
	lab_check(lab, code == 0, "ss fails on %s: %s", node->name, output);
	return strstr(output, FOLLOW_SERVER);
}

unsigned int follow_seconds(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);
	int seconds = text ? atoi(text) : 0;

	return seconds > 0 ? (unsigned int)seconds : otherwise;
}

json_t *follow_image_set(struct kube_node *node)
{
	struct lab *lab = kube_lab(node->kube);
	json_t *reply = lab_node_request(node->lab, "{\"verb\":\"image\"}"), *line;
	json_t *set = lab_keep(lab, json_object());
	size_t i;

	lab_check(lab, json_array_size(reply) > 1, "%s does not say who is who", node->name);
	json_array_foreach(reply, i, line) {
		_cleanup_free_ char *text = i ? json_dumps(line, JSON_SORT_KEYS) : NULL;

		if (text)
			json_object_set(set, text, line);
	}
	return set;
}

const char *follow_image(struct kube_node *node)
{
	_cleanup_free_ char *text = json_dumps(follow_image_set(node), JSON_SORT_KEYS);

	return lab_printf(kube_lab(node->kube), "%s", text ?: "");
}
