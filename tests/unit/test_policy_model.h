/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the languages share: the model as text, to compare with. */
#pragma once

#include "tests/unit/test_policy.h"
#include "user/policy/model.h"

#define MODEL_TEXT_MAX 4096

/* Parses @text and nothing else; the test fails on any error. */
void model_must(struct compiled *c, const char *text);

/*
 * A policy in one line, such as
 * "Default 500 shop:{app In a}; ingress #1 Allow {*}:{*}, 10.0.0.0/8 at TCP 80; egress -".
 * "-": the policy does not speak of the direction, "none": no rules.
 */
void policy_text(const struct policy *policy, char ret[static MODEL_TEXT_MAX]);

/* The only policy of the set, as text. */
void only_policy_text(const struct compiled *c, char ret[static MODEL_TEXT_MAX]);

/* Addresses with a space between. */
void addresses_text(const struct cs_addr *addr, size_t n, char ret[static MODEL_TEXT_MAX]);

/* "http=TCP 80, =UDP 53" */
void service_ports_text(const struct service_port *ports, size_t n,
			char ret[static MODEL_TEXT_MAX]);

/* A manifest and what its only policy is as text. */
struct model_case {
	const char *about;
	const char *manifest;
	const char *model;
};
void model_case_holds(const struct model_case *c);

/* A manifest and the text of its first error, all of it. */
struct refused_case {
	const char *manifest;
	const char *error; /* behind "test.yaml:" */
};
void refused_case_holds(const struct refused_case *c);
