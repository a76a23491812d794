/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests with a cluster start from: three nodes with an agent each, and some pods. */
#pragma once

#include "tests/kube/kube.h"
#include "tests/lab/lab_pki.h"
#include "tests/lab/test_common.h"

#define KUBE_SPIFFE(ns, sa) "spiffe://" KUBE_TRUST_DOMAIN "/ns/" ns "/sa/" sa
#define ENFORCED_MS 10000 /* within this a change must be in force everywhere */

struct cluster {
	struct lab *lab;
	struct kube *kube;
	struct lab_ca *ca;
	struct kube_node *a, *b, *c;
};

/* The API server, three nodes, namespaces shop and other; no agent yet. */
void cluster_new(struct cluster *cluster, const char *name);
void cluster_free(struct cluster *cluster);
/* Starts the three agents with these arguments too; waits until they know each other. */
#define cluster_start(cluster, ...) cluster_start_argv((cluster), LAB_ARGV(__VA_ARGS__))
void cluster_start_argv(struct cluster *cluster, const char *const *args);
/* One agent with the arguments that all are given. */
void cluster_start_node(struct kube_node *node, const char *const *args);

/* Host @k of node @node: 10.77.0.(16 i + k), for pods. */
struct lab_host *cluster_host(struct kube_node *node, int k, const char **ret_address);
/* A running pod with label app=<name> on a host of its own; an echo server on 8080 when asked. */
struct kube_pod *cluster_pod(struct kube_node *node, int k, const char *namespace, const char *name,
			     bool serves);

/* One connection with a byte each way; time limit 400 ms. */
json_t *cluster_connect(struct kube_pod *from, const struct kube_pod *to, int port);
bool cluster_answers(struct kube_pod *from, const struct kube_pod *to, int port);
/* Tries until the answer is as wanted and stays so for a few tries; fails after ENFORCED_MS. */
void cluster_becomes(struct kube_pod *from, const struct kube_pod *to, int port, bool answers);
/* Both applications know the other, verified. */
void cluster_verified(struct kube_pod *from, const struct kube_pod *to, int port);

/* The condition @type of an object: "True", "False", "Unknown", "" for none. */
const char *cluster_condition(struct cluster *cluster, const char *path, const char *type);
void cluster_condition_becomes(struct cluster *cluster, const char *path, const char *type,
			       const char *status);
