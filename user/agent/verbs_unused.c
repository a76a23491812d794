/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"verb":"unused", "since_s":N}: the rules of this node's workloads that were never hit in
 * the at least N seconds that their hits are counted. First {"rules":N,"unused":N}, then
 * an object per rule. Defaults are no rules: nobody wrote them.
 */
#include "user/agent/json_text.h"
#include "user/agent/list_stream.h"
#include "user/agent/local_rules.h"
#include "user/agent/verbs.h"
#include "user/agent/words.h"
#include "user/base/clock.h"

/* What one request works with. */
struct search {
	struct agent *agent;
	const struct image *image;
	struct local_rule *rules;
	uint64_t *hits;
	uint64_t now_ns; /* CLOCK_BOOTTIME */
	uint64_t since_s; /* counted for that long at least */
	size_t n_rules; /* looked at */
};

static void search_done(struct search *search)
{
	free(search->rules);
	free(search->hits);
}

static json_t *rule_json(const struct search *search, size_t id, uint64_t since_ns)
{
	const struct image_rule *rule = &search->image->rules[id];
	_cleanup_free_ char *name = flow_rule_text(rule);
	char since[CLOCK_TEXT_MAX];
	json_t *object;

	clock_text(since_ns + clock_boot_to_real_ns(), since);
	object = json_pack("{s:o, s:s, s:s, s:s, s:I}", "rule", json_text(name ?: ""), "kind",
			   rule->kind, "action", action_word(search->rules[id].action), "since",
			   since, "counted_s",
			   (json_int_t)((search->now_ns - since_ns) / NS_PER_S));
	if (rule->file) {
		json_object_set_new(object, "file", json_text(rule->file));
		json_object_set_new(object, "line", json_integer(rule->line));
	}
	return object;
}

static json_t *find_unused(struct search *search)
{
	json_t *list = json_array();

	for (size_t id = 1; id < search->image->n_rules; id++) {
		struct rule_age age;

		if (!search->rules[id].action)
			continue;
		search->n_rules++;
		age = rule_ages_get(&search->agent->rule_ages, search->image, id, search->hits[id],
				    search->now_ns);
		if (search->hits[id] == age.base &&
		    search->now_ns - age.since_ns >= search->since_s * NS_PER_S)
			json_array_append_new(list, rule_json(search, id, age.since_ns));
	}
	return list;
}

void serve_unused(struct agent *agent, struct client *client, const json_t *request)
{
	const struct image *image = epochs_current(&agent->epochs);
	json_int_t since_s = json_integer_value(json_object_get(request, "since_s"));
	_cleanup_(search_done) struct search search = {
		.agent = agent,
		.image = image,
		.now_ns = clock_ns(CLOCK_BOOTTIME),
		.since_s = MIN(MAX(since_s, 0), INT32_MAX),
	};
	json_t *list;

	if (!image) {
		client_error(client, "this agent has read no manifests yet: see the last reload's "
				     "errors in status");
		return;
	}
	search.rules = local_rules(image);
	search.hits = calloc(image->n_rules + 1, sizeof(*search.hits));
	if (!search.rules || !search.hits) {
		client_error(client, strerror(ENOMEM));
		return;
	}
	if (datapath_rule_hits(agent->dp, search.hits, image->n_rules) < 0) {
		client_error(client, datapath_error(agent->dp));
		return;
	}
	list = find_unused(&search);
	list_stream_send(client,
			 json_pack("{s:I, s:I}", "rules", (json_int_t)search.n_rules, "unused",
				   (json_int_t)json_array_size(list)),
			 list);
}
