/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lab: real programs in cgroups and network namespaces of their own, guarded by a
 * real agent. Every end-to-end test is written with it.
 *
 *	struct lab *lab = lab_new("basic");
 *	struct lab_host *host = lab_host(lab, "server", "10.77.0.2", "fd77::2");
 *
 *	lab_manifest(lab, "policy.yaml", text);
 *	lab_agent_start(lab, "--deny", "drop");
 *	lab_serve(lab, lab_place("shop/payments", host), "10.77.0.2:8080");
 *	reply = lab_connect(lab, place, "10.77.0.2:8080");
 *	...
 *	lab_free(lab);
 *
 * What a lab makes carries the name countersign-lab-<pid>-<n>: a cgroup, a directory in
 * /tmp, and namespaces that live as long as their holder processes. A janitor process
 * removes it all when the test dies without lab_free(). Calls that fail end the test
 * with the agent's log; nothing waits without a time limit.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "user/base/util.h"

#define LAB_WAIT_MS 10000 /* how long a step may take before the test fails */

/* Strings as a NULL-terminated array; none at all is fine, too. */
#define LAB_ARGV(...) ((const char *const[]){ "", ##__VA_ARGS__, NULL } + 1)

struct lab;
struct lab_host; /* a network namespace on the lab's bridge */
struct lab_node; /* an agent with a guarded root, a state and a bpffs of its own */
struct lab_process;

/* Where a program runs. cgroup: below the guarded root of the host's node, made when
 * missing; NULL: in a cgroup outside every guarded root. host: NULL: this network namespace. */
struct lab_place {
	const char *cgroup;
	struct lab_host *host;
};

static inline struct lab_place lab_place(const char *cgroup, struct lab_host *host)
{
	return (struct lab_place){ cgroup, host };
}

struct lab *lab_new(const char *name);
void lab_free(struct lab *lab); /* takes NULL */
/* Removes what dead runs left behind. lab_new() calls it, too. */
void lab_sweep_leftovers(void);

/* "<temp dir>/<name>"; lives as long as the lab. */
const char *lab_path(struct lab *lab, const char *name);
/* "<build dir>/<name>" */
const char *lab_program(struct lab *lab, const char *name);
/* Hands @json over to the lab; returns it. */
json_t *lab_keep(struct lab *lab, json_t *json);
/* Memory that lives as long as the lab. */
char *lab_printf(struct lab *lab, const char *format, ...) _printf_(2, 3);
void lab_sleep_ms(unsigned int ms);
uint64_t lab_now_ms(void);

/*
 * What a failure calls last; must not return. Unless set: says why and exits with code 2.
 * The lab knows no test framework, so that tools can use it as well.
 */
void lab_on_failure(void (*fn)(const char *text));

/* Ends the test, after the agent's log and counters. */
void lab_fail(struct lab *lab, const char *format, ...) _printf_(2, 3) __attribute__((noreturn));
#define lab_check(lab, condition, ...)                \
	do {                                          \
		if (!(condition))                     \
			lab_fail((lab), __VA_ARGS__); \
	} while (0)

/* ---- cgroups (lab_cgroup.c) ---- */
/* Makes the cgroup; the path as the kernel has it, e.g. /sys/fs/cgroup/.../shop/x */
const char *lab_cgroup(struct lab *lab, const char *path);
void lab_cgroup_remove(struct lab *lab, const char *path);
const char *lab_guarded(struct lab *lab); /* the default agent's --cgroup-root */
const char *lab_node_cgroup(struct lab_node *node, const char *path);

/* ---- namespaces (lab_net.c) ---- */
struct lab_host *lab_host(struct lab *lab, const char *name, const char *addr4, const char *addr6);
/* The namespace in the middle: port "p-<host>" of bridge "br0" leads to each host. */
struct lab_host *lab_hub(struct lab *lab);
/* A veth of its own, "wire", between two hosts: shorter than the way over the bridge. */
void lab_cable(struct lab *lab, struct lab_host *a, const char *addr_a, struct lab_host *b,
	       const char *addr_b);
void lab_ip(struct lab *lab, struct lab_host *host, const char *commands); /* ip -batch */
void lab_nft(struct lab *lab, struct lab_host *host, const char *ruleset); /* nft -f */
void lab_sysctl(struct lab *lab, struct lab_host *host, const char *path, const char *value);
int lab_host_netns(const struct lab_host *host); /* descriptor, the host's own */
const char *lab_host_mac(const struct lab_host *host); /* of eth0 */

