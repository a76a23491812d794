/* SPDX-License-Identifier: Apache-2.0 */
/* What the parsers of the kinds share, and what each of them offers. */
#pragma once

#include "user/policy/field.h"

/* An object's metadata, checked. */
struct meta {
	struct place place;
	const char *name;
	const char *namespace;
	struct labels labels;
};

/* Field functions; the target's type is in front. */
int parse_dns_label(struct parse *p, const struct node *node, void *target); /* const char * */
int parse_dns_name(struct parse *p, const struct node *node, void *target); /* const char * */
int parse_labels(struct parse *p, const struct node *node, void *target); /* struct labels */
int parse_selector(struct parse *p, const struct node *node, void *target); /* struct selector */
int parse_protocol(struct parse *p, const struct node *node, void *target); /* uint8_t */
int parse_ingress_rules(struct parse *p, const struct node *node,
			void *target); /* struct direction */
int parse_egress_rules(struct parse *p, const struct node *node,
		       void *target); /* struct direction */
int parse_peers(struct parse *p, const struct node *node, void *target); /* struct rule: peers */
int parse_ports(struct parse *p, const struct node *node, void *target); /* struct rule: ports */

/* Nothing to do: the field was read before. */
int parse_elsewhere(struct parse *p, const struct node *node, void *target);

/* Objects of each kind, from their `spec` (NULL: there is none). */
int parse_workload(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_identity_policy(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_namespace(struct parse *p, const struct node *spec, const struct meta *meta);

/*
 * Gives an object its place in the set. -EEXIST: another has the name; a second object
 * of a name is an error that names both places, so nobody wonders which one counts.
 */
int set_add_workload(struct parse *p, struct workload *workload);
int set_add_policy(struct parse *p, struct policy *policy);
int set_add_namespace(struct parse *p, struct namespace *namespace);
