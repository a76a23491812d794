/* SPDX-License-Identifier: Apache-2.0 */
/* Pods that are not known yet: which cgroups they can be in. */
#pragma once

#include <stdint.h>

struct agent;
struct image_workload;

/* What struct cgroups_ops calls when that changes: the kernel is told at once. Logs. */
void pod_guard_follow(void *agent);

/* How the datapath learns of the cgroup of a pod: a datapath_cgroup_fn. */
uint64_t pod_guard_cgroup_of(void *agent, const struct image_workload *workload);
