/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubescale: what a cluster's objects, one document each, cost the policy engine of one
 * agent: memory, and the change of a pod, a slice, a policy. The method and the figures are
 * in docs/performance.md.
 */
#pragma once

#include "user/policy/engine.h"

#define NAMESPACES 500U
#define DEPLOYMENTS_EACH 30U /* of a namespace; each is an identity */
#define REPLICAS 10U
#define POLICIES_EACH 20U
#define SERVICES_EACH 20U
#define SLICES_EACH 30U
#define NODES 5000U

#define PODS (NAMESPACES * DEPLOYMENTS_EACH * REPLICAS)
#define DOCUMENTS \
	(PODS + NODES + NAMESPACES + NAMESPACES * (POLICIES_EACH + SERVICES_EACH + SLICES_EACH))
#define LOCAL_NODE "node-0000"

/* Documents as a source gives them; texts lie in one place that is given back at once. */
struct world {
	struct policy_document *document;
	size_t n;
	char *text;
	size_t size;
	size_t used;
};

/* What pod @pod is in; a pod's address moves with @generation. */
void world_pod(struct world *w, unsigned int pod, unsigned int generation, bool local);
void world_slice(struct world *w, unsigned int namespace, unsigned int slice, unsigned int ready);
void world_policy(struct world *w, unsigned int namespace, unsigned int policy,
		  unsigned int version);
void world_namespace(struct world *w, unsigned int namespace, const char *team);
void world_node(struct world *w, unsigned int node, unsigned int generation);

/* Every object there is; sorted. */
void world_all(struct world *w);

/* Room for @documents of @size bytes in all; and its end. */
void world_new(struct world *w, size_t documents, size_t size);
void world_clear(struct world *w); /* it is empty, and usable */
void world_done(struct world *w);
void world_sort(struct world *w);
