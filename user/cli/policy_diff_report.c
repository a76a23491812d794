/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of verdict for people, and as JSON. */
#include "user/cli/policy_diff.h"
#include "user/cli/policy_words.h"
#include "user/flow/text.h"
#include "user/policy/cases.h"

#define NAMES_SHOWN_MAX 16 /* in one list of the text; JSON has all */

char *diff_ports_text(const struct diff_ports *ports)
{
	const char *protocol = policy_protocol_word(ports->protocol);
	char *text;
	int r;

	if (!ports->min)
		r = asprintf(&text, "other protocols");
	else if (ports->min == 1 && ports->max == CS_PORT_MAX)
		r = asprintf(&text, "all %s", protocol);
	else if (ports->min == ports->max)
		r = asprintf(&text, "%u/%s", ports->min, protocol);
	else
		r = asprintf(&text, "%u-%u/%s", ports->min, ports->max, protocol);
	return r < 0 ? NULL : text;
}

static void put_names(const struct cli *cli, const struct diff_names *names)
{
	for (size_t i = 0; i < MIN(names->n, (size_t)NAMES_SHOWN_MAX); i++) {
		fputs(i ? ", " : "", cli->out);
		cli_put(cli->out, names->item[i]);
	}
	if (names->n > NAMES_SHOWN_MAX)
		fprintf(cli->out, " and %zu more", names->n - NAMES_SHOWN_MAX);
}

static void put_ports(const struct cli *cli, const struct diff_change *change)
{
	bool everything = change->n_ports == 4;

	for (size_t i = 0; i < change->n_ports; i++)
		everything &= !change->ports[i].min ||
			      (change->ports[i].min == 1 && change->ports[i].max == CS_PORT_MAX);
	if (everything)
		fprintf(cli->out, "everything");
	for (size_t i = 0; i < change->n_ports && !everything; i++) {
		_cleanup_free_ char *text = diff_ports_text(&change->ports[i]);

		fprintf(cli->out, "%s%s", i ? ", " : "", text ?: "?");
	}
}

/* What decided: the rule, or why there is none. */
static void put_decider(const struct cli *cli, const struct image *image,
			const struct diff_outcome *outcome)
{
	_cleanup_free_ char *rule = case_rule_text(image, outcome->rule);

	cli_put(cli->out, rule && *rule ? rule : text_reason(outcome->reason)->text);
	if (outcome->reason == CS_REASON_DEFAULT_DENY)
		fprintf(cli->out, " (default)");
	if (outcome->reason == CS_REASON_AUTH_REQUIRED)
		fprintf(cli->out, " (wants a verified peer)");
}

static void put_outcomes(const struct cli *cli, const struct comparison *c,
			 const struct diff_outcome *before, const struct diff_outcome *after)
{
	fprintf(cli->out, "%s -> %s [", case_verdict_word(before->verdict),
		case_verdict_word(after->verdict));
	put_decider(cli, c->before.image, before);
	fprintf(cli->out, " -> ");
	put_decider(cli, c->after.image, after);
	fprintf(cli->out, "]");
}

static void put_change(const struct cli *cli, const struct comparison *c,
		       const struct diff_change *change)
{
	static const char *const only[] = {
		[DIFF_VERIFIED] = ", verified only",
		[DIFF_INFERRED] = ", not verified only",
		[DIFF_EITHER] = "",
	};

	put_names(cli, &change->subjects);
	fprintf(cli->out, change->direction == CS_INGRESS ? " <- " : " -> ");
	put_names(cli, &change->peers);
	fprintf(cli->out, ": ");
	put_ports(cli, change);
	fprintf(cli->out, "%s: ", only[change->authentication & DIFF_EITHER]);
	put_outcomes(cli, c, &change->before, &change->after);
	fputc('\n', cli->out);
}

static void put_workloads(const struct cli *cli, const char *what, const struct diff_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		fprintf(cli->out, "%s workload ", what);
		cli_put(cli->out, names->item[i]);
		fputc('\n', cli->out);
	}
}

static void put_replayed(const struct cli *cli, const struct comparison *c,
			 const struct replay_change *change)
{
	const struct recorded_flow *flow = change->flow;

	fprintf(cli->out, "  %llu times ", (unsigned long long)flow->count);
	cli_put(cli->out, change->from);
	fprintf(cli->out, " -> ");
	cli_put(cli->out, change->to);
	fprintf(cli->out, " %u/%s%s%s%s: ", flow->port, policy_protocol_word(flow->protocol),
		flow->verified ? " verified" : "", flow->direction < CS_DIRECTIONS ? ", " : "",
		flow->direction < CS_DIRECTIONS ? policy_direction_word(flow->direction) : "");
	put_outcomes(cli, c, &change->before, &change->after);
	fprintf(cli->out, ", first ");
	cli_put(cli->out, flow->first);
	fprintf(cli->out, ", last ");
	cli_put(cli->out, flow->last);
	fputc('\n', cli->out);
}

