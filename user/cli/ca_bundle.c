/* SPDX-License-Identifier: Apache-2.0 */
/* ca bundle: what nodes need to know of the CA. */
#include "user/cli/credential_files.h"
#include "user/credential/authority.h"

enum { BUNDLE_OUTPUT };

static const struct cli_option options[] = {
	[BUNDLE_OUTPUT] = { "output", 'o', "FORMAT", "pem (default), jwks or text" },
};

static int run(const struct cli *cli, const struct cli_args *args)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	struct credential_error error = { 0 };
	_cleanup_close_ int dir = -EBADF;
	enum bundle_format format;
	int r;

	if (args->n_rest != 1)
		return cli_usage_error(cli, &verb_ca_bundle, "the CA's DIR is wanted");
	if (bundle_parse_format(args->value[BUNDLE_OUTPUT], BUNDLE_PEM, &format) < 0)
		return cli_usage_error(cli, &verb_ca_bundle, "-o wants pem, jwks or text");
	dir = open_directory(args->rest[0], &error);
	r = dir < 0 ? dir : authority_bundle(dir, &bundle, &error);
	if (r < 0)
		return put_failure(cli, &verb_ca_bundle, &error, r);
	return bundle_print(cli, &verb_ca_bundle, bundle, format);
}

const struct cli_verb verb_ca_bundle = {
	.name = "ca bundle",
	.arguments = "DIR",
	.description = "print the CA's trust bundle, its revocation list included",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.run = run,
};
