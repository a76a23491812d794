/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server must not send, and one connection for each of it: the source says what is
 * wrong, gives nothing, closes, and sleeps until it is time to try again.
 */
#include <poll.h>

#include "tests/unit/test_credential_spiffe.h"

#define STEPS_MAX 4
#define TURNS_MAX 200
#define BACKOFF_MS 60000 /* nothing is tried again while a case runs */

/* What a server does, one after the other. */
enum act { NOTHING, FIELDS, DATA, FRAME, RAW, HUGE_FIELDS, HUGE_DATA, CLOSE };

struct step {
	enum act act;
	uint8_t flags;
	uint8_t type;
	uint32_t stream;
	const char *bytes;
	size_t length;
};

struct malformed {
	const char *name;
	const char *says; /* part of the message */
	bool mute; /* not even the server's SETTINGS come before */
	struct step step[STEPS_MAX];
};

#define END NGHTTP2_FLAG_END_STREAM
#define OK_FIELDS                            \
	{                                    \
		FIELDS, .bytes = GOOD_FIELDS \
	}
#define FIELDS_(text)                   \
	{                               \
		FIELDS, .bytes = (text) \
	}
#define TRAILERS(text)                                \
	{                                             \
		FIELDS, .flags = END, .bytes = (text) \
	}
#define DATA_(text)                                               \
	{                                                         \
		DATA, .bytes = (text), .length = sizeof(text) - 1 \
	}
#define LAST_DATA(text)                                                         \
	{                                                                       \
		DATA, .flags = END, .bytes = (text), .length = sizeof(text) - 1 \
	}
#define RAW_(text)                                               \
	{                                                        \
		RAW, .bytes = (text), .length = sizeof(text) - 1 \
	}
#define FRAME_(t, f, s, text)                                                     \
	{                                                                         \
		FRAME, .type = (t), .flags = (f), .stream = (s), .bytes = (text), \
		       .length = sizeof(text) - 1                                 \
	}

