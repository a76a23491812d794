/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "user/flow/endpoint.h"
#include "user/flow/flow.h"
#include "user/flow/packet.h"
#include "user/flow/text.h"

#define EVENT_TYPE_POLICY_VERDICT 5 /* Cilium's monitor message type */
#define NANOSECONDS 1000000000LL
#define EXPIRES_S_MAX 253402300799LL /* the last second of the year 9999 */

/* One event on its way to JSON. */
struct conversion {
	const struct cs_event *event;
	const struct flow_names *names;
	const struct image_rule *rule; /* NULL: none, or not known any more */
	struct endpoints sides;
};

static void time_text(const struct conversion *c, size_t size, char ret[static size])
{
	/* unsigned, where garbage may wrap around */
	int64_t ns = (int64_t)(c->event->time_ns + (uint64_t)c->names->boot_to_real_ns);
	time_t seconds = MAX(ns, 0) / NANOSECONDS;
	struct tm tm;
	size_t length;

	gmtime_r(&seconds, &tm);
	length = strftime(ret, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + length, size - length, ".%09lldZ", (long long)(MAX(ns, 0) % NANOSECONDS));
}

/* Stable: the same event gets the same uuid however often it is shown. Version 8: our own. */
static json_t *uuid_to_json(const struct conversion *c)
{
	static const struct cs_key keys[] = { { 1, 0 }, { 2, 0 } }; /* two halves; no secret */
	const struct cs_event *event = c->event;
	const char *node = c->names->node_name ? c->names->node_name : "";
	uint64_t half[ARRAY_SIZE(keys)];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		uint64_t words[] = {
			cs_siphash_bytes(&keys[i], node, strlen(node)),
			cs_siphash_bytes(&keys[i], event, sizeof(*event)),
		};

		half[i] = cs_siphash_bytes(&keys[i], words, sizeof(words));
	}
	half[0] = (half[0] & ~0xf000ULL) | 0x8000ULL;
	half[1] = (half[1] & ~(3ULL << 62)) | (2ULL << 62);
	return json_sprintf("%08x-%04x-%04x-%04x-%012llx", (unsigned int)(half[0] >> 32),
			    (unsigned int)(half[0] >> 16) & 0xffff, (unsigned int)half[0] & 0xffff,
			    (unsigned int)(half[1] >> 48),
			    (unsigned long long)(half[1] & 0xffffffffffffULL));
}

char *flow_rule_text(const struct image_rule *rule)
{
	const char *namespace = rule->namespace ? rule->namespace : "";
	const char *name = rule->rule ? rule->rule : "";
	char *text;

	if (asprintf(&text, "%s%s%s%s%s", namespace, *namespace ? "/" : "",
		     rule->policy ? rule->policy : "", *name && *name != '#' ? "#" : "", name) < 0)
		return NULL;
	return text;
}

static const char *direction_text(const struct cs_event *event)
{
	return event->direction == CS_INGRESS ? "INGRESS" : "EGRESS";
}

/* proto3 JSON writes 64-bit numbers as strings, and so does Hubble. */
static json_t *u64_to_json(uint64_t number)
{
	return json_sprintf("%llu", (unsigned long long)number);
}

/* Hubble's {ingress,egress}_{allowed,denied}_by. An audited flow names what would deny it. */
static void set_policy(json_t *flow, const struct conversion *c)
{
	static const char *const keys[CS_DIRECTIONS][2] = {
		[CS_INGRESS] = { "ingress_denied_by", "ingress_allowed_by" },
		[CS_EGRESS] = { "egress_denied_by", "egress_allowed_by" },
	};
	bool allowed = c->event->verdict == CS_VERDICT_ALLOW;
	const struct image_rule *rule = c->rule;
	json_t *policy;

	if (!rule)
		return;
	policy = json_pack("{s:s*, s:s*, s:s*, s:o}", "name", rule->policy, "namespace",
			   rule->namespace, "kind", rule->kind, "revision",
			   u64_to_json(c->event->epoch));
	json_object_set_new(flow, keys[c->event->direction % CS_DIRECTIONS][allowed],
			    json_pack("[o]", policy));
}

static json_t *match_to_json(const struct conversion *c)
{
	if (c->event->reason == CS_REASON_NOT_ISOLATED)
		return json_integer(MATCH_ALL);
	return json_integer(name_index_match(c->sides.source.index, c->event->rule));
}

static const char *tier_text(const struct image_rule *rule)
{
	static const char *const tiers[] = { "Admin", "Default", "Baseline" };

	/* Of a rule that is gone only the name is left. */
	return rule->file && rule->tier < ARRAY_SIZE(tiers) ? tiers[rule->tier] : NULL;
}

/* Rules that end say why they were made, for whoever reads of what they let through. */
static json_t *exception_to_json(const struct image_rule *rule)
{
	time_t seconds = MIN(rule->expires_s, EXPIRES_S_MAX);
	char expires[sizeof("9999-12-31T23:59:59Z")];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(expires, sizeof(expires), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:s*, s:s*, s:s*}", "expires", expires, "reason", rule->reason,
			 "ticket", rule->ticket, "approver", rule->approver);
}

