/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the policy room share: compiling texts and judging flows. */
#pragma once

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>

#include "user/policy/policy.h"

/* One compile: the manifests, what became of them, and the errors. */
struct compiled {
	struct policy_set *set;
	struct rule_ids *ids;
	struct policy_options options;
	struct image *image;
	struct policy_errors errors;
	int r; /* of the parse, or of the compile when that went well */
};

/* Trust domain example.org, default action Allow, salt 1 2, the clocks at 1000 s and 10 s. */
void compiled_init(struct compiled *c);
void compiled_done(struct compiled *c);
#define _compiled_ __attribute__((cleanup(compiled_done))) struct compiled

/* Parses one more file. */
void compiled_parse(struct compiled *c, const char *file, const char *text);

/* Compiles what was parsed, as often as wanted; the last image stays in c->image. */
void compiled_compile(struct compiled *c);

/* Both, and the test fails unless all went well. */
void compiled_must(struct compiled *c, const char *text);

/* A flow as seen by one side. Every peer that is no workload is an entity or an address. */
struct judged {
	const char *subject; /* "ns/name" of a workload on this node, or "Unmanaged" */
	enum cs_direction direction;
	const char *peer; /* "ns/name", an entity, an IP address, or "ns/name@address" */
	uint8_t protocol;
	uint16_t port;
	bool verified;
	uint64_t now_ns;
};

/* The evaluator's result on the rows of the image. */
struct cs_result judge(const struct image *image, const struct judged *flow);

/* "DENY DEFAULT_DENY shop/payments#", or "ALLOW NOT_ISOLATED" without a rule. */
void result_text(const struct image *image, const struct cs_result *result, char *ret, size_t size);

const struct image_workload *image_workload(const struct image *image, const char *name);
const struct image_identity *image_identity(const struct image *image, const char *name);
const struct image_endpoint *image_endpoint(const struct image *image, const char *address);
const struct image_class *image_class(const struct image *image, const char *prefix);
