/* SPDX-License-Identifier: Apache-2.0 */
/* What the agents know against what the API server has, and against each other. */
#include <stdarg.h>

#include "countersign/abi.h"

#include "tests/kube/test_kube_soak.h"

#define AGREE_MS 60000 /* within this all must have heard all */
#define LOOK_MS 500
#define CORE "/api/v1/"
#define OURS "/apis/countersign.dev/v1alpha1/"
#define UPSTREAM "/apis/policy.networking.k8s.io/v1alpha"

static const struct {
	const char *kind, *path;
	bool policy;
} kinds[] = {
	{ "Pod", CORE "pods", false },
	{ "Namespace", CORE "namespaces", false },
	{ "Node", CORE "nodes", false },
	{ "Service", CORE "services", false },
	{ "EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices", false },
	{ "NetworkPolicy", "/apis/networking.k8s.io/v1/networkpolicies", true },
	{ "ClusterNetworkPolicy", UPSTREAM "2/clusternetworkpolicies", true },
	{ "AdminNetworkPolicy", UPSTREAM "1/adminnetworkpolicies", true },
	{ "BaselineAdminNetworkPolicy", UPSTREAM "1/baselineadminnetworkpolicies", true },
	{ "IdentityPolicy", OURS "identitypolicies", true },
	{ "ClusterIdentityPolicy", OURS "clusteridentitypolicies", true },
	{ "Workload", OURS "workloads", false },
	{ "Revocation", OURS "revocations", false },
};

/* What the API server has. */
struct truth {
	long long objects[ARRAY_SIZE(kinds)];
	long long policies, wrong;
	json_t *pods; /* those that run somewhere */
};

static bool lives(const json_t *pod)
{
	const char *phase = lab_str(pod, "status.phase");

	return *lab_str(pod, "spec.nodeName") && !streq(phase, "Succeeded") &&
	       !streq(phase, "Failed");
}

static void read_truth(struct soak *soak, struct truth *truth)
{
	*truth = (struct truth){ .pods = lab_keep(soak->cluster.lab, json_array()) };
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		json_t *list = kube_call(soak->cluster.kube, "GET", kinds[i].path, NULL, NULL);
		json_t *items = json_object_get(list, "items"), *item;
		size_t j;

		truth->objects[i] = (long long)json_array_size(items);
		if (kinds[i].policy)
			truth->policies += truth->objects[i];
		json_array_foreach(i == 0 ? items : NULL, j, item)
			if (lives(item))
				json_array_append(truth->pods, item);
	}
	truth->objects[0] = (long long)json_array_size(truth->pods);
	for (int i = 0; i < SOAK_WRONG; i++)
		truth->wrong += soak->wrong[i];
	truth->policies -= truth->wrong;
}

/* ---- differences ---- */

struct look {
	struct soak *soak;
	const struct truth *truth;
	bool say;
	unsigned int n;
};

