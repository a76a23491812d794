/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs on CAs and bundles share. */
#pragma once

#include "user/cli/cli.h"
#include "user/credential/bundle.h"

/* Says on cli->err what failed; returns CLI_FAILED. */
int put_failure(const struct cli *cli, const struct cli_verb *verb,
		const struct credential_error *error, int r);

/* The directory @path opened, or a negative errno with the message. */
int open_directory(const char *path, struct credential_error *reterr);

/*
 * Reads a bundle, PEM or a JWK set, from @path relative to @dir. @trust_domain NULL: it is
 * what the file is called, without ".json" or ".pem".
 */
int bundle_file_read(int dir, const char *path, const char *trust_domain, struct bundle **ret,
		     struct credential_error *reterr);

enum bundle_format { BUNDLE_TEXT, BUNDLE_PEM, BUNDLE_JWKS };
/* What -o says; NULL: @otherwise. */
int bundle_parse_format(const char *word, enum bundle_format otherwise, enum bundle_format *ret);

int bundle_print(const struct cli *cli, const struct cli_verb *verb, const struct bundle *bundle,
		 enum bundle_format format);
