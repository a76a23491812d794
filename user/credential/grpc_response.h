/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes back of a gRPC call ("gRPC over HTTP2"): header fields, length-prefixed messages,
 * trailer fields. No sockets and no HTTP/2 here: grpc.c feeds it, and so do tests. Once one
 * function failed, the call is over.
 */
#pragma once

#include "user/credential/svid.h"

#define GRPC_MESSAGE_MAX (1 << 20)
#define GRPC_FIELDS_MAX (16 << 10) /* bytes of all header and trailer fields */
#define GRPC_STATUS_NONE (-1)
#define GRPC_STATUS_OK 0

/* Called with each message; it is wiped afterwards. */
typedef void (*grpc_message_fn)(void *arg, const uint8_t *message, size_t length);

struct grpc_response {
	grpc_message_fn on_message;
	void *arg;
	struct credential_error *error; /* what is wrong, in words */
	size_t fields; /* bytes of them so far */
	int http_status; /* 0: not yet */
	bool content_type; /* is gRPC's */
	bool started; /* the header fields are complete and fine */
	int status; /* grpc-status */
	char status_text[256]; /* grpc-message, decoded and printable */
	uint8_t prefix[5]; /* of the message that is coming in */
	size_t prefix_length;
	uint8_t *message; /* NULL: still at the prefix */
	size_t message_length, message_got;
};

int grpc_response_field(struct grpc_response *response, const char *name, const char *value);
/* The header fields, or with @end the trailer fields, are complete. */
int grpc_response_fields_end(struct grpc_response *response, bool end);
int grpc_response_data(struct grpc_response *response, const uint8_t *data, size_t length);
/* The server ended the stream: always an error, as an endless answer was asked for. */
int grpc_response_end(struct grpc_response *response);
void grpc_response_done(struct grpc_response *response); /* wipes a message that is not whole */
