/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cgroup's path says about pods. kubelet names the cgroups, with one of two drivers:
 *
 *	cgroupfs   kubepods/burstable/pod<uid>/<container>
 *	systemd    kubepods.slice/kubepods-burstable.slice/
 *	           kubepods-burstable-pod<uid>.slice/cri-containerd-<container>.scope
 *
 * below any other cgroup: kubelet's own may be within a container. A pod of the class
 * Guaranteed is directly below the first. A pod can make cgroups below its own and call
 * them what it likes, so the outermost ones count and the shape is exact.
 */
#pragma once

#include "user/base/util.h"

#define POD_UID_MAX 63 /* bytes; 36 or, of static pods, 32 */
#define POD_CONTAINER_MAX 64 /* bytes of a container's id: hex digits */

struct pod_cgroup {
	size_t root; /* bytes of the path up to the end of "kubepods"; 0: none is in it */
	size_t pod; /* likewise to the end of the pod's own cgroup; 0: the path is above all pods */
	char uid[POD_UID_MAX + 1]; /* as the API writes it; "" above all pods */
	char container[POD_CONTAINER_MAX + 1]; /* "" when the path does not name one */
};

/* Reads @path, without a leading slash; whether it is a cgroup of pods or in one. */
bool pod_cgroup_parse(const char *path, struct pod_cgroup *ret);

/*
 * Whether pods are looked for directly below this cgroup: "kubepods" itself, or a QoS
 * class in it.
 */
bool pod_cgroup_holds_pods(const char *path);

/* Whether @uid may be a pod's: 1 to POD_UID_MAX of a-z 0-9 -, first and last no -. */
bool pod_uid_valid(const char *uid);

/*
 * A static pod's uid is the hash of its file on the node, 32 hexadecimal digits; the API
 * server gives others dashes.
 */
bool pod_uid_is_static(const char *uid);
