/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of an API server: Services, EndpointSlices, Nodes, Namespaces, and Lists. */
#include "test_policy_model.h"

#define SVC "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n" /* 3 lines */
#define SLICE                                                    \
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n" \
	"metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}\n"
#define NODE "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {role: db}}\n"

/* clang-format off: manifests */
struct service_case {
	const char *about;
	const char *manifest;
	const char *addresses;
	const char *ports;
};

static const struct service_case services[] = {
	{ "both families, the first one twice",
	  SVC
	  "spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, \"fd96::1\"], ports: [{port: 80}]}\n",
	  "10.96.0.1 fd96::1", "=TCP 80" },
	{ "headless",
	  SVC "spec: {clusterIP: None, clusterIPs: [None], ports: [{name: http, port: 80}]}\n", "",
	  "http=TCP 80" },
	{ "no address yet", SVC "spec: {clusterIP: \"\", ports: [{port: 80}]}\n", "", "=TCP 80" },
	{ "ExternalName", SVC "spec: {type: ExternalName, externalName: example.org}\n", "", "" },
	{ "external addresses", SVC "spec: {clusterIP: 10.96.0.1, externalIPs: [198.51.100.7]}\n",
	  "10.96.0.1 198.51.100.7", "" },
	{ "a load balancer's addresses, not its names",
	  SVC
	  "spec: {clusterIP: 10.96.0.1}\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.1}, "
	  "{hostname: lb.example.org}, {ip: 203.0.113.2, ipMode: VIP}, {ip: 203.0.113.3, ipMode: Proxy}]}}\n",
	  "10.96.0.1 203.0.113.1 203.0.113.2", "" },
	{ "ports with what else they have",
	  SVC
	  "spec:\n  ports:\n  - {name: http, port: 80, protocol: TCP, targetPort: web, nodePort: 30080, appProtocol: h2c}\n"
	  "  - {name: dns, port: 53, protocol: UDP, targetPort: 5353}\n  - {name: s, port: 9, protocol: SCTP}\n",
	  "", "http=TCP 80, dns=UDP 53, s=SCTP 9" },
	{ "as kubectl prints it",
	  SVC
	  "spec:\n  allocateLoadBalancerNodePorts: true\n  clusterIP: 10.96.0.1\n  clusterIPs:\n  - 10.96.0.1\n"
	  "  externalTrafficPolicy: Cluster\n  internalTrafficPolicy: Cluster\n  ipFamilies:\n  - IPv4\n"
	  "  ipFamilyPolicy: SingleStack\n  ports:\n  - nodePort: 31111\n    port: 80\n    protocol: TCP\n"
	  "    targetPort: 8080\n  selector:\n    app: web\n  sessionAffinity: None\n  type: LoadBalancer\n"
	  "status:\n  loadBalancer: {}\n",
	  "10.96.0.1", "=TCP 80" },
	{ "nothing at all", SVC, "", "" },
	{ "null everywhere", SVC "spec:\nstatus:\n  loadBalancer:\n", "", "" },
};

Test(policy_objects, services)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		const struct service_case *s = &services[i];
		const struct service *service;
		char text[MODEL_TEXT_MAX];
		_compiled_ c;

		compiled_init(&c);
		model_must(&c, s->manifest);
		cr_assert_eq(c.set->services.n, 1);
		service = c.set->services.item[0];
		cr_expect_str_eq(service->namespace, "shop");
		cr_expect_str_eq(service->name, "web");
		addresses_text(service->addresses, service->n_addresses, text);
		cr_expect_str_eq(text, s->addresses, "%s: %s", s->about, text);
		service_ports_text(service->ports, service->n_ports, text);
		cr_expect_str_eq(text, s->ports, "%s: %s", s->about, text);
	}
}

struct slice_case {
	const char *about;
	const char *manifest;
	const char *ports;
	const char *backends; /* of each "addresses ready;" */
};

