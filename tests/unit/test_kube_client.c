/* SPDX-License-Identifier: Apache-2.0 */
/* One call with what a server may answer. */
#include <criterion/criterion.h>
#include <fcntl.h>

#include "tests/unit/test_kube_server.h"

struct heard {
	bool done;
	int error;
	long status;
	int64_t retry_after_ms;
	char message[KUBE_ERROR_MAX], reason[64];
	char body[256];
	size_t bytes, parts;
	struct kube_call *call;
	bool cancels;
};

static void on_done(void *arg, const struct kube_response *response)
{
	struct heard *heard = arg;

	cr_expect_not(heard->done);
	heard->done = true;
	heard->error = response->error;
	heard->status = response->status;
	heard->retry_after_ms = response->retry_after_ms;
	snprintf(heard->message, sizeof(heard->message), "%s", response->message);
	snprintf(heard->reason, sizeof(heard->reason), "%s", response->reason);
	if (response->body)
		snprintf(heard->body, sizeof(heard->body), "%s", response->body);
}

static int on_data(void *arg, const char *data, size_t length)
{
	struct heard *heard = arg;

	(void)data;
	heard->bytes += length;
	if (heard->parts++ && heard->cancels) {
		kube_call_cancel(heard->call);
		heard->done = true;
	}
	return 0;
}

static void ask(const struct scripted *script, size_t n, const struct kube_request *request,
		bool streams, struct heard *heard, struct scripted_server *server)
{
	const struct kube_handlers handlers = { streams ? on_data : NULL, on_done, heard };
	struct kube_client *client;

	scripted_start(server, script, n);
	client = scripted_client(server);
	cr_assert_eq(kube_call_start(client, request, &handlers, &heard->call), 0);
	cr_expect_not(heard->done);
	cr_expect(scripted_run(server, &heard->done, 3000));
	kube_client_free(client);
}

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"
#define SAYS(text)                                    \
	{                                             \
		"GET /x HTTP/1.1", text, false, false \
	}

static const struct {
	struct scripted scripted;
	int error;
	long status;
	int64_t retry_after_ms;
	const char *reason, *message;
} answers[] = {
	{ { "GET /x", JSON_200 "{}", false, true }, 0, 200, 0, "", "" },
	{ SAYS(HEAD("201 Created") "Content-Length: 2\r\n\r\n{}"), 0, 201, 0, "", "" },
	{ SAYS(HEAD("404 Not Found") "\r\n404 page not found\n"), 0, 404, 0, "",
	  "HTTP 404: the server has no such resource" },
	{ SAYS(HEAD("409 Conflict") "\r\n{\"kind\":\"Status\",\"reason\":\"AlreadyExists\","
				    "\"message\":\"a \\\"b\\\" already exists\"}"),
	  0, 409, 0, "AlreadyExists", "AlreadyExists: a \"b\" already exists" },
	{ SAYS(HEAD("429 Too Many Requests") "Retry-After: 7\r\n\r\n"), 0, 429, 7000, "",
	  "HTTP 429" },
	{ SAYS(HEAD("503 Away") "Retry-After: 99999999\r\n\r\n"), 0, 503, 3600000, "",
	  "not ready" },
	{ SAYS(HEAD("307 Moved") "Location: http://127.0.0.1:1/\r\n\r\n"), 0, 307, 0, "",
	  "sends us elsewhere, which is refused" },
	{ SAYS(HEAD("500 X") "\r\n[\"kind\""), 0, 500, 0, "", "no Status object" },
	{ SAYS(""), -ECONNRESET, 0, 0, "", "" },
	{ SAYS(HEAD("200 OK") "Content-Length: 10\r\n\r\n{}"), -ECONNRESET, 200, 0, "", "" },
	{ { "GET /x", "", true, false }, -ETIMEDOUT, 0, 0, "", "took too long" },
};

Test(kube_client, answers)
{
	const struct kube_request request = { .path = "/x", .timeout_ms = 300 };

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct scripted_server server;
		struct heard heard = { 0 };

		ask(&answers[i].scripted, 1, &request, false, &heard, &server);
		cr_expect_eq(heard.error, answers[i].error, "%zu: %d %s", i, heard.error,
			     heard.message);
		cr_expect_eq(heard.status, answers[i].status, "%zu: %ld", i, heard.status);
		cr_expect_eq(heard.retry_after_ms, answers[i].retry_after_ms, "%zu", i);
		cr_expect_str_eq(heard.reason, answers[i].reason);
		cr_expect_not_null(strstr(heard.message, answers[i].message), "%zu: %s", i,
				   heard.message);
		cr_expect_eq(server.requests, 1);
		scripted_stop(&server);
	}
}

Test(kube_client, what_is_sent)
{
	static const struct scripted script = { "PATCH /y?a=b HTTP/1.1", JSON_200 "{\"a\":1}",
						false, false };
	const struct kube_request request = { .method = "PATCH",
					      .path = "/y?a=b",
					      .body = "{\"b\":2}",
					      .length = 7,
					      .content_type = "application/merge-patch+json" };
	struct scripted_server server;
	struct heard heard = { 0 };

	ask(&script, 1, &request, false, &heard, &server);
	cr_expect_str_eq(heard.body, "{\"a\":1}");
	cr_expect_not_null(
		strstr(server.request[0], "Content-Type: application/merge-patch+json\r\n"));
	cr_expect_not_null(strstr(server.request[0], "Content-Length: 7\r\n"));
	cr_expect_not_null(strstr(server.request[0], "Accept: application/json\r\n"));
	cr_expect_null(strstr(server.request[0], "Authorization"));
	scripted_stop(&server);
}

