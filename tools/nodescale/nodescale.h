/* SPDX-License-Identifier: Apache-2.0 */
/* nodes.c: records of as many nodes as are wanted, each with an SVID of its own. */
#pragma once

#include "user/credential/node_table.h"

/* The documents' texts and names are freed by nodes_done(). */
void nodes_make(struct node_document *documents, size_t n, int64_t now_ms, struct bundles *bundles);
/* The next record of node @i, with another newest key. */
void nodes_renew(struct node_document *document, size_t i);
void nodes_done(struct node_document *documents, size_t n);
