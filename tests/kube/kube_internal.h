/* SPDX-License-Identifier: Apache-2.0 */
/* What the cluster's files share. */
#pragma once

#include <curl/curl.h>

#include "tests/kube/kube.h"
#include "tests/lab/lab_internal.h"

#define KUBE_NODES_MAX 8
#define KUBE_PODS_MAX 65536 /* that one test makes */
#define KUBE_ADDRESS "10.77.0.254"
#define KUBE_WAIT_MS 20000

struct kube {
	struct lab *lab;
	struct lab_host *host; /* where the API server runs */
	const char *dir;
	const char *bin; /* kube-apiserver, kubectl and so on */
	const char *url;
	unsigned int files; /* that were written for kubectl */
	CURL *curl; /* as cluster-admin; one connection */
	struct kube_node node[KUBE_NODES_MAX];
	size_t n_nodes;
	struct kube_pod *pod[KUBE_PODS_MAX];
	size_t n_pods;
};

/* The API as cluster-admin. */
void kube_api_open(struct kube *kube);
void kube_api_close(struct kube *kube);
