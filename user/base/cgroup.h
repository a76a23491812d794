/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups: where version 2 is mounted, and the number the kernel knows one by. */
#pragma once

#include "user/base/util.h"

/*
 * The first cgroup2 mount point that @mounts ("/proc/mounts") lists; the caller's.
 * -ENODEV when there is none.
 */
int cgroup_mount_point(const char *mounts, char **ret);

/*
 * The id of the cgroup at @path, as bpf_get_current_cgroup_id() gives it. -ENOENT when
 * it does not exist, -EMEDIUMTYPE when @path is not in a cgroup2 file system.
 */
int cgroup_id(const char *path, uint64_t *ret);