static void put_replay(const struct cli *cli, const struct comparison *c)
{
	const struct replay *replay = &c->replay;

	fprintf(cli->out,
		"Recorded flows: %llu would change, %llu would not, %llu cannot be judged "
		"(workload unknown), %llu lines are no matter of policy\n",
		(unsigned long long)replay->changed, (unsigned long long)replay->same,
		(unsigned long long)replay->unknown, (unsigned long long)replay->recorded.other);
	if (replay->recorded.dropped)
		fprintf(cli->out, "%llu more were not looked at: more than %d distinct flows\n",
			(unsigned long long)replay->recorded.dropped, RECORDED_FLOWS_MAX);
	for (size_t i = 0; i < MIN(replay->n, (size_t)REPLAY_SHOWN_MAX); i++)
		put_replayed(cli, c, &replay->changes[i]);
	if (replay->n > REPLAY_SHOWN_MAX)
		fprintf(cli->out, "  and %zu more (-o json shows all)\n",
			replay->n - REPLAY_SHOWN_MAX);
}

int diff_report_text(const struct cli *cli, const struct comparison *c)
{
	put_workloads(cli, "added", &c->diff.added);
	put_workloads(cli, "removed", &c->diff.removed);
	for (size_t i = 0; i < c->diff.n; i++)
		put_change(cli, c, &c->diff.changes[i]);
	if (!c->diff.n)
		fprintf(cli->out, "No verdict changes.\n");
	if (c->replayed)
		put_replay(cli, c);
	return CLI_OK;
}

static json_t *names_json(const struct diff_names *names)
{
	json_t *array = json_array();

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(array, policy_json_text(names->item[i]));
	return array;
}

static json_t *outcome_json(const struct image *image, const struct diff_outcome *outcome)
{
	_cleanup_free_ char *rule = case_rule_text(image, outcome->rule);

	return json_pack("{s:s, s:s, s:o}", "verdict", case_verdict_word(outcome->verdict),
			 "reason", text_reason(outcome->reason)->name, "rule",
			 policy_json_text(rule ?: ""));
}

static json_t *change_json(const struct comparison *c, const struct diff_change *change)
{
	static const char *const words[] = {
		[DIFF_VERIFIED] = "verified",
		[DIFF_INFERRED] = "inferred",
		[DIFF_EITHER] = "any",
	};
	json_t *ports = json_array();

	for (size_t i = 0; i < change->n_ports; i++)
		json_array_append_new(
			ports, json_pack("{s:s, s:i, s:i}", "protocol",
					 policy_protocol_word(change->ports[i].protocol), "port",
					 change->ports[i].min, "end_port", change->ports[i].max));
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:o, s:o}", "direction",
			 policy_direction_word(change->direction), "subjects",
			 names_json(&change->subjects), "peers", names_json(&change->peers),
			 "ports", ports, "authentication",
			 words[change->authentication & DIFF_EITHER], "old",
			 outcome_json(c->before.image, &change->before), "new",
			 outcome_json(c->after.image, &change->after));
}

static json_t *replayed_json(const struct comparison *c, const struct replay_change *change)
{
	const struct recorded_flow *flow = change->flow;

	return json_pack("{s:o, s:o, s:i, s:s, s:s, s:b, s:I, s:o, s:o, s:o, s:o}", "from",
			 policy_json_text(change->from), "to", policy_json_text(change->to), "port",
			 flow->port, "protocol", policy_protocol_word(flow->protocol), "direction",
			 flow->direction < CS_DIRECTIONS ? policy_direction_word(flow->direction)
							 : "both",
			 "verified", flow->verified, "count", (json_int_t)flow->count, "first",
			 policy_json_text(flow->first), "last", policy_json_text(flow->last), "old",
			 outcome_json(c->before.image, &change->before), "new",
			 outcome_json(c->after.image, &change->after));
}

static json_t *replay_json(const struct comparison *c)
{
	const struct replay *replay = &c->replay;
	json_t *changes = json_array();

	for (size_t i = 0; i < replay->n; i++)
		json_array_append_new(changes, replayed_json(c, &replay->changes[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "changed", (json_int_t)replay->changed,
			 "same", (json_int_t)replay->same, "unknown", (json_int_t)replay->unknown,
			 "other_lines", (json_int_t)replay->recorded.other, "not_kept",
			 (json_int_t)replay->recorded.dropped, "changes", changes);
}

int diff_report_json(const struct cli *cli, const struct comparison *c)
{
	json_t *changes = json_array(), *root;

	for (size_t i = 0; i < c->diff.n; i++)
		json_array_append_new(changes, change_json(c, &c->diff.changes[i]));
	root = json_pack("{s:o, s:o, s:o}", "changes", changes, "added", names_json(&c->diff.added),
			 "removed", names_json(&c->diff.removed));
	if (root && c->replayed)
		json_object_set_new(root, "flows", replay_json(c));
	return policy_print_json(cli->out, root);
}
