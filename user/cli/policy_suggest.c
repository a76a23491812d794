/* SPDX-License-Identifier: Apache-2.0 */
/* `policy suggest`: policies that allow just what was seen. */
#include <limits.h>

#include "user/cli/parse.h"
#include "user/cli/policy_diff.h"
#include "user/cli/policy_words.h"
#include "user/policy/cases.h"
#include "user/policy/suggest.h"

enum { SUGGEST_FLOWS, SUGGEST_EGRESS, SUGGEST_ENFORCE, SUGGEST_OUTPUT };

static const struct cli_option options[] = {
	[SUGGEST_FLOWS] = { "flows", 0, "FILE", "recorded flows: JSON lines, - for stdin" },
	[SUGGEST_EGRESS] = { "egress", 0, NULL, "for what workloads connect to, as well" },
	[SUGGEST_ENFORCE] = { "enforce", 0, NULL, "mode: Enforce; default: Audit" },
	[SUGGEST_OUTPUT] = { "output", 'o', "FORMAT", "yaml (default) or json" },
};

struct work {
	struct manifests manifests;
	struct recorded recorded;
	struct suggestion suggestion;
	uint64_t used; /* connections, as all here */
	uint64_t denied;
	uint64_t unknown;
	char *text;
};

static void work_done(struct work *work)
{
	free(work->text);
	suggestion_done(&work->suggestion);
	recorded_done(&work->recorded);
	manifests_done(&work->manifests);
}

/* A side by the files, when they know it, else by what the recording says. */
static struct suggest_party party_of(const struct work *work, const struct recorded_side *side)
{
	_cleanup_free_ char *who = replay_who(work->manifests.set, side);
	const struct workload *workload = who ? case_workload(work->manifests.set, who) : NULL;
	bool world = !*side->entity || streq(side->entity, "World");

	if (workload)
		return (struct suggest_party){
			.namespace = workload->namespace,
			.name = workload->name,
			.service_account = workload->service_account ?: "",
			.labels = workload->labels,
			.entity = "",
			.address = "",
		};
	if (*side->pod || *side->workload)
		return (struct suggest_party){
			.namespace = side->namespace,
			.name = *side->workload ? side->workload : side->pod,
			.service_account = side->service_account,
			.labels = side->labels,
			.entity = "",
			.address = "",
		};
	return (struct suggest_party){
		.namespace = "",
		.name = "",
		.service_account = "",
		.entity = side->entity,
		.address = world ? side->address : "",
	};
}

/* The flow as one of its two sides sees it. */
static int add_side(struct work *work, const struct recorded_flow *recorded, uint8_t direction)
{
	bool ingress = direction == CS_INGRESS;
	const struct suggest_flow flow = {
		.subject = party_of(work, ingress ? &recorded->destination : &recorded->source),
		.peer = party_of(work, ingress ? &recorded->source : &recorded->destination),
		.count = recorded->count,
		.first = recorded->first,
		.last = recorded->last,
		.port = recorded->port,
		.protocol = recorded->protocol,
		.direction = direction,
		.own = recorded->direction == direction,
		.verified = recorded->verified,
	};

	return suggest_add(&work->suggestion, &flow);
}

static int add_flow(struct work *work, const struct recorded_flow *flow, bool egress)
{
	int ingress_r, egress_r;

	if (flow->verdict != CS_VERDICT_ALLOW && flow->verdict != CS_VERDICT_AUDIT) {
		work->denied += flow->count;
		return 0;
	}
	ingress_r = add_side(work, flow, CS_INGRESS);
	egress_r = egress ? add_side(work, flow, CS_EGRESS) : -ENOENT;
	if (ingress_r == 0 || egress_r == 0)
		work->used += flow->count;
	else if (ingress_r == -ENOENT && egress_r == -ENOENT)
		work->unknown += flow->count;
	if (ingress_r < 0 && ingress_r != -ENOENT)
		return ingress_r;
	return egress_r == -ENOENT ? 0 : egress_r;
}

