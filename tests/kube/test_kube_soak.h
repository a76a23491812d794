/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster that changes at random, and what the test itself knows of it: which pods live where,
 * which policies there are, and so who may reach whom.
 */
#pragma once

#include "tests/kube/test_kube_follow.h"

#define SOAK_NODES 3 /* from the start on; one more comes at the end */
#define SOAK_SLOTS 5 /* addresses of each node for pods that come and go */
#define SOAK_FIRST_HOST 3 /* the one before is for pods that stay */
#define SOAK_FRESH 2 /* pods of the node that comes at the end */
#define SOAK_PODS (SOAK_NODES * SOAK_SLOTS + SOAK_FRESH)
#define SOAK_ENDED_MAX 16 /* pods that have ended, whose objects are there still */
#define SOAK_POLICIES 36
#define SOAK_WRONG 4 /* policies that no agent takes */
#define SOAK_SERVICES 4
#define SOAK_NAMESPACES 3
#define SOAK_APPS 4
#define SOAK_TEAMS 3
#define SOAK_PORT 8080

/* Of a policy; enough to say what it means. */
enum soak_kind {
	SOAK_NETWORK,
	SOAK_IDENTITY,
	SOAK_CLUSTER_IDENTITY,
	SOAK_CLUSTER_NETWORK,
	SOAK_ADMIN_NETWORK,
	SOAK_BASELINE,
	SOAK_KINDS
};

enum soak_action { SOAK_ALLOW, SOAK_DENY, SOAK_PASS, SOAK_ACTIONS };

/*
 * Who is protected: pods of @app (a namespace's policies: in @ns), or those of the namespaces of
 * @team (the kinds of administrators). From whom: pods of @from, where the first three kinds
 * also want the namespace to be of @team. @priority is the place in the list, so none is twice.
 */
struct soak_policy {
	bool there;
	enum soak_kind kind;
	enum soak_action action;
	int ns, app, team, from, priority;
};

struct soak_pod {
	struct kube_node *node;
	struct lab_host *host;
	const char *address;
	struct kube_pod *pod; /* NULL: nobody is there */
	int ns, app;
};

struct soak {
	struct cluster cluster;
	struct kube_node *node[SOAK_NODES + 1];
	size_t n_nodes;
	struct soak_pod pod[SOAK_PODS];
	struct kube_pod *ended[SOAK_ENDED_MAX];
	struct soak_policy policy[SOAK_POLICIES];
	bool wrong[SOAK_WRONG], service[SOAK_SERVICES];
	int team[SOAK_NAMESPACES]; /* of each namespace */
	unsigned int names; /* pods that were made */
	struct follow past[SOAK_NODES]; /* of agents that were killed */
};

/* What happened, by name; one table of operations, one of mishaps. */
struct soak_deed {
	const char *name;
	unsigned int weight;
	bool (*fn)(struct soak *soak); /* false: there was nothing to do it to */
	unsigned int done;
};

extern struct soak_deed soak_operations[], soak_mishaps[];
extern const size_t soak_operations_n, soak_mishaps_n;

/* One of them at random. */
void soak_do(struct soak *soak, struct soak_deed *deeds, size_t n);
void soak_print(const char *title, const struct soak_deed *deeds, size_t n);
int soak_random(int n); /* 0 .. n - 1 */

/* ---- operations (test_kube_soak_operations.c) ---- */
extern const char *const soak_namespaces[SOAK_NAMESPACES];
/* A pod in a place that is free. */
void soak_pod_make(struct soak *soak, struct soak_pod *place);
/* Namespaces and places for pods. */
void soak_open(struct soak *soak);

/* ---- mishaps (test_kube_soak_mishaps.c) ---- */
/* Ends those whose time has come; @all: all of them. */
void soak_mend(struct soak *soak, bool all);

/* ---- policies (test_kube_soak_policies.c) ---- */
bool soak_policy_put(struct soak *soak);
bool soak_policy_delete(struct soak *soak);
bool soak_wrong_put(struct soak *soak);
bool soak_wrong_delete(struct soak *soak);
/* What the policies say of a connection from one pod to another one. */
bool soak_allows(const struct soak *soak, const struct soak_pod *from, const struct soak_pod *to);

/* ---- at the end (test_kube_soak_equal.c) ---- */
/* Waits until every node says what the API server says; prints and counts what differs. */
unsigned int soak_differences(struct soak *soak);
