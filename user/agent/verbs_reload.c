/* SPDX-License-Identifier: Apache-2.0 */
/* {"verb":"reload"}: answers when no packet is judged by the old policy any more. */
#include "user/agent/json_text.h"
#include "user/agent/reload.h"
#include "user/agent/verbs.h"

void serve_reload(struct agent *agent, struct client *client, const json_t *request)
{
	const struct agent_reload *last = &agent->last;
	json_t *errors;
	int r;

	(void)request;
	r = reload(agent);
	if (r == 0) {
		client_line(client,
			    json_pack("{s:b, s:I, s:I}", "ok", 1, "epoch", (json_int_t)last->epoch,
				      "cut", (json_int_t)last->cut));
		return;
	}
	errors = json_array();
	for (size_t i = 0; i < last->n_errors; i++)
		json_array_append_new(errors, json_text(last->errors[i]));
	client_line(client, json_pack("{s:s, s:o}", "error",
				      "the manifests are refused; what was in force stays in force",
				      "errors", errors));
}
