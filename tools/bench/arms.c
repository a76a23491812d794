/* SPDX-License-Identifier: Apache-2.0 */
/* What is compared: the same two namespaces, once without and once with each kind of policy. */
#include "tools/bench/bench.h"

#include <stdarg.h>

#define FEW_POLICIES 10
#define MANY_POLICIES 10000
#define MANY_WORKLOADS 400 /* that share the policies evenly, the server among them */
#define PEERS 64 /* distinct peers named by policies */
#define ALL_LOADS ((1u << LOAD_MAX) - 1)
#define MANIFEST_MAX (8 << 20)

struct text {
	char *data;
	size_t used;
};

static void add(struct text *t, const char *format, ...) _printf_(2, 3);

static void add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->data + t->used, MANIFEST_MAX - t->used, format, args);
	va_end(args);
	t->used = MIN(t->used + n, (size_t)MANIFEST_MAX - 1);
}

static void add_workload(struct text *t, const char *name, const char *address)
{
	add(t,
	    "apiVersion: countersign.dev/v1alpha1\n"
	    "kind: Workload\n"
	    "metadata: {name: %s, namespace: bench, labels: {app: %s}}\n"
	    "spec: {serviceAccount: %s, cgroup: bench/%s%s%s%s}\n"
	    "---\n",
	    name, name, name, name, address ? ", addresses: [" : "", address ? address : "",
	    address ? "]" : "");
}

static void add_policy(struct text *t, unsigned int number, const char *subject, const char *peer)
{
	add(t,
	    "apiVersion: countersign.dev/v1alpha1\n"
	    "kind: IdentityPolicy\n"
	    "metadata: {name: p%u, namespace: bench}\n"
	    "spec:\n"
	    "  subject: {selector: {matchLabels: {app: %s}}}\n"
	    "  ingress:\n"
	    "  - action: Allow\n"
	    "    from: [{selector: {matchLabels: {app: %s}}}]\n"
	    "    ports: [{port: 8000, endPort: 8999, protocol: TCP}, {port: 8000, endPort: 8999, protocol: UDP}]\n"
	    "---\n",
	    number, subject, peer);
}

/*
 * @policies shared evenly by @workloads. The server's share names peers that do not
 * match, but for its last policy, which allows the client.
 */
static void write_policies(struct lab *lab, unsigned int policies, unsigned int workloads)
{
	struct text t = { .data = malloc(MANIFEST_MAX) };
	char subject[32], peer[32];

	lab_check(lab, t.data, "no memory for manifests");
	add_workload(&t, "client", CLIENT_ADDR);
	add_workload(&t, "server", SERVER_ADDR);
	for (unsigned int i = 1; i < workloads; i++) {
		snprintf(subject, sizeof(subject), "w%u", i);
		add_workload(&t, subject, NULL);
	}
	for (unsigned int i = 0; i < policies; i++) {
		snprintf(subject, sizeof(subject), i % workloads ? "w%u" : "server", i % workloads);
		snprintf(peer, sizeof(peer), "peer%u", (i / workloads + i) % PEERS);
		add_policy(&t, i, subject,
			   i + workloads >= policies && i % workloads == 0 ? "client" : peer);
	}
	lab_manifest(lab, "bench.yaml", t.data);
	free(t.data);
}

/* The same ten policies, as an administrator would write them for nftables. */
void arms_nftables(struct bench *bench, bool on)
{
	struct lab *lab = bench->lab;
	char *rules = lab_printf(lab, "%s", "");

	if (!on) {
		lab_nft(lab, bench->arms[ARM_NFTABLES].server.host, "delete table inet bench\n");
		return;
	}
	for (int i = 0; i < FEW_POLICIES; i++) {
		const char *from = i == FEW_POLICIES - 1 ? CLIENT_ADDR
							 : lab_printf(lab, "10.78.1.%d", i + 1);

		rules = lab_printf(lab,
				   "%s    ip saddr %s tcp dport 8000-8999 accept\n"
				   "    ip saddr %s udp dport 8000-8999 accept\n",
				   rules, from, from);
	}
	lab_nft(lab, bench->arms[ARM_NFTABLES].server.host,
		lab_printf(lab,
			   "table inet bench {\n"
			   "  chain input {\n"
			   "    type filter hook input priority 0; policy drop;\n"
			   "    ct state established,related accept\n%s"
			   "  }\n}\n",
			   rules));
}

static void prepare_host(struct lab *lab, struct lab_host *host)
{
	/* Enough ports for every round; none waits for a minute. */
	lab_sysctl(lab, host, "net/ipv4/ip_local_port_range", "1024 65535");
	lab_sysctl(lab, host, "net/ipv4/tcp_tw_reuse", "1");
	lab_sysctl(lab, host, "net/ipv4/tcp_max_tw_buckets", "4096");
}

/* An agent with its policies, and its programs' places. */
static void countersign_arm(struct arm *arm, struct lab *lab, unsigned int policies,
			    unsigned int workloads)
{
	uint64_t start;

	arm->lab = lab;
	arm->client.cgroup = "bench/client";
	arm->server.cgroup = "bench/server";
	lab_cgroup(lab, arm->client.cgroup);
	lab_cgroup(lab, arm->server.cgroup);
	write_policies(lab, policies, workloads);
	start = lab_now_ms();
	lab_agent_start(lab);
	printf("agent with %u policies ready after %llu ms\n", policies,
	       (unsigned long long)(lab_now_ms() - start));
}

void arms_setup(struct bench *bench)
{
	static const char *const names[ARM_MAX] = { "none", "none again", "nftables", "countersign",
						    "countersign 10k" };
	struct lab_host *client, *server;

	bench->server_cpu = place_server();
	bench->lab = lab_new("bench");
	bench->many = lab_new("bench-many");
	client = lab_host(bench->lab, "client", NULL, NULL);
	server = lab_host(bench->lab, "server", NULL, NULL);
	lab_cable(bench->lab, client, CLIENT_ADDR, server, SERVER_ADDR);
	prepare_host(bench->lab, client);
	prepare_host(bench->lab, server);
	for (enum arm_id i = 0; i < ARM_MAX; i++)
		bench->arms[i] = (struct arm){ .name = names[i],
					       .lab = bench->lab,
					       .client = { .host = client },
					       .server = { .host = server },
					       .port = 8000 + 100 * (int)i,
					       .server_cpu = bench->server_cpu,
					       .loads = ALL_LOADS };
	bench->arms[ARM_NFTABLES].nftables = true;
	bench->arms[ARM_AGAIN].loads = bench->arms[ARM_MANY].loads = 1u << LOAD_CONNECT;
	countersign_arm(&bench->arms[ARM_COUNTERSIGN], bench->lab, FEW_POLICIES, 1);
	countersign_arm(&bench->arms[ARM_MANY], bench->many, MANY_POLICIES, MANY_WORKLOADS);
	for (enum arm_id i = 0; i < ARM_MAX; i++)
		load_serve(&bench->arms[i]);
}
