/* SPDX-License-Identifier: Apache-2.0 */
/* The stage: hosts, manifests, the agent, and the two servers with configurations of their own. */
#include "tools/demo/demo.h"

#define START_MS 10000

static const char workloads[] =
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: checkout, namespace: shop, labels: {app: checkout}}\n"
	"spec: {serviceAccount: checkout, cgroup: shop/checkout, addresses: [10.77.0.1]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: web, namespace: shop, labels: {app: web}}\n"
	"spec: {serviceAccount: web, cgroup: shop/web, addresses: [" WEB "]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: cache, namespace: shop, labels: {app: cache}}\n"
	"spec: {serviceAccount: cache, cgroup: shop/cache, addresses: [" CACHE "]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: report, namespace: ops, labels: {app: report}}\n"
	"spec: {serviceAccount: report, cgroup: ops/report, addresses: [10.77.0.4]}\n";

static const char policy[] = "apiVersion: countersign.dev/v1alpha1\n"
			     "kind: IdentityPolicy\n"
			     "metadata: {name: web, namespace: shop}\n"
			     "spec:\n"
			     "  subject: {selector: {matchLabels: {app: web}}}\n"
			     "  ingress:\n"
			     "  - name: from-checkout\n"
			     "    action: Allow\n"
			     "    authentication: Required\n"
			     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n"
			     "    ports: [{port: 8080, endPort: 8081, protocol: TCP}]\n"
			     "---\n"
			     "apiVersion: countersign.dev/v1alpha1\n"
			     "kind: IdentityPolicy\n"
			     "metadata: {name: cache, namespace: shop}\n"
			     "spec:\n"
			     "  subject: {selector: {matchLabels: {app: cache}}}\n"
			     "  ingress:\n"
			     "  - name: readers\n"
			     "    action: Allow\n"
			     "    authentication: Required\n"
			     "    from:\n"
			     "    - serviceAccounts: [{namespace: shop, name: checkout}%s]\n"
			     "    ports: [{port: 6379, protocol: TCP}]\n"
			     "---\n"
			     "apiVersion: countersign.dev/v1alpha1\n"
			     "kind: IdentityPolicy\n"
			     "metadata: {name: cache-soon, namespace: shop}\n"
			     "spec:\n"
			     "  subject: {selector: {matchLabels: {app: cache}}}\n"
			     "  mode: Audit\n"
			     "  ingress:\n"
			     "  - name: no-checkout\n"
			     "    action: Deny\n"
			     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n";

void demo_policy(struct demo *demo, bool report_may_read_cache)
{
	lab_manifest(demo->lab, "policy.yaml",
		     lab_printf(demo->lab, policy,
				report_may_read_cache ? ", {namespace: ops, name: report}" : ""));
}

static void write_file(struct demo *demo, const char *name, const char *text)
{
	FILE *f = fopen(lab_path(demo->lab, name), "we");

	lab_check(demo->lab, f && fputs(text, f) >= 0 && fclose(f) == 0, "cannot write %s", name);
}

static void start_nginx(struct demo *demo)
{
	struct lab *lab = demo->lab;
	const char *dir = lab_path(lab, "nginx");
	const char *conf = lab_path(lab, "nginx.conf");

	write_file(demo, "nginx.conf",
		   lab_printf(lab,
			      "daemon off;\nmaster_process off;\npid %s.pid;\nerror_log stderr;\n"
			      "events {}\n"
			      "http {\n"
			      "  access_log off;\n"
			      "  client_body_temp_path %s-body;\n  proxy_temp_path %s-proxy;\n"
			      "  fastcgi_temp_path %s-fastcgi;\n  uwsgi_temp_path %s-uwsgi;\n"
			      "  scgi_temp_path %s-scgi;\n"
			      "  server { listen " WEB
			      ":8080; return 200 \"welcome to the shop\\n\"; }\n"
			      "}\n",
			      dir, dir, dir, dir, dir, dir));
	lab_spawn(lab,
		  &(struct lab_spawn){ .place = demo->web,
				       .argv = LAB_ARGV("nginx", "-e", "stderr", "-c", conf) });
}

static void start_redis(struct demo *demo)
{
	lab_spawn(demo->lab,
		  &(struct lab_spawn){ .place = demo->cache,
				       .argv = LAB_ARGV("redis-server", "--bind", CACHE, "--port",
							"6379", "--save", "", "--appendonly", "no",
							"--daemonize", "no", "--protected-mode",
							"no", "--dir", lab_path(demo->lab, "")) });
}

/* A workload may always talk to itself, whatever the policy says. */
static void await(struct demo *demo, struct lab_place place, const char *address)
{
	uint64_t end = lab_now_ms() + START_MS;

	while (!lab_bool(lab_connect(demo->lab, place, "--timeout=300", address), "connected")) {
		lab_check(demo->lab, lab_now_ms() < end, "nothing listens on %s", address);
		lab_sleep_ms(50);
	}
}

static void make_hosts(struct demo *demo)
{
	struct lab *lab = demo->lab;

	demo->checkout = lab_place("shop/checkout", lab_host(lab, "checkout", "10.77.0.1", NULL));
	demo->web = lab_place("shop/web", lab_host(lab, "web", WEB, NULL));
	demo->cache = lab_place("shop/cache", lab_host(lab, "cache", CACHE, NULL));
	demo->report = lab_place("ops/report", lab_host(lab, "report", "10.77.0.4", NULL));
	demo->stranger = lab_place("nobody", demo->checkout.host);
	demo->attacker = lab_place(NULL, lab_host(lab, "attacker", "10.77.0.9", NULL));
	/* The attacker takes an address that his kernel does not answer for. */
	lab_ip(lab, demo->web.host,
	       lab_printf(lab, "neigh add 10.77.0.66 lladdr %s dev eth0\n",
			  lab_host_mac(demo->attacker.host)));
}

void demo_setup(struct demo *demo)
{
	demo->lab = lab_new("demo");
	make_hosts(demo);
	lab_manifest(demo->lab, "workloads.yaml", workloads);
	demo_policy(demo, true);
	demo_say("starting the agent: countersignd --manifests %s",
		 lab_path(demo->lab, "manifests"));
	lab_agent_start(demo->lab);
	demo_say("starting nginx as shop/web and redis-server as shop/cache");
	start_nginx(demo);
	start_redis(demo);
	await(demo, demo->web, WEB ":8080");
	await(demo, demo->cache, CACHE ":6379");
}
