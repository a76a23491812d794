/* SPDX-License-Identifier: Apache-2.0 */
/* ca issue: an SVID from the CA in a directory. */
#include "user/base/clock.h"
#include "user/base/duration.h"
#include "user/cli/credential_files.h"
#include "user/credential/authority.h"

enum { ISSUE_SPIFFE_ID, ISSUE_OUT, ISSUE_LIFETIME };

static const struct cli_option options[] = {
	[ISSUE_SPIFFE_ID] = { "spiffe-id", 0, "ID",
			      "of whom, such as spiffe://example.org/countersign/node/host-a" },
	[ISSUE_OUT] = { "out", 0, "DIR", "where to write tls.crt, tls.key and ca.crt" },
	[ISSUE_LIFETIME] = { "lifetime", 0, "DURATION", "of the certificate (default: 1h)" },
};

static int issue(const struct cli_args *args, int64_t lifetime_s, struct svid **ret,
		 struct credential_error *reterr)
{
	_cleanup_(authority_freep) struct authority *authority = NULL;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	_cleanup_close_ int dir = open_directory(args->rest[0], reterr);
	int r;

	if (dir < 0)
		return dir;
	r = authority_open(dir, &authority, reterr);
	if (r == 0)
		r = authority_bundle(dir, &bundle, reterr);
	if (r == 0)
		r = authority_issue(authority, args->value[ISSUE_SPIFFE_ID],
				    clock_ns(CLOCK_REALTIME) / NS_PER_S, lifetime_s, ret, reterr);
	return r == 0 ? authority_write(args->value[ISSUE_OUT], *ret, bundle, reterr) : r;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	_cleanup_(svid_freep) struct svid *svid = NULL;
	struct credential_error error = { 0 };
	char until[CLOCK_TEXT_MAX];
	int64_t lifetime_s = 0;
	int r;

	if (args->n_rest != 1 || !args->value[ISSUE_SPIFFE_ID] || !args->value[ISSUE_OUT])
		return cli_usage_error(cli, &verb_ca_issue,
				       "the CA's DIR, --spiffe-id and --out are wanted");
	if (args->value[ISSUE_LIFETIME] &&
	    (duration_parse(args->value[ISSUE_LIFETIME], &lifetime_s) < 0 || lifetime_s == 0))
		return cli_usage_error(cli, &verb_ca_issue, "--lifetime wants " DURATION_EXPECTED);
	r = issue(args, lifetime_s, &svid, &error);
	if (r < 0)
		return put_failure(cli, &verb_ca_issue, &error, r);
	clock_text(svid->not_after_s * NS_PER_S, until);
	fprintf(cli->out, "%s, serial %s, until %s\n", svid->spiffe_id, svid->serial, until);
	return CLI_OK;
}

const struct cli_verb verb_ca_issue = {
	.name = "ca issue",
	.arguments = "DIR",
	.description = "issue an X.509-SVID from a CA made by ca init",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.run = run,
};
