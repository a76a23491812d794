/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: an object, an agent with its own ServiceAccount's token, a host of the lab. */
#include "tests/kube/kube_internal.h"

#define AGENT_IMAGE "countersign"

static void post_node(struct kube_node *node, int i)
{
	struct kube *kube = node->kube;
	json_t *object = json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:[s]}}", "apiVersion", "v1",
				   "kind", "Node", "metadata", "name", node->name, "labels",
				   "kubernetes.io/hostname", node->name, "spec", "podCIDRs",
				   lab_printf(kube->lab, "10.77.0.%d/28", 16 * i));
	json_t *status = json_pack("{s:{s:[{s:s, s:s}]}}", "status", "addresses", "type",
				   "InternalIP", "address", node->address4);

	kube_call(kube, "POST", "/api/v1/nodes", lab_keep(kube->lab, object), NULL);
	kube_patch(kube, lab_printf(kube->lab, "/api/v1/nodes/%s/status", node->name),
		   lab_keep(kube->lab, status));
}

/* The DaemonSet's pod, which the token is bound to. */
static const char *post_agent(struct kube_node *node)
{
	struct kube *kube = node->kube;
	const char *name = lab_printf(kube->lab, "countersign-%s", node->name);
	json_t *object = json_pack(
		"{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:s, s:s, s:b, s:[{s:s, s:s}]}}", "apiVersion",
		"v1", "kind", "Pod", "metadata", "name", name, "labels", "app.kubernetes.io/name",
		"countersign", "spec", "nodeName", node->name, "serviceAccountName", "countersign",
		"hostNetwork", 1, "containers", "name", "agent", "image", AGENT_IMAGE);

	kube_call(kube, "POST", "/api/v1/namespaces/" KUBE_SYSTEM "/pods",
		  lab_keep(kube->lab, object), NULL);
	return name;
}

struct kube_node *kube_node(struct kube *kube, const char *name, int i)
{
	struct kube_node *node = &kube->node[kube->n_nodes++];
	const char *mount;

	lab_check(kube->lab, kube->n_nodes <= KUBE_NODES_MAX, "too many nodes");
	*node = (struct kube_node){
		.kube = kube,
		.name = name,
		.address4 = lab_printf(kube->lab, "10.77.0.%d", 16 * i + 1),
		.cgroupfs = i % 2 == 0, /* one of each */
	};
	node->lab = lab_node(kube->lab, name, 0, node->address4,
			     lab_printf(kube->lab, "fd77::%x:1", i));
	post_node(node, i);
	mount = lab_node_path(node->lab, "account");
	kube_cluster(kube, "mount", KUBE_SYSTEM, "countersign", mount, "--pod", post_agent(node));
	node->kubeconfig = lab_printf(kube->lab, "%s.kubeconfig", mount);
	return node;
}

json_t *kube_node_status(struct kube_node *node)
{
	return json_object_get(lab_node_status(node->lab), "kubernetes");
}

static bool in_sync(void *arg)
{
	const json_t *status = lab_node_status(arg);

	return lab_bool(status, "kubernetes.synced") && lab_int(status, "epoch") > 0;
}

void kube_node_wait(struct kube_node *node, const char *what, bool (*yes)(void *arg), void *arg)
{
	uint64_t end = lab_now_ms() + KUBE_WAIT_MS;

	while (!yes(arg)) {
		lab_check(node->kube->lab, lab_now_ms() < end, "%s: not %s after %d ms", node->name,
			  what, KUBE_WAIT_MS);
		lab_sleep_ms(5);
	}
}

/* As kubelet does when it starts, before any pod: so they are guarded when the first one comes. */
static void make_pod_cgroups(struct kube_node *node)
{
	static const char *const of_cgroupfs[] = { "kubepods", "kubepods/burstable",
						   "kubepods/besteffort" };
	static const char *const of_systemd[] = { "kubepods.slice",
						  "kubepods.slice/kubepods-burstable.slice",
						  "kubepods.slice/kubepods-besteffort.slice" };
	const char *const *paths = node->cgroupfs ? of_cgroupfs : of_systemd;

	for (size_t i = 0; i < ARRAY_SIZE(of_systemd); i++)
		lab_node_cgroup(node->lab, paths[i]);
}

void kube_node_start_argv(struct kube_node *node, const char *const *args)
{
	const char *argv[LAB_ARGS_MAX] = {
		"--kubernetes",	    "--kubeconfig", node->kubeconfig, "--node-name", node->name,
		"--kube-namespace", KUBE_SYSTEM,    "--node",	      "auto",	     "--nodes",
		"kubernetes:",	    "--log-level",  "debug",
	};
	size_t n = 0;

	make_pod_cgroups(node);
	while (argv[n])
		n++;
	lab_args(argv, n, args);
	lab_node_start_argv(node->lab, argv);
	kube_node_wait(node, "in sync", in_sync, node->lab);
}

struct lab_place kube_node_daemon(struct kube_node *node, const char *unit)
{
	return lab_place(lab_printf(node->kube->lab, "system.slice/%s", unit),
			 lab_node_host(node->lab));
}
