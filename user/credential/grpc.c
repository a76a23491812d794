/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/grpc.h"

#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "user/credential/workload.h"

#define READ_BYTES (16 << 10) /* at once */
#define READS_MAX 16 /* per dispatch: other sources of the event loop wait */
#define WINDOW_BYTES (256 << 10) /* that the server may send without an answer of ours */

DEFINE_TRIVIAL_CLEANUP(nghttp2_session_callbacks *, nghttp2_session_callbacks_del)

struct grpc_call {
	int fd;
	nghttp2_session *session;
	int32_t stream;
	uint8_t *buffer; /* READ_BYTES */
	uint64_t received;
	size_t request_sent;
	struct grpc_response response;
	struct credential_error error; /* "" as long as all is well */
};

/* The length-prefixed empty message. */
static const uint8_t REQUEST[5];

/* nghttp2 ends the session when a callback fails; the reason is in call->error. */
static int callback_result(int r)
{
	return r < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags,
		       void *arg)
{
	struct grpc_call *call = arg;
	ssize_t n = send(call->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)session;
	(void)flags;
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return NGHTTP2_ERR_WOULDBLOCK;
	credential_fail(&call->error, -errno, "cannot send to the server: %s", strerror(errno));
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
		     void *arg)
{
	struct grpc_call *call = arg;

	(void)session;
	(void)name_length;
	(void)value_length;
	(void)flags;
	if (frame->hd.stream_id != call->stream)
		return 0;
	/* Both end with a NUL, which nghttp2 allows in neither. */
	return callback_result(
		grpc_response_field(&call->response, (const char *)name, (const char *)value));
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t length, void *arg)
{
	struct grpc_call *call = arg;

	(void)session;
	(void)flags;
	if (stream != call->stream)
		return 0;
	return callback_result(grpc_response_data(&call->response, data, length));
}

