/* SPDX-License-Identifier: Apache-2.0 */
/* What people and controllers do to a cluster all day, at random. */
#include "tests/kube/test_kube_soak.h"

#define SERVICES "/api/v1/namespaces/shop/services"
#define SLICES "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"

const char *const soak_namespaces[SOAK_NAMESPACES] = { "shop", "other", "third" };

int soak_random(int n)
{
	return n > 0 ? (int)(random() % n) : 0;
}

/* ---- pods ---- */

/* Of the nodes that were there from the start; NULL when there is none like that. */
static struct soak_pod *some_place(struct soak *soak, bool taken)
{
	int first = soak_random(SOAK_NODES * SOAK_SLOTS);

	for (int i = 0; i < SOAK_NODES * SOAK_SLOTS; i++) {
		struct soak_pod *place = &soak->pod[(first + i) % (SOAK_NODES * SOAK_SLOTS)];

		if ((place->pod != NULL) == taken)
			return place;
	}
	return NULL;
}

static void make_called(struct soak *soak, struct soak_pod *place, const char *name)
{
	struct lab *lab = soak->cluster.lab;
	struct kube_pod_spec spec = {
		.namespace = soak_namespaces[place->ns],
		.name = name,
		.node = place->node,
		.host = place->host,
		.address = place->address,
		.qos = (enum kube_qos)soak_random(3),
	};

	place->app = soak_random(SOAK_APPS);
	spec.labels = lab_printf(lab, "{\"app\": \"app-%d\"}", place->app);
	place->pod = kube_pod(soak->cluster.kube, &spec);
}

void soak_pod_make(struct soak *soak, struct soak_pod *place)
{
	place->ns = soak_random(SOAK_NAMESPACES);
	make_called(soak, place, lab_printf(soak->cluster.lab, "pod-%u", soak->names++));
}

static bool pod_made(struct soak *soak)
{
	struct soak_pod *place = some_place(soak, false);

	if (place)
		soak_pod_make(soak, place);
	return place;
}

static const char *path_of(struct soak *soak, const struct kube_pod *pod)
{
	return lab_printf(soak->cluster.lab, "/api/v1/namespaces/%s/pods/%s", pod->spec.namespace,
			  pod->spec.name);
}

static bool pod_relabelled(struct soak *soak)
{
	struct soak_pod *place = some_place(soak, true);
	struct lab *lab = soak->cluster.lab;

	if (!place)
		return false;
	place->app = soak_random(SOAK_APPS);
	kube_patch(soak->cluster.kube, path_of(soak, place->pod),
		   lab_keep(lab, json_pack("{s:{s:{s:o}}}", "metadata", "labels", "app",
					   json_sprintf("app-%d", place->app))));
	return true;
}

/* Its object stays and has the address that the next one gets. */
static bool pod_completed(struct soak *soak)
{
	struct soak_pod *place = some_place(soak, true);

	for (int i = 0; place && i < SOAK_ENDED_MAX; i++) {
		if (soak->ended[i])
			continue;
		kube_pod_completed(place->pod);
		soak->ended[i] = place->pod;
		place->pod = NULL;
		soak_pod_make(soak, place);
		return true;
	}
	return false;
}

static bool ended_pod_deleted(struct soak *soak)
{
	int i = soak_random(SOAK_ENDED_MAX);

	if (!soak->ended[i])
		return false;
	kube_pod_delete(soak->ended[i]);
	soak->ended[i] = NULL;
	return true;
}

static bool pod_deleted(struct soak *soak)
{
	struct soak_pod *place = some_place(soak, true);

	if (!place)
		return false;
	kube_pod_delete(place->pod);
	place->pod = NULL;
	return true;
}

/* Another one at once: of the same name, or with the same address only. */
static bool pod_replaced(struct soak *soak)
{
	struct soak_pod *place = some_place(soak, true);
	const char *name;

	if (!place)
		return false;
	name = place->pod->spec.name;
	kube_pod_delete(place->pod);
	if (soak_random(2))
		make_called(soak, place, name);
	else
		soak_pod_make(soak, place);
	return true;
}

/* ---- namespaces ---- */

static bool namespace_relabelled(struct soak *soak)
{
	int i = soak_random(SOAK_NAMESPACES);

	soak->team[i] = soak_random(SOAK_TEAMS);
	kube_patch(soak->cluster.kube,
		   lab_printf(soak->cluster.lab, "/api/v1/namespaces/%s", soak_namespaces[i]),
		   lab_keep(soak->cluster.lab,
			    json_pack("{s:{s:{s:o}}}", "metadata", "labels", "team",
				      json_sprintf("team-%d", soak->team[i]))));
	return true;
}

