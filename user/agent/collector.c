/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/collector.h"

#include "user/agent/agent.h"
#include "user/agent/collector_judge.h"
#include "user/agent/node_numbers.h"
#include "user/base/clock.h"
#include "user/base/quote.h"
#include "user/credential/node_text.h"
#include "user/kube/reflector.h"

/* Objects by name, as a reflector tells them. */
struct objects {
	json_t *now, *listed; /* the latter: since a list began */
	bool synced;
};

struct collector {
	struct agent *agent;
	collector_leads_fn leads;
	struct kube_reflector *watch_nodes, *watch_records;
	struct objects nodes, records;
	struct event *timer;
};

/* ---- what there is ---- */

static const char *name_of(const json_t *object)
{
	return json_string_value(json_object_get(json_object_get(object, "metadata"), "name"))
		       ?: "";
}

static void on_begin(void *arg)
{
	struct objects *objects = arg;

	json_decref(objects->listed);
	objects->listed = json_object();
}

static void on_set(void *arg, json_t *object)
{
	struct objects *objects = arg;

	json_object_set(objects->now, name_of(object), object);
	if (objects->listed)
		json_object_set(objects->listed, name_of(object), object);
}

static void on_gone(void *arg, json_t *object)
{
	struct objects *objects = arg;

	json_object_del(objects->now, name_of(object));
	if (objects->listed)
		json_object_del(objects->listed, name_of(object));
}

static void on_synced(void *arg)
{
	struct objects *objects = arg;

	if (objects->listed) {
		json_decref(objects->now);
		objects->now = TAKE_PTR(objects->listed);
	}
	objects->synced = true;
}

static void on_trouble(void *arg, const char *text)
{
	(void)arg;
	log_debug("the collector of node numbers waits", "error=\"%s\"", text);
}

static void objects_done(struct objects *objects)
{
	json_decref(objects->now);
	json_decref(objects->listed);
	*objects = (struct objects){ NULL };
}

/* ---- writing ---- */

static void on_written(void *arg, const struct kube_response *response)
{
	_cleanup_free_ char *text = quote(response->message);

	(void)arg;
	/* Changed or gone meanwhile: then the next look judges it anew. */
	if (response->error ||
	    (response->status >= 400 && response->status != 404 && response->status != 409))
		log_warning("cannot write to a NodeIdentity", "error=\"%s\"", text ?: "");
}

static void write_object(const struct collector *c, const json_t *object, const char *method,
			 json_t *body)
{
	const struct kube_handlers handlers = { .on_done = on_written };
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	char path[NODE_NUMBERS_PATH_MAX];
	const struct kube_request request = {
		.method = method,
		.path = path,
		.body = text,
		.length = text ? strlen(text) : 0,
		.content_type = streq(method, "PATCH") ? "application/merge-patch+json" : NULL,
	};
	struct kube_call *call;

	snprintf(path, sizeof(path), NODE_NUMBERS_PATH "/%.5s", name_of(object));
	json_decref(body);
	if (text && c->leads(c->agent))
		kube_call_start(c->agent->kube, &request, &handlers, &call);
}

static json_t *member(const json_t *object, const char *field)
{
	return json_object_get(json_object_get(object, "metadata"), field);
}

/* Only if it is still as it was judged. */
static json_t *patch_of(const json_t *object, const char *map, const char *key, json_t *value)
{
	return json_pack("{s:{s:O, s:{s:o}}}", "metadata", "resourceVersion",
			 member(object, "resourceVersion"), map, key, value);
}

static void act(const struct collector *c, const json_t *object, enum collector_action action)
{
	const char *node =
		json_string_value(json_object_get(json_object_get(object, "spec"), "node")) ?: "";
	char now[CLOCK_TEXT_MAX];

	clock_text(clock_ns(CLOCK_REALTIME), now);
	if (action == COLLECTOR_LABEL)
		write_object(c, object, "PATCH",
			     patch_of(object, "labels", NODE_NUMBERS_LABEL,
				      json_string(NODE_NUMBERS_KUBERNETES)));
	else if (action == COLLECTOR_MARK)
		write_object(c, object, "PATCH",
			     patch_of(object, "annotations", NODE_NUMBERS_GONE, json_string(now)));
	else if (action == COLLECTOR_UNMARK)
		write_object(c, object, "PATCH",
			     patch_of(object, "annotations", NODE_NUMBERS_GONE, json_null()));
	else
		write_object(c, object, "DELETE",
			     json_pack("{s:s, s:s, s:{s:O, s:O}}", "apiVersion", "v1", "kind",
				       "DeleteOptions", "preconditions", "uid",
				       member(object, "uid"), "resourceVersion",
				       member(object, "resourceVersion")));
	if (action == COLLECTOR_MARK || action == COLLECTOR_DELETE)
		log_info(action == COLLECTOR_MARK ? "a node is gone, its number is kept for now"
						  : "a node's number is free again",
			 "number=%.5s node=\"%s\"", name_of(object), node);
}

/* ---- looking ---- */

