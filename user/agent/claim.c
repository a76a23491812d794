/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/claim.h"

#include <fcntl.h>

#include "user/agent/agent.h"
#include "user/agent/node_numbers.h"
#include "user/base/file.h"
#include "user/base/file_write.h"
#include "user/base/quote.h"

#define FILE_NAME "node-number"
#define FILE_BYTES_MAX 128
#define HTTP_CREATED 201
#define HTTP_OK 200
#define HTTP_CONFLICT 409
#define HTTP_NOT_FOUND 404

/* ---- asking ---- */

static int no_answer(const struct kube_response *response, struct kube_error *reterr)
{
	if (!response->error && response->status == HTTP_NOT_FOUND)
		return kube_fail(reterr, -EAGAIN,
				 "%s: apply the CRD nodeidentities.countersign.dev first",
				 response->message);
	return kube_fail(reterr, -EAGAIN, "%s", response->message);
}

/* 1: the object of @number is this node's; 0: another's, or gone by now. */
static int is_ours(const struct claim_options *options, uint16_t number, struct kube_error *reterr)
{
	_cleanup_(kube_answer_done) struct kube_answer answer = { 0 };
	char path[NODE_NUMBERS_PATH_MAX];
	const struct kube_request request = { .path = node_numbers_path(number, path) };
	const struct kube_response *response = &answer.response;
	json_auto_t *object = NULL;
	int r = kube_call_wait(options->client, &request, &answer);

	if (r < 0)
		return kube_fail(reterr, r, "%s", strerror(-r));
	if (!response->error && response->status == HTTP_NOT_FOUND)
		return 0;
	if (response->error || response->status != HTTP_OK)
		return no_answer(response, reterr);
	object = json_loadb(answer.body, response->length, 0, NULL);
	return node_numbers_is_of(object, options->trust_domain, options->name);
}

/* 1: @number is ours; 0: it is another's. */
static int try_number(const struct claim_options *options, uint16_t number,
		      struct kube_error *reterr)
{
	_cleanup_free_ char *body =
		node_numbers_claim(number, options->trust_domain, options->name);
	_cleanup_(kube_answer_done) struct kube_answer answer = { 0 };
	const struct kube_request request = {
		.method = "POST",
		.path = NODE_NUMBERS_PATH,
		.body = body,
		.length = body ? strlen(body) : 0,
	};
	int r = body ? kube_call_wait(options->client, &request, &answer) : -ENOMEM;

	if (r < 0)
		return kube_fail(reterr, r, "%s", strerror(-r));
	if (!answer.response.error && answer.response.status == HTTP_CREATED)
		return 1;
	/* An answer that was lost may have created it as well. */
	if (!answer.response.error && answer.response.status == HTTP_CONFLICT)
		return is_ours(options, number, reterr);
	return no_answer(&answer.response, reterr);
}

int claim_number(const struct claim_options *options, uint16_t *ret, struct kube_error *reterr)
{
	for (unsigned int i = 0; i < NODE_NUMBERS_TRIES_MAX; i++) {
		uint16_t number = node_numbers_try(options->name, i);
		int r = try_number(options, number, reterr);

		if (r < 0)
			return r;
		if (r > 0) {
			*ret = number;
			return 0;
		}
	}
	return kube_fail(reterr, -ENOSPC,
			 "%d numbers are other nodes': delete NodeIdentity objects of nodes that "
			 "are gone, or give this node a number with --node",
			 NODE_NUMBERS_TRIES_MAX);
}

/* ---- keeping ---- */

static uint16_t read_kept(const struct agent *agent)
{
	_cleanup_free_ char *path = path_join(agent->options->state, FILE_NAME);
	_cleanup_free_ char *text = NULL;
	size_t length = 0;

	if (!path || file_read_at(AT_FDCWD, path, FILE_BYTES_MAX, &text, &length) < 0)
		return 0;
	return node_numbers_kept(text, agent->node_name);
}

static void keep(const struct agent *agent, uint16_t number)
{
	_cleanup_close_ int dir = open(agent->options->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[FILE_BYTES_MAX];
	int n = snprintf(text, sizeof(text), "%u %s\n", number, agent->node_name);
	int r = dir < 0 ? -errno : file_write_at(dir, FILE_NAME, text, n, 0644, /* fresh= */ false);

	if (r < 0)
		log_warning("cannot keep the node's number for the next start",
			    "state=\"%s\" error=\"%s\"", agent->options->state, strerror(-r));
}

/* ---- the start ---- */

static void wait_ms(unsigned int ms)
{
	const struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&wait, NULL);
}

static void say_waiting(const struct kube_error *error, unsigned int ms)
{
	_cleanup_free_ char *text = quote(error->text);

	log_warning("waits for a node number", "error=\"%s\" retry_ms=%u", text ?: "", ms);
}

static int claim_until_answered(struct agent *agent)
{
	const struct claim_options options = {
		.client = agent->kube,
		.trust_domain = agent->options->trust_domain,
		.name = agent->node_name,
	};
	struct kube_error error = { "" };
	unsigned int failures = 0, ms;
	int r;

	while ((r = claim_number(&options, &agent->number, &error)) == -EAGAIN) {
		ms = kube_backoff_ms(++failures);
		say_waiting(&error, ms);
		wait_ms(ms);
	}
	if (r < 0)
		log_error("cannot claim a node number", "error=\"%s\"", error.text);
	return r;
}

int claim_open(struct agent *agent)
{
	int r;

	agent->number = agent->options->node;
	if (!agent->options->node_auto)
		return 0;
	agent->number = read_kept(agent);
	if (agent->number) {
		log_info("goes on with the node number of before", "number=%u", agent->number);
		return 0;
	}
	r = claim_until_answered(agent);
	if (r < 0)
		return r;
	log_info("claimed a node number", "number=%u name=\"%s\"", agent->number, agent->node_name);
	keep(agent, agent->number);
	return 0;
}
