/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a cluster as small documents. */
#include "tools/kubescale/kubescale.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

static const char *const tiers[] = { "web", "api", "worker", "cache", "db" };

void world_new(struct world *w, size_t documents, size_t size)
{
	*w = (struct world){ .size = size };
	w->document = calloc(documents, sizeof(*w->document));
	/* cppcheck-suppress invalidFunctionArg ; -1 is what mmap(2) wants of an anonymous one */
	w->text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!w->document || w->text == MAP_FAILED)
		exit(1);
}

void world_clear(struct world *w)
{
	w->n = w->used = 0;
}

void world_done(struct world *w)
{
	munmap(w->text, w->size);
	free(w->document);
	*w = (struct world){ 0 };
}

static void _printf_(2, 3) put(struct world *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->text + w->used, w->size - w->used, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= w->size - w->used)
		exit(1);
	w->used += (size_t)n;
}

/* The name was put already; the document's text begins behind it. */
static void begin(struct world *w, size_t name)
{
	w->used++;
	w->document[w->n].name = w->text + name;
	w->document[w->n].text = w->text + w->used;
}

static void end(struct world *w)
{
	struct policy_document *document = &w->document[w->n++];

	document->length = (size_t)(w->text + w->used - document->text);
	document->digest = document_digest(document->name, document->text, document->length);
	w->used++;
}

void world_pod(struct world *w, unsigned int pod, unsigned int generation, bool local)
{
	unsigned int deployment = pod / REPLICAS % DEPLOYMENTS_EACH;
	unsigned int namespace = pod / REPLICAS / DEPLOYMENTS_EACH;
	unsigned int address = pod + generation * PODS;
	size_t name = w->used;

	put(w, "Pod/ns-%u/app-%u-5d4f8c7b6-x%02u", namespace, deployment, pod % REPLICAS);
	begin(w, name);
	put(w,
	    "{\"apiVersion\":\"countersign.dev/v1alpha1\",\"kind\":\"Workload\",\"metadata\":{"
	    "\"name\":\"app-%u-5d4f8c7b6-x%02u\",\"namespace\":\"ns-%u\",\"labels\":{"
	    "\"app\":\"app-%u\",\"tier\":\"%s\",\"pod-template-hash\":\"5d4f8c7b6\"}},\"spec\":{"
	    "\"serviceAccount\":\"sa-%u\",\"node\":\"node-%04u\",\"addresses\":[\"10.%u.%u.%u\"]",
	    deployment, pod % REPLICAS, namespace, deployment, tiers[deployment % 5],
	    deployment % 4, local ? 0 : 1 + pod % (NODES - 1), address >> 16 & 255,
	    address >> 8 & 255, address & 255);
	if (local)
		put(w, ",\"cgroup\":\"kubepods/pod%u\"", pod);
	put(w, ",\"ports\":[{\"name\":\"http\",\"port\":%u}]}}", 8080 + deployment % 2);
	end(w);
}

void world_slice(struct world *w, unsigned int namespace, unsigned int slice, unsigned int ready)
{
	unsigned int service = slice % SERVICES_EACH;
	unsigned int first = (namespace * DEPLOYMENTS_EACH + slice) * REPLICAS;
	size_t name = w->used;

	put(w, "EndpointSlice/ns-%u/svc-%u-%u", namespace, service, slice);
	begin(w, name);
	put(w,
	    "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"metadata\":{"
	    "\"name\":\"svc-%u-%u\",\"namespace\":\"ns-%u\",\"labels\":{"
	    "\"kubernetes.io/service-name\":\"svc-%u\"}},\"addressType\":\"IPv4\",\"ports\":[{"
	    "\"name\":\"http\",\"port\":8080}],\"endpoints\":[",
	    service, slice, namespace, service);
	for (unsigned int i = 0; i < REPLICAS; i++)
		put(w, "%s{\"addresses\":[\"10.%u.%u.%u\"],\"conditions\":{\"ready\":%s}}",
		    i ? "," : "", (first + i) >> 16 & 255, (first + i) >> 8 & 255,
		    (first + i) & 255, i < ready ? "true" : "false");
	put(w, "]}");
	end(w);
}