Test(kube_client, a_stream_that_goes_silent)
{
	static const struct scripted script = { "GET /w", JSON_200 "some", true, false };
	const struct kube_request request = { .path = "/w", .silence_ms = 200 };
	struct scripted_server server;
	struct heard heard = { 0 };

	ask(&script, 1, &request, true, &heard, &server);
	cr_expect_eq(heard.error, -ETIMEDOUT);
	cr_expect_eq(heard.bytes, 4);
	scripted_stop(&server);
}

Test(kube_client, a_stream_ends_from_within)
{
	static const struct scripted script = { "GET /w", JSON_200 "some", true, false };
	const struct kube_request request = { .path = "/w" };
	struct scripted_server server;
	struct heard heard = { .cancels = true };

	ask(&script, 1, &request, true, &heard, &server);
	cr_expect_eq(heard.bytes, 4);
	scripted_stop(&server);
}

/* Plain HTTP: the configuration is made by hand, a kubeconfig with this is refused. */
Test(kube_client, a_token_that_is_refused_is_read_again_once)
{
	static const struct scripted script[] = {
		SAYS(HEAD("401 Unauthorized") "\r\n"),
	};
	const struct kube_request request = { .path = "/x" };
	char path[] = "/tmp/kube-token-XXXXXX";
	int fd = mkstemp(path);
	struct scripted_server server;
	struct kube_client *client;
	struct kube_answer answer;

	cr_assert_eq(write(fd, "one\n", 4), 4);
	scripted_start(&server, script, 1);
	client = scripted_client(&server);
	client->config->token.path = strdup(path);
	cr_assert_eq(kube_call_wait(client, &request, &answer), 0);
	cr_expect_eq(answer.response.status, 401);
	cr_expect_eq(server.requests, 2);
	cr_expect_not_null(strstr(server.request[0], "Authorization: Bearer one\r\n"));
	kube_answer_done(&answer);
	cr_assert_eq(pwrite(fd, "two\n", 4, 0), 4);
	cr_assert_eq(kube_call_wait(client, &request, &answer), 0);
	cr_expect_not_null(strstr(server.request[2], "Authorization: Bearer two\r\n"));
	kube_answer_done(&answer);
	kube_client_free(client);
	scripted_stop(&server);
	close(fd);
	unlink(path);
}

Test(kube_client, more_calls_than_run_at_once_wait)
{
	static const struct scripted script = { "GET /w", JSON_200 "x", true, false };
	const struct kube_request request = { .path = "/w", .timeout_ms = 60000 };
	const struct kube_handlers handlers = { 0 };
	struct scripted_server server;
	struct kube_client *client;
	size_t n = 0;

	scripted_start(&server, &script, 1);
	client = scripted_client(&server);
	while (kube_call_start(client, &request, &handlers, NULL) == 0)
		n++;
	cr_expect_eq(n, KUBE_QUEUE_MAX);
	cr_expect_eq(kube_call_start(client, &request, &handlers, NULL), -EBUSY);
	kube_client_free(client);
	scripted_stop(&server);
}

Test(kube_client, nobody_listens)
{
	const struct kube_request request = { .path = "/x" };
	struct scripted_server server;
	struct kube_client_stats stats;
	struct kube_client *client;
	struct kube_answer answer;

	scripted_start(&server, &(struct scripted){ 0 }, 1);
	client = scripted_client(&server);
	close(server.fd);
	cr_assert_eq(kube_call_wait(client, &request, &answer), 0);
	cr_expect_eq(answer.response.error, -ECONNREFUSED);
	kube_client_stats(client, &stats);
	cr_expect_eq(stats.failures, 1);
	cr_expect_str_neq(stats.last_error, "");
	kube_answer_done(&answer);
	kube_client_free(client);
	server.fd = open("/dev/null", O_RDONLY);
	scripted_stop(&server);
}

/* Full jitter: anywhere between nothing and a limit that doubles up to 30 s. */
Test(kube_client, backoff)
{
	static const unsigned int limits[] = {
		500, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000
	};

	for (unsigned int failures = 0; failures < ARRAY_SIZE(limits); failures++) {
		uint64_t sum = 0, low = 0;

		for (int i = 0; i < 10000; i++) {
			unsigned int ms = kube_backoff_ms(failures);

			cr_assert(ms > 0 && ms <= limits[failures]);
			sum += ms;
			low += ms <= limits[failures] / 10;
		}
		cr_expect(sum / 10000 > limits[failures] * 45 / 100 &&
			  sum / 10000 < limits[failures] * 55 / 100);
		cr_expect(low > 700 && low < 1300, "%lu of 10000", low);
	}
	cr_expect_leq(kube_backoff_ms(1000000), 30000);
}
