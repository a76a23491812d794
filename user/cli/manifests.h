/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests from files, for the verbs that need neither an agent nor privileges. */
#pragma once

#include "user/cli/cli.h"
#include "user/policy/policy.h"

/* What one load or compile came to. */
struct manifests {
	struct policy_set *set;
	struct rule_ids *ids;
	struct image *image; /* NULL until manifests_compile() */
	struct policy_errors errors;
};

void manifests_done(struct manifests *manifests);
#define _cleanup_manifests_ _cleanup_(manifests_done)

/*
 * Reads @paths into a set: files, directories (their *.yaml, *.yml and *.json), "-" for standard
 * input. All files are read even when one is wrong, so that one run shows every error.
 * CLI_OK; CLI_FAILED when something is wrong with what they say (the errors are in
 * @ret->errors and not printed yet); CLI_USAGE, said on cli->err, when one cannot be read.
 */
int manifests_read(const struct cli *cli, char *const *paths, size_t n, struct manifests *ret);

/* Every workload a subject, the clocks of now; @trust_domain NULL: "example.org". */
struct policy_options manifests_options(const char *trust_domain);

/* Compiles what was read. CLI_OK or CLI_FAILED with @manifests->errors filled. */
int manifests_compile(struct manifests *manifests, const struct policy_options *options);

/* Prints the errors on cli->err, one per line; returns CLI_FAILED. */
int manifests_complain(const struct cli *cli, const struct manifests *manifests);
