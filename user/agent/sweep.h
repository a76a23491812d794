/* SPDX-License-Identifier: Apache-2.0 */
/* Live connections in every network namespace of local workloads. */
#pragma once

#include "user/agent/agent.h"

/*
 * Adopts the older sockets of namespaces where that is not done yet, then ends the connections
 * that the policy in force denies and adds their number to *@cut. What fails in one
 * namespace is logged and does not keep the others from it: the filter drops the
 * packets of such connections in any case.
 */
void sweep(struct agent *agent, unsigned int *cut);