/* ---- programs (lab_process.c) ---- */
struct lab_spawn {
	struct lab_place place;
	const char *const *argv; /* NULL-terminated; ignored when fn is set */
	int (*fn)(void *arg); /* runs in the child instead; its result is the exit code */
	void *arg;
	const char *const *env; /* NAME=value added to the environment, or NULL */
	const char *log; /* stderr goes to the file log/<log>; NULL: argv[0]'s name */
};

struct lab_process *lab_spawn(struct lab *lab, const struct lab_spawn *spec);
/* The next line of its standard output as JSON; NULL at its end or after @timeout_ms. */
json_t *lab_read(struct lab_process *process, unsigned int timeout_ms);
/* The next line as text without newline, kept by the lab; NULL as above. */
const char *lab_read_text(struct lab_process *process, unsigned int timeout_ms);
/* Exit code, or 128 + signal. Fails the test when it does not end in time. */
int lab_wait(struct lab_process *process, unsigned int timeout_ms);
bool lab_alive(struct lab_process *process);
void lab_signal(struct lab_process *process, int sig);
void lab_kill(struct lab_process *process); /* SIGKILL and reap; fine when it is gone */
pid_t lab_pid(const struct lab_process *process);

/* ---- nodes (lab_node.c) ---- */
/*
 * A host that is a node of its own: a namespace on the bridge where its agent runs, a guarded
 * cgroup root, a state directory and a bpffs. Manifests and node records are in directories
 * that all nodes share. Calls with the lab instead of a node mean the default node, which has
 * no name and runs in this network namespace.
 */
struct lab_node *lab_node(struct lab *lab, const char *name, int number, const char *addr4,
			  const char *addr6);
/* A pod of the node: its place's cgroup is below the node's guarded root. */
struct lab_host *lab_node_pod(struct lab_node *node, const char *name, const char *addr4,
			      const char *addr6);
struct lab_node *lab_default_node(struct lab *lab);
struct lab_host *lab_node_host(const struct lab_node *node);
const char *lab_node_name(const struct lab_node *node);
int lab_node_number(const struct lab_node *node);
/* "<its directory>/<name>", e.g. "state"; lives as long as the lab. */
const char *lab_node_path(struct lab_node *node, const char *name);
/* Before its start: "files:DIR", "ca:DIR"; a trust domain other than example.org; manifests
 * of its own in the directory lab_path(lab, name), which is made. */
void lab_node_credential(struct lab_node *node, const char *spec);
void lab_node_trust_domain(struct lab_node *node, const char *trust_domain);
void lab_node_manifests(struct lab_node *node, const char *name);

/* ---- the agent (lab_agent.c) ---- */
/* Written in one step. A name may lead into another directory: "../manifests-b/x.yaml". */
void lab_manifest(struct lab *lab, const char *file, const char *text);
void lab_manifest_remove(struct lab *lab, const char *file);
/* Starts countersignd on the node's directories with extra arguments and
 * waits until it says READY=1. The arguments are kept for lab_node_restart(). */
#define lab_node_start(node, ...) lab_node_start_argv((node), LAB_ARGV(__VA_ARGS__))
void lab_node_start_argv(struct lab_node *node, const char *const *args);
/* Starts another one, expecting that it fails; returns its exit code. */
int lab_node_start_fails(struct lab_node *node);
void lab_node_stop(struct lab_node *node); /* SIGTERM; enforcement stays */
void lab_node_kill9(struct lab_node *node);
void lab_node_restart(struct lab_node *node); /* starts it again, same arguments */
int lab_node_uninstall(struct lab_node *node); /* countersignd --uninstall; its exit code */
struct lab_process *lab_node_agent(struct lab_node *node);
const char *lab_node_log(struct lab_node *node); /* all that it has logged */

#define lab_agent_start(lab, ...) lab_node_start(lab_default_node(lab), ##__VA_ARGS__)
int lab_agent_start_fails(struct lab *lab);
void lab_agent_stop(struct lab *lab);
void lab_agent_kill9(struct lab *lab);
void lab_agent_restart(struct lab *lab);
void lab_agent_host(struct lab *lab, struct lab_host *host); /* the node is this host from now on */
void lab_agent_program(struct lab *lab, const char *path); /* starts that one from now on */
int lab_agent_uninstall(struct lab *lab);
pid_t lab_agent_pid(struct lab *lab);
const char *lab_agent_log(struct lab *lab);

