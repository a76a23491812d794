/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/recorded.h"

#include <jansson.h>
#include <netinet/in.h>

#include "user/cli/policy_words.h"
#include "user/flow/flow.h"
#include "user/identity/bytes.h"
#include "user/identity/keymap.h"

#define CILIUM_LABEL_ACCOUNT "io.cilium.k8s.policy.serviceaccount"
#define LABEL_SOURCE "k8s:"
#define RESERVED "reserved:"

void recorded_done(struct recorded *recorded)
{
	keymap_done(&recorded->keys);
	arena_done(&recorded->arena);
	free(recorded->flows);
	*recorded = (struct recorded){ 0 };
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

/* Hubble's reserved labels as policies name the entities. */
static const char *entity_of_label(const char *label)
{
	static const struct {
		const char *label;
		const char *entity;
	} labels[] = {
		{ "host", "Host" },	      { "remote-node", "RemoteNode" },
		{ "world", "World" },	      { "world-ipv4", "World" },
		{ "world-ipv6", "World" },    { "kube-apiserver", "KubeAPIServer" },
		{ "unmanaged", "Unmanaged" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		if (streq(labels[i].label, label))
			return labels[i].entity;
	return "";
}

/* One of what is being read: its texts are copied only if the flow is new. */
struct reading {
	struct label labels[2][RECORDED_LABELS_MAX];
	char *text[2][RECORDED_LABELS_MAX]; /* what labels[] points into */
	size_t n_text[2];
};

static void reading_done(struct reading *reading)
{
	for (size_t s = 0; s < 2; s++)
		for (size_t i = 0; i < reading->n_text[s]; i++)
			free(reading->text[s][i]);
}

static int add_label(struct reading *reading, size_t s, const char *text,
		     struct recorded_side *side)
{
	char *copy, *equals;

	if (reading->n_text[s] == RECORDED_LABELS_MAX)
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	reading->text[s][reading->n_text[s]++] = copy;
	equals = strchrnul(copy, '=');
	if (*equals)
		*equals++ = '\0';
	if (streq(copy, CILIUM_LABEL_ACCOUNT))
		side->service_account = equals;
	/* Cilium's own labels say what is known already. */
	if (!startswith(copy, "io.cilium."))
		reading->labels[s][side->labels.n++] = (struct label){ copy, equals };
	return 0;
}

static int read_labels(struct reading *reading, size_t s, const json_t *labels,
		       struct recorded_side *side)
{
	const json_t *label;
	size_t i;
	int r = 0;

	json_array_foreach(labels, i, label) {
		const char *text = json_string_value(label) ?: "";

		if (startswith(text, RESERVED) && !*side->entity)
			side->entity = entity_of_label(text + strlen(RESERVED));
		else if (startswith(text, LABEL_SOURCE))
			r = add_label(reading, s, text + strlen(LABEL_SOURCE), side);
		if (r < 0)
			return r;
	}
	side->labels.item = reading->labels[s];
	if (side->labels.n)
		qsort(side->labels.item, side->labels.n, sizeof(*side->labels.item), label_compare);
	return 0;
}

/* "spiffe://td/ns/shop/sa/checkout" -> "checkout" */
static const char *account_of(const char *spiffe_id)
{
	const char *mark = strstr(spiffe_id, "/sa/");

	return mark ? mark + strlen("/sa/") : "";
}

static int read_side(struct reading *reading, const json_t *flow, size_t s,
		     struct recorded_side *ret)
{
	static const char *const keys[] = { "source", "destination" };
	const json_t *side = json_object_get(flow, keys[s]);
	const json_t *ours = json_object_get(
		json_object_get(json_object_get(flow, "extensions"), "countersign"), keys[s]);
	const json_t *workloads = json_object_get(side, "workloads");

	*ret = (struct recorded_side){
		.namespace = text_of(side, "namespace"),
		.pod = text_of(side, "pod_name"),
		/* Several: any of them may have been it, so none is named. */
		.workload = json_array_size(workloads) == 1
				    ? text_of(json_array_get(workloads, 0), "name")
				    : "",
		.service_account = account_of(text_of(ours, "spiffe_id")),
		.entity = text_of(ours, "entity"),
		.address = text_of(json_object_get(flow, "IP"), keys[s]),
	};
	return read_labels(reading, s, json_object_get(side, "labels"), ret);
}

static bool read_ports(const json_t *flow, struct recorded_flow *ret)
{
	const json_t *l4 = json_object_get(flow, "l4"), *ports;
	const char *key;
	json_int_t port;

	json_object_foreach((json_t *)l4, key, ports) {
		ret->protocol = policy_protocol_number(key);
		port = json_integer_value(json_object_get(ports, "destination_port"));
		if (!ret->protocol || port <= 0 || port > CS_PORT_MAX)
			continue;
		ret->port = (uint16_t)port;
		return true;
	}
	return false;
}

static uint8_t direction_of(const json_t *flow)
{
	const char *text = text_of(flow, "traffic_direction");

	if (streq(text, "INGRESS"))
		return CS_INGRESS;
	return streq(text, "EGRESS") ? CS_EGRESS : CS_DIRECTIONS;
}

/* Whether policy judges such a flow; then its own numbers are in @ret. */
static bool read_facts(const json_t *flow, struct recorded_flow *ret)
{
	const json_t *ours = json_object_get(json_object_get(flow, "extensions"), "countersign");
	int verdict = flow_verdict_from_name(text_of(flow, "verdict"));

	if (json_is_true(json_object_get(flow, "is_reply")) || streq(text_of(flow, "Type"), "L7") ||
	    verdict < 0 || !read_ports(flow, ret))
		return false;
	ret->verdict = (uint8_t)verdict;
	ret->direction = direction_of(flow);
	ret->verified = streq(text_of(ours, "authentication"), "verified");
	ret->family = streq(text_of(json_object_get(flow, "IP"), "ipVersion"), "IPv6") ? 6 : 4;
	return true;
}

static void encode_side(const struct recorded_side *side, struct bytes *ret)
{
	bytes_put_string(ret, side->namespace);
	bytes_put_string(ret, side->pod);
	bytes_put_string(ret, side->workload);
	bytes_put_string(ret, side->service_account);
	bytes_put_string(ret, side->entity);
	bytes_put_string(ret, side->address);
}

/* What makes two flows the same. */
static void encode(const struct recorded_flow *flow, struct bytes *ret)
{
	encode_side(&flow->source, ret);
	encode_side(&flow->destination, ret);
	bytes_put_u16(ret, flow->port);
	bytes_put_u8(ret, flow->protocol);
	bytes_put_u8(ret, flow->direction);
	bytes_put_u8(ret, flow->verdict);
	bytes_put_u8(ret, flow->verified);
}

static int keep_side(struct arena *arena, struct recorded_side *side)
{
	const char **texts[] = { &side->namespace,	 &side->pod,	&side->workload,
				 &side->service_account, &side->entity, &side->address };
	struct label *labels = arena_alloc(arena, (side->labels.n + 1) * sizeof(*labels));

	if (!labels)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = arena_strdup(arena, *texts[i]);
		if (!*texts[i])
			return -ENOMEM;
	}
	for (size_t i = 0; i < side->labels.n; i++) {
		labels[i].key = arena_strdup(arena, side->labels.item[i].key);
		labels[i].value = arena_strdup(arena, side->labels.item[i].value);
		if (!labels[i].key || !labels[i].value)
			return -ENOMEM;
	}
	side->labels.item = labels;
	return 0;
}

static int keep(struct recorded *recorded, const struct recorded_flow *flow,
		const struct bytes *key)
{
	struct recorded_flow *kept;
	char *copy;

	if (recorded->n == RECORDED_FLOWS_MAX) {
		recorded->dropped++;
		return 0;
	}
	if (recorded->n == recorded->capacity) {
		size_t capacity = MAX(recorded->capacity * 2, (size_t)64);
		void *grown = realloc(recorded->flows, capacity * sizeof(*recorded->flows));

		if (!grown)
			return -ENOMEM;
		recorded->flows = grown;
		recorded->capacity = capacity;
	}
	kept = arena_alloc(&recorded->arena, sizeof(*kept));
	copy = arena_strndup(&recorded->arena, (const char *)key->data, key->n);
	if (!kept || !copy)
		return -ENOMEM;
	*kept = *flow;
	if (keep_side(&recorded->arena, &kept->source) < 0 ||
	    keep_side(&recorded->arena, &kept->destination) < 0)
		return -ENOMEM;
	recorded->flows[recorded->n] = kept;
	return keymap_put(&recorded->keys, copy, key->n, (uint32_t)recorded->n++);
}

/* Counts a flow that is there already. RFC 3339 in UTC sorts as text. */
static void count(struct recorded_flow *kept, const char *time)
{
	kept->count++;
	if (!*time || strlen(time) >= sizeof(kept->first))
		return;
	if (!*kept->first || strcmp(time, kept->first) < 0)
		strcpy(kept->first, time);
	if (strcmp(time, kept->last) > 0)
		strcpy(kept->last, time);
}

static int take_flow(struct recorded *recorded, const json_t *json)
{
	_cleanup_(reading_done) struct reading reading = { 0 };
	_cleanup_bytes_ struct bytes key = { 0 };
	struct recorded_flow flow = { 0 };
	uint32_t i;
	int r;

	if (!read_facts(json, &flow)) {
		recorded->other++;
		return 0;
	}
	r = read_side(&reading, json, 0, &flow.source);
	if (r == 0)
		r = read_side(&reading, json, 1, &flow.destination);
	if (r < 0)
		return r;
	encode(&flow, &key);
	if (key.failed)
		return -ENOMEM;
	if (!keymap_get(&recorded->keys, key.data, key.n, &i)) {
		i = (uint32_t)recorded->n;
		r = keep(recorded, &flow, &key);
		if (r < 0 || i == recorded->n)
			return r;
	}
	count(recorded->flows[i], text_of(json, "time"));
	return 0;
}

/* One line. -EBADMSG when it is no JSON object. */
static int take_line(struct recorded *recorded, const char *line, size_t length)
{
	json_t *root, *flow;
	int r = 0;

	if (strspn(line, " \t\r\n") == length)
		return 0;
	root = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root)) {
		json_decref(root);
		return -EBADMSG;
	}
	flow = json_object_get(root, "flow");
	/* Old versions of hubble print the flow itself. */
	if (!flow && json_object_get(root, "verdict"))
		flow = root;
	if (json_is_object(flow))
		r = take_flow(recorded, flow);
	else
		recorded->other++;
	json_decref(root);
	return r;
}

