/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"verb":"reload", "note":"..."}: answers when no packet is judged by the old policy any
 * more. {"verb":"rollback", "revision":N} and {"verb":"release"} do the same for another
 * source of policy: an old revision, and the manifests again.
 */
#include "user/agent/json_text.h"
#include "user/agent/reload.h"
#include "user/agent/reload_changes.h"
#include "user/agent/verbs.h"

#define WAITS_MAX 256

bool serve_origin(struct client *client, const json_t *request, struct origin *ret)
{
	int r = client_origin(client, request, ret);

	if (r == -EINVAL)
		client_error(client, "the note: expected " NOTE_EXPECTED);
	else if (r < 0)
		client_error(client, strerror(-r));
	return r == 0;
}

void serve_outcome(struct client *client, int r, const struct agent_reload *outcome,
		   const char *error)
{
	json_t *errors;

	if (r == 0) {
		client_line(client,
			    json_pack("{s:b, s:I, s:I}", "ok", 1, "epoch",
				      (json_int_t)outcome->epoch, "cut", (json_int_t)outcome->cut));
		return;
	}
	errors = json_array();
	for (size_t i = 0; i < outcome->n_errors; i++)
		json_array_append_new(errors, json_text(outcome->errors[i]));
	client_line(client, json_pack("{s:s, s:o}", "error", error, "errors", errors));
}

/* Success would say that the manifests are in force. */
static void say_that_they_wait(const struct agent *agent, struct client *client)
{
	char text[WAITS_MAX];

	snprintf(text, sizeof(text),
		 "the manifests are fine but wait: revision %u is pinned; "
		 "`countersign policy release` puts them in force",
		 agent->rollback.pin.revision);
	client_error(client, text);
}

void serve_reload(struct agent *agent, struct client *client, const json_t *request)
{
	struct origin origin;
	int r;

	if (!serve_origin(client, request, &origin))
		return;
	agent->rollback.origin = &origin;
	r = reload_asked(agent);
	agent->rollback.origin = NULL;
	if (r == 0 && rollback_is_pinned(agent))
		say_that_they_wait(agent, client);
	else
		serve_outcome(client, r, &agent->last,
			      "the manifests are refused; what was in force stays in force");
}

void serve_rollback(struct agent *agent, struct client *client, const json_t *request)
{
	json_int_t number = json_integer_value(json_object_get(request, "revision"));
	struct agent_reload outcome;
	struct origin origin;
	int r;

	if (number < 1 || number > UINT32_MAX) {
		client_error(client, "expected \"revision\": the number of one, see history");
		return;
	}
	if (!serve_origin(client, request, &origin))
		return;
	r = rollback_to(agent, number, &origin, &outcome);
	serve_outcome(client, r, &outcome, "no rollback; what was in force stays in force");
	reload_done(&outcome);
}

void serve_release(struct agent *agent, struct client *client, const json_t *request)
{
	struct origin origin;
	int r;

	if (!serve_origin(client, request, &origin))
		return;
	r = rollback_release(agent, &origin);
	if (r == -ENOENT && !rollback_is_pinned(agent))
		client_error(client, "nothing is pinned");
	else
		serve_outcome(client, r, &agent->last,
			      "the manifests are refused; the pinned revision stays in force");
}