static const struct slice_case slices[] = {
	{ "IPv4",
	  SLICE
	  "addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1, 10.0.0.2]\nports: [{name: \"\", port: 8080, protocol: TCP}]\n",
	  "=TCP 8080", "10.0.0.1 10.0.0.2 ready;" },
	{ "IPv6, endpoints before the type",
	  SLICE "endpoints: [{addresses: [\"fd00::1\"]}]\naddressType: IPv6\n", "",
	  "fd00::1 ready;" },
	{ "ready, not ready, not known",
	  SLICE
	  "addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], conditions: {ready: true, serving: true, terminating: false}}\n"
	  "- {addresses: [10.0.0.2], conditions: {ready: false}}\n- {addresses: [10.0.0.3], conditions: {}}\n"
	  "- {addresses: [10.0.0.4], conditions: {ready: }}\n- {addresses: [10.0.0.5], conditions: }\n",
	  "", "10.0.0.1 ready;10.0.0.2 not;10.0.0.3 ready;10.0.0.4 ready;10.0.0.5 ready;" },
	{ "with all that endpoints have",
	  SLICE
	  "addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\n  hostname: web-0\n  nodeName: n1\n  zone: a\n"
	  "  hints: {forZones: [{name: a}]}\n  targetRef: {kind: Pod, name: web-0, namespace: shop, uid: 12ab}\n",
	  "", "10.0.0.1 ready;" },
	{ "names say nothing about packets",
	  SLICE
	  "addressType: FQDN\nendpoints: [{addresses: [web.example.org]}]\nports: [{port: 80}]\n",
	  "=TCP 80", "" },
	{ "a port without a number says nothing",
	  SLICE
	  "addressType: IPv4\nendpoints: []\nports: [{name: a}, {name: b, port: , protocol: UDP}, {name: c, port: 53, protocol: UDP, appProtocol: dns}]\n",
	  "c=UDP 53", "" },
	{ "nothing", SLICE "addressType: IPv4\nendpoints:\nports:\n", "", "" },
};
/* clang-format on */

Test(policy_objects, slices)
{
	for (size_t i = 0; i < ARRAY_SIZE(slices); i++) {
		const struct slice_case *s = &slices[i];
		const struct endpoint_slice *slice;
		char text[MODEL_TEXT_MAX], all[MODEL_TEXT_MAX] = "";
		_compiled_ c;

		compiled_init(&c);
		model_must(&c, s->manifest);
		cr_assert_eq(c.set->slices.n, 1);
		slice = c.set->slices.item[0];
		cr_expect_str_eq(slice->service, "web");
		service_ports_text(slice->ports, slice->n_ports, text);
		cr_expect_str_eq(text, s->ports, "%s: %s", s->about, text);
		for (size_t b = 0; b < slice->n_backends; b++) {
			const struct backend *backend = &slice->backends[b];

			addresses_text(backend->addresses, backend->n_addresses, text);
			strcat(strcat(all, text), backend->ready ? " ready;" : " not;");
		}
		cr_expect_str_eq(all, s->backends, "%s: %s", s->about, all);
	}
}

Test(policy_objects, a_slice_of_no_service)
{
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		       "metadata: {name: a}\naddressType: IPv4\n");
	cr_expect_str_eq(c.set->slices.item[0]->service, "");
	cr_expect_str_eq(c.set->slices.item[0]->namespace, "default");
}

Test(policy_objects, nodes)
{
	static const char text[] = NODE
		"spec: {podCIDR: 10.244.1.0/24, taints: [{effect: NoSchedule}]}\n"
		"status:\n  addresses:\n  - {type: InternalIP, address: 192.0.2.1}\n"
		"  - {type: Hostname, address: n1.example.org}\n"
		"  - {type: InternalDNS, address: n1.internal}\n"
		"  - {type: InternalIP, address: \"fd02::1\"}\n"
		"  - {type: ExternalIP, address: 198.51.100.1}\n"
		"  images: [{names: [a], sizeBytes: 1}]\n  nodeInfo: {kernelVersion: \"6.1\"}\n";
	const struct node_object *node;
	char addresses[MODEL_TEXT_MAX];
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, text);
	cr_assert_eq(c.set->nodes.n, 1);
	node = c.set->nodes.item[0];
	cr_expect_str_eq(node->name, "n1");
	cr_expect_str_eq(labels_get(&node->labels, "role"), "db");
	addresses_text(node->addresses, node->n_addresses, addresses);
	cr_expect_str_eq(addresses, "192.0.2.1 fd02::1 198.51.100.1");
}

Test(policy_objects, a_node_without_status)
{
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, NODE "status:\n---\napiVersion: v1\nkind: Node\nmetadata: {name: n2}\n"
			    "status: {addresses: }\n");
	cr_assert_eq(c.set->nodes.n, 2);
	cr_expect_eq(c.set->nodes.item[0]->n_addresses, 0);
}

