/* SPDX-License-Identifier: Apache-2.0 */
/* What the signature of a node record covers: docs/wire.md, "Node records". */
#pragma once

#include "user/credential/node_record.h"

/* "countersign node record 1", then names of at most 255 and 63 bytes, keys, digests. */
#define NODE_SIGNED_MAX 1024

/* The bytes to be signed into @ret; returns their number, 0 when a field is out of bounds. */
size_t node_record_signed(const struct node_record *record, uint8_t ret[static NODE_SIGNED_MAX]);

/* Whether the signature is made by the leaf's key over what the record says. */
bool node_record_verify(const struct node_record *record);
