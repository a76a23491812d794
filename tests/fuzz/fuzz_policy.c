/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer's way into the policy room: any bytes as manifests, and what parses is compiled
 * and judged. `make fuzz` runs it; the unit tests replay its corpus with the same function.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "user/policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* An error is said, and nothing is said without one. */
static void check_result(int r, const struct policy_errors *errors)
{
	PROMISE(r == 0 || r == -EBADMSG || r == -ENOSPC || r == -ENOMEM);
	PROMISE((r == 0 || r == -ENOMEM) == (errors->total == 0));
	for (size_t i = 0; i < errors->n; i++) {
		char *text = policy_error_text(&errors->item[i]);

		PROMISE(text && *text);
		free(text);
	}
}

/* Every workload with the first one and with the world. */
static void judge(const struct image *image)
{
	struct policy_judgement judgement;
	char from[600], to[600];

	for (size_t i = 0; i < image->n_workloads && i < 8; i++) {
		const struct image_workload *w = &image->workloads[i], *first = image->workloads;
		struct policy_flow flow = { .from = from, .to = to, .port = 80 };

		flow.protocol = i % 2 ? IPPROTO_UDP : IPPROTO_TCP;
		snprintf(from, sizeof(from), "%s/%s", w->namespace, w->name);
		snprintf(to, sizeof(to), "%s/%s", first->namespace, first->name);
		PROMISE(policy_judge(image, &flow, &judgement) == 0);
		PROMISE(judgement.result.verdict != CS_VERDICT_NONE);
		flow.to = "World";
		PROMISE(policy_judge(image, &flow, &judgement) == 0);
	}
}

static void compile(const struct policy_set *set, struct rule_ids *ids,
		    struct policy_errors *errors)
{
	const struct policy_options options = {
		.trust_domain = "example.org",
		.node_name = "host-c",
		.default_verdict = CS_VERDICT_ALLOW,
		.salt = { 1, 2 },
		.realtime_ns = 1000000000000,
		.boottime_ns = 10000000000,
		.every_subject = true,
	};
	struct image *image = NULL;
	int r;

	r = policy_compile(set, &options, ids, &image, errors);
	check_result(r, errors);
	PROMISE((r == 0) == (image != NULL));
	if (image)
		judge(image);
	image_free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_errors errors = { .n = 0 };
	struct rule_ids *ids = NULL;
	struct policy_set *set = NULL;
	int r;

	if (policy_set_new(&set) < 0 || rule_ids_new(&ids) < 0)
		abort();
	r = policy_set_parse(set, "fuzz.yaml", (const char *)data, size, &errors);
	check_result(r, &errors);
	if (r == 0)
		compile(set, ids, &errors);
	policy_set_free(set);
	rule_ids_free(ids);
	policy_errors_done(&errors);
	return 0;
}
