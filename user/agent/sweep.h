/* SPDX-License-Identifier: Apache-2.0 */
/* Live connections in every network namespace of local workloads. */
#pragma once

#include "user/agent/agent.h"

#define SWEEP_SOON_MS 20
#define SWEEP_PAUSE_MS 200 /* between two of them, when one follows the other */

/*
 * Adopts the older sockets of namespaces where that is not done yet, then ends the connections
 * that the policy in force denies and adds their number to *@cut. What fails in one
 * namespace is logged and does not keep the others from it: the filter drops the
 * packets of such connections in any case.
 */
void sweep(struct agent *agent, unsigned int *cut);

/*
 * The same a moment later, and not all the time: in a cluster something changes always. Until
 * then the filter drops the packets already. At once when there is no timer yet.
 */
void sweep_soon(struct agent *agent);

/* Makes the timer. */
int sweep_watch(struct agent *agent);