/* ---- services ---- */

static bool service_put(struct soak *soak)
{
	const struct soak_pod *place = some_place(soak, true);
	int i = soak_random(SOAK_SERVICES);
	struct lab *lab = soak->cluster.lab;
	const char *name = lab_printf(lab, "service-%d", i);
	json_t *service, *slice;

	if (!place || soak->service[i])
		return false;
	service = json_pack("{s:s, s:s, s:{s:s}, s:{s:[{s:i, s:i}]}}", "apiVersion", "v1", "kind",
			    "Service", "metadata", "name", name, "spec", "ports", "port", 80,
			    "targetPort", SOAK_PORT);
	slice = json_pack(
		"{s:s, s:s, s:{s:s, s:{s:s}}, s:s, s:[{s:[s], s:{s:b}}], s:[{s:s, s:i, s:s}]}",
		"apiVersion", "discovery.k8s.io/v1", "kind", "EndpointSlice", "metadata", "name",
		name, "labels", "kubernetes.io/service-name", name, "addressType", "IPv4",
		"endpoints", "addresses", place->address, "conditions", "ready", 1, "ports", "name",
		"", "port", SOAK_PORT, "protocol", "TCP");
	kube_call(soak->cluster.kube, "POST", SERVICES, lab_keep(lab, service), NULL);
	kube_call(soak->cluster.kube, "POST", SLICES, lab_keep(lab, slice), NULL);
	soak->service[i] = true;
	return true;
}

static bool service_deleted(struct soak *soak)
{
	int i = soak_random(SOAK_SERVICES);
	struct lab *lab = soak->cluster.lab;

	if (!soak->service[i])
		return false;
	kube_call(soak->cluster.kube, "DELETE", lab_printf(lab, SERVICES "/service-%d", i), NULL,
		  NULL);
	kube_call(soak->cluster.kube, "DELETE", lab_printf(lab, SLICES "/service-%d", i), NULL,
		  NULL);
	soak->service[i] = false;
	return true;
}

/* ---- all of them ---- */

struct soak_deed soak_operations[] = {
	{ "pod made", 10, pod_made, 0 },
	{ "pod relabelled", 6, pod_relabelled, 0 },
	{ "pod completed, address reused", 3, pod_completed, 0 },
	{ "ended pod deleted", 4, ended_pod_deleted, 0 },
	{ "pod deleted", 5, pod_deleted, 0 },
	{ "pod replaced at once", 4, pod_replaced, 0 },
	{ "policy applied or changed", 10, soak_policy_put, 0 },
	{ "policy deleted", 6, soak_policy_delete, 0 },
	{ "wrong policy applied", 1, soak_wrong_put, 0 },
	{ "wrong policy deleted", 1, soak_wrong_delete, 0 },
	{ "namespace relabelled", 2, namespace_relabelled, 0 },
	{ "service made", 1, service_put, 0 },
	{ "service deleted", 1, service_deleted, 0 },
};
const size_t soak_operations_n = ARRAY_SIZE(soak_operations);

void soak_do(struct soak *soak, struct soak_deed *deeds, size_t n)
{
	unsigned int sum = 0, pick;
	size_t i;

	for (i = 0; i < n; i++)
		sum += deeds[i].weight;
	pick = (unsigned int)soak_random((int)sum);
	for (i = 0; pick >= deeds[i].weight; i++)
		pick -= deeds[i].weight;
	deeds[i].done += deeds[i].fn(soak);
}

void soak_print(const char *title, const struct soak_deed *deeds, size_t n)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += deeds[i].done;
	printf("kube_soak: %u %s:", sum, title);
	for (size_t i = 0; i < n; i++)
		printf("%s %u %s", i ? "," : "", deeds[i].done, deeds[i].name);
	printf("\n");
}

static void open_places(struct soak *soak, int node)
{
	int first = node * SOAK_SLOTS, n = node < SOAK_NODES ? SOAK_SLOTS : SOAK_FRESH;

	for (int i = 0; i < n; i++) {
		struct soak_pod *place = &soak->pod[first + i];

		place->node = soak->node[node];
		place->host = cluster_host(place->node, SOAK_FIRST_HOST + i, &place->address);
	}
}

void soak_open(struct soak *soak)
{
	kube_namespace(soak->cluster.kube, soak_namespaces[SOAK_NAMESPACES - 1], NULL);
	for (int i = 0; i < SOAK_NAMESPACES; i++)
		namespace_relabelled(soak);
	for (int i = 0; i <= SOAK_NODES; i++)
		open_places(soak, i);
}
