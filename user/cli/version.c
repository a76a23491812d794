/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/cli.h"

#ifndef COUNTERSIGN_VERSION
#error "the Makefile defines COUNTERSIGN_VERSION"
#endif

static int run(const struct cli *cli, const struct cli_args *args)
{
	(void)args;
	fprintf(cli->out, "countersign %s\n", COUNTERSIGN_VERSION);
	return CLI_OK;
}

const struct cli_verb verb_version = {
	.name = "version",
	.arguments = "",
	.description = "show the version of this program",
	.run = run,
};
