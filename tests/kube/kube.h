/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster for tests: a real API server, and lab nodes on which the test plays kubelet. Pods are
 * made through the API and bound to a node; their cgroups are named as kubelet names them, their
 * network namespaces are lab hosts, their status is patched as kubelet patches it.
 */
#pragma once

#include "tests/lab/lab.h"

#define KUBE_SYSTEM "countersign-system"
#define KUBE_TRUST_DOMAIN "example.org"

struct kube; /* the cluster */

/* Starts etcd and the API server on a lab host of their own; CRDs, namespaces, accounts. */
struct kube *kube_new(struct lab *lab);
void kube_free(struct kube *kube); /* takes NULL */
struct lab *kube_lab(struct kube *kube);

/* `tests/kube/cluster.sh COMMAND DIR ARGS`; its output. */
#define kube_cluster(kube, command, ...) kube_cluster_argv((kube), (command), LAB_ARGV(__VA_ARGS__))
const char *kube_cluster_argv(struct kube *kube, const char *command, const char *const *args);

/* ---- the API (kube_api.c) ---- */
/*
 * One request as cluster-admin; @body NULL: none. The answer's status is in *@ret_status and
 * must be below 300 when that is NULL. The answer is the lab's.
 */
json_t *kube_call(struct kube *kube, const char *method, const char *path, const json_t *body,
		  long *ret_status);
/* A strategic or merge patch of @path. */
json_t *kube_patch(struct kube *kube, const char *path, const json_t *patch);
/* `kubectl ARGS`; must succeed within 10 s; its output. */
#define kube_ctl(kube, ...) kube_ctl_argv((kube), NULL, LAB_ARGV(__VA_ARGS__))
/* The same with any exit code when @ret_code is not NULL. */
const char *kube_ctl_argv(struct kube *kube, int *ret_code, const char *const *args);
void kube_apply(struct kube *kube, const char *yaml);
void kube_delete(struct kube *kube, const char *yaml);
/* A namespace with the labels of the JSON text @labels (NULL: none) and its default account. */
void kube_namespace(struct kube *kube, const char *name, const char *labels);

/* ---- nodes (kube_node.c) ---- */
struct kube_node {
	struct kube *kube;
	struct lab_node *lab;
	const char *name;
	const char *address4;
	const char *kubeconfig; /* of its agent: the ServiceAccount's token, bound to its pod */
	bool cgroupfs; /* the kubelet's cgroup driver; else systemd */
};

/* A Node object, the agent's Pod on it, and a lab node; the agent is not started yet. */
struct kube_node *kube_node(struct kube *kube, const char *name, int i);
/* Starts the agent on it, with more arguments; waits until it is in sync. */
#define kube_node_start(node, ...) kube_node_start_argv((node), LAB_ARGV(__VA_ARGS__))
void kube_node_start_argv(struct kube_node *node, const char *const *args);
/* A process of the host itself, outside every pod: the kubelet, say. */
struct lab_place kube_node_daemon(struct kube_node *node, const char *unit);
/* status.kubernetes of the agent. */
json_t *kube_node_status(struct kube_node *node);
/* Waits until the agent has all objects and every condition of @yes holds, or fails. */
void kube_node_wait(struct kube_node *node, const char *what, bool (*yes)(void *arg), void *arg);

/* ---- pods (kube_pod.c) ---- */
enum kube_qos { KUBE_GUARANTEED, KUBE_BURSTABLE, KUBE_BEST_EFFORT };

struct kube_pod_spec {
	const char *namespace, *name;
	const char *account; /* NULL: "default" */
	const char *labels; /* JSON object; NULL: {} */
	const char *ports; /* JSON list of a container's ports; NULL: none */
	const char *annotations; /* JSON object; NULL: none */
	struct kube_node *node;
	struct lab_host *host; /* its network namespace; NULL with host_network */
	const char *address; /* of it */
	bool host_network;
	enum kube_qos qos;
};

struct kube_pod {
	struct kube *kube;
	struct kube_pod_spec spec;
	const char *uid;
	const char *cgroup; /* below the node's root: that of its first container */
	struct lab_place place; /* in that cgroup */
};

/* Makes the object, bound to its node. */
struct kube_pod *kube_pod_create(struct kube *kube, const struct kube_pod_spec *spec);
/* Makes the cgroups, as kubelet does before a container starts. */
void kube_pod_cgroup(struct kube_pod *pod);
/* status: Running, with its address. */
void kube_pod_running(struct kube_pod *pod);
/* status: Succeeded; its processes are the test's to end. */
void kube_pod_completed(struct kube_pod *pod);
/* Removes the cgroups and the object, at once. */
void kube_pod_delete(struct kube_pod *pod);
/* All of it: create, cgroup, running. */
struct kube_pod *kube_pod(struct kube *kube, const struct kube_pod_spec *spec);

/* Waits until @node's agent knows the pod (an address or a workload of its own). */
void kube_pod_known(struct kube_pod *pod, struct kube_node *node);
