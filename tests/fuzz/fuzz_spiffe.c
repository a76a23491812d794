/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer's way into the Workload API's answers: any bytes as one message, and as DATA of a
 * stream of messages, in pieces whose size is the first byte.
 */
#include <stdlib.h>

#include "user/credential/grpc_response.h"
#include "user/credential/workload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* A credential or an error that is said, never both or neither. */
static void parse(void *arg, const uint8_t *message, size_t length)
{
	const struct credential_options options = {
		.trust_domain = "example.org",
		.node_name = "host-a",
	};
	struct credential_error error = { "" };
	struct credential credential = { .svid = NULL };
	int r;

	(void)arg;
	r = workload_parse(message, length, &options, &credential, &error);
	PROMISE(r <= 0 && (r == 0) == (credential.svid != NULL));
	PROMISE(r == 0 || error.text[0]);
	PROMISE(r < 0 || credential.bundles.n > 0);
	credential_done(&credential);
}

static void stream(const uint8_t *data, size_t size)
{
	struct credential_error error = { "" };
	struct grpc_response response = {
		.on_message = parse,
		.error = &error,
		.status = GRPC_STATUS_NONE,
	};
	size_t piece = size ? 1U + data[0] : 1, n;
	int r = 0;

	PROMISE(grpc_response_field(&response, ":status", "200") == 0);
	PROMISE(grpc_response_field(&response, "content-type", "application/grpc") == 0);
	PROMISE(grpc_response_fields_end(&response, false) == 0);
	for (size_t at = 1; at < size && r == 0; at += n) {
		n = MIN(piece, size - at);
		r = grpc_response_data(&response, data + at, n);
	}
	PROMISE((r < 0) == (error.text[0] != '\0'));
	if (r == 0)
		PROMISE(grpc_response_end(&response) < 0 && error.text[0]);
	grpc_response_done(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(NULL, data, size);
	stream(data, size);
	return 0;
}
