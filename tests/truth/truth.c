/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the truth table. */
#include "tests/truth/truth.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>

#include "user/base/file.h"
#include "user/policy/yaml.h"

#define FILE_SIZE_MAX (4 << 20)
#define WORD_MAX 63

const struct truth_end truth_ends[TRUTH_ENDS] = {
	{ "x/a", "xa", { "10.88.0.9", "fd88::1:1" } },
	{ "x/b", "xb", { "10.88.0.10", "fd88::1:2" } },
	{ "x/c", "xc", { "10.88.0.11", "fd88::1:3" } },
	{ "y/a", "ya", { "10.88.0.17", "fd88::2:1" } },
	{ "y/b", "yb", { "10.88.0.18", "fd88::2:2" } },
	{ "y/c", "yc", { "10.88.0.19", "fd88::2:3" } },
	{ "z/a", "za", { "10.88.0.25", "fd88::3:1" } },
	{ "z/b", "zb", { "10.88.0.26", "fd88::3:2" } },
	{ "z/c", "zc", { "10.88.0.27", "fd88::3:3" } },
	{ "World", "ww", { "10.88.0.200", "fd88::9:200" } },
};

const uint8_t truth_protocols[TRUTH_PROTOCOLS] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
const uint16_t truth_ports[TRUTH_PORTS] = { 80, 81 };

const char *const truth_groups[] = { "isolation",     "peers", "ports", "blocks",   "cluster",
				     "cluster-match", "admin", "mixed", "identity", NULL };

static const char *const protocol_names[TRUTH_PROTOCOLS] = { "TCP", "UDP", "SCTP" };

/* Relative to this file's place, so that it does not matter where the tests are run. */
char *truth_text(const char *file)
{
	char path[4096], *text = NULL;
	size_t length;

	snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__,
		 file);
	return file_read_at(AT_FDCWD, path, FILE_SIZE_MAX, &text, &length) == 0 ? text : NULL;
}

static int bad(const struct truth_case *c, const char *what, const char *text)
{
	fprintf(stderr, "truth: case %s: %s: %s\n", c->name, what, text);
	return -EBADMSG;
}

static int find_protocol(const char *name)
{
	for (int i = 0; i < TRUTH_PROTOCOLS; i++)
		if (streq(protocol_names[i], name))
			return i;
	return -1;
}

/* "TCP/80/4" into its number, or -1. */
static int find_flow(const char *word)
{
	char protocol[8];
	unsigned int port, family;
	int p;

	if (sscanf(word, "%7[A-Z]/%u/%u", protocol, &port, &family) != 3)
		return -1;
	p = find_protocol(protocol);
	if (p < 0 || port < truth_ports[0] || port > truth_ports[1] || (family != 4 && family != 6))
		return -1;
	return (int)truth_flow((size_t)p, port - truth_ports[0], family == 6);
}

static int find_end(const char *cells)
{
	for (int i = 0; i < TRUTH_ENDS; i++)
		if (streq(truth_ends[i].cells, cells))
			return i;
	return -1;
}

/* Which flows a table is about, as a bit for each. */
static int parse_flows(const struct truth_case *c, const char *text, uint32_t *ret)
{
	char word[WORD_MAX + 1];
	uint32_t flows = 0;
	int used, flow;

	if (streq(text, "all")) {
		*ret = (1U << TRUTH_FLOWS) - 1;
		return 0;
	}
	for (; sscanf(text, "%63s%n", word, &used) == 1; text += used) {
		flow = find_flow(word);
		if (flow < 0)
			return bad(c, "no flow", word);
		flows |= 1U << flow;
	}
	*ret = flows;
	return flows ? 0 : bad(c, "no flows", text);
}

