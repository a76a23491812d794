/* SPDX-License-Identifier: Apache-2.0 */
/* ca revoke: a serial number onto the CA's list. */
#include "user/base/clock.h"
#include "user/cli/credential_files.h"
#include "user/credential/authority.h"

enum { REVOKE_SERIAL };

static const struct cli_option options[] = {
	[REVOKE_SERIAL] = { "serial", 0, "HEX", "of the certificate, as ca issue prints it" },
};

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct credential_error error = { 0 };
	_cleanup_close_ int dir = -EBADF;
	int r;

	if (args->n_rest != 1 || !args->value[REVOKE_SERIAL])
		return cli_usage_error(cli, &verb_ca_revoke,
				       "the CA's DIR and --serial are wanted");
	dir = open_directory(args->rest[0], &error);
	r = dir;
	if (dir >= 0)
		r = authority_revoke(dir, args->value[REVOKE_SERIAL],
				     clock_ns(CLOCK_REALTIME) / NS_PER_S, &error);
	if (r < 0)
		return put_failure(cli, &verb_ca_revoke, &error, r);
	fprintf(cli->out, "%s is revoked by %s/%s; give it to the nodes with the bundle.\n",
		args->value[REVOKE_SERIAL], args->rest[0], AUTHORITY_CRL);
	return CLI_OK;
}

const struct cli_verb verb_ca_revoke = {
	.name = "ca revoke",
	.arguments = "DIR",
	.description = "put a certificate on the CA's revocation list",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.run = run,
};
