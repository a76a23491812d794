/* SPDX-License-Identifier: Apache-2.0 */
/* The order of documents means nothing; and images of a whole cluster, for tools. */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define CLUSTER "---\napiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\n"
#define SERVICE "---\napiVersion: v1\nkind: Service\n"
#define SLICE "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
#define NODE "---\napiVersion: v1\nkind: Node\n"

/* clang-format off: one document a line */
static const char *const documents[] = {
	WORKLOAD
	"metadata: {name: a, namespace: n, labels: {app: x}}\nspec: {cgroup: a, addresses: [10.0.0.1, \"fd00::1\"], ports: [{name: web, port: 80}]}\n",
	WORKLOAD
	"metadata: {name: b, namespace: n, labels: {app: x}}\nspec: {cgroup: b, addresses: [10.0.0.2], ports: [{name: web, port: 80}]}\n",
	WORKLOAD
	"metadata: {name: c, namespace: n, labels: {app: y}}\nspec: {cgroup: c, addresses: [10.0.0.3]}\n",
	WORKLOAD
	"metadata: {name: a, namespace: m}\nspec: {serviceAccount: z, addresses: [10.0.0.1, 10.0.0.9], ports: [{name: web, port: 81}]}\n",
	WORKLOAD "metadata: {name: h, namespace: m}\nspec: {hostNetwork: true, cgroup: h}\n",
	POLICY
	"metadata: {name: p, namespace: n}\nspec: {subject: {}, rollout: {percent: 50}, ingress: [{from: [{selector: {}}, {cidrs: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}]}]}], egress: [{ports: [{port: web}]}]}\n",
	POLICY
	"metadata: {name: q, namespace: n}\nspec: {subject: {}, mode: Audit, ingress: [{action: Deny, from: [{entities: [World]}]}, {from: [{namespaceSelector: {}}]}]}\n",
	CLUSTER
	"metadata: {name: p}\nspec: {subject: {}, tier: Admin, priority: 5, ingress: [{action: Pass, from: [{serviceAccounts: [{namespace: m, name: z}]}]}]}\n",
	CLUSTER
	"metadata: {name: o}\nspec: {subject: {}, tier: Admin, priority: 5, egress: [{action: Deny, ports: [{port: 22}]}]}\n",
	CLUSTER
	"metadata: {name: low}\nspec: {subject: {}, tier: Baseline, ingress: [{action: Deny}]}\n",
	NODE
	"metadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.1}]}\n",
	NODE
	"metadata: {name: n2}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.2}]}\n",
	SERVICE
	"metadata: {name: s, namespace: n}\nspec: {clusterIP: 10.96.0.1, ports: [{name: a, port: 80}, {name: b, port: 81}]}\n",
	SERVICE
	"metadata: {name: t, namespace: n}\nspec: {clusterIP: 10.96.0.2, ports: [{name: a, port: 80}]}\n",
	SLICE
	"metadata: {name: s1, namespace: n, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nports: [{name: b, port: 2}, {name: a, port: 1}]\nendpoints: [{addresses: [10.0.0.3]}, {addresses: [10.0.0.2]}]\n",
	SLICE
	"metadata: {name: s2, namespace: n, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nports: [{name: a, port: 3}]\nendpoints: [{addresses: [192.0.2.1]}]\n",
	SLICE
	"metadata: {name: t1, namespace: n, labels: {kubernetes.io/service-name: t}}\naddressType: IPv4\nports: [{name: a, port: 3}]\nendpoints: [{addresses: [10.0.0.9]}, {addresses: [10.0.0.1]}]\n",
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n, labels: {team: n}}\n",
};
/* clang-format on */

