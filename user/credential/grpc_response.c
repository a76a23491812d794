/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/grpc_response.h"

#include <ctype.h>

#include "user/credential/workload.h"

#define COMPRESSED 1 /* in the first byte of a message's prefix */

static int take_http_status(struct grpc_response *response, const char *value)
{
	response->http_status = atoi(value);
	if (response->http_status != 200)
		return credential_fail(response->error, -EPROTO,
				       "the server answered with HTTP status %d instead of 200: is "
				       "this a Workload API's socket?",
				       response->http_status);
	return 0;
}

static int take_content_type(struct grpc_response *response, const char *value)
{
	const char *rest = value + strlen("application/grpc");

	response->content_type = startswith(value, "application/grpc") &&
				 (!*rest || strchr("+;", *rest));
	if (!response->content_type)
		return credential_fail(
			response->error, -EPROTO,
			"the answer's content-type is not application/grpc: is this a "
			"Workload API's socket?");
	return 0;
}

static int take_status(struct grpc_response *response, const char *value)
{
	size_t length = strspn(value, "0123456789");

	if (length == 0 || length > 3 || value[length])
		return credential_fail(response->error, -EPROTO,
				       "the answer's grpc-status is not a number");
	response->status = atoi(value);
	return 0;
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Percent-encoded UTF-8. It ends in messages for people: what is not printable ASCII is '?'. */
static int take_status_text(struct grpc_response *response, const char *value)
{
	size_t n = 0;

	for (; *value && n + 1 < sizeof(response->status_text); value++) {
		char c = *value;

		if (c == '%' && isxdigit((unsigned char)value[1]) &&
		    isxdigit((unsigned char)value[2])) {
			c = (char)(hex_digit(value[1]) << 4 | hex_digit(value[2]));
			value += 2;
		}
		response->status_text[n++] = c >= ' ' && c < 0x7f ? c : '?';
	}
	response->status_text[n] = '\0';
	return 0;
}

static const struct field {
	const char *name;
	int (*take)(struct grpc_response *response, const char *value);
} FIELDS[] = {
	{ ":status", take_http_status },
	{ "content-type", take_content_type },
	{ "grpc-status", take_status },
	{ "grpc-message", take_status_text },
};

int grpc_response_field(struct grpc_response *response, const char *name, const char *value)
{
	response->fields += strlen(name) + strlen(value);
	if (response->fields > GRPC_FIELDS_MAX)
		return credential_fail(response->error, -EMSGSIZE,
				       "the answer has more than %d bytes of header fields",
				       GRPC_FIELDS_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++)
		if (streq(name, FIELDS[i].name))
			return FIELDS[i].take(response, value);
	return 0;
}

int grpc_response_fields_end(struct grpc_response *response, bool end)
{
	if (!response->content_type && !response->started)
		return credential_fail(response->error, -EPROTO,
				       "the answer has no content-type: is this a Workload API's "
				       "socket?");
	response->started = true;
	return end ? grpc_response_end(response) : 0;
}

/* The prefix is complete: a flag and the length, big-endian. */
static int start_message(struct grpc_response *response)
{
	const uint8_t *prefix = response->prefix;
	uint32_t length = (uint32_t)prefix[1] << 24 | prefix[2] << 16 | prefix[3] << 8 | prefix[4];

	if (prefix[0] == COMPRESSED)
		return credential_fail(response->error, -EPROTO,
				       "the message is compressed, which was not offered");
	if (prefix[0] != 0)
		return credential_fail(response->error, -EPROTO,
				       "the message starts with 0x%02x, which is no gRPC flag",
				       prefix[0]);
	if (length > GRPC_MESSAGE_MAX)
		return credential_fail(response->error, -EMSGSIZE,
				       "the message has %u bytes, the limit is %d", length,
				       GRPC_MESSAGE_MAX);
	/* One byte more: no allocation of nothing. */
	response->message = workload_secret_alloc(length + 1);
	if (!response->message)
		return credential_fail(response->error, -ENOMEM, "out of memory for a message");
	response->message_length = length;
	response->message_got = 0;
	return 0;
}

static void drop_message(struct grpc_response *response)
{
	if (response->message)
		workload_secret_free(response->message, response->message_length + 1);
	response->message = NULL;
	response->prefix_length = 0;
}

/* Moves what fits from the input to the object at hand. */
static size_t fill(uint8_t *to, size_t *got, size_t wanted, const uint8_t *data, size_t length)
{
	size_t n = MIN(length, wanted - *got);

	memcpy(to + *got, data, n);
	*got += n;
	return n;
}

int grpc_response_data(struct grpc_response *response, const uint8_t *data, size_t length)
{
	size_t n;
	int r;

	if (!response->started)
		return credential_fail(response->error, -EPROTO,
				       "the answer starts without header fields");
	while (length > 0) {
		if (!response->message) {
			n = fill(response->prefix, &response->prefix_length,
				 sizeof(response->prefix), data, length);
			data += n;
			length -= n;
			if (response->prefix_length < sizeof(response->prefix))
				return 0;
			r = start_message(response);
			if (r < 0)
				return r;
		}
		n = fill(response->message, &response->message_got, response->message_length, data,
			 length);
		data += n;
		length -= n;
		if (response->message_got < response->message_length)
			return 0;
		response->on_message(response->arg, response->message, response->message_length);
		drop_message(response);
	}
	return 0;
}

/* The usual ones; what the server says itself comes first in the message. */
static const char *const REMEDIES[] = {
	[3] = "; is something between this process and the Workload API?",
	[7] = "; register an entry for this process", /* PermissionDenied */
	[12] = "; is this a Workload API's socket?", /* Unimplemented */
	[14] = "; see the agent's log", /* Unavailable */
};

static int fail_status(const struct grpc_response *response)
{
	const size_t status = (size_t)response->status;
	const char *remedy = status < ARRAY_SIZE(REMEDIES) ? REMEDIES[status] : NULL;
	const char *text = response->status_text;

	return credential_fail(response->error, -EREMOTEIO,
			       "the server refused with gRPC status %zu: %s%s", status,
			       *text ? text : "no reason given", remedy ? remedy : "");
}

int grpc_response_end(struct grpc_response *response)
{
	if (response->status > GRPC_STATUS_OK)
		return fail_status(response);
	if (response->prefix_length > 0)
		return credential_fail(response->error, -EPROTO,
				       "the answer ended in the middle of a message");
	if (response->status == GRPC_STATUS_NONE)
		return credential_fail(response->error, -EPROTO,
				       "the answer ended without a grpc-status");
	return credential_fail(response->error, -ENOLINK, "the server ended the answer");
}

void grpc_response_done(struct grpc_response *response)
{
	drop_message(response);
}