static void _printf_(3, 4) differs(struct look *look, const char *who, const char *format, ...)
{
	va_list args;

	look->n++;
	if (!look->say)
		return;
	printf("kube_soak: DIFFERENCE: %s: ", who);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void compare_counts(struct look *look, struct kube_node *node)
{
	json_t *status = lab_node_status(node->lab), *kind;
	json_t *list = json_object_get(json_object_get(status, "kubernetes"), "kinds");
	long long policies = lab_int(status, "policies");
	long long refused = lab_int(status, "kubernetes.refused_total");
	const struct follow follow = follow_read(node);
	size_t i;

	if (!follow_whole(&follow))
		differs(look, node->name, "it does not follow the API server");
	json_array_foreach(list, i, kind) {
		long long objects = lab_int(kind, "objects");

		if (i >= ARRAY_SIZE(kinds) || !streq(kinds[i].kind, lab_str(kind, "kind")))
			differs(look, node->name, "kind %s is not expected", lab_str(kind, "kind"));
		else if (objects != look->truth->objects[i])
			differs(look, node->name, "%lld of %lld objects of kind %s", objects,
				look->truth->objects[i], kinds[i].kind);
	}
	if (i != ARRAY_SIZE(kinds))
		differs(look, node->name, "%zu kinds", i);
	if (policies != look->truth->policies)
		differs(look, node->name, "%lld of %lld policies in force", policies,
			look->truth->policies);
	if (refused != look->truth->wrong)
		differs(look, node->name, "%lld of %lld policies refused", refused,
			look->truth->wrong);
}

/* The identity behind an address, NULL for none. */
static const json_t *behind(json_t *image, const char *address)
{
	json_int_t identity = 0;
	const char *key;
	json_t *line;

	json_object_foreach(image, key, line)
		if (streq(lab_str(line, "address"), address))
			identity = lab_int(line, "identity");
	json_object_foreach(image, key, line)
		if (json_object_get(line, "spiffe_id") && lab_int(line, "identity") == identity)
			return identity ? line : NULL;
	return NULL;
}

static void compare_pod(struct look *look, struct kube_node *node, json_t *image, const json_t *pod)
{
	const char *address = lab_str(pod, "status.podIP"), *app;
	const char *labels = "(none)", *namespace = lab_str(pod, "metadata.namespace");
	const json_t *identity;

	if (lab_bool(pod, "spec.hostNetwork") || !*address)
		return;
	app = lab_printf(look->soak->cluster.lab, "app=%s", lab_str(pod, "metadata.labels.app"));
	identity = behind(image, address);
	if (identity)
		labels = lab_str(identity, "labels");
	if (!identity || !strstr(labels, app) || !streq(lab_str(identity, "namespace"), namespace))
		differs(look, node->name, "%s/%s (%s) at %s is known with labels %s", namespace,
			lab_str(pod, "metadata.name"), app, address, labels);
}

/*
 * The other nodes' own addresses: the one thing that each node sees from where it is. Taken out
 * of the image, so that the rest must be the same on all.
 */
static void compare_nodes(struct look *look, struct kube_node *node, json_t *image)
{
	for (int i = 0; i <= SOAK_NODES; i++) {
		const struct kube_node *other = look->soak->node[i];
		const char *key, *found = NULL;
		json_t *line;

		json_object_foreach(image, key, line)
			if (streq(lab_str(line, "address"), other->address4) &&
			    lab_int(line, "identity") == CS_ENTITY_REMOTE_NODE)
				found = key;
		if ((found != NULL) != (other != node))
			differs(look, node->name, "%s is%s a remote node", other->name,
				found ? "" : " not");
		if (found)
			json_object_del(image, found);
	}
}

/* Of pods: who is gone has no address any more. */
static void compare_addresses(struct look *look, struct kube_node *node, json_t *image)
{
	size_t known = 0, there = 0, i;
	const char *key;
	json_t *line, *pod;

	json_array_foreach(look->truth->pods, i, pod) {
		there += !lab_bool(pod, "spec.hostNetwork") && *lab_str(pod, "status.podIP");
		compare_pod(look, node, image, pod);
	}
	json_object_foreach(image, key, line) {
		const char *address = lab_str(line, "address");

		known += strstr(address, "10.77.0.") == address && behind(image, address);
	}
	if (known != there)
		differs(look, node->name, "%zu addresses for %zu pods", known, there);
}

static void compare_images(struct look *look, const struct kube_node *a, json_t *of_a,
			   const struct kube_node *b, json_t *of_b)
{
	const char *key;
	json_t *line;

	json_object_foreach(of_a, key, line)
		if (!json_object_get(of_b, key))
			differs(look, a->name, "knows what %s does not: %s", b->name, key);
	json_object_foreach(of_b, key, line)
		if (!json_object_get(of_a, key))
			differs(look, b->name, "knows what %s does not: %s", a->name, key);
}

static unsigned int look_at_all(struct soak *soak, bool say)
{
	json_t *first = follow_image_set(soak->node[0]);
	struct truth truth;
	struct look look = { .soak = soak, .truth = &truth, .say = say };

	read_truth(soak, &truth);
	for (size_t i = 0; i < soak->n_nodes; i++) {
		json_t *image = i ? follow_image_set(soak->node[i]) : first;

		compare_counts(&look, soak->node[i]);
		compare_nodes(&look, soak->node[i], image);
		compare_addresses(&look, soak->node[i], image);
		if (i)
			compare_images(&look, soak->node[0], first, soak->node[i], image);
	}
	if (say)
		printf("kube_soak: %zu nodes: %lld pods, %lld policies, %lld refused, %zu lines of who "
		       "is who: %u differences\n",
		       soak->n_nodes, truth.objects[0], truth.policies, truth.wrong,
		       json_object_size(first), look.n);
	return look.n;
}

unsigned int soak_differences(struct soak *soak)
{
	uint64_t end = lab_now_ms() + AGREE_MS;

	while (look_at_all(soak, false) && lab_now_ms() < end)
		lab_sleep_ms(LOOK_MS);
	return look_at_all(soak, true);
}
