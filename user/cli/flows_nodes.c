/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents answer at different moments. What is followed is held back for a moment and then shown
 * in the order of the nodes' clocks; one that is later than that is shown late, never left out.
 */
#include "user/cli/flows_nodes.h"

#include "user/base/clock.h"
#include "user/cli/client.h"
#include "user/cli/fleet.h"

#define HOLD_MS 700 /* how long a flow waits for earlier ones of other nodes */
#define HELD_MAX 262144 /* flows in memory */

struct held {
	json_t *flow;
	const char *time; /* in it: RFC 3339, so the order of the texts is that of the times */
	int64_t came_ns;
	size_t number; /* of its coming: the order of a node's own flows with the same time */
};

struct merge {
	const struct cli *cli;
	const struct flows_nodes_request *request;
	struct held *held;
	size_t n, capacity;
	size_t number;
	size_t refused; /* nodes that did not answer, or not to the end */
};

static void merge_done(struct merge *merge)
{
	for (size_t i = 0; i < merge->n; i++)
		json_decref(merge->held[i].flow);
	free(merge->held);
}

static int by_time(const void *a, const void *b)
{
	const struct held *x = a, *y = b;
	int r = strcmp(x->time, y->time);

	return r ? r : (x->number > y->number) - (x->number < y->number);
}

/* Lets go of the @n oldest, shown or not. */
static int let_go(struct merge *merge, size_t n, bool shown)
{
	int r = CLI_OK;

	for (size_t i = 0; i < n; i++) {
		if (shown && r == CLI_OK)
			r = flows_print(merge->cli, merge->held[i].flow, merge->request->json);
		json_decref(merge->held[i].flow);
	}
	memmove(merge->held, merge->held + n, (merge->n - n) * sizeof(*merge->held));
	merge->n -= n;
	return r;
}

static void sort(struct merge *merge)
{
	if (merge->n)
		qsort(merge->held, merge->n, sizeof(*merge->held), by_time);
}

/* All that have waited long enough, and what is older than those. */
static int show_ripe(struct merge *merge, int64_t now)
{
	size_t ripe = 0;

	sort(merge);
	for (size_t i = 0; i < merge->n; i++)
		if (now - merge->held[i].came_ns >= HOLD_MS * NS_PER_MS)
			ripe = i + 1;
	return let_go(merge, ripe, true);
}

/*
 * Of the past only the last flows of all nodes are wanted: older ones can go as soon as there
 * are enough. Of what is followed, when there is no room, all is shown that is there.
 */
static int make_room(struct merge *merge)
{
	size_t last = merge->request->last, capacity = MAX(merge->capacity * 2, (size_t)256);
	struct held *more;

	if (merge->n < merge->capacity)
		return CLI_OK;
	if (!merge->request->follow && merge->n >= 2 * last) {
		sort(merge);
		return let_go(merge, merge->n - last, false);
	}
	if (capacity > HELD_MAX) {
		sort(merge);
		return let_go(merge, merge->n, true);
	}
	more = reallocarray(merge->held, capacity, sizeof(*more));
	if (!more)
		return CLI_FAILED;
	merge->held = more;
	merge->capacity = capacity;
	return CLI_OK;
}

static int say(struct merge *merge, const struct cluster_node *node, const char *error)
{
	fprintf(merge->cli->err, "%s: node %s: ", merge->cli->program, node->name);
	cli_put(merge->cli->err, error);
	fputc('\n', merge->cli->err);
	return CLI_OK;
}

static int take_flow(void *arg, const struct cluster_node *node, const json_t *line)
{
	struct merge *merge = arg;
	int r;

	if (json_object_get(line, "error")) {
		merge->refused++;
		return say(merge, node, client_text(line, "error"));
	}
	r = make_room(merge);
	if (r != CLI_OK)
		return r;
	merge->held[merge->n++] = (struct held){
		.flow = json_incref((json_t *)line),
		.time = client_text(line, "time"),
		.came_ns = clock_ns(CLOCK_MONOTONIC),
		.number = merge->number++,
	};
	return CLI_OK;
}

static int take_end(void *arg, const struct cluster_node *node, const char *error)
{
	struct merge *merge = arg;

	merge->refused += error != NULL;
	return error ? say(merge, node, error) : CLI_OK;
}

static int on_idle(void *arg, int *ret_ms)
{
	struct merge *merge = arg;
	int r = show_ripe(merge, clock_ns(CLOCK_MONOTONIC));

	*ret_ms = merge->n ? HOLD_MS / 4 : HOLD_MS;
	return r;
}

static int ask(const struct cli *cli, struct merge *merge, const struct cluster_nodes *nodes)
{
	const struct flows_nodes_request *request = merge->request;
	const struct fleet_request fleet = {
		.body = request->body,
		.at_once = request->follow ? FLEET_FOLLOW_MAX : FLEET_AT_ONCE,
		.endless = request->follow,
		.line = take_flow,
		.end = take_end,
		.idle = request->follow ? on_idle : NULL,
		.arg = merge,
	};
	int r = fleet_ask(cli, nodes, &fleet);

	if (r != CLI_OK)
		return r;
	sort(merge);
	if (!request->follow && merge->n > request->last)
		let_go(merge, merge->n - request->last, false);
	return let_go(merge, merge->n, true);
}

int flows_nodes(const struct cli *cli, const struct flows_nodes_request *request)
{
	_cleanup_(cluster_nodes_done) struct cluster_nodes nodes = { 0 };
	_cleanup_(merge_done) struct merge merge = { .cli = cli, .request = request };
	int r;

	r = cluster_all_nodes(cli, &nodes);
	if (r != CLI_OK)
		return r;
	if (request->follow && nodes.n > FLEET_FOLLOW_MAX) {
		fprintf(cli->err,
			"%s: %zu nodes are more than can be followed at once (%d): say --node or "
			"--pod\n",
			cli->program, nodes.n, FLEET_FOLLOW_MAX);
		return CLI_FAILED;
	}
	r = ask(cli, &merge, &nodes);
	return r == CLI_OK && merge.refused ? CLI_FAILED : r;
}