Test(policy_objects, a_namespace_as_kubectl_prints_it)
{
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, "apiVersion: v1\nkind: Namespace\nmetadata:\n  creationTimestamp: null\n"
		       "  name: shop\n  labels: {team: x, kubernetes.io/metadata.name: other}\n"
		       "spec: {finalizers: [kubernetes]}\nstatus: {phase: Active}\n");
	cr_assert_eq(c.set->namespaces.n, 1);
	cr_expect_str_eq(labels_get(&c.set->namespaces.item[0]->labels, "team"), "x");
	cr_expect_str_eq(labels_get(&c.set->namespaces.item[0]->labels,
				    "kubernetes.io/metadata.name"),
			 "shop", "nobody can give a namespace another name");
}

/* `kubectl get -o yaml` of several objects. */
Test(policy_objects, lists)
{
	static const char text[] =
		"apiVersion: v1\nitems:\n"
		"- {apiVersion: v1, kind: Node, metadata: {name: n}, unknown: 1}\n"
		"- {apiVersion: countersign.dev/v1alpha1, kind: Workload, metadata: {name: w}}\n"
		"- apiVersion: v1\n  kind: List\n  items:\n"
		"  - {apiVersion: v1, kind: Service, metadata: {name: s}}\n"
		"kind: List\nmetadata: {resourceVersion: \"\", selfLink: \"\"}\n";
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, text);
	cr_expect_eq(c.set->nodes.n, 1);
	cr_expect_eq(c.set->workloads.n, 1);
	cr_expect_eq(c.set->services.n, 1);
	cr_expect_eq(c.set->workloads.item[0]->place.line, 4);
}

Test(policy_objects, workloads_of_the_nodes_network)
{
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, "apiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
		       "metadata: {name: a}\nspec: {hostNetwork: true, cgroup: a}\n---\n"
		       "apiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
		       "metadata: {name: b}\nspec: {hostNetwork: false, addresses: [10.0.0.1]}\n");
	cr_expect(c.set->workloads.item[0]->host_network);
	cr_expect_not(c.set->workloads.item[1]->host_network);
}

#define W "apiVersion: countersign.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\n"

