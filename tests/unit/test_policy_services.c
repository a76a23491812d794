/* SPDX-License-Identifier: Apache-2.0 */
/* Services and who is behind them, the addresses of entities, and flows to both. */
#include "test_policy.h"

#include <arpa/inet.h>

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define SERVICE "---\napiVersion: v1\nkind: Service\n"
#define SLICE "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
#define NODE "---\napiVersion: v1\nkind: Node\n"

/* clang-format off */
#define OF(name) "metadata: {name: " name ", namespace: n, labels: {kubernetes.io/service-name: web}}\n"

static const char world[] = WORKLOAD
	"metadata: {name: client, namespace: n}\nspec: {serviceAccount: client, cgroup: client, addresses: [10.0.0.1]}\n" WORKLOAD
	"metadata: {name: one, namespace: n}\nspec: {serviceAccount: one, cgroup: one, addresses: [10.0.0.2, \"fd00::2\"]}\n" WORKLOAD
	"metadata: {name: two, namespace: n}\nspec: {serviceAccount: two, cgroup: two, addresses: [10.0.0.3]}\n" WORKLOAD
	"metadata: {name: twin, namespace: n}\nspec: {serviceAccount: two, cgroup: twin, addresses: [10.0.0.4]}\n" WORKLOAD
	"metadata: {name: late, namespace: n}\nspec: {serviceAccount: late, addresses: [10.0.0.5]}\n" SERVICE
	"metadata: {name: web, namespace: n}\nspec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, \"fd96::1\"], ports: [\n"
	"{name: http, port: 80, targetPort: 8080}, {name: dns, port: 53, protocol: UDP}]}\n" SERVICE
	"metadata: {name: empty, namespace: n}\nspec: {clusterIP: 10.96.0.2, ports: [{port: 80}]}\n" SERVICE
	"metadata: {name: none, namespace: n}\nspec: {clusterIP: None, ports: [{port: 80}]}\n" SLICE OF("a")
	"addressType: IPv4\nports: [{name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}]\n"
	"endpoints: [{addresses: [10.0.0.2]}, {addresses: [10.0.0.3]}, {addresses: [10.0.0.4], conditions: {ready: true}}, {addresses: [10.0.0.5], conditions: {ready: false}}]\n" SLICE OF("b")
	"addressType: IPv4\nports: [{name: http, port: 9090}]\nendpoints: [{addresses: [10.0.0.2]}, {addresses: [203.0.113.9]}]\n" SLICE OF("c")
	"addressType: IPv6\nports: [{name: http, port: 8080}]\nendpoints: [{addresses: [\"fd00::2\"]}]\n" SLICE OF("other-protocol")
	"addressType: IPv4\nports: [{name: http, port: 7070, protocol: SCTP}, {name: else, port: 6060}]\nendpoints: [{addresses: [10.0.0.5]}]\n" SLICE
	"metadata: {name: elsewhere, namespace: m, labels: {kubernetes.io/service-name: web}}\n"
	"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints: [{addresses: [10.0.0.5]}]\n";
/* clang-format on */

static const struct image_service *find_service(const struct image *image, const char *address,
						uint16_t port, uint8_t protocol)
{
	struct cs_addr addr = { 0 };

	if (inet_pton(AF_INET6, address, &addr) != 1) {
		addr.byte[10] = addr.byte[11] = 0xff;
		cr_assert_eq(inet_pton(AF_INET, address, addr.byte + 12), 1);
	}
	for (size_t i = 0; i < image->n_services; i++)
		if (memcmp(&image->services[i].addr, &addr, sizeof(addr)) == 0 &&
		    image->services[i].port == port && image->services[i].protocol == protocol)
			return &image->services[i];
	return NULL;
}

static bool has_backend(const struct image *image, const struct image_service *service,
			const char *who, uint16_t port)
{
	const struct image_identity *identity = image_identity(image, who);

	cr_assert_not_null(identity, "%s", who);
	for (uint32_t i = service->first; i < service->first + service->n; i++)
		if (image->backends[i].identity == identity->identity &&
		    image->backends[i].port == port)
			return true;
	return false;
}

