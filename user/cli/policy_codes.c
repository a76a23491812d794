/* SPDX-License-Identifier: Apache-2.0 */
/* policy codes: all that `policy check` can say. */
#include "user/cli/parse.h"
#include "user/cli/policy_check.h"

enum { CODES_OUTPUT };

static const struct cli_option options[] = {
	[CODES_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

static json_t *all_codes(void)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < LINT_CODES_MAX; i++)
		json_array_append_new(list, lint_info_json(&lint_infos[i]));
	return list;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	bool json;

	if (parse_format(args->value[CODES_OUTPUT], "text", &json) < 0)
		return cli_usage_error(cli, &verb_policy_codes, "-o wants text or json");
	if (json)
		return put_json(cli, all_codes());
	for (size_t i = 0; i < LINT_CODES_MAX; i++)
		fprintf(cli->out, "%s %-7s %s\n    %s. To do: %s.\n", lint_infos[i].code,
			lint_severity_name(lint_infos[i].severity), lint_infos[i].title,
			lint_infos[i].why, lint_infos[i].remedy);
	return CLI_OK;
}

const struct cli_verb verb_policy_codes = {
	.name = "policy codes",
	.arguments = "",
	.description = "list all that policy check can say",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.run = run,
};
