/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's command line. */
#pragma once

#include <countersign/abi.h>

#include "user/base/log.h"

#define OPTIONS_TAG_NETWORKS_MAX 1024
#define OPTIONS_NODES_KUBERNETES "kubernetes:"

struct agent_options {
	const char *manifests; /* NULL: none */
	bool kubernetes; /* objects come from the API server */
	const char *kubeconfig, *kube_context; /* NULL: as kubectl finds them, or in-cluster */
	const char *kube_namespace; /* of our own objects; NULL: that of the pod or context */
	const char *signer; /* CA that signs nodes' requests while this node leads, or NULL */
	const char *trust_bundle; /* PEM file of the anchors of kube-csr:, or NULL */
	const char *host_units; /* systemd units that are workloads, or NULL */
	bool pod_cgroups; /* cgroups below kubepods* are pods', and wait while unknown */
	bool node_auto; /* the number is claimed through the API server */
	const char *cgroup_root; /* NULL: where cgroup2 is mounted */
	const char *bpffs;
	const char *state;
	const char *trust_domain;
	const char *history_dir; /* NULL: "history" in the state directory */
	unsigned int history; /* accepted policy sets to keep */
	const char *salt_file; /* NULL: the salt follows from the trust domain */
	char **tag_networks; /* NULL-terminated, or NULL */
	uint16_t node;
	const char *node_name; /* NULL: the host's name */
	const char *nodes; /* directory of node records; NULL: there are no other nodes */
	const char *credential; /* source of the node's SVID, with @nodes */
	const char *credential_key; /* URI of its private key, NULL: the source has it */
	const char *credential_provider; /* OpenSSL provider of that */
	const char *bundles; /* directory of federated trust domains' bundles, or NULL */
	int64_t key_lifetime_s;
	int64_t svid_lifetime_s; /* of what ca: issues */
	uint8_t node_scope; /* enum cs_node_scope, when there are other nodes */
	uint8_t default_verdict; /* enum cs_verdict */
	bool audit; /* policies are reported on, not enforced */
	uint8_t deny_mode; /* enum cs_deny_mode */
	bool own_node; /* the node and its pods may always talk to each other */
	enum log_level log_level;
	bool uninstall;
	bool help;
	bool version;
};

/* Defaults, then @argv. -EINVAL after saying on standard error what is wrong. */
int options_parse(int argc, char **argv, struct agent_options *ret);
void options_done(struct agent_options *options);

/* The --help text, made from the table that parses. */
void options_help(FILE *f);
