/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/collector_judge.h"

#include "user/agent/node_numbers.h"
#include "user/credential/node_record.h"
#include "user/credential/node_text.h"

static const char *metadata_of(const json_t *object, const char *map, const char *key)
{
	const json_t *metadata = json_object_get(object, "metadata");

	return json_string_value(json_object_get(json_object_get(metadata, map), key));
}

/* When the last of its keys ends; 0: there is none. */
static int64_t last_key_ms(const json_t *object)
{
	const json_t *spec = json_object_get(object, "spec"), *key;
	int64_t last_ms = 0, ms;
	size_t i;

	json_array_foreach(json_object_get(spec, "keys"), i, key) {
		const char *text = json_string_value(json_object_get(key, "notAfter"));

		if (text && node_time_parse(text, &ms) == 0)
			last_ms = MAX(last_ms, ms);
	}
	return last_ms;
}

/* A mark of the future or of no time at all is none. */
static bool is_marked(const struct collector_case *c, int64_t *ret_since_ms)
{
	const char *since = metadata_of(c->object, "annotations", NODE_NUMBERS_GONE);

	return since && node_time_parse(since, ret_since_ms) == 0 &&
	       *ret_since_ms <= c->now_ms + NODE_SKEW_MS;
}

enum collector_action collector_judge(const struct collector_case *c)
{
	const char *label = metadata_of(c->object, "labels", NODE_NUMBERS_LABEL);
	bool was_node = label && streq(label, NODE_NUMBERS_KUBERNETES);
	int64_t since_ms = 0;
	bool marked = is_marked(c, &since_ms);

	if (c->exists && !c->replaced) {
		if (metadata_of(c->object, "annotations", NODE_NUMBERS_GONE))
			return COLLECTOR_UNMARK;
		return was_node ? COLLECTOR_KEEP : COLLECTOR_LABEL;
	}
	/* A machine outside of the cluster never had a Node object: it is not missed. */
	if (!was_node && !c->replaced)
		return COLLECTOR_KEEP;
	if (!marked)
		return COLLECTOR_MARK;
	if (c->now_ms < since_ms + c->key_lifetime_ms + NODE_SKEW_MS ||
	    c->now_ms < last_key_ms(c->object) + NODE_SKEW_MS)
		return COLLECTOR_KEEP;
	return COLLECTOR_DELETE;
}