Test(policy_services, backends)
{
	const struct image_service *http, *dns, *six, *empty;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, world);
	cr_expect_eq(c.image->n_services, 5, "two addresses by two ports, and the empty one");
	http = find_service(c.image, "10.96.0.1", 80, IPPROTO_TCP);
	cr_assert_not_null(http);
	cr_expect_str_eq(http->namespace, "n");
	cr_expect_str_eq(http->name, "web");
	cr_expect_eq(http->n, 4, "%u: one by two ports, two and its twin, the stranger", http->n);
	cr_expect(has_backend(c.image, http, "n/one", 8080));
	cr_expect(has_backend(c.image, http, "n/one", 9090));
	cr_expect(has_backend(c.image, http, "n/twin", 8080));
	cr_expect(has_backend(c.image, http, "World", 9090));
	dns = find_service(c.image, "10.96.0.1", 53, IPPROTO_UDP);
	cr_assert_not_null(dns);
	cr_expect_eq(dns->n, 2);
	cr_expect(has_backend(c.image, dns, "n/one", 5353));
	six = find_service(c.image, "fd96::1", 80, IPPROTO_TCP);
	cr_assert_not_null(six);
	cr_expect_eq(six->n, 1, "of its own family");
	cr_expect(has_backend(c.image, six, "n/one", 8080));
	empty = find_service(c.image, "10.96.0.2", 80, IPPROTO_TCP);
	cr_assert_not_null(empty);
	cr_expect_eq(empty->n, 0);
	cr_expect_null(find_service(c.image, "10.96.0.1", 80, IPPROTO_UDP));
}

/* Addresses of backends are in CIDRs as all addresses are. */
Test(policy_services, classes_of_backends)
{
	const struct image_service *http;
	size_t in = 0;
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "world.yaml", world);
	compiled_must(&c,
		      POLICY "metadata: {name: p, namespace: n}\nspec: {subject: {}, egress: [{to: "
			     "[{cidrs: [{cidr: 10.0.0.4/32}]}]}]}\n");
	http = find_service(c.image, "10.96.0.1", 80, IPPROTO_TCP);
	cr_assert_not_null(http);
	cr_expect_eq(http->n, 5, "two and its twin differ now");
	for (uint32_t i = http->first; i < http->first + http->n; i++)
		in += c.image->backends[i].class_index != 0;
	cr_expect_eq(in, 1);
}

/* Two Services of one address and port: whoever answers must be allowed. */
Test(policy_services, an_address_of_two)
{
	const struct image_service *service;
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "world.yaml", world);
	compiled_must(&c, SERVICE
		      "metadata: {name: again, namespace: n}\n"
		      "spec: {externalIPs: [10.96.0.1], ports: [{port: 80}]}\n" SLICE
		      "metadata: {name: again, namespace: n, labels: "
		      "{kubernetes.io/service-name: again}}\naddressType: IPv4\nports: [{port: "
		      "1}]\nendpoints: [{addresses: [10.0.0.5]}]\n");
	service = find_service(c.image, "10.96.0.1", 80, IPPROTO_TCP);
	cr_assert_not_null(service);
	cr_expect_str_eq(service->name, "again", "the first by name");
	cr_expect_eq(service->n, 5);
	cr_expect(has_backend(c.image, service, "n/late", 1));
	cr_expect(has_backend(c.image, service, "n/twin", 8080));
}

struct service_case {
	const char *policy; /* spec, after the subject */
	const char *from, *to;
	uint16_t port;
	uint8_t protocol;
	const char *egress, *ingress; /* NULL: nobody decides here */
};

#define SUBJECT(name) "subject: {serviceAccounts: [{name: " name "}]}, "

