/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the source spiffe: share: certificates, answers, and a server. The server
 * stands in for the Workload API only where no real one would do: for what none ever sends, and
 * for silence at the wrong moment. tests/peers has the tests with a real one.
 */
#pragma once

#include <criterion/criterion.h>
#include <nghttp2/nghttp2.h>

#include "user/credential/spiffe.h"
#include "workload.pb-c.h"

#define TEST_DOMAIN "example.org"
#define TEST_ID "spiffe://example.org/countersign/node/host-a"

struct test_ca {
	EVP_PKEY *key;
	X509 *x509;
};

void test_ca_make(struct test_ca *authority, const char *trust_domain);
void test_ca_done(struct test_ca *authority);
/* Fills @ret with a new SVID and the bundle; its bytes are svid_message_done()'s. */
void test_ca_issue(const struct test_ca *authority, const char *spiffe_id, X509SVID *ret);
void svid_message_done(X509SVID *svid);
ProtobufCBinaryData test_ca_bundle(const struct test_ca *authority);
/* An empty CRL, or one with the serial number 7. */
ProtobufCBinaryData test_ca_crl(const struct test_ca *authority, bool entry);

/* A response as a length-prefixed gRPC message; the caller's. */
uint8_t *framed(const X509SVIDResponse *response, size_t *ret_length);

struct stand_in {
	char path[64];
	int listener;
	int fd; /* of the last client; -EBADF: none */
	unsigned int clients; /* accepted so far */
	bool mute; /* reads, and says nothing by itself: not even that it speaks HTTP/2 */
	nghttp2_session *session;
	nghttp2_hd_deflater *deflater;
	bool requested; /* the request is complete */
	char request[1024]; /* its "name: value\n" */
	uint8_t body[64];
	size_t body_length;
};

void stand_in_open(struct stand_in *server);
void stand_in_reopen(struct stand_in *server); /* after stand_in_done(), at the same path */
void stand_in_close_client(struct stand_in *server);
void stand_in_done(struct stand_in *server);
/* Accepts, reads, answers what HTTP/2 itself asks for. Never blocks. */
void stand_in_step(struct stand_in *server);
void stand_in_raw(struct stand_in *server, const void *bytes, size_t length);
void stand_in_frame(struct stand_in *server, const nghttp2_frame_hd *hd, const void *payload);
/* @fields: "name: value\n", any number. */
void stand_in_headers(struct stand_in *server, uint8_t flags, const char *fields);
void stand_in_data(struct stand_in *server, uint8_t flags, const void *data, size_t length);

#define GOOD_FIELDS ":status: 200\ncontent-type: application/grpc\n"
