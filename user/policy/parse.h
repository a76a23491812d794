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
	struct moment audit_since; /* the annotation, else the creation */
};

/* Field functions; the target's type is in front. */
int parse_dns_label(struct parse *p, const struct node *node, void *target); /* const char * */
int parse_dns_name(struct parse *p, const struct node *node, void *target); /* const char * */
int parse_node_name(struct parse *p, const struct node *node, void *target); /* const char * */
int parse_remark(struct parse *p, const struct node *node, void *target); /* const char * */
int parse_labels(struct parse *p, const struct node *node, void *target); /* struct labels */
int parse_selector(struct parse *p, const struct node *node, void *target); /* struct selector */
int parse_protocol(struct parse *p, const struct node *node, void *target); /* uint8_t */
int parse_peers(struct parse *p, const struct node *node, void *target); /* struct rule: peers */
int parse_ports(struct parse *p, const struct node *node, void *target); /* struct rule: ports */

int parse_subject(struct parse *p, const struct node *node, void *target); /* struct policy */
int parse_mode(struct parse *p, const struct node *node, void *target); /* bool: Audit */
int parse_moment(struct parse *p, const struct node *node, void *target); /* struct moment */
int parse_priority(struct parse *p, const struct node *node, void *target); /* uint16_t */
int parse_ingress_rule(struct parse *p, const struct node *node, void *target); /* struct rule */
int parse_egress_rule(struct parse *p, const struct node *node, void *target); /* struct rule */
int parse_prefix(struct parse *p, const struct node *node, void *target); /* struct cs_cidr */
int parse_address(struct parse *p, const struct node *node, void *target); /* struct cs_addr */
int parse_port_number(struct parse *p, const struct node *node, void *target); /* uint16_t */
int parse_cidr_peer(struct parse *p, const struct node *node, void *target); /* struct peer */

/* Nothing to do: the field was read before. */
int parse_elsewhere(struct parse *p, const struct node *node, void *target);

/* Rules of a direction: each gets a name of its own there. */
struct rules_spec {
	field_fn parse; /* a struct rule */
	size_t max;
	bool upstream_names; /* any text, any of them twice: made fit */
};
int parse_rules(struct parse *p, const struct node *node, const struct rules_spec *spec,
		struct direction *ret);

/* A policy of @kind with everything else as if nothing were written. */
struct policy policy_begin(const struct meta *meta, const char *kind);

/* Objects of each kind, from their `spec` (NULL: there is none), or the document. */
int parse_workload(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_identity_policy(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_cluster_identity_policy(struct parse *p, const struct node *spec,
				  const struct meta *meta);
int parse_network_policy(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_cluster_policy(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_admin_policy(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_baseline_policy(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_namespace(struct parse *p, const struct node *document, const struct meta *meta);

int parse_node(struct parse *p, const struct node *document, const struct meta *meta);
int parse_service(struct parse *p, const struct node *document, const struct meta *meta);
int parse_test(struct parse *p, const struct node *spec, const struct meta *meta);
int parse_slice(struct parse *p, const struct node *document, const struct meta *meta);
int parse_revocation(struct parse *p, const struct node *spec, const struct meta *meta);

/*
 * Gives an object its place in the set. A second object of a kind, namespace and name is
 * an error that names both places, so nobody wonders which one counts.
 */
int set_add_workload(struct parse *p, struct workload *workload);
int set_add_policy(struct parse *p, struct policy *policy);
int set_add_namespace(struct parse *p, struct namespace *namespace);
int set_add_node(struct parse *p, struct node_object *node);
int set_add_service(struct parse *p, struct service *service);
int set_add_slice(struct parse *p, struct endpoint_slice *slice);
int set_add_test(struct parse *p, struct policy_test *test);
int set_add_revocation(struct parse *p, struct revocation *revocation);
