/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What root on a node can take from the kernel there, and so what an attacker has who is root:
 * the keys shared with other nodes, and the sealed private keys.
 */
#pragma once

#include <countersign/abi.h>

#include "tests/lab/lab.h"

/* The keys that @node shares with node number @peer; false: it knows no such node. */
bool lab_node_keys(struct lab_node *node, int peer, struct cs_node_keys *ret);
/* Waits until @node has keys to send to @peer and to receive from it; fails the test. */
void lab_node_knows(struct lab_node *node, struct lab_node *peer);
/* What the agent leaves in the kernel for the one after it. */
void lab_node_vault(struct lab_node *node, struct cs_vault *ret);

/* As the tools want them. */
const char *lab_key_hex(struct lab *lab, const struct cs_key *key);
/* The option of a SYN: 12 bytes. */
const char *lab_claim_hex(struct lab *lab, int node, int phase, uint64_t identity);