/* One request to the control socket; all reply lines as an array. NULL: not reachable. */
json_t *lab_node_request(struct lab_node *node, const char *request);
json_t *lab_node_status(struct lab_node *node);
/* Reload that must succeed; the reply object. */
json_t *lab_node_reload(struct lab_node *node);
json_t *lab_node_flows(struct lab_node *node); /* array of the last flows, oldest first */
/* Sum of counters, any direction: ("deny", "BAD_MAC"); NULL: any reason. */
uint64_t lab_node_counter(struct lab_node *node, const char *verdict, const char *reason);
uint64_t lab_node_stat(struct lab_node *node, const char *name);
/* Runs countersign(1) with --state and the arguments; its output. */
#define lab_node_cli(node, ret_code, ...) \
	lab_node_cli_argv((node), (ret_code), LAB_ARGV(__VA_ARGS__))
const char *lab_node_cli_argv(struct lab_node *node, int *ret_code, const char *const *args);

/* The same of the default node. */
json_t *lab_request(struct lab *lab, const char *request);
json_t *lab_status(struct lab *lab);
json_t *lab_reload(struct lab *lab);
json_t *lab_try_reload(struct lab *lab); /* may fail */
json_t *lab_flows(struct lab *lab);
uint64_t lab_counter(struct lab *lab, const char *verdict, const char *reason);
uint64_t lab_stat(struct lab *lab, const char *name);
#define lab_cli(lab, ret_code, ...) lab_node_cli(lab_default_node(lab), ret_code, ##__VA_ARGS__)

/* What a flow must say; NULL and 0 match everything. */
struct lab_expect {
	const char *verdict; /* FORWARDED, DROPPED, AUDIT */
	const char *direction; /* INGRESS, EGRESS */
	const char *reason; /* of reasons.h, e.g. "DEFAULT_DENY" */
	const char *authentication; /* verified, inferred, unknown, claimed */
	const char *from; /* source SPIFFE ID */
	const char *to;
	int port; /* destination port */
	int peer_node; /* number of the node that vouched for the peer */
};

/* Waits for such a flow; NULL when none comes within @timeout_ms. */
json_t *lab_node_flow(struct lab_node *node, const struct lab_expect *expect,
		      unsigned int timeout_ms);
json_t *lab_node_expect_flow(struct lab_node *node, const struct lab_expect *expect); /* or fails */
#define LAB_NODE_FLOW(node, ...) lab_node_expect_flow((node), &(struct lab_expect){ __VA_ARGS__ })

json_t *lab_flow(struct lab *lab, const struct lab_expect *expect, unsigned int timeout_ms);
#define LAB_FLOW(lab, ...) LAB_NODE_FLOW(lab_default_node(lab), __VA_ARGS__)

/* ---- traffic (lab_traffic.c) ---- */
/* `traffic serve ARGS`; returns when it listens. */
#define lab_serve(lab, place, ...) lab_serve_argv((lab), (place), LAB_ARGV("serve", __VA_ARGS__))
struct lab_process *lab_serve_argv(struct lab *lab, struct lab_place place,
				   const char *const *args);
/* `traffic connect ARGS`: its JSON reply, see tools/traffic/connect.c. */
#define lab_connect(lab, place, ...) \
	lab_connect_argv((lab), (place), LAB_ARGV("connect", __VA_ARGS__))
json_t *lab_connect_argv(struct lab *lab, struct lab_place place, const char *const *args);
/* Any `traffic` verb, started. */
#define lab_traffic(lab, place, ...) lab_traffic_argv((lab), (place), LAB_ARGV(__VA_ARGS__))
struct lab_process *lab_traffic_argv(struct lab *lab, struct lab_place place,
				     const char *const *args);

/* Values by dotted path, e.g. "peer.spiffe_id"; "" / 0 / false when absent. */
const char *lab_str(const json_t *json, const char *path);
json_int_t lab_int(const json_t *json, const char *path);
double lab_real(const json_t *json, const char *path);
bool lab_bool(const json_t *json, const char *path);