/* Compiles the documents in a shuffled order, each a file of its own. */
static void compile_shuffled(struct compiled *c, unsigned int seed)
{
	size_t order[ARRAY_SIZE(documents)];

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		order[i] = i;
	for (size_t i = ARRAY_SIZE(order) - 1; seed && i > 0; i--) {
		size_t with = (size_t)rand_r(&seed) % (i + 1), kept = order[i];

		order[i] = order[with];
		order[with] = kept;
	}
	compiled_init(c);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		char file[16];

		snprintf(file, sizeof(file), "%zu.yaml", order[i]);
		compiled_parse(c, file, documents[order[i]]);
	}
	cr_assert_eq(c->r, 0, "%s", c->errors.n ? c->errors.item[0].message : "");
	compiled_compile(c);
	cr_assert_eq(c->r, 0);
}

/* All of an image in words and numbers. */
static char *image_text(const struct image *image)
{
	char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);

	cr_assert_not_null(f);
	for (size_t i = 0; i < image->n_workloads; i++) {
		const struct image_workload *w = &image->workloads[i];

		fprintf(f, "workload %s/%s %llu %u %u %u %d", w->namespace, w->name,
			(unsigned long long)w->identity, w->ruleset[0], w->ruleset[1],
			w->name_index, w->host_network);
		for (int d = 0; d < CS_DIRECTIONS; d++)
			for (size_t k = 0; k < w->n_isolated_by[d]; k++)
				fprintf(f, " %u", w->isolated_by[d][k]);
		fputc('\n', f);
	}
	for (size_t i = 0; i < image->n_identities; i++)
		fprintf(f, "identity %llu %u %u %s %s %s %s\n",
			(unsigned long long)image->identities[i].identity, image->identities[i].row,
			image->identities[i].name_index, image->identities[i].namespace,
			image->identities[i].service_account, image->identities[i].workload,
			image->identities[i].labels);
	for (size_t i = 0; i < image->n_rules; i++)
		if (i > 0)
			fprintf(f, "rule %s %s/%s#%s %s\n", image->rules[i].kind,
				image->rules[i].namespace, image->rules[i].policy,
				image->rules[i].rule, image->rules[i].file);
	for (size_t i = 0; i < image->n_services; i++)
		fprintf(f, "service %u/%u %u+%u %s/%s\n", image->services[i].port,
			image->services[i].protocol, image->services[i].first, image->services[i].n,
			image->services[i].namespace, image->services[i].name);
	fclose(f);
	return text;
}

static void expect_same(const void *a, size_t n_a, const void *b, size_t n_b, const char *what)
{
	cr_assert_eq(n_a, n_b, "%s: %zu and %zu bytes", what, n_a, n_b);
	cr_expect(!n_a || memcmp(a, b, n_a) == 0, "%s differ", what);
}

#define EXPECT_SAME(a, b, items, n)                                       \
	expect_same((a)->items, (a)->n * sizeof(*(a)->items), (b)->items, \
		    (b)->n * sizeof(*(b)->items), #items)

static void expect_same_image(const struct image *a, const struct image *b)
{
	char *x = image_text(a), *y = image_text(b);

	cr_expect_str_eq(x, y);
	EXPECT_SAME(a, b, rulesets, n_rulesets);
	EXPECT_SAME(a, b, bitmaps, n_bitmaps);
	EXPECT_SAME(a, b, names, n_names);
	EXPECT_SAME(a, b, endpoints, n_endpoints);
	EXPECT_SAME(a, b, classes, n_classes);
	EXPECT_SAME(a, b, backends, n_backends);
	cr_expect_eq(memcmp(a->unmanaged_ruleset, b->unmanaged_ruleset,
			    sizeof(a->unmanaged_ruleset)),
		     0);
	free(x);
	free(y);
}

Test(policy_order, shuffled_documents_give_the_same_image)
{
	_compiled_ sorted;

	compile_shuffled(&sorted, 0);
	cr_assert_eq(sorted.image->n_workloads, 4);
	cr_assert_gt(sorted.image->n_backends, 3);
	for (unsigned int seed = 1; seed <= 20; seed++) {
		_compiled_ other;

		compile_shuffled(&other, seed);
		expect_same_image(sorted.image, other.image);
	}
}

/* Tools judge all workloads, more than a node may have, each with rules of its own. */
Test(policy_order, every_subject, .timeout = 60)
{
	enum { MANY = 3000 };
	struct policy_judgement judgement;
	char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);
	_compiled_ c;

	cr_assert_not_null(f);
	for (int i = 0; i < MANY; i++)
		fprintf(f,
			WORKLOAD "metadata: {name: w, namespace: n%d}\nspec: {}\n" POLICY
				 "metadata: {name: p, namespace: n%d}\n"
				 "spec: {subject: {}, ingress: [{from: [{selector: {}}]}]}\n",
			i, i);
	fclose(f);
	compiled_init(&c);
	c.options.every_subject = true;
	compiled_must(&c, text);
	cr_expect_eq(c.image->n_workloads, MANY);
	cr_expect_eq(c.image->n_rulesets, MANY + 1);
	cr_expect_eq(c.image->n_bitmaps, MANY + 1);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(policy_judge(c.image,
					  &(struct policy_flow){ .from = i ? "n7/w" : "n8/w",
								 .to = "n2999/w",
								 .port = 1,
								 .protocol = IPPROTO_TCP },
					  &judgement),
			     0);
		cr_expect_eq(judgement.result.verdict, CS_VERDICT_DENY);
	}
	c.options.every_subject = false;
	compiled_compile(&c);
	cr_expect_eq(c.image->n_workloads, 0, "none of them is here");
	free(text);
}

