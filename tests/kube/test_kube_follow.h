/* SPDX-License-Identifier: Apache-2.0 */
/* Whether agents follow the API server, and at what cost: status.kubernetes, added up. */
#pragma once

#include "tests/kube/test_kube.h"

#define FOLLOW_NODES_MAX 8
#define FOLLOW_KINDS_MAX 32
#define FOLLOW_MS 45000 /* within this after an outage every agent has caught up */

struct follow {
	bool answers; /* the agent said something */
	bool synced; /* all kinds were listed once */
	bool watching; /* and each one that is served has an open watch */
	unsigned int kinds, served; /* that are followed; and of them, that the server has */
	long long lists_of[FOLLOW_KINDS_MAX];
	bool served_of[FOLLOW_KINDS_MAX];
	long long lists, watches, expired; /* of all kinds; tries that failed, too */
	long long connections, failures; /* of the client */
	long long silent_ms; /* since the API server's last word; -1: it never said one */
};

struct follow follow_read(struct kube_node *node);
/* Lists between two looks, of kinds that the server has: the others are asked for now and then. */
long long follow_lists(const struct follow *then, const struct follow *now);
/* Nothing is missing and nothing pending. */
bool follow_whole(const struct follow *follow);

/* When the API server was ready and each agent whole again, from the call on. */
struct follow_times {
	uint64_t server_ms, node_ms[FOLLOW_NODES_MAX];
};

/* Starts the API server, without waiting for it. */
struct lab_process *follow_start_server(struct cluster *cluster);
/*
 * Asks every 50 ms until all of them are whole, and stay so for a moment; fails FOLLOW_MS after
 * the API server's start (NULL: it runs already).
 */
struct follow_times follow_wait(struct kube_node *const *nodes, size_t n,
				struct lab_process *server);

/* Breaks the agent's connections to the API server off, on both sides; false: there was none. */
bool follow_cut(struct kube_node *node);

/* An environment variable's seconds. */
unsigned int follow_seconds(const char *name, unsigned int otherwise);

/* The agent's list of identities and addresses, as text that is the same when they are. */
const char *follow_image(struct kube_node *node);
/* The same as JSON: an object of lines. */
json_t *follow_image_set(struct kube_node *node);
