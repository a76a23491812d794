/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents of a cluster, reached through its API server: `kubectl exec` into the agent's pod on
 * the node in question, where `countersign relay` speaks to the agent's socket. Nothing listens
 * on any network for that, and who may do it is a matter of RBAC (pods/exec).
 */
#pragma once

#include "user/cli/cli.h"
#include "user/cli/kubectl.h"

#define CLUSTER_AGENT_NAMESPACE "countersign-system"
#define CLUSTER_AGENT_LABEL "app.kubernetes.io/name=countersign"
#define CLUSTER_AGENT_CONTAINER "agent"
#define CLUSTER_NODES_MAX 10000
#define CLUSTER_NAME_MAX 254 /* a DNS-1123 subdomain, with the final NUL */
#define CLUSTER_TIMEOUT_S 15

struct cluster {
	struct kubectl kubectl;
	const char *namespace; /* NULL: not given */
	const char *agent_namespace;
	const char *node, *pod;
	bool all_namespaces, all_nodes;
	unsigned int timeout_s;
};

/* A node and its agent's pod; no pod: none that runs. */
struct cluster_node {
	char *name;
	char *pod;
};

struct cluster_nodes {
	struct cluster_node *item;
	size_t n;
};

void cluster_nodes_done(struct cluster_nodes *nodes);

/* A DNS-1123 subdomain: such a name is no option, no path, no selector. */
bool cluster_is_name(const char *text);

/* Reads the options of clusters. CLI_OK, or CLI_USAGE, said on cli->err. */
int cluster_options(const struct cli *cli, const struct cli_verb *verb,
		    const char *const value[static CLI_CLUSTER_MAX], struct cluster *ret);

/* The namespace that was given, or that of kubectl's context; the caller's. */
int cluster_namespace(const struct cli *cli, char **ret);

/* Of pod "[NAMESPACE/]NAME": its full name and its node; the caller's. Failures are said. */
int cluster_find_pod(const struct cli *cli, const char *text, char **ret_pod, char **ret_node);

/* The one node that --node or --pod means; -1 as well when neither is there. */
int cluster_one_node(const struct cli *cli, struct cluster_nodes *ret);

/* The node called @name, with its agent. CLI_FAILED, said, when it has none. */
int cluster_find_node(const struct cli *cli, const char *name, struct cluster_nodes *ret);

/* All nodes, in the order of their names. */
int cluster_all_nodes(const struct cli *cli, struct cluster_nodes *ret);

/* Begins to speak with the agent in @pod as over its socket. */
int cluster_connect(const struct cli *cli, const char *pod, struct kubectl_child *ret);
