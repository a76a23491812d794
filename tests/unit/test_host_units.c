/* SPDX-License-Identifier: Apache-2.0 */
/* systemd units of a node as workloads: from the command line to the policy. */
#include "test_policy.h"
#include "user/source/host_units.h"

#define UNIT_ID "spiffe://example.org/countersign/node/host-a/unit/kubelet.service"

static const char policy[] =
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: db, namespace: shop, labels: {app: db}}\n"
	"spec: {cgroup: db}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: IdentityPolicy\n"
	"metadata: {name: p, namespace: shop}\n"
	"spec:\n"
	"  subject: {selector: {matchLabels: {app: db}}}\n"
	"  ingress:\n"
	"  - {action: Allow, from: [{spiffeIDs: [\"spiffe://*/countersign/node/*/unit/kubelet.service\"]}]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: IdentityPolicy\n"
	"metadata: {name: all, namespace: countersign-system}\n"
	"spec: {subject: {}, ingress: []}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: kubelet, namespace: shop}\n"
	"spec: {hostUnit: kubelet.service, node: host-b}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: sshd, namespace: shop}\n"
	"spec: {hostUnit: sshd.service, node: host-b}\n";

static void compile_units(struct compiled *c, const char *list)
{
	struct source_documents documents;
	struct source *source;

	compiled_init(c);
	c->options.node_name = "host-a";
	cr_assert_eq(source_host_units_new(list, "host-a", "example.org", &source), 0);
	cr_assert_eq(source_read(source, &documents), 0);
	for (size_t i = 0; i < documents.n; i++)
		compiled_parse(c, documents.item[i].name, documents.item[i].text);
	source_documents_done(&documents);
	source_free(source);
	compiled_must(c, policy);
}

Test(host_units, a_unit_has_the_nodes_spiffe_id)
{
	const struct image_workload *w;
	_compiled_ c;

	compile_units(&c, "kubelet.service,sshd.service,kubelet.service");
	cr_assert_eq(c.image->n_workloads, 3);
	w = image_workload(c.image, "countersign-system/0-kubelet.service");
	cr_assert_not_null(w);
	cr_expect_str_eq(w->systemd_unit, "kubelet.service");
	cr_expect_str_eq(c.image->names[w->name_index], UNIT_ID);
	cr_expect(w->host_network);
}

/* Policies mean it by its SPIFFE ID; neither labels nor a namespace do. */
Test(host_units, only_its_spiffe_id_selects_it)
{
	struct judged flow = { .subject = "shop/db", .protocol = IPPROTO_TCP, .verified = true };
	const struct image_workload *w;
	_compiled_ c;

	compile_units(&c, "kubelet.service,sshd.service");
	flow.peer = "shop/kubelet";
	cr_expect_eq(judge(c.image, &flow).verdict, CS_VERDICT_ALLOW);
	flow.peer = "shop/sshd";
	cr_expect_eq(judge(c.image, &flow).verdict, CS_VERDICT_DENY);
	w = image_workload(c.image, "countersign-system/1-sshd.service");
	cr_assert_not_null(w);
	cr_expect_eq(w->n_isolated_by[CS_INGRESS], 0, "no policy of a namespace isolates it");
}

/* Whoever may write Workloads can tell of a unit, and take nothing over. */
Test(host_units, a_workload_object_is_no_unit_of_this_node)
{
	_compiled_ c;

	compiled_init(&c);
	c.options.node_name = "host-a";
	compiled_must(&c, "apiVersion: countersign.dev/v1alpha1\n"
			  "kind: Workload\n"
			  "metadata: {name: k}\n"
			  "spec: {hostUnit: kubelet.service, node: host-a}\n"
			  "---\n"
			  "apiVersion: countersign.dev/v1alpha1\n"
			  "kind: Workload\n"
			  "metadata: {name: other, labels: {a: b}}\n"
			  "spec: {hostUnit: kubelet.service, node: host-b}\n");
	cr_expect_eq(c.image->n_workloads, 0);
	cr_assert_not_null(image_identity(c.image, "default/k"));
	cr_expect_str_eq(c.image->names[image_identity(c.image, "default/k")->name_index], UNIT_ID);
}

Test(host_units, lists_that_are_none)
{
	static const char *const bad[] = { "", ",", "a b.service", "getty@tty1.service",
					   "a/b.service" };
	struct source *source;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(source_host_units_new(bad[i], "n", "t", &source), -EINVAL, "%s",
			     bad[i]);
}
