/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node records of a cluster: NodeIdentity objects, told as the documents that a directory
 * of records has ("<number>.json"), and kept in a file, so that an agent that starts while the
 * API server is away knows what the one before it knew. Claims, which have no signature yet,
 * are not told: they say nothing to anybody but the API server.
 */
#pragma once

#include "user/kube/client.h"
#include "user/source/source.h"

#define NODE_IDENTITIES_MAX 65535 /* there are no more numbers */
#define NODE_IDENTITIES_SETTLE_MS 20 /* changes this close together are told at once */
#define NODE_IDENTITIES_KEEP_MS 5000 /* the file is written this often at most */

struct source_node_identities_options {
	struct kube_client *client; /* borrowed; must live longer than the source */
	const char *file; /* where the records are kept; NULL: nowhere */
};

/*
 * source_read(): -EAGAIN until the first list has ended, unless there are kept records. After
 * that a server that is away changes nothing.
 */
int source_node_identities_new(const struct source_node_identities_options *options,
			       struct source **ret);

/* A list has ended since the start: what is known is not (only) what was kept. */
bool source_node_identities_synced(const struct source *source);

/* Why nothing new comes, or why it is not kept; "" when all is well. */
const char *source_node_identities_trouble(const struct source *source);
