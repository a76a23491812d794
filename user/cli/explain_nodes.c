/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/explain_nodes.h"

#include "user/cli/client.h"
#include "user/cli/fleet.h"
#include "user/flow/flow.h"

enum { EGRESS, INGRESS, SIDES };

static const char *const keys[SIDES] = { [EGRESS] = "egress", [INGRESS] = "ingress" };

/* Whom to ask about each side, and what they said. */
struct asked {
	const struct cli *cli;
	struct cluster_nodes nodes; /* one or two */
	int side[SIDES]; /* number of its node, -1: no pod */
	json_t *answer[SIDES]; /* of each node */
	bool failed;
};

static void asked_done(struct asked *asked)
{
	cluster_nodes_done(&asked->nodes);
	for (int i = 0; i < SIDES; i++)
		json_decref(asked->answer[i]);
}

static int add_node(struct asked *asked, const char *name, int *ret_number)
{
	_cleanup_(cluster_nodes_done) struct cluster_nodes found = { 0 };
	struct cluster_node *more;
	int r;

	for (size_t i = 0; i < asked->nodes.n; i++) {
		if (streq(asked->nodes.item[i].name, name)) {
			*ret_number = (int)i;
			return CLI_OK;
		}
	}
	r = cluster_find_node(asked->cli, name, &found);
	if (r != CLI_OK)
		return r;
	more = reallocarray(asked->nodes.item, asked->nodes.n + 1, sizeof(*more));
	if (!more)
		return CLI_FAILED;
	asked->nodes.item = more;
	more[asked->nodes.n] = found.item[0];
	found.item[0] = (struct cluster_node){ 0 };
	*ret_number = (int)asked->nodes.n++;
	return CLI_OK;
}

/* An entity or an address is on no node: the other side's node knows of it. */
static int find_side(struct asked *asked, const char *who, int side)
{
	_cleanup_free_ char *pod = NULL, *node = NULL;
	int r;

	asked->side[side] = -1;
	if (!strchr(who, '/'))
		return CLI_OK;
	r = cluster_find_pod(asked->cli, who, &pod, &node);
	return r == CLI_OK ? add_node(asked, node, &asked->side[side]) : r;
}

static int take_answer(void *arg, const struct cluster_node *node, const json_t *line)
{
	struct asked *asked = arg;
	size_t number = (size_t)(node - asked->nodes.item);

	json_decref(asked->answer[number]);
	asked->answer[number] = json_incref((json_t *)line);
	return CLI_OK;
}

static int take_end(void *arg, const struct cluster_node *node, const char *error)
{
	struct asked *asked = arg;
	const json_t *answer = asked->answer[node - asked->nodes.item];

	if (!error)
		error = answer ? json_string_value(json_object_get(answer, "error"))
			       : "the agent gave no answer";
	if (!error)
		return CLI_OK;
	asked->failed = true;
	fprintf(asked->cli->err, "%s: node %s: ", asked->cli->program, node->name);
	cli_put(asked->cli->err, error);
	fputc('\n', asked->cli->err);
	return CLI_OK;
}

/* The answer of the node that @side's pod is on; else of the other. */
static json_t *answer_on(const struct asked *asked, int side)
{
	int number = asked->side[side] >= 0 ? asked->side[side] : asked->side[!side];

	return asked->answer[number];
}

/* Both sides must let it pass; what is known of neither forbids nothing. */
static const char *both(const json_t *egress, const json_t *ingress)
{
	const char *word[SIDES] = { client_text(egress, "verdict"),
				    client_text(ingress, "verdict") };

	for (int i = 0; i < SIDES; i++)
		if (flow_verdict_from_name(word[i]) == CS_VERDICT_DENY)
			return word[i];
	for (int i = 0; i < SIDES; i++)
		if (flow_verdict_from_name(word[i]) == CS_VERDICT_AUDIT)
			return word[i];
	return word[EGRESS];
}

/* Egress from one node's words, ingress from the other's, and the verdict of both. */
static int put_together(json_t *object, const json_t *from, const json_t *to)
{
	json_t *egress = json_object_get(from, keys[EGRESS]);
	json_t *ingress = json_object_get(to, keys[INGRESS]);

	if (json_object_set(object, keys[EGRESS], egress) < 0 ||
	    json_object_set(object, keys[INGRESS], ingress) < 0 ||
	    json_object_set_new(object, "verdict", json_string(both(egress, ingress))) < 0)
		return -EBADMSG;
	return 0;
}

static int combine(const struct asked *asked, json_t **ret)
{
	const json_t *from = answer_on(asked, EGRESS), *to = answer_on(asked, INGRESS);
	const json_t *from_inferred = json_object_get(from, "if_inferred");
	const json_t *to_inferred = json_object_get(to, "if_inferred");
	json_t *answer = json_copy((json_t *)from);
	int r = answer ? put_together(answer, from, to) : -ENOMEM;

	if (r == 0 && (from_inferred || to_inferred)) {
		json_t *inferred = json_object();

		r = put_together(inferred, from_inferred ?: from, to_inferred ?: to);
		json_object_set_new(answer, "if_inferred", inferred);
	}
	if (r < 0) {
		json_decref(answer);
		return r;
	}
	*ret = answer;
	return 0;
}

static int ask(const struct cli *cli, const json_t *body, struct asked *asked)
{
	const struct fleet_request request = {
		.body = body,
		.at_once = SIDES,
		.line = take_answer,
		.end = take_end,
		.arg = asked,
	};
	int r = fleet_ask(cli, &asked->nodes, &request);

	return r == CLI_OK && asked->failed ? CLI_FAILED : r;
}

int explain_nodes(const struct cli *cli, const json_t *body,
		  const struct explain_question *question)
{
	_cleanup_(asked_done) struct asked asked = { .cli = cli };
	json_t *answer;
	int r;

	r = find_side(&asked, question->from, EGRESS);
	if (r == CLI_OK)
		r = find_side(&asked, question->to, INGRESS);
	if (r != CLI_OK)
		return r;
	if (!asked.nodes.n) {
		fprintf(cli->err, "%s: neither side is a pod: say --node NODE\n", cli->program);
		return CLI_USAGE;
	}
	r = ask(cli, body, &asked);
	if (r != CLI_OK)
		return r;
	if (combine(&asked, &answer) < 0) {
		fprintf(cli->err, "%s: the agents' answers do not fit together\n", cli->program);
		return CLI_FAILED;
	}
	r = explain_print(cli, answer, question);
	json_decref(answer);
	return r;
}
