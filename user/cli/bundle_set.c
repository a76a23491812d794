/* SPDX-License-Identifier: Apache-2.0 */
/* bundle set: a checked bundle into the directory that agents read. */
#include <fcntl.h>
#include <limits.h>

#include "user/base/file.h"
#include "user/base/file_write.h"
#include "user/cli/credential_files.h"

enum { SET_BUNDLES, SET_TRUST_DOMAIN, SET_NODE_NUMBERS };

static const struct cli_option options[] = {
	[SET_BUNDLES] = { "bundles", 0, "DIR", "where the agents' bundles are" },
	[SET_TRUST_DOMAIN] = { "trust-domain", 0, "TD", "whose bundle it is" },
	[SET_NODE_NUMBERS] = { "node-numbers", 0, "FIRST-LAST",
			       "numbers that its nodes may have (default: as before, else any)" },
};

/* Numbers asked for; else those in the file; else those of the bundle that is replaced, so
 * that a renewed bundle does not take a limit away. */
static int set_numbers(int dir, const char *name, const char *numbers, struct bundle *bundle,
		       struct credential_error *reterr)
{
	_cleanup_(bundle_freep) struct bundle *old = NULL;
	int r;

	if (numbers) {
		r = bundle_parse_nodes(numbers, &bundle->node_first, &bundle->node_last);
		return r < 0 ? credential_fail(
				       reterr, r,
				       "--node-numbers wants a range within 1-65535, such as "
				       "4096-8191")
			     : 0;
	}
	if (bundle->node_last)
		return 0;
	r = bundle_file_read(dir, name, bundle->trust_domain, &old, reterr);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	bundle->node_first = old->node_first;
	bundle->node_last = old->node_last;
	return 0;
}

static int set(const struct cli_args *args, struct credential_error *reterr)
{
	const char *domain = args->value[SET_TRUST_DOMAIN];
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	_cleanup_free_ char *json = NULL;
	_cleanup_close_ int dir = -EBADF;
	char name[NAME_MAX + 1];
	int r;

	r = bundle_file_read(AT_FDCWD, args->rest[0], domain, &bundle, reterr);
	if (r < 0)
		return r;
	if ((size_t)snprintf(name, sizeof(name), "%s.json", domain) >= sizeof(name))
		return credential_fail(reterr, -ENAMETOOLONG,
				       "the trust domain is too long for a file's name");
	r = directory_make(args->value[SET_BUNDLES], 0755);
	if (r < 0)
		return credential_fail(reterr, r, "%s: %s", args->value[SET_BUNDLES], strerror(-r));
	dir = open_directory(args->value[SET_BUNDLES], reterr);
	if (dir < 0)
		return dir;
	r = set_numbers(dir, name, args->value[SET_NODE_NUMBERS], bundle, reterr);
	if (r < 0)
		return r;
	json = bundle_to_jwks(bundle);
	if (!json)
		return credential_fail(
			reterr, -EINVAL,
			"an authority has a key of a kind that has no place in a JWK "
			"set (EC P-256, P-384, P-521, RSA, Ed25519, Ed448)");
	r = file_write_at(dir, name, json, strlen(json), 0644, /* fresh= */ false);
	return r < 0 ? credential_fail(reterr, r, "%s/%s: %s", args->value[SET_BUNDLES], name,
				       strerror(-r))
		     : 0;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct credential_error error = { 0 };
	int r;

	if (args->n_rest != 1 || !args->value[SET_BUNDLES] || !args->value[SET_TRUST_DOMAIN])
		return cli_usage_error(cli, &verb_bundle_set,
				       "--bundles, --trust-domain and a FILE are wanted");
	r = set(args, &error);
	if (r < 0)
		return put_failure(cli, &verb_bundle_set, &error, r);
	fprintf(cli->out, "%s/%s.json is written.\n", args->value[SET_BUNDLES],
		args->value[SET_TRUST_DOMAIN]);
	return CLI_OK;
}

const struct cli_verb verb_bundle_set = {
	.name = "bundle set",
	.arguments = "FILE",
	.description = "check a trust bundle and give it to the agents",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.run = run,
};
