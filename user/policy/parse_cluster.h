/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClusterNetworkPolicy and its elders AdminNetworkPolicy and BaselineAdminNetworkPolicy:
 * one meaning in three spellings. What differs is in a struct cluster_language.
 */
#pragma once

#include "user/policy/parse.h"

struct cluster_language {
	const char *kind;
	const struct choice *actions;
	const struct field *rule[CS_DIRECTIONS]; /* of a struct rule */
	const struct field *spec; /* of a struct policy */
	size_t max; /* rules, peers of a rule, ports of a rule */
	bool singleton; /* one, named "default" */
	uint8_t tier; /* of the kind, unless the spec says it */
};

/* Field functions; the target's type is in front. */
int parse_cluster_subject(struct parse *p, const struct node *node,
			  void *target); /* struct policy */
int parse_cluster_from(struct parse *p, const struct node *node, void *target); /* struct rule */
int parse_cluster_to(struct parse *p, const struct node *node, void *target); /* struct rule */
int parse_protocols(struct parse *p, const struct node *node, void *target); /* struct rule */
int parse_admin_ports(struct parse *p, const struct node *node, void *target); /* struct rule */