/* A limit of Services is named, with the Service that passes it. */
Test(policy_order, limits_of_services)
{
	static const struct {
		int services, ports, backends;
		const char *expected; /* NULL: fits */
	} sizes[] = {
		{ 127, 129, 1, NULL },
		{ 64, 256, 1,
		  "more than 16383 addresses and ports of Services (CS_SERVICES_MAX): " },
		{ 1, 1, 64, NULL },
		{ 1, 1, 65,
		  "more than 64 different backends of one Service port (CS_BACKENDS_MAX): " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *text = NULL;
		size_t length;
		FILE *f = open_memstream(&text, &length);
		_compiled_ c;

		cr_assert_not_null(f);
		for (int s = 0; s < sizes[i].services; s++) {
			fprintf(f,
				SERVICE
				"metadata: {name: s%02d}\nspec: {clusterIP: 10.96.0.%d, ports: [",
				s, s);
			for (int p = 0; p < sizes[i].ports; p++)
				fprintf(f, "%s{name: p%d, port: %d}", p ? "," : "", p, p + 1);
			fputs("]}\n", f);
		}
		fputs(SLICE "metadata: {name: s, labels: {kubernetes.io/service-name: s00}}\n"
			    "addressType: IPv4\nports: [{name: p0, port: 1}]\nendpoints: [",
		      f);
		for (int b = 0; b < sizes[i].backends; b++)
			fprintf(f, "%s{addresses: [10.0.0.%d]}", b ? "," : "", b);
		fputs("]\n", f);
		for (int b = 0; b < sizes[i].backends; b++)
			fprintf(f,
				WORKLOAD
				"metadata: {name: w%d, labels: {id: w%d}}\nspec: {addresses: [10.0.0.%d]}\n",
				b, b, b);
		fclose(f);
		compiled_init(&c);
		compiled_parse(&c, "test.yaml", text);
		cr_assert_eq(c.r, 0, "%s", c.errors.n ? c.errors.item[0].message : "");
		compiled_compile(&c);
		cr_expect_eq(c.r, sizes[i].expected ? -ENOSPC : 0, "case %zu", i);
		if (sizes[i].expected && c.errors.n) {
			cr_expect(strncmp(c.errors.item[0].message, sizes[i].expected,
					  strlen(sizes[i].expected)) == 0,
				  "%s", c.errors.item[0].message);
			cr_expect_str_eq(c.errors.item[0].file, "test.yaml");
			cr_expect_gt(c.errors.item[0].line, 0);
		}
		free(text);
	}
}
