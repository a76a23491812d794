/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/status_check.h"

#include "user/cli/client.h"

static const char *const words[] = {
	[STATUS_CHECK_LIVE] = "live",
	[STATUS_CHECK_READY] = "ready",
	[STATUS_CHECK_HEALTHY] = "healthy",
};

int status_check_from_word(const char *word)
{
	for (size_t i = STATUS_CHECK_LIVE; i < ARRAY_SIZE(words); i++)
		if (streq(words[i], word))
			return (int)i;
	return -EINVAL;
}

/* Why it is not ready, or NULL. What is missing in the answer is not ready either. */
static const char *not_ready(const json_t *status)
{
	const json_t *programs = json_object_get(status, "programs");
	const json_t *reload = json_object_get(status, "last_reload");
	json_int_t expected = client_number(programs, "expected");

	if (!expected || client_number(programs, "attached") < expected)
		return "not all programs are attached";
	if (!client_number(status, "epoch"))
		return "no policy is in force yet";
	/* What an earlier agent left is in force, but this one does not know it. */
	if (!json_is_true(json_object_get(reload, "ok")) &&
	    !json_is_true(json_object_get(status, "last_good")))
		return "this agent has put no policy in force yet";
	return NULL;
}

static const char *first_problem(const json_t *status)
{
	const json_t *problems = json_object_get(status, "problems");

	if (json_is_true(json_object_get(status, "healthy")))
		return NULL;
	return json_string_value(json_array_get(problems, 0)) ?: "unhealthy";
}

int status_check_print(const struct cli *cli, enum status_check check, const json_t *status)
{
	const char *problem = NULL;

	if (check >= STATUS_CHECK_READY)
		problem = not_ready(status);
	if (!problem && check == STATUS_CHECK_HEALTHY)
		problem = first_problem(status);
	cli_put(cli->out, problem ?: words[check]);
	fputc('\n', cli->out);
	return problem ? CLI_FAILED : CLI_OK;
}
