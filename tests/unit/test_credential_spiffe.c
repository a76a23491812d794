/* SPDX-License-Identifier: Apache-2.0 */
/* The source spiffe: good answers, several SVIDs, lost connections, silence. */
#include <poll.h>

#include "tests/unit/test_credential_spiffe.h"
#include "user/base/clock.h"
#include "user/credential/workload.h"

#define DEADLINE_MS 10000
#define OTHER_ID "spiffe://example.org/countersign/node/host-b"

static unsigned int soon(unsigned int failures)
{
	return failures;
}

static const struct spiffe_times QUICK = { 150, 100, soon };
static const struct spiffe_times PATIENT = { 60000, 60000, soon };

static struct stand_in server;
static struct test_ca own, foreign;
static struct credential_source *source;
static struct credential credential;

static void open_source(const struct spiffe_times *times)
{
	const struct credential_options options = { .trust_domain = TEST_DOMAIN,
						    .node_name = "host-a" };
	char where[100];

	snprintf(where, sizeof(where), "unix://%s", server.path);
	cr_assert_eq(spiffe_source_new(where, &options, times, &source, NULL), 0);
}

static void set_up(void)
{
	stand_in_open(&server);
	test_ca_make(&own, TEST_DOMAIN);
	test_ca_make(&foreign, "other.example");
}

static void tear_down(void)
{
	if (source)
		source->ops->free(source);
	credential_done(&credential);
	stand_in_done(&server);
	test_ca_done(&own);
	test_ca_done(&foreign);
}

TestSuite(credential_spiffe, .init = set_up, .fini = tear_down);

static int64_t now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* One turn of both sides; what dispatch() said. */
static int turn(void)
{
	struct pollfd poller = { .fd = source->ops->fd(source), .events = POLLIN };
	struct credential fresh;
	int r;

	stand_in_step(&server);
	if (poll(&poller, 1, 1) != 1)
		return 0;
	r = source->ops->dispatch(source, &fresh);
	if (r == 1) {
		credential_done(&credential);
		credential = fresh;
	}
	return r;
}

static void until_requested(void)
{
	int64_t end = now_ms() + DEADLINE_MS;

	while (!server.requested && now_ms() < end)
		turn();
	cr_assert(server.requested, "%s", source->error.text);
	server.requested = false;
}

/* Turns until dispatch() says something. */
static int result_within(int64_t ms)
{
	int64_t end = now_ms() + ms;
	int r = 0;

	while (r == 0 && now_ms() < end)
		r = turn();
	return r;
}

static int result(void)
{
	return result_within(DEADLINE_MS);
}

static void send_answer(const X509SVIDResponse *response)
{
	size_t length;
	_cleanup_free_ uint8_t *message = framed(response, &length);

	stand_in_data(&server, 0, message, length);
}

/* The answer with one SVID of the own authority. */
static void send_svid(const char *spiffe_id)
{
	X509SVIDResponse response = X509_SVIDRESPONSE__INIT;
	X509SVID svid, *svids[] = { &svid };

	test_ca_issue(&own, spiffe_id, &svid);
	response.svids = svids;
	response.n_svids = 1;
	send_answer(&response);
	svid_message_done(&svid);
}

static void answer_well(void)
{
	until_requested();
	stand_in_headers(&server, 0, GOOD_FIELDS);
	send_svid(TEST_ID);
	cr_assert_eq(result(), 1, "%s", source->error.text);
}

static void expect_good(void)
{
	cr_expect_str_eq(credential.svid->spiffe_id, TEST_ID);
	cr_expect_not_null(credential.svid->key);
	cr_expect_str_eq(credential.bundles.item[0]->trust_domain, TEST_DOMAIN);
	cr_expect_str_eq(source->error.text, "");
	cr_expect_eq(source->failures, 0);
	cr_expect_eq(source->retry_s, 0);
}

Test(credential_spiffe, request_is_what_the_specification_says)
{
	static const char *const fields[] = {
		":method: POST\n",
		":scheme: http\n",
		":path: /SpiffeWorkloadAPI/FetchX509SVID\n",
		"content-type: application/grpc\n",
		"te: trailers\n",
		"workload.spiffe.io: true\n",
	};

	open_source(&PATIENT);
	until_requested();
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		cr_expect_not_null(strstr(server.request, fields[i]), "%s", fields[i]);
	cr_assert_eq(server.body_length, 5);
	cr_expect_arr_eq(server.body, "\0\0\0\0\0", 5);
}