static int complain(const struct cli *cli, const char *path, size_t line, const char *what)
{
	fprintf(cli->err, "countersign: ");
	cli_put(cli->err, path);
	if (line)
		fprintf(cli->err, ":%zu", line);
	fprintf(cli->err, ": %s\n", what);
	return CLI_USAGE;
}

static int read_lines(const struct cli *cli, const char *path, FILE *file, struct recorded *ret)
{
	_cleanup_free_ char *line = malloc(RECORDED_LINE_MAX + 1);

	if (!line)
		return complain(cli, path, 0, "out of memory");
	for (size_t number = 1; fgets(line, RECORDED_LINE_MAX + 1, file); number++) {
		size_t length = strlen(line);
		int r;

		if (length == RECORDED_LINE_MAX && line[length - 1] != '\n')
			return complain(cli, path, number, "the line is longer than 256 KiB");
		r = take_line(ret, line, length);
		if (r == -EBADMSG)
			return complain(cli, path, number,
					"is no JSON object: expected one flow per line, as "
					"`countersign flows -o json` prints them");
		if (r < 0)
			return complain(cli, path, number, strerror(-r));
	}
	return ferror(file) ? complain(cli, path, 0, strerror(errno)) : CLI_OK;
}

int recorded_read(const struct cli *cli, const char *path, struct recorded *ret)
{
	_cleanup_(fclosep) FILE *file = NULL;

	if (streq(path, "-"))
		return read_lines(cli, "<stdin>", stdin, ret);
	file = fopen(path, "re");
	if (!file)
		return complain(cli, path, 0, strerror(errno));
	return read_lines(cli, path, file, ret);
}
