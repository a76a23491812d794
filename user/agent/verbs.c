/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/verbs.h"

static const struct {
	const char *name;
	void (*run)(struct agent *agent, struct client *client, const json_t *request);
} verbs[] = {
	{ "status", serve_status },
	{ "reload", serve_reload },
	{ "flows", serve_flows },
	{ "explain", serve_explain },
	{ "history", serve_history },
	{ "rollback", serve_rollback },
	{ "release", serve_release },
	{ "unused", serve_unused },
	{ "credentials", serve_credentials },
	{ "nodes", serve_nodes },
	{ "image", serve_image },
};

void serve_verb(struct agent *agent, struct client *client, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "verb"));

	for (size_t i = 0; name && i < ARRAY_SIZE(verbs); i++) {
		if (streq(verbs[i].name, name)) {
			verbs[i].run(agent, client, request);
			return;
		}
	}
	client_error(client, "no such verb: expected \"verb\": status, reload, flows, explain, "
			     "history, rollback, release, unused, credentials or nodes");
}
