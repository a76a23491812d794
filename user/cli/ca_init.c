/* SPDX-License-Identifier: Apache-2.0 */
/* ca init: a CA for trying things out. */
#include "user/base/duration.h"
#include "user/cli/credential_files.h"
#include "user/credential/authority.h"

enum { INIT_TRUST_DOMAIN, INIT_LIFETIME };

static const struct cli_option options[] = {
	[INIT_TRUST_DOMAIN] = { "trust-domain", 0, "TD", "whose nodes it will be for" },
	[INIT_LIFETIME] = { "lifetime", 0, "DURATION", "of its certificate (default: 3650d)" },
};

static int run(const struct cli *cli, const struct cli_args *args)
{
	const char *domain = args->value[INIT_TRUST_DOMAIN];
	struct credential_error error = { 0 };
	int64_t lifetime_s = 0;
	int r;

	if (args->n_rest != 1 || !domain)
		return cli_usage_error(cli, &verb_ca_init, "a DIR and --trust-domain are wanted");
	if (args->value[INIT_LIFETIME] &&
	    (duration_parse(args->value[INIT_LIFETIME], &lifetime_s) < 0 || lifetime_s == 0))
		return cli_usage_error(cli, &verb_ca_init, "--lifetime wants " DURATION_EXPECTED);
	r = authority_init(args->rest[0], domain, lifetime_s, &error);
	if (r < 0)
		return put_failure(cli, &verb_ca_init, &error, r);
	fprintf(cli->out, "A CA for %s is in %s. Whoever reads %s there can be any node.\n", domain,
		args->rest[0], AUTHORITY_KEY);
	return CLI_OK;
}

const struct cli_verb verb_ca_init = {
	.name = "ca init",
	.arguments = "DIR",
	.description = "make a CA in a directory, for trying things out",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.run = run,
};
