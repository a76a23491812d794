/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests of a cluster: namespaces with tiers, each tier with a few policies of its own. */
#include "tools/scale/scale.h"

static const char *const tiers[] = { "web", "api", "worker", "cache", "db" };

static void put_workload(FILE *to, unsigned int namespace, unsigned int i, bool local)
{
	unsigned int tier = i % ARRAY_SIZE(tiers);

	fprintf(to,
		"---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
		"metadata:\n  name: w%u\n  namespace: ns%u\n"
		"  labels: {app: a%u, tier: %s, stage: %s, pod-template-hash: h%u}\n"
		"spec:\n  serviceAccount: %s-%u\n",
		i, namespace, i, tiers[tier], i % 3 ? "prod" : "test", i, tiers[tier], i % 10 / 5);
	if (local)
		fprintf(to, "  cgroup: ns%u/w%u\n", namespace, i);
	fprintf(to, "  addresses: [10.%u.%u.%u]\n", namespace / 256 + i / 256 * 2 + 16,
		namespace % 256, i % 256);
	fprintf(to, "  ports: [{name: http, port: %s}]\n", i % 2 ? "8080" : "8081");
}

static char *workloads(unsigned int namespace, unsigned int document)
{
	size_t length;
	char *text = NULL;
	FILE *to = open_memstream(&text, &length);

	for (unsigned int k = 0; k < WORKLOADS_EACH; k++)
		put_workload(to, namespace, document * WORKLOADS_EACH + k,
			     namespace < LOCAL_NAMESPACES && !document && k < LOCAL_EACH);
	fclose(to);
	return text;
}

char *world_workload(unsigned int number)
{
	size_t length;
	char *text = NULL;
	FILE *to = open_memstream(&text, &length);

	put_workload(to, NAMESPACES - 1, DOCUMENTS_EACH * WORKLOADS_EACH + number, false);
	fclose(to);
	return text;
}

/* Each tier lets the tier before it in, by label, account, name of a port, or network. */
static void put_policy(FILE *to, unsigned int namespace, unsigned int i, unsigned int version)
{
	unsigned int tier = i % ARRAY_SIZE(tiers);
	const char *before = tiers[(tier + ARRAY_SIZE(tiers) - 1) % ARRAY_SIZE(tiers)];

	fprintf(to,
		"---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
		"metadata: {name: p%u, namespace: ns%u}\n"
		"spec:\n  subject: {selector: {matchLabels: {tier: %s}}}\n  ingress:\n"
		"  - name: tier\n    from: [{selector: {matchLabels: {tier: %s, stage: %s}}}]\n"
		"    ports: [{port: http}, {port: %u}]\n"
		"  - name: account\n    from: [{serviceAccounts: [{namespace: ns%u, name: %s-1}]}]\n"
		"    ports: [{port: %u, endPort: %u}]\n",
		i, namespace, tiers[tier], before, i % 3 ? "prod" : "test", 9000 + i + version,
		(namespace + i) % NAMESPACES, before, 7000 + i, 7100 + i);
	if (i % 4 == 0)
		fprintf(to,
			"  - name: other\n    from: [{namespaceSelector: {matchLabels: "
			"{kubernetes.io/metadata.name: ns%u}}, selector: {matchLabels: {tier: web}}}]\n",
			(namespace * 7 + i) % NAMESPACES);
	if (i % 5 == 0)
		fprintf(to, "  - name: net\n    from: [{cidrs: [{cidr: 192.168.%u.0/24}]}]\n",
			namespace % 256);
	if (i % 10 == 0)
		fprintf(to, "  egress:\n  - name: out\n"
			    "    to: [{selector: {}}, {entities: [World]}]\n");
}

char *world_policies(unsigned int namespace, unsigned int version)
{
	size_t length;
	char *text = NULL;
	FILE *to = open_memstream(&text, &length);

	for (unsigned int i = 0; i < POLICIES_EACH; i++)
		put_policy(to, namespace, i, i == 0 ? version : 0);
	fclose(to);
	return text;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct policy_document *)a)->name,
		      ((const struct policy_document *)b)->name);
}

static struct policy_document document(char *text, const char *what, unsigned int namespace,
				       unsigned int i)
{
	struct policy_document document = { .text = text, .length = strlen(text) };
	char *name;

	if (asprintf(&name, "/etc/countersign/manifests/ns%03u-%s-%02u.yaml", namespace, what, i) >=
	    0)
		document.name = name;
	document.digest = document_digest(document.name, text, document.length);
	return document;
}

void world_documents(struct policy_document ret[static DOCUMENTS])
{
	size_t n = 0;

	for (unsigned int namespace = 0; namespace < NAMESPACES; namespace ++) {
		ret[n++] = document(world_policies(namespace, 0), "policies", namespace, 0);
		for (unsigned int i = 0; i < DOCUMENTS_EACH; i++)
			ret[n++] = document(workloads(namespace, i), "workloads", namespace, i);
	}
	qsort(ret, n, sizeof(*ret), by_name);
}
