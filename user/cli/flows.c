/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"
#include "user/cli/cluster.h"
#include "user/cli/flows_nodes.h"
#include "user/cli/parse.h"
#include "user/flow/flow.h"

#define LAST_DEFAULT 20

enum {
	FLOWS_FOLLOW,
	FLOWS_LAST,
	FLOWS_VERDICT,
	FLOWS_FROM,
	FLOWS_TO,
	FLOWS_WORKLOAD,
	FLOWS_OUTPUT,
};

static const struct cli_option options[] = {
	[FLOWS_FOLLOW] = { "follow", 'f', NULL, "go on with new flows until interrupted" },
	[FLOWS_LAST] = { "last", 0, "N", "begin with the last N flows (default 20)" },
	[FLOWS_VERDICT] = { "verdict", 0, "V", "FORWARDED, DROPPED or AUDIT (allow, deny, audit)" },
	[FLOWS_FROM] = { "from-workload", 0, "NS/NAME", "flows from this workload" },
	[FLOWS_TO] = { "to-workload", 0, "NS/NAME", "flows to this workload" },
	[FLOWS_WORKLOAD] = { "workload", 0, "NS/NAME", "flows from or to this workload" },
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
	static const int workloads[] = { FLOWS_FROM, FLOWS_TO, FLOWS_WORKLOAD };
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

int flows_print(const struct cli *cli, const json_t *line, bool json)
{
	_cleanup_free_ char *text = json ? json_dumps(line, JSON_COMPACT) : flow_to_compact(line);

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

static int print_flow(const struct cli *cli, const json_t *line, void *arg)
{
	const struct selection *selection = arg;

	return flows_print(cli, line, selection->json);
}

/*
 * Whose flows: of the namespace that is asked for, else in a cluster, as for all of kubectl, of
 * the context's; of all of them when that is said, or a node or a workload is meant.
 */
static int choose_namespace(const struct cli *cli, const struct cli_args *args, json_t *body)
{
	const struct cluster *cluster = cli->cluster;
	const char *given = args->cluster[CLI_NAMESPACE];
	_cleanup_free_ char *namespace = NULL;
	int r;

	if (cluster && cluster->pod)
		return CLI_OK; /* of that pod, whoever the other side is */
	if (given && !cluster_is_name(given))
		return cli_usage_error(cli, &verb_flows, "--namespace wants a namespace's name");
	if (given && args->cluster[CLI_ALL_NAMESPACES])
		return cli_usage_error(cli, &verb_flows,
				       "choose one of --namespace and --all-namespaces");
	if (given)
		return json_object_set_new(body, "namespace", json_string(given)) < 0 ? CLI_FAILED
										      : CLI_OK;
	if (!cluster || cluster->all_namespaces || cluster->all_nodes || cluster->node ||
	    args->value[FLOWS_FROM] || args->value[FLOWS_TO] || args->value[FLOWS_WORKLOAD])
		return CLI_OK;
	r = cluster_namespace(cli, &namespace);
	if (r == CLI_OK)
		json_object_set_new(body, "namespace", json_string(namespace));
	return r;
}

static int ask(const struct cli *cli, const struct cli_args *args,
	       const struct selection *selection, json_t *body)
{
	struct client_request request = {
		.body = body,
		.endless = args->value[FLOWS_FOLLOW],
		.reply = print_flow,
		.arg = (void *)selection,
		.may_be_empty = true,
	};
	_cleanup_free_ char *pod = NULL, *name = NULL;
	const struct cluster *cluster = cli->cluster;
	int r;

	if (cluster && !cluster->node && !cluster->pod)
		return flows_nodes(cli, &(struct flows_nodes_request){
						.body = body,
						.last = selection->last,
						.follow = args->value[FLOWS_FOLLOW],
						.json = selection->json,
					});
	if (!cluster || !cluster->pod)
		return client_call(cli, &request);
	r = cluster_find_pod(cli, cluster->pod, &pod, &name);
	if (r != CLI_OK)
		return r;
	if (!args->value[FLOWS_WORKLOAD])
		json_object_set_new(body, "workload", json_string(pod));
	return client_call(cli, &request);
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	struct selection selection;
	json_t *body;
	int r;

	r = read_options(cli, args, &selection);
	if (r != CLI_OK)
		return r;
	body = json_pack("{s:s, s:I, s:b, s:s*, s:s*, s:s*, s:s*}", "verb", "flows", "last",
			 (json_int_t)selection.last, "follow", args->value[FLOWS_FOLLOW] != NULL,
			 "verdict", selection.verdict, "from_workload", args->value[FLOWS_FROM],
			 "to_workload", args->value[FLOWS_TO], "workload",
			 args->value[FLOWS_WORKLOAD]);
	r = choose_namespace(cli, args, body);
	if (r == CLI_OK)
		r = ask(cli, args, &selection, body);
	json_decref(body);
	return r;
}

const struct cli_verb verb_flows = {
	.name = "flows",
	.arguments = "",
	.description = "show the latest verdicts, one line per connection",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run,
};
