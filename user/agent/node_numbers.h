/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node numbers as NodeIdentity objects: the object named after a number is its node's, and the
 * API server lets only one have it. An object without a signature is a claim; the node's record
 * takes its place. A node that is gone is marked first, and its object is deleted when no key
 * of it can be in use any more, so a number is never two nodes' within the life of a key.
 */
#pragma once

#include <jansson.h>

#include "user/base/util.h"

#define NODE_NUMBERS_PATH "/apis/countersign.dev/v1alpha1/nodeidentities"
#define NODE_NUMBERS_PATH_MAX (sizeof(NODE_NUMBERS_PATH) + sizeof("/65535"))
#define NODE_NUMBERS_GONE "countersign.dev/gone" /* annotation: since when, RFC 3339 */
#define NODE_NUMBERS_LABEL "countersign.dev/node" /* its value: */
#define NODE_NUMBERS_KUBERNETES "kubernetes" /* there was a Node object of the name */
#define NODE_NUMBERS_TRIES_MAX 256 /* numbers that one node may find taken */

/* "<path>/<number>" in @ret, which is returned. */
const char *node_numbers_path(uint16_t number, char ret[static NODE_NUMBERS_PATH_MAX]);

/*
 * The @attempt-th number that the node @name should ask for: the same every time, so that one
 * that forgot its number finds it again, and different ones for different nodes mostly.
 */
uint16_t node_numbers_try(const char *name, unsigned int attempt);

/* The object that claims @number; the caller's, NULL: no memory. */
char *node_numbers_claim(uint16_t number, const char *trust_domain, const char *name);

/* Whether @object, a NodeIdentity, is that of the node. */
bool node_numbers_is_of(const json_t *object, const char *trust_domain, const char *name);

/* What an agent kept: "<number> <name>\n". 0: it is none, or another node's. */
uint16_t node_numbers_kept(const char *text, const char *name);