static const struct malformed CASES[] = {
	/* HTTP */
	{ "not found", "HTTP status 404", .step = { TRAILERS(":status: 404\n") } },
	{ "unavailable", "HTTP status 503", .step = { FIELDS_(":status: 503\n") } },
	{ "no status", "HTTP/2", .step = { FIELDS_("content-type: application/grpc\n") } },
	{ "two statuses", "HTTP/2", .step = { FIELDS_(":status: 200\n:status: 200\n") } },
	{ "status of letters", "HTTP/2", .step = { FIELDS_(":status: abc\n") } },
	{ "request's field", "HTTP/2", .step = { FIELDS_(":status: 200\n:path: /\n") } },
	{ "HTML", "content-type is not",
	  .step = { FIELDS_(":status: 200\ncontent-type: text/html\n") } },
	{ "nearly gRPC", "content-type is not",
	  .step = { FIELDS_(":status: 200\ncontent-type: application/grpcx\n") } },
	{ "no content-type", "no content-type", .step = { FIELDS_(":status: 200\n") } },
	{ "huge fields", "bytes of header fields", .step = { { HUGE_FIELDS } } },
	{ "trailers twice", "HTTP/2", .step = { OK_FIELDS, FIELDS_("x: y\n") } },
	{ "trailers with a status", "HTTP/2", .step = { OK_FIELDS, TRAILERS(":status: 200\n") } },
	/* gRPC's trailers */
	{ "permission denied", "gRPC status 7: no identity issued; register",
	  .step = { TRAILERS(GOOD_FIELDS "grpc-status: 7\ngrpc-message: no identity issued\n") } },
	{ "unimplemented", "gRPC status 12: no reason given; is this a Workload API",
	  .step = { TRAILERS(GOOD_FIELDS "grpc-status: 12\n") } },
	{ "invalid argument", "gRPC status 3: security header missing",
	  .step = { TRAILERS(GOOD_FIELDS
			     "grpc-status: 3\ngrpc-message: security header missing\n") } },
	{ "control characters", "gRPC status 14: a?b?c%zz%",
	  .step = { TRAILERS(GOOD_FIELDS "grpc-status: 14\ngrpc-message: a%0Ab%1bc%zz%\n") } },
	{ "refused later", "gRPC status 16", .step = { OK_FIELDS, TRAILERS("grpc-status: 16\n") } },
	{ "refused amid a message", "gRPC status 13",
	  .step = { OK_FIELDS,
		    DATA_("\0\0\0\0\x09"
			  "abc"),
		    TRAILERS("grpc-status: 13\n") } },
	{ "status of letters", "not a number",
	  .step = { TRAILERS(GOOD_FIELDS "grpc-status: abc\n") } },
	{ "empty status", "not a number", .step = { TRAILERS(GOOD_FIELDS "grpc-status: \n") } },
	{ "long status", "not a number", .step = { TRAILERS(GOOD_FIELDS "grpc-status: 7777\n") } },
	{ "negative status", "not a number",
	  .step = { TRAILERS(GOOD_FIELDS "grpc-status: -1\n") } },
	{ "no status, fields only", "without a grpc-status", .step = { TRAILERS(GOOD_FIELDS) } },
	{ "no status", "without a grpc-status", .step = { OK_FIELDS, TRAILERS("a: b\n") } },
	{ "no trailers", "without a grpc-status", .step = { OK_FIELDS, LAST_DATA("") } },
	{ "fine, but the end", "ended the answer",
	  .step = { OK_FIELDS, TRAILERS("grpc-status: 0\n") } },
	/* gRPC's messages */
	{ "compressed", "is compressed", .step = { OK_FIELDS, DATA_("\1\0\0\0\1x") } },
	{ "flag 2", "0x02", .step = { OK_FIELDS, DATA_("\2\0\0\0\1x") } },
	{ "flag 255", "0xff", .step = { OK_FIELDS, DATA_("\xff\0\0\0\1x") } },
	{ "a byte too long", "1048577 bytes", .step = { OK_FIELDS, DATA_("\0\0\x10\0\1x") } },
	{ "4 GiB", "4294967295 bytes", .step = { OK_FIELDS, DATA_("\0\xff\xff\xff\xff") } },
	{ "text", "no gRPC flag", .step = { OK_FIELDS, DATA_("hello, client") } },
	{ "half a prefix", "middle of a message",
	  .step = { OK_FIELDS, DATA_("\0\0\0"), TRAILERS("grpc-status: 0\n") } },
	{ "half a message", "middle of a message",
	  .step = { OK_FIELDS,
		    DATA_("\0\0\0\0\x09"
			  "abc"),
		    TRAILERS("grpc-status: 0\n") } },
	{ "half a message, no trailers", "middle of a message",
	  .step = { OK_FIELDS, LAST_DATA("\0\0\0\0\x09"
					 "abc") } },
	{ "half a message, gone", "closed the connection",
	  .step = { OK_FIELDS,
		    DATA_("\0\0\0\0\x09"
			  "abc"),
		    { CLOSE } } },
	{ "half a large message, gone", "closed the connection",
	  .step = { OK_FIELDS, DATA_("\0\0\x0f\xff\xff"), { HUGE_DATA }, { CLOSE } } },
	{ "half a message, reset", "reset",
	  .step = { OK_FIELDS,
		    DATA_("\0\0\0\0\x09"
			  "abc"),
		    FRAME_(NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\2") } },
	/* HTTP/2 */
	{ "gone at once", "closed the connection", .mute = true, .step = { { CLOSE } } },
	{ "gone after the fields", "closed the connection", .step = { OK_FIELDS, { CLOSE } } },
	{ "HTTP/1.1", "HTTP/2", .mute = true,
	  .step = { RAW_("HTTP/1.1 400 Bad Request\r\n\r\n") } },
	{ "TLS alert", "HTTP/2", .mute = true,
	  .step = { RAW_("\x15\3\1\0\2\2\x16"
			 "more of it") } },
	{ "ones", "HTTP/2", .mute = true,
	  .step = { RAW_("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") } },
	{ "zeros", "HTTP/2", .mute = true,
	  .step = { RAW_("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") } },
	{ "half a frame", "closed the connection", .mute = true,
	  .step = { RAW_("\0\0"), { CLOSE } } },
	{ "no SETTINGS first", "HTTP/2", .mute = true,
	  .step = { FRAME_(NGHTTP2_PING, 0, 0, "12345678") } },
	{ "frame of 16 MiB", "HTTP/2", .step = { RAW_("\xff\xff\xff\0\0\0\0\0\1") } },
	{ "SETTINGS of 5", "HTTP/2", .step = { FRAME_(NGHTTP2_SETTINGS, 0, 0, "12345") } },
	{ "full SETTINGS ACK", "HTTP/2", .step = { FRAME_(NGHTTP2_SETTINGS, 1, 0, "123456") } },
	{ "push 2", "HTTP/2", .step = { FRAME_(NGHTTP2_SETTINGS, 0, 0, "\0\2\0\0\0\2") } },
	{ "window of 2 GiB", "HTTP/2",
	  .step = { FRAME_(NGHTTP2_SETTINGS, 0, 0, "\0\4\x80\0\0\0") } },
	{ "frames of 1", "HTTP/2", .step = { FRAME_(NGHTTP2_SETTINGS, 0, 0, "\0\5\0\0\0\1") } },
	{ "PING of 7", "HTTP/2", .step = { FRAME_(NGHTTP2_PING, 0, 0, "1234567") } },
	{ "PING on a stream", "HTTP/2", .step = { FRAME_(NGHTTP2_PING, 0, 1, "12345678") } },
	{ "window by 0", "HTTP/2", .step = { FRAME_(NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0") } },
	{ "window overflows", "HTTP/2",
	  .step = { FRAME_(NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff") } },
	{ "fields on stream 2", "HTTP/2", .step = { FRAME_(NGHTTP2_HEADERS, 4, 2, "\x88") } },
	{ "push", "HTTP/2", .step = { FRAME_(NGHTTP2_PUSH_PROMISE, 4, 1, "\0\0\0\2\x88") } },
	{ "CONTINUATION alone", "HTTP/2", .step = { FRAME_(NGHTTP2_CONTINUATION, 4, 1, "\x88") } },
	{ "DATA amid the fields", "HTTP/2",
	  .step = { FRAME_(NGHTTP2_HEADERS, 0, 1, "\x88"), DATA_("x") } },
	{ "wrong HPACK", "HTTP/2",
	  .step = { FRAME_(NGHTTP2_HEADERS, 4, 1, "\xff\xff\xff\xff\xff\xff") } },
	{ "DATA before the fields", "HTTP/2", .step = { DATA_("\0\0\0\0\0") } },
	{ "DATA on stream 0", "HTTP/2", .step = { FRAME_(NGHTTP2_DATA, 0, 0, "x") } },
	{ "DATA on stream 3", "HTTP/2", .step = { FRAME_(NGHTTP2_DATA, 0, 3, "x") } },
	{ "too much padding", "HTTP/2",
	  .step = { OK_FIELDS, FRAME_(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x09x") } },
	{ "RST_STREAM of 3", "HTTP/2", .step = { FRAME_(NGHTTP2_RST_STREAM, 0, 1, "\0\0\0") } },
	{ "RST_STREAM 0", "HTTP/2", .step = { FRAME_(NGHTTP2_RST_STREAM, 0, 0, "\0\0\0\0") } },
	{ "reset, no error", "reset",
	  .step = { OK_FIELDS, FRAME_(NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\0") } },
	{ "stream refused", "reset the answer (REFUSED_STREAM)",
	  .step = { FRAME_(NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\7") } },
	{ "GOAWAY of 4", "HTTP/2", .step = { FRAME_(NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0") } },
	{ "GOAWAY", "closes the connection (NO_ERROR)",
	  .step = { FRAME_(NGHTTP2_GOAWAY, 0, 0, "\x7f\xff\xff\xff\0\0\0\0") } },
	{ "GOAWAY, too many pings", "closes the connection (ENHANCE_YOUR_CALM)",
	  .step = { OK_FIELDS, FRAME_(NGHTTP2_GOAWAY, 0, 0,
				      "\0\0\0\1\0\0\0\x0b"
				      "too_many_pings") } },
};

static unsigned int backoff(unsigned int failures)
{
	(void)failures;
	return BACKOFF_MS;
}

static void send_huge_fields(struct stand_in *server)
{
	static char fields[17000];
	size_t n;

	n = (size_t)snprintf(fields, sizeof(fields), GOOD_FIELDS);
	/* An 'a' has five bits on the wire. */
	for (int i = 0; i < 5; i++) {
		n += (size_t)snprintf(fields + n, sizeof(fields) - n, "x%d: ", i);
		memset(fields + n, 'a', 3300);
		n += 3300;
		fields[n++] = '\n';
	}
	stand_in_headers(server, 0, fields);
}

static void take(struct stand_in *server, const struct step *step)
{
	static const uint8_t huge[30000];
	const nghttp2_frame_hd hd = {
		.length = step->length,
		.stream_id = (int32_t)step->stream,
		.type = step->type,
		.flags = step->flags,
	};

	switch (step->act) {
	case NOTHING:
		return;
	case FIELDS:
		stand_in_headers(server, step->flags, step->bytes);
		return;
	case DATA:
		stand_in_data(server, step->flags, step->bytes, step->length);
		return;
	case FRAME:
		stand_in_frame(server, &hd, step->bytes);
		return;
	case RAW:
		stand_in_raw(server, step->bytes, step->length);
		return;
	case HUGE_FIELDS:
		send_huge_fields(server);
		return;
	case HUGE_DATA:
		stand_in_data(server, 0, huge, sizeof(huge));
		return;
	case CLOSE:
		stand_in_close_client(server);
		return;
	}
}

static int turn(struct stand_in *server, struct credential_source *source)
{
	struct pollfd poller = { .fd = source->ops->fd(source), .events = POLLIN };
	struct credential credential = { .svid = NULL };

	stand_in_step(server);
	if (poll(&poller, 1, 1) != 1)
		return 0;
	return source->ops->dispatch(source, &credential);
}

static void check(const struct malformed *c)
{
	struct credential_options options = { .trust_domain = TEST_DOMAIN, .node_name = "host-a" };
	const struct spiffe_times times = { BACKOFF_MS, BACKOFF_MS, backoff };
	struct credential_source *source = NULL;
	struct stand_in server;
	struct pollfd poller;
	char where[100];
	int r = 0;

	stand_in_open(&server);
	server.mute = c->mute;
	snprintf(where, sizeof(where), "unix://%s", server.path);
	cr_assert_eq(spiffe_source_new(where, &options, &times, &source, NULL), 0);
	for (int i = 0; i < TURNS_MAX && !server.requested; i++)
		cr_assert_eq(turn(&server, source), 0, "%s: %s", c->name, source->error.text);
	cr_assert(server.requested, "%s", c->name);
	for (size_t i = 0; i < STEPS_MAX; i++)
		take(&server, &c->step[i]);
	for (int i = 0; i < TURNS_MAX && r == 0; i++)
		r = turn(&server, source);
	cr_expect_lt(r, 0, "%s: %d", c->name, r);
	cr_expect_not_null(strstr(source->error.text, c->says), "%s: %s", c->name,
			   source->error.text);
	cr_expect_eq(source->failures, 1, "%s", c->name);
	cr_expect_geq(source->retry_s, time(NULL) + BACKOFF_MS / 1000 - 5, "%s", c->name);
	/* Closed, and asleep. */
	poller = (struct pollfd){ .fd = source->ops->fd(source), .events = POLLIN };
	cr_expect_eq(poll(&poller, 1, 0), 0, "%s", c->name);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(turn(&server, source), 0, "%s", c->name);
	cr_expect_eq(server.clients, 1, "%s", c->name);
	source->ops->free(source);
	stand_in_done(&server);
}

Test(credential_spiffe_malformed, each_is_said)
{
	cr_assert_geq(ARRAY_SIZE(CASES), 40);
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
		check(&CASES[i]);
}
