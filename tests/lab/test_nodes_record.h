/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's record, read, changed and signed anew: what only that node's own agent can do, and
 * so what spares a test the hours after which keys and certificates are over.
 */
#pragma once

#include "tests/lab/test_nodes_common.h"
#include "user/credential/node_record.h"

/* The record of node @number as it lies in the directory of records. */
struct node_record *nodes_record(struct nodes *n, int number);
/* Signs with @issued, as issued a moment later than it was, and puts it there; frees it. */
void nodes_record_publish(struct nodes *n, struct node_record *record,
			  const struct lab_issued *issued);
/* Milliseconds since 1970. */
int64_t nodes_now_ms(void);
