/* SPDX-License-Identifier: Apache-2.0 */
/* Destroys TCP sockets of the network namespace that the calling thread is in. */
#pragma once

#include <countersign/abi.h>

#include "user/base/util.h"

/* A netlink socket, or a negative errno. */
int sockdiag_open(void);

/*
 * Aborts the socket: its application gets ECONNABORTED, the peer a reset. -ENOENT when
 * there is no such socket any more, -EOPNOTSUPP when the kernel cannot do it.
 * @number differs from call to call.
 */
int sockdiag_destroy(int fd, const struct cs_doomed *doomed, uint32_t number);