/* clang-format off */
static const struct service_case flows[] = {
	{ SUBJECT("client") "egress: [{name: ok, to: [{serviceAccounts: [{name: one}, {name: two}]}, {entities: [World]}], ports: [{port: 8080}, {port: 9090}]}]",
	  "n/client", "10.96.0.1", 80, IPPROTO_TCP, "ALLOW RULE n/p#ok", "ALLOW NOT_ISOLATED" },
	/* one of them is not allowed, by who it is or by its own port */
	{ SUBJECT("client") "egress: [{to: [{serviceAccounts: [{name: one}]}, {entities: [World]}]}]",
	  "n/client", "10.96.0.1", 80, IPPROTO_TCP, "DENY DEFAULT_DENY n/p#", "ALLOW NOT_ISOLATED" },
	{ SUBJECT("client") "egress: [{ports: [{port: 8080}]}]",
	  "n/client", "10.96.0.1", 80, IPPROTO_TCP, "DENY DEFAULT_DENY n/p#", "ALLOW NOT_ISOLATED" },
	{ SUBJECT("client") "egress: [{ports: [{port: 80}, {port: 53, protocol: UDP}]}]",
	  "n/client", "10.96.0.1", 53, IPPROTO_UDP, "DENY DEFAULT_DENY n/p#", "ALLOW NOT_ISOLATED" },
	{ SUBJECT("client") "egress: [{name: ok, to: [{serviceAccounts: [{name: one}, {name: two}]}], ports: [{port: 5353, protocol: UDP}]}]",
	  "n/client", "10.96.0.1", 53, IPPROTO_UDP, "ALLOW RULE n/p#ok", "ALLOW NOT_ISOLATED" },
	/* who is ready does not hide one that is not */
	{ SUBJECT("client") "egress: [{name: late, action: Deny, to: [{serviceAccounts: [{name: late}]}]}, {name: ok}]",
	  "n/client", "10.96.0.1", 80, IPPROTO_TCP, "ALLOW RULE n/p#ok", "ALLOW NOT_ISOLATED" },
	/* the receiver's side counts for each that it may reach */
	{ SUBJECT("two") "ingress: [{ports: [{port: 80}]}]",
	  "n/client", "10.96.0.1", 80, IPPROTO_TCP, "ALLOW NOT_ISOLATED", "DENY DEFAULT_DENY n/p#" },
	{ SUBJECT("two") "ingress: [{name: in, from: [{serviceAccounts: [{name: client}]}], ports: [{port: 8080}]}]",
	  "n/client", "10.96.0.1", 80, IPPROTO_TCP, "ALLOW NOT_ISOLATED", "ALLOW NOT_ISOLATED" },
	/* nobody is behind it */
	{ SUBJECT("client") "egress: [{}]", "n/client", "10.96.0.2", 80, IPPROTO_TCP, "DENY NO_BACKEND", NULL },
	/* another port of the address is no Service: it is an address of the world */
	{ SUBJECT("client") "egress: [{name: world, to: [{entities: [World]}]}]",
	  "n/client", "10.96.0.1", 81, IPPROTO_TCP, "ALLOW RULE n/p#world", NULL },
	/* through its Service a workload is judged as anybody, at its own address it is itself */
	{ SUBJECT("one") "ingress: []", "n/one", "10.96.0.1", 80, IPPROTO_TCP, "ALLOW NOT_ISOLATED", "DENY DEFAULT_DENY n/p#" },
	{ SUBJECT("one") "egress: []", "n/one", "fd96::1", 80, IPPROTO_TCP, "DENY DEFAULT_DENY n/p#", "ALLOW NOT_ISOLATED" },
	{ SUBJECT("one") "ingress: [], egress: []", "n/one", "10.0.0.2", 8080, IPPROTO_TCP, "ALLOW SELF", "ALLOW SELF" },
	{ SUBJECT("one") "ingress: [], egress: []", "n/one", "fd00::2", 8080, IPPROTO_TCP, "ALLOW SELF", "ALLOW SELF" },
};
/* clang-format on */

static void expect_side(const struct compiled *c, const struct policy_explanation *e,
			const char *expected, size_t i)
{
	char text[256] = "";

	cr_expect_eq(e->known, expected != NULL, "case %zu", i);
	if (!expected)
		return;
	result_text(c->image, &e->result, text, sizeof(text));
	cr_expect_str_eq(text, expected, "case %zu: %s", i, text);
}

Test(policy_services, flows)
{
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
		struct policy_explanation both[CS_DIRECTIONS];
		char text[1024];
		_compiled_ c;

		compiled_init(&c);
		compiled_parse(&c, "world.yaml", world);
		snprintf(text, sizeof(text),
			 POLICY "metadata: {name: p, namespace: n}\nspec: {%s}\n", flows[i].policy);
		compiled_must(&c, text);
		cr_assert_eq(policy_explain(c.image,
					    &(struct policy_flow){ .from = flows[i].from,
								   .to = flows[i].to,
								   .port = flows[i].port,
								   .protocol = flows[i].protocol,
								   .authenticated = true },
					    both),
			     0);
		expect_side(&c, &both[CS_EGRESS], flows[i].egress, i);
		expect_side(&c, &both[CS_INGRESS], flows[i].ingress, i);
		for (int d = 0; d < CS_DIRECTIONS; d++)
			policy_explanation_done(&both[d]);
	}
}

