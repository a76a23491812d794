/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kube/test_kube.h"

#include "tests/lab/lab_internal.h"

#define TRIES_IN_A_ROW 3

static void fail_test(const char *text)
{
	cr_assert(false, "%s", text);
	abort(); /* not reached: the assertion ends the test */
}

void cluster_new(struct cluster *cluster, const char *name)
{
	lab_on_failure(fail_test);
	*cluster = (struct cluster){ .lab = lab_new(name) };
	cluster->kube = kube_new(cluster->lab);
	cluster->ca = lab_ca(cluster->lab, KUBE_TRUST_DOMAIN);
	cluster->a = kube_node(cluster->kube, "host-a", 1);
	cluster->b = kube_node(cluster->kube, "host-b", 2);
	cluster->c = kube_node(cluster->kube, "host-c", 3);
	kube_namespace(cluster->kube, "shop", "{\"team\": \"shop\"}");
	kube_namespace(cluster->kube, "other", "{\"team\": \"other\"}");
}

void cluster_free(struct cluster *cluster)
{
	kube_free(cluster->kube);
	lab_free(cluster->lab);
	*cluster = (struct cluster){ 0 };
}

void cluster_start_node(struct kube_node *node, const char *const *args)
{
	const char *argv[LAB_ARGS_MAX] = { "--credential", node->lab->credential };

	lab_args(argv, 2, args);
	kube_node_start_argv(node, argv);
}

static bool knows_two(void *arg)
{
	struct kube_node *node = arg;
	json_t *list = lab_node_request(node->lab, "{\"verb\":\"nodes\"}"), *item;
	size_t i, n = 0;

	json_array_foreach(list, i, item)
		n += streq(lab_str(item, "state"), "accepted");
	return n >= 2;
}

void cluster_start_argv(struct cluster *cluster, const char *const *args)
{
	struct kube_node *const nodes[] = { cluster->a, cluster->b, cluster->c };

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		lab_ca_node(cluster->ca, nodes[i]->lab);
		cluster_start_node(nodes[i], args);
	}
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		kube_node_wait(nodes[i], "aware of the other nodes", knows_two, nodes[i]);
}

struct lab_host *cluster_host(struct kube_node *node, int k, const char **ret_address)
{
	struct lab *lab = kube_lab(node->kube);
	int number = atoi(strrchr(node->address4, '.') + 1) - 1 + k;

	*ret_address = lab_printf(lab, "10.77.0.%d", number);
	return lab_node_pod(node->lab, lab_printf(lab, "p%d", number), *ret_address,
			    lab_printf(lab, "fd77::%x", number));
}

struct kube_pod *cluster_pod(struct kube_node *node, int k, const char *namespace, const char *name,
			     bool serves)
{
	struct lab *lab = kube_lab(node->kube);
	struct kube_pod_spec spec = {
		.namespace = namespace,
		.name = name,
		.labels = lab_printf(lab, "{\"app\": \"%s\"}", name),
		.ports = "[{\"name\": \"http\", \"containerPort\": 8080}]",
		.node = node,
		.qos = (enum kube_qos)(k % 3),
	};
	struct kube_pod *pod;

	spec.host = cluster_host(node, k, &spec.address);
	pod = kube_pod(node->kube, &spec);
	if (serves)
		lab_serve(lab, pod->place, lab_printf(lab, "%s:8080", spec.address));
	return pod;
}

static const char *target(const struct kube_pod *to, int port)
{
	const char *address = to->spec.host_network ? to->spec.node->address4 : to->spec.address;

	return lab_printf(kube_lab(to->kube), "%s:%d", address, port);
}

json_t *cluster_connect(struct kube_pod *from, const struct kube_pod *to, int port)
{
	return lab_connect(kube_lab(from->kube), from->place, "--timeout=400", target(to, port));
}

bool cluster_answers(struct kube_pod *from, const struct kube_pod *to, int port)
{
	return lab_bool(cluster_connect(from, to, port), "answered");
}

void cluster_becomes(struct kube_pod *from, const struct kube_pod *to, int port, bool answers)
{
	uint64_t end = lab_now_ms() + ENFORCED_MS;
	unsigned int n = 0;

	while (n < TRIES_IN_A_ROW) {
		n = cluster_answers(from, to, port) == answers ? n + 1 : 0;
		lab_check(kube_lab(from->kube), n || lab_now_ms() < end,
			  "%s to %s:%d: %s after %d ms", from->spec.name, to->spec.name, port,
			  answers ? "does not pass" : "still passes", ENFORCED_MS);
	}
}

void cluster_verified(struct kube_pod *from, const struct kube_pod *to, int port)
{
	json_t *reply = cluster_connect(from, to, port);

	must_answer(reply);
	must_know_peer(reply, "verified",
		       lab_printf(kube_lab(from->kube), KUBE_SPIFFE("%s", "%s"), to->spec.namespace,
				  to->spec.account ?: "default"));
}

const char *cluster_condition(struct cluster *cluster, const char *path, const char *type)
{
	json_t *object = kube_call(cluster->kube, "GET", path, NULL, NULL), *condition;
	json_t *list = json_object_get(json_object_get(object, "status"), "conditions");
	size_t i;

	json_array_foreach(list, i, condition)
		if (streq(lab_str(condition, "type"), type) &&
		    lab_int(condition, "observedGeneration") ==
			    lab_int(object, "metadata.generation"))
			return lab_str(condition, "status");
	return "";
}

void cluster_condition_becomes(struct cluster *cluster, const char *path, const char *type,
			       const char *status)
{
	uint64_t end = lab_now_ms() + 3 * ENFORCED_MS;

	while (!streq(cluster_condition(cluster, path, type), status)) {
		lab_check(cluster->lab, lab_now_ms() < end, "%s: %s is \"%s\", not \"%s\"", path,
			  type, cluster_condition(cluster, path, type), status);
		lab_sleep_ms(50);
	}
}
