/* SPDX-License-Identifier: Apache-2.0 */
/* status of every node of a cluster: one line each, and a sum. */
#pragma once

#include "user/cli/cli.h"

/* CLI_FAILED when a node is not healthy, does not answer, or has no agent. */
int status_nodes(const struct cli *cli, bool json);