static void set_rule(json_t *object, const struct image_rule *rule)
{
	_cleanup_free_ char *name = flow_rule_text(rule);
	const char *tier = tier_text(rule);

	if (name)
		json_object_set_new(object, "rule", json_string(name));
	if (tier)
		json_object_set_new(object, "tier", json_string(tier));
	if (rule->expires_s > 0)
		json_object_set_new(object, "exception", exception_to_json(rule));
}

static void set_decision(json_t *object, const struct conversion *c)
{
	const struct text_reason *reason = text_reason(c->event->reason);

	json_object_set_new(object, "reason", json_string(reason->name));
	json_object_set_new(object, "reason_text", json_string(reason->text));
	if (*reason->remedy)
		json_object_set_new(object, "remedy", json_string(reason->remedy));
	if (c->rule)
		set_rule(object, c->rule);
	if (c->event->rule != CS_RULE_ID_NONE)
		json_object_set_new(object, "rule_id", json_integer(c->event->rule));
}

static void set_flags(json_t *object, uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} names[] = {
		{ CS_EVENT_LIVE, "live" },
		{ CS_EVENT_EARLY, "early" },
		{ CS_EVENT_CONNECT, "connect" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			json_object_set_new(object, names[i].name, json_true());
}

static void set_original_destination(json_t *object, const struct cs_event *event)
{
	json_t *text = packet_original_destination(event);

	if (text)
		json_object_set_new(object, "original_destination", text);
}

static json_t *extension_to_json(const struct conversion *c)
{
	const struct cs_event *event = c->event;
	const struct text_auth *auth = text_auth(event->auth);
	json_t *object = json_object();

	set_decision(object, c);
	json_object_set_new(object, "direction", json_string(direction_text(event)));
	json_object_set_new(object, "authentication", json_string(auth->level));
	json_object_set_new(object, "authentication_detail", json_string(auth->text));
	if (cs_tag_node(event->peer))
		json_object_set_new(object, "peer_node", json_integer(cs_tag_node(event->peer)));
	json_object_set_new(object, "epoch", json_integer(event->epoch));
	json_object_set_new(object, "pid", json_integer(event->pid));
	json_object_set_new(object, "source", endpoint_to_extension(&c->sides.source));
	json_object_set_new(object, "destination", endpoint_to_extension(&c->sides.destination));
	set_original_destination(object, event);
	set_flags(object, event->flags);
	return object;
}

static void set_network(json_t *flow, const struct conversion *c)
{
	json_t *l4 = packet_l4(c->event);

	json_object_set_new(flow, "IP", packet_ip(c->event));
	if (l4)
		json_object_set_new(flow, "l4", l4);
	json_object_set_new(flow, "source", endpoint_to_json(&c->sides.source));
	json_object_set_new(flow, "destination", endpoint_to_json(&c->sides.destination));
	json_object_set_new(flow, "Type", json_string("L3_L4"));
}

static void set_kind(json_t *flow, const struct conversion *c)
{
	const struct cs_event *event = c->event;

	json_object_set_new(flow, "node_name", json_string(c->names->node_name));
	json_object_set_new(flow, "is_reply", json_false());
	json_object_set_new(flow, "event_type",
			    json_pack("{s:i}", "type", EVENT_TYPE_POLICY_VERDICT));
	json_object_set_new(flow, "traffic_direction", json_string(direction_text(event)));
	json_object_set_new(flow, "policy_match_type", match_to_json(c));
	json_object_set_new(flow, "socket_cookie", u64_to_json(event->socket_cookie));
	json_object_set_new(flow, "cgroup_id", u64_to_json(event->cgroup_id));
	set_policy(flow, c);
}

static json_t *flow_object(const struct conversion *c, const char *time)
{
	const struct cs_event *event = c->event;
	const char *drop = text_reason(event->reason)->drop;
	json_t *flow = json_object();

	json_object_set_new(flow, "time", json_string(time));
	json_object_set_new(flow, "uuid", uuid_to_json(c));
	json_object_set_new(flow, "verdict", json_string(flow_verdict_name(event->verdict)));
	if (event->verdict == CS_VERDICT_DENY && *drop)
		json_object_set_new(flow, "drop_reason_desc", json_string(drop));
	set_network(flow, c);
	set_kind(flow, c);
	json_object_set_new(flow, "Summary", packet_summary(event));
	json_object_set_new(flow, "extensions",
			    json_pack("{s:o}", "countersign", extension_to_json(c)));
	return flow;
}

static struct conversion conversion_of(const struct cs_event *event, const struct flow_names *names)
{
	const struct image *image = names->image_at ? names->image_at(names->arg, event->epoch)
						    : NULL;

	return (struct conversion){
		.event = event,
		.names = names,
		.rule = image ? image_rule(image, event->rule) : NULL,
		.sides = endpoints_of(event, image),
	};
}

json_t *flow_to_json(const struct cs_event *event, const struct flow_names *names)
{
	struct conversion c = conversion_of(event, names);
	char time[sizeof("-2147481748-01-01T00:00:00.000000000Z")];
	json_t *root = json_object();

	time_text(&c, sizeof(time), time);
	json_object_set_new(root, "flow", flow_object(&c, time));
	json_object_set_new(root, "node_name", json_string(names->node_name));
	json_object_set_new(root, "time", json_string(time));
	return root;
}

void flow_forget_image(const struct image *image)
{
	if (image)
		name_index_forget(image);
}
