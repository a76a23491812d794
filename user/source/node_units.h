/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systemd units of the other nodes of a cluster, which are workloads there as they are here:
 * for each Node document of a source a document for each unit of the list. So that a node knows
 * what the units of another one are called and where they run, all agents have the same list.
 */
#pragma once

#include "user/source/host_units.h"

/*
 * What @of gives, and the units of every Node in it but @own_node. Takes @of over when it
 * succeeds. -EINVAL: no such list.
 */
int source_node_units_new(struct source *of, const char *list, const char *own_node,
			  struct source **ret);