/* clang-format off: one case, a few lines, the same shape everywhere */
static const struct refused_case refused[] = {
	{ SVC "spec: []\n", "4: spec: expected a mapping, got a list" },
	{ SVC "spec: {clusterIP: 10.96.0}\n", "4: spec.clusterIP: \"10.96.0\" is no IP address" },
	{ SVC "spec: {clusterIP: none}\n", "4: spec.clusterIP: \"none\" is no IP address" },
	{ SVC "spec: {clusterIPs: 10.96.0.1}\n", "4: spec.clusterIPs: expected a list, got text" },
	{ SVC "spec: {clusterIPs: [10.96.0.1, 0.0.0.0]}\n",
	  "4: spec.clusterIPs[1]: \"0.0.0.0\" is the unspecified address" },
	{ SVC "spec: {externalIPs: [224.0.0.1]}\n",
	  "4: spec.externalIPs[0]: \"224.0.0.1\" is a multicast, reserved or broadcast address" },
	{ SVC "spec: {ports: [{name: a}]}\n", "4: spec.ports[0]: has no port" },
	{ SVC "spec: {ports: [{port: 0}]}\n",
	  "4: spec.ports[0].port: expected a whole number from 1 to 65535, got \"0\"" },
	{ SVC "spec: {ports: [{port: 80, protocol: HTTP}]}\n",
	  "4: spec.ports[0].protocol: expected TCP, UDP or SCTP, got \"HTTP\"" },
	{ SVC "spec: {ports: [{port: 80, name: A_B}]}\n",
	  "4: spec.ports[0].name: \"A_B\" is no DNS label: 1 to 63 of a-z 0-9 -, first and last a letter or digit" },
	{ SVC "status: {loadBalancer: {ingress: [{ip: x}]}}\n",
	  "4: status.loadBalancer.ingress[0].ip: \"x\" is no IP address" },
	{ SVC "status: {loadBalancer: {ingress: [text]}}\n",
	  "4: status.loadBalancer.ingress[0]: expected a mapping, got text" },
	{ SVC "---\n" SVC,
	  "5: metadata.name: this Service is given twice, first at test.yaml:1: remove or rename one" },
	{ SLICE, "1: addressType: is missing" },
	{ SLICE "addressType: IPv5\n",
	  "4: addressType: expected IPv4, IPv6 or FQDN, got \"IPv5\"" },
	{ SLICE "addressType: IPv4\nendpoints: {}\n",
	  "5: endpoints: expected a list, got a mapping" },
	{ SLICE "addressType: IPv4\nendpoints: [{}]\n", "5: endpoints[0].addresses: is missing" },
	{ SLICE "addressType: IPv4\nendpoints: [{addresses: []}]\n",
	  "5: endpoints[0].addresses: is empty: expected addresses, or leave the field out" },
	{ SLICE "addressType: IPv4\nendpoints: [{addresses: [\"fd00::1\"]}]\n",
	  "5: endpoints[0]: has an address that is not of the slice's addressType" },
	{ SLICE "addressType: IPv6\nendpoints: [{addresses: [10.0.0.1]}]\n",
	  "5: endpoints[0]: has an address that is not of the slice's addressType" },
	{ SLICE
	  "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: yes}}]\n",
	  "5: endpoints[0].conditions.ready: expected true or false, got \"yes\"" },
	{ SLICE
	  "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: \"true\"}}]\n",
	  "5: endpoints[0].conditions.ready: expected true or false without quotes, got \"true\"" },
	{ SLICE "addressType: IPv4\nports: [{port: 70000}]\n",
	  "5: ports[0].port: expected a whole number from 1 to 65535, got \"70000\"" },
	{ SLICE "addressType: IPv4\n---\n" SLICE "addressType: IPv4\n",
	  "6: metadata.name: this EndpointSlice is given twice, first at test.yaml:1: remove or rename one" },
	{ NODE "status: {addresses: [{type: InternalIP, address: n1}]}\n",
	  "4: status.addresses[0]: \"n1\" is no IP address" },
	{ NODE "status: {addresses: [{type: InternalIP}]}\n",
	  "4: status.addresses[0].address: is missing" },
	{ NODE "status: {addresses: {}}\n",
	  "4: status.addresses: expected a list of at most 256 addresses" },
	{ NODE "---\n" NODE,
	  "5: metadata.name: this Node is given twice, first at test.yaml:1: remove or rename one" },
	{ "apiVersion: v1\nkind: Node\nmetadata: {name: n, namespace: a}\n",
	  "3: metadata.namespace: a Node has none: leave it out" },
	{ "apiVersion: v1\nkind: List\n", "1: items: is missing" },
	{ "apiVersion: v1\nkind: List\nitems: {}\n", "3: items: expected a list, got a mapping" },
	{ "apiVersion: v2\nkind: List\nitems: []\n", "1: apiVersion: expected v1, got \"v2\"" },
	{ "apiVersion: v1\nkind: List\nitem: []\nitems: []\n",
	  "3: item: unknown field, expected apiVersion, kind or items" },
	{ "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Node, metadata: {name: n}}]\nitem: []\n",
	  "4: item: unknown field, expected apiVersion, kind or items" },
	{ "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: n}}\n",
	  "4: items[0].kind: expected Workload, IdentityPolicy, ClusterIdentityPolicy, NetworkPolicy, ClusterNetworkPolicy, "
	  "AdminNetworkPolicy, BaselineAdminNetworkPolicy, Namespace, Node, Service, EndpointSlice, PolicyTest, Revocation or List, got \"Pod\"" },
	{ "apiVersion: v1\nkind: List\nitems: [text]\n",
	  "3: items[0]: expected a mapping, got text" },
	{ "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: s}\n  spec: {clusterIP: x}\n",
	  "7: items[0].spec.clusterIP: \"x\" is no IP address" },
	{ W "spec: {hostNetwork: yes}\n",
	  "4: spec.hostNetwork: expected true or false, got \"yes\"" },
	{ W "spec: {hostNetwork: }\n",
	  "4: spec.hostNetwork: expected true or false, got nothing: give it a value or leave the field out" },
	{ W "spec: {hostNetwork: true, addresses: [10.0.0.1]}\n",
	  "4: spec: has hostNetwork and addresses: those are its node's, leave them out" },
};
/* clang-format on */

Test(policy_objects, refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused_case_holds(&refused[i]);
}
