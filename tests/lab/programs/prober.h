/* SPDX-License-Identifier: Apache-2.0 */
/* What the prober's command line and its answers mean; the tests that start it read it, too. */
#pragma once

#define PROBER_TARGETS_MAX 16
#define PROBER_FAMILIES 2 /* IPv4, IPv6 */
#define PROBER_PROTOCOLS 2 /* TCP, UDP */
#define PROBER_PORTS 2 /* the port and the one after it */
#define PROBER_PER_TARGET (PROBER_FAMILIES * PROBER_PROTOCOLS * PROBER_PORTS)
#define PROBER_PROBES_MAX (PROBER_TARGETS_MAX * PROBER_PER_TARGET)

/* One letter for each probe, in the order target, family, protocol, port. */
#define PROBER_ANSWERED '.' /* by the right server */
#define PROBER_SILENT 'X' /* nothing came in time */
#define PROBER_ERROR '!' /* refused, unreachable, not permitted: anything but silence */
#define PROBER_STRANGER '?' /* another server answered */
#define PROBER_SKIPPED '-' /* not asked for */
