/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"
#include "user/cli/parse.h"
#include "user/flow/flow.h"

#define LAST_DEFAULT 20

enum { FLOWS_FOLLOW, FLOWS_LAST, FLOWS_VERDICT, FLOWS_FROM, FLOWS_TO, FLOWS_OUTPUT };

static const struct cli_option options[] = {
	[FLOWS_FOLLOW] = { "follow", 'f', NULL, "go on with new flows until interrupted" },
	[FLOWS_LAST] = { "last", 0, "N", "begin with the last N flows (default 20)" },
	[FLOWS_VERDICT] = { "verdict", 0, "V", "FORWARDED, DROPPED or AUDIT (allow, deny, audit)" },
	[FLOWS_FROM] = { "from-workload", 0, "NS/NAME", "flows from this workload" },
	[FLOWS_TO] = { "to-workload", 0, "NS/NAME", "flows to this workload" },
	[FLOWS_OUTPUT] = { "output", 'o', "FORMAT", "compact (default) or json" },
};

/* What the options say. */
struct selection {
	unsigned long last;
	const char *verdict; /* Hubble's word, or NULL */
	bool json;
};

static int read_options(const struct cli *cli, const struct cli_args *args, struct selection *ret)
{
	static const int workloads[] = { FLOWS_FROM, FLOWS_TO };
	const char *const *value = args->value;
	int verdict = 0;

	ret->last = LAST_DEFAULT;
	if (value[FLOWS_LAST] && parse_count(value[FLOWS_LAST], FLOW_HISTORY_MAX, &ret->last) < 0)
		return cli_usage_error(cli, &verb_flows, "--last wants a number from 0 to %d",
				       FLOW_HISTORY_MAX);
	if (value[FLOWS_VERDICT])
		verdict = flow_verdict_from_name(value[FLOWS_VERDICT]);
	if (verdict < 0)
		return cli_usage_error(cli, &verb_flows,
				       "--verdict wants FORWARDED, DROPPED or AUDIT "
				       "(or allow, deny, audit)");
	ret->verdict = verdict ? flow_verdict_name((uint8_t)verdict) : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		if (value[workloads[i]] && !parse_is_workload(value[workloads[i]]))
			return cli_usage_error(cli, &verb_flows,
					       "--%s wants NAMESPACE/NAME of a workload",
					       options[workloads[i]].name);
	if (parse_format(value[FLOWS_OUTPUT], "compact", &ret->json) < 0)
		return cli_usage_error(cli, &verb_flows, "-o wants compact or json");
	return CLI_OK;
}

static int print_flow(const struct cli *cli, const json_t *line, void *arg)
{
	const struct selection *selection = arg;
	_cleanup_free_ char *text = selection->json ? json_dumps(line, JSON_COMPACT)
						    : flow_to_compact(line);

	if (!text) {
		fprintf(cli->err, "countersign: out of memory\n");
		return CLI_FAILED;
	}
	/* Whoever reads through a pipe wants each flow when it happens. */
	if (fprintf(cli->out, "%s\n", text) < 0 || fflush(cli->out) != 0) {
		fprintf(cli->err, "countersign: cannot write the output: %m\n");
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct selection selection;
	struct client_request request = {
		.endless = args->value[FLOWS_FOLLOW],
		.reply = print_flow,
		.arg = &selection,
		.may_be_empty = true,
	};
	json_t *body;
	int r;

	r = read_options(cli, args, &selection);
	if (r != CLI_OK)
		return r;
	body = json_pack("{s:s, s:I, s:b, s:s*, s:s*, s:s*}", "verb", "flows", "last",
			 (json_int_t)selection.last, "follow", (int)request.endless, "verdict",
			 selection.verdict, "from_workload", args->value[FLOWS_FROM], "to_workload",
			 args->value[FLOWS_TO]);
	request.body = body;
	r = client_call(cli, &request);
	json_decref(body);
	return r;
}

const struct cli_verb verb_flows = {
	.name = "flows",
	.arguments = "",
	.description = "show the latest verdicts, one line per connection",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.run = run,
};