Test(credential_spiffe, takes_svid_bundles_and_crls)
{
	X509SVIDResponse response = X509_SVIDRESPONSE__INIT;
	X509SVIDResponse__FederatedBundlesEntry entry =
		X509_SVIDRESPONSE__FEDERATED_BUNDLES_ENTRY__INIT;
	X509SVIDResponse__FederatedBundlesEntry *entries[] = { &entry };
	ProtobufCBinaryData crls[] = { test_ca_crl(&own, true), test_ca_crl(&foreign, false) };
	X509SVID svid[2], *svids[] = { &svid[0], &svid[1] };

	test_ca_issue(&own, OTHER_ID, &svid[0]);
	test_ca_issue(&own, TEST_ID, &svid[1]);
	entry.key = "spiffe://other.example";
	entry.value = test_ca_bundle(&foreign);
	response.svids = svids;
	response.n_svids = 2;
	response.federated_bundles = entries;
	response.n_federated_bundles = 1;
	response.crl = crls;
	response.n_crl = 2;
	open_source(&PATIENT);
	until_requested();
	stand_in_headers(&server, 0, GOOD_FIELDS);
	send_answer(&response);
	cr_assert_eq(result(), 1, "%s", source->error.text);
	expect_good();
	cr_assert_eq(credential.bundles.n, 2);
	cr_expect_str_eq(credential.bundles.item[1]->trust_domain, "other.example");
	/* Both authorities have one name: the signature told whose CRL is whose. */
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(sk_X509_CRL_num(credential.bundles.item[i]->crls), 1);
		cr_expect_eq(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(
				     sk_X509_CRL_value(credential.bundles.item[i]->crls, 0))) > 0,
			     i == 0);
		OPENSSL_free(crls[i].data);
		svid_message_done(&svid[i]);
	}
	OPENSSL_free(entry.value.data);
}

Test(credential_spiffe, pieces_of_one_byte)
{
	X509SVIDResponse response = X509_SVIDRESPONSE__INIT;
	X509SVID svid, *svids[] = { &svid };
	uint8_t *message;
	size_t length;

	test_ca_issue(&own, TEST_ID, &svid);
	response.svids = svids;
	response.n_svids = 1;
	message = framed(&response, &length);
	open_source(&PATIENT);
	until_requested();
	stand_in_headers(&server, 0, GOOD_FIELDS);
	for (size_t i = 0; i + 1 < length; i++) {
		stand_in_data(&server, 0, message + i, 1);
		if (i % 64 == 0)
			cr_assert_eq(turn(), 0);
	}
	stand_in_data(&server, 0, message + length - 1, 1);
	cr_assert_eq(result(), 1, "%s", source->error.text);
	expect_good();
	free(message);
	svid_message_done(&svid);
}

/* More than any window: the source must let the server go on. */
Test(credential_spiffe, large_message)
{
	X509SVIDResponse response = X509_SVIDRESPONSE__INIT;
	X509SVID svid, *svids[] = { &svid };
	size_t length, at = 0;
	uint8_t *message;

	test_ca_issue(&own, TEST_ID, &svid);
	svid.hint = malloc(WORKLOAD_MESSAGE_MAX - 4096);
	memset(svid.hint, 'h', WORKLOAD_MESSAGE_MAX - 4097);
	svid.hint[WORKLOAD_MESSAGE_MAX - 4097] = '\0';
	response.svids = svids;
	response.n_svids = 1;
	message = framed(&response, &length);
	open_source(&PATIENT);
	until_requested();
	stand_in_headers(&server, 0, GOOD_FIELDS);
	for (; length - at > 8192; at += 8192) {
		stand_in_data(&server, 0, message + at, 8192);
		cr_assert_eq(turn(), 0, "%s", source->error.text);
	}
	stand_in_data(&server, 0, message + at, length - at);
	cr_assert_eq(result(), 1, "%s", source->error.text);
	expect_good();
	free(message);
	free(svid.hint);
	svid_message_done(&svid);
}

Test(credential_spiffe, last_of_several_messages_counts)
{
	char serial[SVID_SERIAL_MAX];

	open_source(&PATIENT);
	answer_well();
	strcpy(serial, credential.svid->serial);
	send_svid(TEST_ID);
	send_svid(TEST_ID);
	cr_assert_eq(result(), 1);
	cr_expect_eq(strtol(credential.svid->serial, NULL, 16), strtol(serial, NULL, 16) + 2);
	cr_expect_eq(result_within(50), 0);
}