/* A roll-out has reached one of two replicas behind the Service: that one may deny. */
Test(policy_services, replicas_may_differ)
{
	struct policy_judgement judgement;

	for (int percent = 0; percent <= 100; percent += 50) {
		bool some;
		char text[512];
		_compiled_ c;

		compiled_init(&c);
		compiled_parse(&c, "world.yaml", world);
		snprintf(text, sizeof(text),
			 POLICY "metadata: {name: q, namespace: n}\nspec: {" SUBJECT(
				 "two") "rollout: {percent: %d}, ingress: []}\n",
			 percent);
		compiled_must(&c, text);
		some = image_workload(c.image, "n/two")->n_enforcing[CS_INGRESS] ||
		       image_workload(c.image, "n/twin")->n_enforcing[CS_INGRESS];
		cr_assert_eq(policy_judge(c.image,
					  &(struct policy_flow){ .from = "n/client",
								 .to = "10.96.0.1",
								 .port = 80,
								 .protocol = IPPROTO_TCP },
					  &judgement),
			     0);
		cr_expect_eq(judgement.result.verdict, some ? CS_VERDICT_DENY : CS_VERDICT_AUDIT,
			     "%d percent", percent);
		cr_expect(
			percent != 50 ||
				image_workload(c.image, "n/two")->n_enforcing[CS_INGRESS] !=
					image_workload(c.image, "n/twin")->n_enforcing[CS_INGRESS],
			"of the two one is reached");
	}
}

/* Who has which address: a workload's claim, the API server, nodes; this node is Host. */
Test(policy_services, entities)
{
	static const char *const own[] = { "192.0.2.3/32", NULL };
	static const char documents[] = WORKLOAD
		"metadata: {name: w, namespace: n}\nspec: {addresses: [192.0.2.4]}\n" NODE
		"metadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.1}, "
		"{type: Hostname, address: n1}]}\n" NODE
		"metadata: {name: n2}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.2}]}\n" NODE
		"metadata: {name: n3}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.3}]}\n" NODE
		"metadata: {name: n4}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.4}]}\n" SLICE
		"metadata: {name: kubernetes, namespace: default, labels: "
		"{kubernetes.io/service-name: kubernetes}}\naddressType: IPv4\nports: [{name: https, "
		"port: 6443}]\nendpoints: [{addresses: [192.0.2.2]}, {addresses: [192.0.2.3]}, "
		"{addresses: [192.0.2.9]}]\n" SLICE
		"metadata: {name: kubernetes, namespace: n, labels: "
		"{kubernetes.io/service-name: kubernetes}}\naddressType: IPv4\nports: []\n"
		"endpoints: [{addresses: [192.0.2.10]}]\n";
	_compiled_ c;

	compiled_init(&c);
	c.options.host_addresses = own;
	compiled_must(&c, documents);
	cr_expect_eq(image_endpoint(c.image, "192.0.2.1")->identity, CS_ENTITY_REMOTE_NODE);
	cr_expect_eq(image_endpoint(c.image, "192.0.2.2")->identity, CS_ENTITY_KUBE_APISERVER);
	cr_expect_null(image_endpoint(c.image, "192.0.2.3"), "its class says Host");
	cr_expect_eq(image_endpoint(c.image, "192.0.2.4")->identity,
		     image_identity(c.image, "n/w")->identity);
	cr_expect_eq(image_endpoint(c.image, "192.0.2.4")->flags, 0);
	cr_expect_eq(image_endpoint(c.image, "192.0.2.9")->identity, CS_ENTITY_KUBE_APISERVER);
	cr_expect_null(image_endpoint(c.image, "192.0.2.10"));
}

/* Backends are what their addresses stand for, entities too. */
Test(policy_services, the_api_server_behind_its_service)
{
	struct policy_explanation both[CS_DIRECTIONS];
	char text[256];
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "world.yaml", world);
	compiled_must(
		&c, SERVICE
		"metadata: {name: kubernetes}\n"
		"spec: {clusterIP: 10.96.0.10, ports: [{name: https, port: 443}]}\n" SLICE
		"metadata: {name: kubernetes, labels: {kubernetes.io/service-name: "
		"kubernetes}}\naddressType: IPv4\nports: [{name: https, port: 6443}]\n"
		"endpoints: [{addresses: [192.0.2.2]}]\n" POLICY
		"metadata: {name: api, namespace: n}\nspec: {subject: {}, egress: [{name: ok, "
		"to: [{entities: [KubeAPIServer]}], ports: [{port: 6443}]}]}\n");
	cr_assert_eq(policy_explain(c.image,
				    &(struct policy_flow){ .from = "n/client",
							   .to = "10.96.0.10",
							   .port = 443,
							   .protocol = IPPROTO_TCP },
				    both),
		     0);
	result_text(c.image, &both[CS_EGRESS].result, text, sizeof(text));
	cr_expect_str_eq(text, "ALLOW RULE n/api#ok");
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&both[d]);
}
