/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scale: what a large set of manifests costs: a full compile, one changed policy, one new
 * workload, memory. The method and the figures are in docs/performance.md.
 */
#pragma once

#include "user/datapath/datapath.h"
#include "user/policy/engine.h"

#define NAMESPACES 500
#define POLICIES_EACH 20 /* of a namespace */
#define DOCUMENTS_EACH 20 /* of a namespace: files with workloads */
#define WORKLOADS_EACH 10 /* of a document; every one is an identity of its own */
#define LOCAL_NAMESPACES 20 /* these have workloads on this node */
#define LOCAL_EACH 5

#define POLICIES (NAMESPACES * POLICIES_EACH)
#define WORKLOADS (NAMESPACES * DOCUMENTS_EACH * WORKLOADS_EACH)
#define DOCUMENTS (NAMESPACES * (DOCUMENTS_EACH + 1))

/* world.c: the manifests. All texts are the caller's. */
void world_documents(struct policy_document ret[static DOCUMENTS]);
/* The policies of a namespace; @version tells one that was edited. */
char *world_policies(unsigned int namespace, unsigned int version);
/* A document with one workload that nobody had before. */
char *world_workload(unsigned int number);

/* kernel.c: a datapath below a cgroup of its own. NULL: not as root. */
struct datapath *kernel_open(void);
void kernel_close(struct datapath *dp);

/* files.c: the same manifests as files, and the source that reads them. */
struct source;
int files_open(const struct policy_document *documents, size_t n, struct source **ret);
void files_write(const char *name, const char *text); /* NULL: removes it */
/* Waits until the source tells of a change, and no longer. */
void files_wait(struct source *source);
void files_close(struct source *source);

/* What something took. */
struct cost {
	uint64_t cpu_ns; /* of this thread */
	uint64_t wall_ns;
};