static int write_text(struct work *work, bool enforce)
{
	const struct suggest_options suggest = { work->manifests.set, enforce };
	size_t length;
	FILE *out = open_memstream(&work->text, &length);
	int r;

	if (!out)
		return -ENOMEM;
	fprintf(out,
		"# Made by `countersign policy suggest` from %llu recorded connections: they\n"
		"# allow what was seen and nothing else. Review them, also with `policy diff`.\n",
		(unsigned long long)work->used);
	r = suggest_write(&work->suggestion, &suggest, out);
	return fclose(out) != 0 && r == 0 ? -ENOMEM : r;
}

/* What is printed must be what our own parser reads: else it is our mistake, and is not. */
static int check_text(const struct cli *cli, const struct work *work)
{
	_cleanup_manifests_ struct manifests check = { 0 };
	int r;

	r = policy_set_new(&check.set);
	if (r == 0)
		r = policy_set_parse(check.set, "suggestion", work->text, strlen(work->text),
				     &check.errors);
	return r == -EBADMSG ? manifests_complain(cli, &check) : r == 0 ? CLI_OK : CLI_FAILED;
}

static int print(const struct cli *cli, const struct work *work, bool json)
{
	fprintf(cli->err,
		"%llu connections used; left out: %llu denied, %llu of workloads that "
		"have no name, %llu lines that are no matter of policy\n",
		(unsigned long long)work->used, (unsigned long long)work->denied,
		(unsigned long long)work->unknown, (unsigned long long)work->recorded.other);
	if (work->recorded.dropped)
		fprintf(cli->err, "%llu more were not looked at: more than %d distinct flows\n",
			(unsigned long long)work->recorded.dropped, RECORDED_FLOWS_MAX);
	if (json)
		return policy_print_json(
			cli->out,
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "manifests", work->text,
				  "policies", (json_int_t)work->suggestion.n, "used",
				  (json_int_t)work->used, "denied", (json_int_t)work->denied,
				  "unknown", (json_int_t)work->unknown, "other_lines",
				  (json_int_t)work->recorded.other, "not_kept",
				  (json_int_t)work->recorded.dropped));
	fputs(work->text, cli->out);
	return CLI_OK;
}

static int failed(const struct cli *cli, int r)
{
	fprintf(cli->err, "countersign policy suggest: %s\n",
		r == -ENOSPC
			? "more was seen than a policy can hold (peers of a subject, ports of a "
			  "peer, subjects): record for a shorter time, or give FILES"
			: strerror(-r));
	return CLI_FAILED;
}

static int suggest(const struct cli *cli, const struct cli_args *args, struct work *work, bool json)
{
	int r = 0;

	for (size_t i = 0; i < work->recorded.n && r == 0; i++)
		r = add_flow(work, work->recorded.flows[i], args->value[SUGGEST_EGRESS]);
	if (r == 0 && !work->suggestion.n) {
		fprintf(cli->err, "countersign policy suggest: no flow that passed is of a "
				  "workload: nothing to suggest\n");
		return CLI_FAILED;
	}
	if (r == 0)
		r = write_text(work, args->value[SUGGEST_ENFORCE]);
	if (r < 0)
		return failed(cli, r);
	r = check_text(cli, work);
	return r == CLI_OK ? print(cli, work, json) : r;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	_cleanup_(work_done) struct work work = { 0 };
	const char *flows = args->value[SUGGEST_FLOWS];
	bool json;
	int r;

	if (!flows || !*flows)
		return cli_usage_error(cli, &verb_policy_suggest, "--flows FILE is needed");
	if (parse_format(args->value[SUGGEST_OUTPUT], "yaml", &json) < 0)
		return cli_usage_error(cli, &verb_policy_suggest, "-o wants yaml or json");
	for (int i = 0; i < args->n_rest; i++)
		if (streq(flows, "-") && streq(args->rest[i], "-"))
			return cli_usage_error(cli, &verb_policy_suggest,
					       "standard input (-) can be read only once");
	r = manifests_read(cli, args->rest, (size_t)args->n_rest, &work.manifests);
	if (r == CLI_FAILED)
		manifests_complain(cli, &work.manifests);
	if (r != CLI_OK)
		return r;
	r = recorded_read(cli, flows, &work.recorded);
	return r == CLI_OK ? suggest(cli, args, &work, json) : r;
}

const struct cli_verb verb_policy_suggest = {
	.name = "policy suggest",
	.arguments = "[FILES...]",
	.description = "write least-privilege policies that allow just the recorded flows",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.max_rest = INT_MAX,
	.run = run,
};
