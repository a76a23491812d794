/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes: several agents on one machine, each with a network namespace, a cgroup root, a state
 * and a bpffs of its own; and the default node, which is all that most tests need.
 */
#include "tests/lab/lab_internal.h"

#include <sys/stat.h>

static void lab_make_dir(struct lab *lab, const char *path)
{
	lab_check(lab, mkdir(path, 0700) == 0 || errno == EEXIST, "cannot make %s: %s", path,
		  strerror(errno));
}

void lab_node_init(struct lab *lab, struct lab_node *node)
{
	node->lab = lab;
	node->log = "countersignd";
	snprintf(node->dir, sizeof(node->dir), "%s", lab->dir);
	lab_cgroup_guard(node);
}

struct lab_node *lab_node(struct lab *lab, const char *name, int number, const char *addr4,
			  const char *addr6)
{
	struct lab_node *node = &lab->nodes[lab->n_nodes];

	lab_check(lab, lab->n_nodes < LAB_NODES_MAX, "at most %d nodes", LAB_NODES_MAX);
	lab->n_nodes++;
	node->lab = lab;
	node->number = number;
	node->log = lab_printf(lab, "countersignd-%s", name);
	snprintf(node->name, sizeof(node->name), "%s", name);
	snprintf(node->dir, sizeof(node->dir), "%s/node-%s", lab->dir, name);
	lab_make_dir(lab, node->dir);
	lab_make_dir(lab, lab_node_path(node, "state"));
	lab_make_dir(lab, lab_node_path(node, "bpffs"));
	lab_cgroup_guard(node);
	node->host = lab_node_pod(node, name, addr4, addr6);
	return node;
}

struct lab_host *lab_node_pod(struct lab_node *node, const char *name, const char *addr4,
			      const char *addr6)
{
	struct lab_host *host = lab_host(node->lab, name, addr4, addr6);

	host->node = node;
	return host;
}

struct lab_node *lab_node_of(struct lab *lab, const struct lab_host *host)
{
	return host && host->node ? host->node : &lab->node;
}

struct lab_node *lab_default_node(struct lab *lab)
{
	return &lab->node;
}

struct lab_host *lab_node_host(const struct lab_node *node)
{
	return node->host;
}

const char *lab_node_name(const struct lab_node *node)
{
	return node->name;
}

int lab_node_number(const struct lab_node *node)
{
	return node->number;
}

const char *lab_node_path(struct lab_node *node, const char *name)
{
	return lab_printf(node->lab, "%s/%s", node->dir, name);
}

void lab_node_credential(struct lab_node *node, const char *spec)
{
	node->credential = spec;
}

void lab_node_trust_domain(struct lab_node *node, const char *trust_domain)
{
	node->trust_domain = trust_domain;
}

void lab_node_manifests(struct lab_node *node, const char *name)
{
	node->manifests = lab_path(node->lab, name);
	lab_make_dir(node->lab, node->manifests);
}

void lab_nodes_kill(struct lab *lab)
{
	if (lab->node.agent)
		lab_kill(lab->node.agent);
	for (size_t i = 0; i < lab->n_nodes; i++)
		if (lab->nodes[i].agent)
			lab_kill(lab->nodes[i].agent);
}

void lab_nodes_uninstall(struct lab *lab)
{
	if (lab->node.installed)
		lab_node_uninstall(&lab->node);
	for (size_t i = 0; i < lab->n_nodes; i++)
		if (lab->nodes[i].installed)
			lab_node_uninstall(&lab->nodes[i]);
}

/* ---- the default node, by the name of the lab ---- */

int lab_agent_start_fails(struct lab *lab)
{
	return lab_node_start_fails(&lab->node);
}

void lab_agent_stop(struct lab *lab)
{
	lab_node_stop(&lab->node);
}

void lab_agent_kill9(struct lab *lab)
{
	lab_node_kill9(&lab->node);
}

void lab_agent_restart(struct lab *lab)
{
	lab_node_restart(&lab->node);
}

int lab_agent_uninstall(struct lab *lab)
{
	return lab_node_uninstall(&lab->node);
}

void lab_agent_host(struct lab *lab, struct lab_host *host)
{
	lab->node.host = host;
}

void lab_agent_program(struct lab *lab, const char *path)
{
	lab->node.program = path;
}

pid_t lab_agent_pid(struct lab *lab)
{
	return lab->node.agent ? lab->node.agent->pid : 0;
}

const char *lab_agent_log(struct lab *lab)
{
	return lab_node_log(&lab->node);
}

json_t *lab_request(struct lab *lab, const char *request)
{
	return lab_node_request(&lab->node, request);
}

json_t *lab_status(struct lab *lab)
{
	return lab_node_status(&lab->node);
}

json_t *lab_reload(struct lab *lab)
{
	return lab_node_reload(&lab->node);
}

json_t *lab_flows(struct lab *lab)
{
	return lab_node_flows(&lab->node);
}

uint64_t lab_counter(struct lab *lab, const char *verdict, const char *reason)
{
	return lab_node_counter(&lab->node, verdict, reason);
}

uint64_t lab_stat(struct lab *lab, const char *name)
{
	return lab_node_stat(&lab->node, name);
}

json_t *lab_flow(struct lab *lab, const struct lab_expect *expect, unsigned int timeout_ms)
{
	return lab_node_flow(&lab->node, expect, timeout_ms);
}
