/* SPDX-License-Identifier: Apache-2.0 */
/* One agent at a time. */
#pragma once

#include "user/base/util.h"

/*
 * Makes and locks the file @path until the descriptor is closed. -EWOULDBLOCK when
 * another process holds it; *@ret_pid is then that process, 0 when it did not say.
 */
int lock_file(const char *path, int *ret_fd, int *ret_pid);
