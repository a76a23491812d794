/* SPDX-License-Identifier: Apache-2.0 */
/* Pods in cgroups as kubelet names them. */
#pragma once

#include "tests/lab/test_common.h"

#define WEB_UID "aaaaaaaa-0000-4000-8000-000000000001"
#define CALLER_UID "bbbbbbbb-0000-4000-8000-000000000002"

enum driver {
	CGROUPFS,
	SYSTEMD,
	NESTED, /* systemd, kubelet within a container */
	DRIVERS,
};

enum qos {
	GUARANTEED,
	BURSTABLE,
	BEST_EFFORT,
	QOS_CLASSES,
};

struct pods_world {
	struct lab *lab;
	struct lab_host *client, *server;
	struct lab_place web; /* the pod web: burstable, systemd */
};

/* The pod web's Workload, who may reach it (caller, verified, on 8080), and no agent yet. */
void pods_new(struct pods_world *world, const char *name);
void pods_done(struct pods_world *world);

/* Starts the agent with --pod-cgroups and two more arguments, and the pod web's server. */
void pods_start(struct pods_world *world, const char *option, const char *value);

/* The cgroup of a pod, and of a container in it. */
const char *pod_path(struct pods_world *world, enum driver driver, enum qos qos, const char *uid);
struct lab_place pod_container(struct pods_world *world, enum driver driver, enum qos qos,
			       const char *uid, struct lab_host *host);

/* Writes the pod's Workload, of ServiceAccount caller, and lets the agent read it. */
void pod_declare(struct pods_world *world, const char *name, const char *uid);
void pod_known(struct pods_world *world, const char *name, const char *uid);

/* Nothing was answered within @ms. */
void must_be_silent(struct lab_process *client, unsigned int ms);