/* Lines such as "xa .XX......."; no line: all allowed. */
static int parse_table(struct truth_case *c, const char *text, uint32_t flows)
{
	char name[WORD_MAX + 1], row[WORD_MAX + 1];
	int used, from;

	for (; sscanf(text, " %63s %63s%n", name, row, &used) == 2; text += used) {
		from = find_end(name);
		if (from < 0 || strlen(row) != TRUTH_ENDS || strspn(row, ".X") != TRUTH_ENDS)
			return bad(c, "no row of a table", name);
		for (size_t flow = 0; flow < TRUTH_FLOWS; flow++)
			for (size_t to = 0; to < TRUTH_ENDS && (flows >> flow & 1); to++)
				c->denied[flow][from][to] = row[to] == 'X';
	}
	return text[strspn(text, " \n")] ? bad(c, "no table", text) : 0;
}

static int parse_reach(struct truth_case *c, const struct node *list)
{
	uint32_t flows = 0;
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		const struct node *of = node_get(list->item[i], "flows");
		const struct node *table = node_get(list->item[i], "table");

		if (!of || !table)
			return bad(c, "reach", "expected flows and table");
		r = parse_flows(c, of->text, &flows);
		if (r == 0)
			r = parse_table(c, table->text, flows);
	}
	return r;
}

/* "Host > x/a TCP/80 allow" */
static int parse_also(struct truth_case *c, struct arena *arena, const struct node *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct truth_also *also = &c->also[c->n_also];
		char from[WORD_MAX + 1], to[WORD_MAX + 1], protocol[8], want[8];
		const char *text = list->item[i]->text;
		unsigned int port;

		if (c->n_also == TRUTH_ALSO_MAX ||
		    sscanf(text, "%63s > %63s %7[A-Z]/%u %7s", from, to, protocol, &port, want) !=
			    5 ||
		    find_protocol(protocol) < 0)
			return bad(c, "no flow", text);
		also->from = arena_strdup(arena, from);
		also->to = arena_strdup(arena, to);
		also->protocol = truth_protocols[find_protocol(protocol)];
		also->port = (uint16_t)port;
		also->allowed = streq(want, "allow");
		c->n_also++;
	}
	return 0;
}

static const char *text_of(const struct node *node, const char *key)
{
	const struct node *value = node_get(node, key);

	return value && value->type == NODE_TEXT ? value->text : NULL;
}

static int parse_case(struct truth_group *group, const struct node *node)
{
	struct truth_case *c = arena_alloc(&group->arena, sizeof(*c));
	const struct node *reach = node_get(node, "reach"), *also = node_get(node, "also");
	int r = 0;

	if (!c || group->n == TRUTH_CASES_MAX)
		return -ENOMEM;
	*c = (struct truth_case){
		.name = text_of(node, "case"),
		.covers = text_of(node, "covers"),
		.refused = text_of(node, "refused"),
		.manifests = text_of(node, "manifests"),
	};
	if (!c->name || !c->covers || !c->manifests)
		return bad(c, "a case", "needs case, covers and manifests");
	if (reach)
		r = parse_reach(c, reach);
	if (also && r == 0)
		r = parse_also(c, &group->arena, also);
	group->cases[group->n++] = c;
	return r;
}

static int parse_group(struct truth_group *group, const char *text)
{
	_cleanup_(yaml_stream_freep) struct yaml_stream *stream = NULL;
	const struct node *list = NULL;
	unsigned int line;
	int r;

	r = yaml_stream_new(text, strlen(text), &stream);
	if (r == 0)
		r = yaml_stream_next(stream, &group->arena, &list);
	if (r == -EBADMSG)
		fprintf(stderr, "truth: %s, line %u\n", yaml_stream_problem(stream, &line), line);
	for (size_t i = 0; r == 0 && list && i < list->n; i++)
		r = parse_case(group, list->item[i]);
	return r;
}

int truth_load(const char *group, struct truth_group *ret)
{
	_cleanup_free_ char *text = NULL;
	char file[WORD_MAX + 8];

	*ret = (struct truth_group){ .n = 0 };
	snprintf(file, sizeof(file), "%s.yaml", group);
	text = truth_text(file);
	return text ? parse_group(ret, text) : -ENOENT;
}

void truth_done(struct truth_group *group)
{
	arena_done(&group->arena);
}