static int on_goaway(struct grpc_call *call, const nghttp2_goaway *goaway)
{
	return credential_fail(&call->error, -ENOLINK, "the server closes the connection (%s)",
			       nghttp2_http2_strerror(goaway->error_code));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct grpc_call *call = arg;
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		return callback_result(on_goaway(call, &frame->goaway));
	if (frame->hd.stream_id != call->stream)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS)
		return callback_result(grpc_response_fields_end(&call->response, end));
	if (frame->hd.type == NGHTTP2_DATA && end)
		return callback_result(grpc_response_end(&call->response));
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
			    void *arg)
{
	struct grpc_call *call = arg;

	(void)session;
	(void)frame;
	credential_fail(&call->error, -EPROTO, "the server sent a wrong HTTP/2 frame: %s",
			nghttp2_strerror(code));
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
	struct grpc_call *call = arg;

	(void)session;
	if (stream != call->stream)
		return 0;
	credential_fail(&call->error, -ENOLINK, "the server reset the answer (%s)",
			nghttp2_http2_strerror(code));
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *buffer,
			    size_t length, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct grpc_call *call = arg;
	size_t n = MIN(length, sizeof(REQUEST) - call->request_sent);

	(void)session;
	(void)stream;
	(void)source;
	memcpy(buffer, REQUEST + call->request_sent, n);
	call->request_sent += n;
	if (call->request_sent == sizeof(REQUEST))
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static int connect_socket(const char *path, int *ret, struct credential_error *reterr)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return credential_fail(reterr, -ENAMETOOLONG,
				       "a socket's path has at most %zu bytes",
				       sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return credential_fail(reterr, -errno, "cannot make a socket: %s", strerror(errno));
	/* EAGAIN, a full queue of the listener, is an error too: one cannot wait for it. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return credential_fail(reterr, -errno,
				       "cannot connect: %s; does the Workload API's agent run?",
				       strerror(errno));
	*ret = TAKE_FD(fd);
	return 0;
}

static int make_session(struct grpc_call *call)
{
	_cleanup_(nghttp2_session_callbacks_delp) nghttp2_session_callbacks *callbacks = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	return nghttp2_session_client_new(&call->session, callbacks, call) == 0 ? 0 : -ENOMEM;
}

#define FIELD(n, v)                                                                    \
	{                                                                              \
		.name = (uint8_t *)(n), .value = (uint8_t *)(v), .namelen = strlen(n), \
		.valuelen = strlen(v), .flags = NGHTTP2_NV_FLAG_NONE                   \
	}

static int submit(struct grpc_call *call, const struct grpc_options *options)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_FIELDS_MAX },
	};
	const nghttp2_nv fields[] = {
		FIELD(":method", "POST"),
		FIELD(":scheme", "http"),
		FIELD(":path", options->method),
		FIELD(":authority", "localhost"),
		FIELD("content-type", "application/grpc"),
		FIELD("te", "trailers"),
		FIELD("user-agent", "countersign"),
		FIELD(options->metadata_name, options->metadata_value),
	};
	const nghttp2_data_provider body = { .read_callback = read_request };

	if (nghttp2_submit_settings(call->session, NGHTTP2_FLAG_NONE, settings,
				    ARRAY_SIZE(settings)) != 0)
		return -ENOMEM;
	call->stream = nghttp2_submit_request(call->session, NULL, fields, ARRAY_SIZE(fields),
					      &body, NULL);
	return call->stream < 0 ? -ENOMEM : 0;
}

int grpc_call_new(const struct grpc_options *options, struct grpc_call **ret,
		  struct credential_error *reterr)
{
	_cleanup_(grpc_call_freep) struct grpc_call *call = NULL;
	int r;

	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->fd = -EBADF;
	call->response = (struct grpc_response){
		.on_message = options->on_message,
		.arg = options->arg,
		.error = &call->error,
		.status = GRPC_STATUS_NONE,
	};
	r = connect_socket(options->socket, &call->fd, reterr);
	if (r < 0)
		return r;
	call->buffer = workload_secret_alloc(READ_BYTES);
	if (!call->buffer || make_session(call) < 0 || submit(call, options) < 0)
		return credential_fail(reterr, -ENOMEM, "out of memory for a connection");
	*ret = TAKE_PTR(call);
	return 0;
}

struct grpc_call *grpc_call_free(struct grpc_call *call)
{
	if (!call)
		return NULL;
	nghttp2_session_del(call->session);
	grpc_response_done(&call->response);
	if (call->buffer)
		workload_secret_free(call->buffer, READ_BYTES);
	closep(&call->fd);
	free(call);
	return NULL;
}

int grpc_call_fd(const struct grpc_call *call)
{
	return call->fd;
}

uint32_t grpc_call_events(const struct grpc_call *call)
{
	return EPOLLIN | (nghttp2_session_want_write(call->session) ? EPOLLOUT : 0);
}

uint64_t grpc_call_received(const struct grpc_call *call)
{
	return call->received;
}

/* What a callback or a check of ours said comes before nghttp2's word. */
static int fail_session(struct grpc_call *call, ssize_t code, struct credential_error *reterr)
{
	if (call->error.text[0])
		return credential_fail(reterr, -EPROTO, "%s", call->error.text);
	return credential_fail(reterr, -EPROTO, "the server does not speak HTTP/2: %s",
			       nghttp2_strerror((int)code));
}

static int write_all(struct grpc_call *call, struct credential_error *reterr)
{
	int r = nghttp2_session_send(call->session);

	if (r != 0)
		return fail_session(call, r, reterr);
	/* Neither means that nghttp2 ended the connection by itself. */
	if (!nghttp2_session_want_read(call->session) && !nghttp2_session_want_write(call->session))
		return fail_session(call, NGHTTP2_ERR_PROTO, reterr);
	return 0;
}

/* 1: there may be more; 0: not now. */
static int read_some(struct grpc_call *call, struct credential_error *reterr)
{
	ssize_t n, taken;

	n = recv(call->fd, call->buffer, READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return credential_fail(reterr, -errno, "cannot read from the server: %s",
				       strerror(errno));
	if (n == 0)
		return credential_fail(reterr, -ENOLINK, "the server closed the connection");
	call->received += (uint64_t)n;
	taken = nghttp2_session_mem_recv(call->session, call->buffer, (size_t)n);
	OPENSSL_cleanse(call->buffer, (size_t)n);
	return taken == n ? 1 : fail_session(call, taken < 0 ? taken : NGHTTP2_ERR_PROTO, reterr);
}

int grpc_call_dispatch(struct grpc_call *call, struct credential_error *reterr)
{
	int r = 1;

	for (int i = 0; i < READS_MAX && r > 0; i++) {
		r = write_all(call, reterr);
		if (r < 0)
			return r;
		r = read_some(call, reterr);
		if (r < 0)
			return r;
	}
	return write_all(call, reterr);
}

int grpc_call_ping(struct grpc_call *call, struct credential_error *reterr)
{
	if (nghttp2_submit_ping(call->session, NGHTTP2_FLAG_NONE, NULL) != 0)
		return credential_fail(reterr, -ENOMEM, "out of memory for a ping");
	return write_all(call, reterr);
}