static void put_service(struct world *w, unsigned int namespace, unsigned int service)
{
	unsigned int address = namespace * SERVICES_EACH + service;
	size_t name = w->used;

	put(w, "Service/ns-%u/svc-%u", namespace, service);
	begin(w, name);
	put(w,
	    "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"svc-%u\","
	    "\"namespace\":\"ns-%u\"},\"spec\":{\"clusterIP\":\"172.20.%u.%u\",\"ports\":[{"
	    "\"name\":\"http\",\"port\":80}]}}",
	    service, namespace, address >> 8 & 255, address & 255);
	end(w);
}

void world_policy(struct world *w, unsigned int namespace, unsigned int policy,
		  unsigned int version)
{
	size_t name = w->used;

	put(w, "NetworkPolicy/ns-%u/p-%u", namespace, policy);
	begin(w, name);
	put(w,
	    "{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"NetworkPolicy\",\"metadata\":{"
	    "\"name\":\"p-%u\",\"namespace\":\"ns-%u\"},\"spec\":{\"podSelector\":{"
	    "\"matchLabels\":{\"tier\":\"%s\"}},\"policyTypes\":[\"Ingress\"],\"ingress\":[{"
	    "\"from\":[{\"podSelector\":{\"matchLabels\":{\"tier\":\"%s\"}}},{"
	    "\"namespaceSelector\":{\"matchLabels\":{\"team\":\"t%u\"}},\"podSelector\":{"
	    "\"matchLabels\":{\"app\":\"app-%u\"}}}],\"ports\":[{\"port\":\"http\"},{\"port\":%u}]"
	    "}]}}",
	    policy, namespace, tiers[policy % 5], tiers[(policy + 4) % 5], policy % 10, policy,
	    9000 + policy + version);
	end(w);
}

void world_namespace(struct world *w, unsigned int namespace, const char *team)
{
	size_t name = w->used;

	put(w, "Namespace/ns-%u", namespace);
	begin(w, name);
	put(w,
	    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"ns-%u\","
	    "\"labels\":{\"kubernetes.io/metadata.name\":\"ns-%u\",\"team\":\"%s\"}}}",
	    namespace, namespace, team);
	end(w);
}

void world_node(struct world *w, unsigned int node, unsigned int generation)
{
	size_t name = w->used;

	put(w, "Node/node-%04u", node);
	begin(w, name);
	put(w,
	    "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"node-%04u\"},"
	    "\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"192.168.%u.%u\"}]}}",
	    node, node >> 8 | generation << 5, node & 255);
	end(w);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct policy_document *)a)->name,
		      ((const struct policy_document *)b)->name);
}

void world_sort(struct world *w)
{
	qsort(w->document, w->n, sizeof(*w->document), by_name);
}

/* Every 5000th pod, about, is on this node. */
void world_all(struct world *w)
{
	char team[8];

	for (unsigned int pod = 0; pod < PODS; pod++)
		world_pod(w, pod, 0, pod % NODES == 7);
	for (unsigned int node = 0; node < NODES; node++)
		world_node(w, node, 0);
	for (unsigned int namespace = 0; namespace < NAMESPACES; namespace ++) {
		snprintf(team, sizeof(team), "t%u", namespace % 50);
		world_namespace(w, namespace, team);
		for (unsigned int i = 0; i < POLICIES_EACH; i++)
			world_policy(w, namespace, i, 0);
		for (unsigned int i = 0; i < SERVICES_EACH; i++)
			put_service(w, namespace, i);
		for (unsigned int i = 0; i < SLICES_EACH; i++)
			world_slice(w, namespace, i, REPLICAS);
	}
	world_sort(w);
}
