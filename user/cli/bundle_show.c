/* SPDX-License-Identifier: Apache-2.0 */
/* bundle show: a bundle's file, or all of a directory. */
#include <fcntl.h>
#include <sys/stat.h>

#include "user/base/file.h"
#include "user/cli/credential_files.h"

enum { SHOW_OUTPUT, SHOW_TRUST_DOMAIN };

static const struct cli_option options[] = {
	[SHOW_OUTPUT] = { "output", 'o', "FORMAT", "text (default), pem or jwks" },
	[SHOW_TRUST_DOMAIN] = { "trust-domain", 0, "TD",
				"whose a single file's is (default: what the file is called)" },
};

static int show(const struct cli *cli, int dir, const char *path, const char *trust_domain,
		enum bundle_format format)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	struct credential_error error = { 0 };
	int r = bundle_file_read(dir, path, trust_domain, &bundle, &error);

	if (r < 0)
		return put_failure(cli, &verb_bundle_show, &error, r);
	return bundle_print(cli, &verb_bundle_show, bundle, format);
}

static int is_bundle(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && streq(dot, ".json");
}

/* All that can be shown is; the exit code tells whether something could not. */
static int show_directory(const struct cli *cli, const char *path, enum bundle_format format)
{
	struct credential_error error = { 0 };
	_cleanup_close_ int dir = open_directory(path, &error);
	struct dirent **entries = NULL;
	int code = CLI_OK, n;

	if (dir < 0)
		return put_failure(cli, &verb_bundle_show, &error, dir);
	n = scandirat(dir, ".", &entries, is_bundle, alphasort);
	for (int i = 0; i < n; i++) {
		if (show(cli, dir, entries[i]->d_name, NULL, format) != CLI_OK)
			code = CLI_FAILED;
		free(entries[i]);
	}
	free(entries);
	if (n <= 0) {
		fprintf(cli->err, "countersign bundle show: %s holds no bundle (*.json)\n", path);
		return CLI_FAILED;
	}
	return code;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	enum bundle_format format;
	struct stat st;

	if (args->n_rest != 1)
		return cli_usage_error(cli, &verb_bundle_show, "a FILE or DIR is wanted");
	if (bundle_parse_format(args->value[SHOW_OUTPUT], BUNDLE_TEXT, &format) < 0)
		return cli_usage_error(cli, &verb_bundle_show, "-o wants text, pem or jwks");
	if (stat(args->rest[0], &st) == 0 && S_ISDIR(st.st_mode))
		return show_directory(cli, args->rest[0], format);
	return show(cli, AT_FDCWD, args->rest[0], args->value[SHOW_TRUST_DOMAIN], format);
}

const struct cli_verb verb_bundle_show = {
	.name = "bundle show",
	.arguments = "FILE|DIR",
	.description = "show trust bundles: authorities, revocation lists, node numbers",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = 1,
	.run = run,
};