static const char *spec_text(const json_t *object, const char *field)
{
	return json_string_value(json_object_get(json_object_get(object, "spec"), field)) ?: "";
}

/* The number of each node's newest record, by name: one that claimed anew has two. */
static json_t *newest(const struct collector *c)
{
	json_t *by_node = json_object(), *object;
	const char *number;

	json_object_foreach(c->records.now, number, object) {
		const char *node = spec_text(object, "node");
		const json_t *other = json_object_get(
			c->records.now, json_string_value(json_object_get(by_node, node)) ?: "");

		/* Times of one spelling: their order is that of the texts. */
		if (!other || strcmp(spec_text(other, "issued"), spec_text(object, "issued")) < 0)
			json_object_set_new(by_node, node, json_string(number));
	}
	return by_node;
}

static bool is_ours(const struct collector *c, const json_t *object)
{
	return streq(spec_text(object, "trustDomain"), c->agent->options->trust_domain);
}

static void look(const struct collector *c)
{
	json_auto_t *by_node = newest(c);
	unsigned int writes = 0;
	const char *number;
	json_t *object;

	json_object_foreach(c->records.now, number, object) {
		const char *node = spec_text(object, "node");
		const char *last = json_string_value(json_object_get(by_node, node));
		const struct collector_case one = {
			.object = object,
			.exists = json_object_get(c->nodes.now, node),
			.replaced = last && !streq(last, number) && *spec_text(object, "issued"),
			.now_ms = clock_ms(CLOCK_REALTIME),
			.key_lifetime_ms = c->agent->options->key_lifetime_s * 1000,
		};
		enum collector_action action = collector_judge(&one);

		if (action == COLLECTOR_KEEP || !is_ours(c, object))
			continue;
		act(c, object, action);
		if (++writes == COLLECTOR_WRITES_MAX)
			return;
	}
}

/* ---- leading ---- */

static int watch(struct collector *c)
{
	static const char *const node_fields[] = { "metadata.name", NULL };
	static const char *const record_fields[] = { "metadata.name",
						     "metadata.uid",
						     "metadata.resourceVersion",
						     "metadata.labels",
						     "metadata.annotations",
						     "spec.node",
						     "spec.trustDomain",
						     "spec.issued",
						     "spec.keys[].notAfter",
						     NULL };
	static const struct kube_resource nodes = {
		.group = "",
		.version = "v1",
		.plural = "nodes",
		.kind = "Node",
		.fields = node_fields,
	};
	static const struct kube_resource records = {
		.group = "countersign.dev",
		.version = "v1alpha1",
		.plural = "nodeidentities",
		.kind = "NodeIdentity",
		.fields = record_fields,
	};
	static const struct kube_reflector_ops ops = {
		.begin = on_begin,
		.set = on_set,
		.gone = on_gone,
		.synced = on_synced,
		.trouble = on_trouble,
	};
	int r;

	c->nodes.now = json_object();
	c->records.now = json_object();
	if (!c->nodes.now || !c->records.now)
		return -ENOMEM;
	r = kube_reflector_new(c->agent->kube, &nodes, &ops, &c->nodes, &c->watch_nodes);
	return r < 0 ? r
		     : kube_reflector_new(c->agent->kube, &records, &ops, &c->records,
					  &c->watch_records);
}

static void unwatch(struct collector *c)
{
	c->watch_nodes = kube_reflector_free(c->watch_nodes);
	c->watch_records = kube_reflector_free(c->watch_records);
	objects_done(&c->nodes);
	objects_done(&c->records);
}

static void wind(const struct collector *c)
{
	const struct timeval wait = { .tv_sec = COLLECTOR_LOOK_MS / 1000 };

	event_add(c->timer, &wait);
}

/* All nodes are only watched by the one that leads. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct collector *c = arg;
	int r = 0;

	(void)fd;
	(void)what;
	wind(c);
	if (!c->leads(c->agent)) {
		unwatch(c);
		return;
	}
	if (!c->watch_records)
		r = watch(c);
	if (r < 0) {
		log_error("cannot watch the nodes", "error=\"%s\"", strerror(-r));
		unwatch(c);
	}
	/* Who does not see the Node it runs on sees too little to say that others are gone. */
	if (c->nodes.synced && c->records.synced &&
	    json_object_get(c->nodes.now, c->agent->node_name))
		look(c);
}

int collector_open(struct agent *agent, collector_leads_fn leads)
{
	struct collector *c;

	if (!agent->options->nodes || !streq(agent->options->nodes, OPTIONS_NODES_KUBERNETES))
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->agent = agent;
	c->leads = leads;
	c->timer = evtimer_new(agent->base, on_timer, c);
	if (!c->timer) {
		free(c);
		return -ENOMEM;
	}
	wind(c);
	agent->collector = c;
	return 0;
}

void collector_done(struct agent *agent)
{
	struct collector *c = agent->collector;

	if (!c)
		return;
	unwatch(c);
	event_free(c->timer);
	free(c);
	agent->collector = NULL;
}