Test(credential_spiffe, other_svids_are_named_and_the_call_goes_on)
{
	static const struct spiffe_times slow = { 60000, 60000, credential_backoff_ms };

	open_source(&slow);
	until_requested();
	stand_in_headers(&server, 0, GOOD_FIELDS);
	send_svid(OTHER_ID);
	cr_assert_eq(result(), -ENOENT);
	cr_expect_not_null(strstr(source->error.text, TEST_ID), "%s", source->error.text);
	cr_expect_not_null(strstr(source->error.text, OTHER_ID), "%s", source->error.text);
	cr_expect_gt(source->retry_s, 0);
	send_svid(TEST_ID);
	cr_assert_eq(result(), 1);
	expect_good();
	cr_expect_eq(server.clients, 1);
}

Test(credential_spiffe, refused_message_is_asked_for_again)
{
	open_source(&PATIENT);
	until_requested();
	stand_in_headers(&server, 0, GOOD_FIELDS);
	send_svid(OTHER_ID);
	cr_assert_eq(result(), -ENOENT);
	answer_well();
	expect_good();
	cr_expect_eq(server.clients, 2);
}

Test(credential_spiffe, comes_back_after_a_restart)
{
	open_source(&PATIENT);
	answer_well();
	stand_in_done(&server);
	cr_assert_lt(result(), 0);
	cr_expect_not_null(strstr(source->error.text, "closed the connection"), "%s",
			   source->error.text);
	cr_assert_lt(result(), 0);
	cr_expect_not_null(strstr(source->error.text, "cannot connect"), "%s", source->error.text);
	cr_expect_geq(source->failures, 2);
	stand_in_reopen(&server);
	answer_well();
	expect_good();
}

Test(credential_spiffe, server_that_is_not_there_yet)
{
	stand_in_done(&server);
	open_source(&PATIENT);
	cr_expect_not_null(strstr(source->error.text, "cannot connect"), "%s", source->error.text);
	stand_in_reopen(&server);
	answer_well();
	expect_good();
}

Test(credential_spiffe, silence_before_the_answer)
{
	open_source(&QUICK);
	until_requested();
	cr_assert_eq(result(), -ETIMEDOUT);
	cr_expect_not_null(strstr(source->error.text, "does not answer"), "%s", source->error.text);
	answer_well();
	expect_good();
}

Test(credential_spiffe, ping_is_answered)
{
	int64_t end;

	open_source(&QUICK);
	answer_well();
	for (end = now_ms() + 800; now_ms() < end;)
		cr_assert_eq(turn(), 0, "%s", source->error.text);
	cr_expect_eq(server.clients, 1);
}

/* A stopped process: its socket takes everything and gives nothing. */
Test(credential_spiffe, ping_is_not_answered)
{
	int64_t begun;

	open_source(&QUICK);
	answer_well();
	server.mute = true;
	begun = now_ms();
	cr_assert_eq(result(), -ETIMEDOUT);
	cr_expect_geq(now_ms() - begun, 150);
	server.mute = server.requested = false;
	answer_well();
	expect_good();
}

Test(credential_spiffe, where)
{
	static const char *const bad[] = {
		"",
		"unix:",
		"unix://",
		"unix:/",
		"unix://run/x",
		"unix:run/x",
		"tcp://127.0.0.1:80",
		"/run/x.sock",
	};
	const struct credential_options options = { .trust_domain = TEST_DOMAIN,
						    .node_name = "host-a" };
	const struct credential_options with_key = { .trust_domain = TEST_DOMAIN,
						     .node_name = "host-a",
						     .key_uri = "pkcs11:object=x" };
	struct credential_error error = { "" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(credential_spiffe.open(bad[i], &options, &source, &error), -EINVAL,
			     "%s", bad[i]);
	cr_expect_eq(credential_spiffe.open("unix:///x", &with_key, &source, &error), -EINVAL);
	cr_expect_null(source);
	cr_assert_eq(credential_spiffe.open("unix:/x", &options, &source, &error), 0);
	cr_expect_eq(strncmp(source->error.text, "/x: ", 4), 0, "%s", source->error.text);
}
