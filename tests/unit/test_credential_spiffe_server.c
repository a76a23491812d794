/* SPDX-License-Identifier: Apache-2.0 */
/* The server of test_credential_spiffe.h: nghttp2 takes the request, the answer is free. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/test_credential_spiffe.h"

#define FIELDS_MAX 16
#define FRAME_MAX 16384

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
		     void *arg)
{
	struct stand_in *server = arg;
	size_t n = strlen(server->request);

	(void)session;
	(void)frame;
	(void)name_length;
	(void)value_length;
	(void)flags;
	snprintf(server->request + n, sizeof(server->request) - n, "%s: %s\n", (const char *)name,
		 (const char *)value);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t length, void *arg)
{
	struct stand_in *server = arg;

	(void)session;
	(void)flags;
	(void)stream;
	cr_assert_leq(server->body_length + length, sizeof(server->body));
	memcpy(server->body + server->body_length, data, length);
	server->body_length += length;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct stand_in *server = arg;

	(void)session;
	if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
	    frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		server->requested = true;
	return 0;
}

void stand_in_reopen(struct stand_in *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, server->path);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(server->listener, 8), 0);
}

void stand_in_open(struct stand_in *server)
{
	static unsigned int n;

	*server = (struct stand_in){ .fd = -EBADF };
	snprintf(server->path, sizeof(server->path), "/tmp/stand-in-%d-%u.sock", getpid(), n++);
	stand_in_reopen(server);
}

void stand_in_close_client(struct stand_in *server)
{
	nghttp2_session_del(server->session);
	/* Unlike the other one, it does not take NULL. */
	if (server->deflater)
		nghttp2_hd_deflate_del(server->deflater);
	server->session = NULL;
	server->deflater = NULL;
	closep(&server->fd);
	server->fd = -EBADF;
}

void stand_in_done(struct stand_in *server)
{
	stand_in_close_client(server);
	close(server->listener);
	unlink(server->path);
}

static void start_session(struct stand_in *server)
{
	nghttp2_session_callbacks *callbacks;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_server_new(&server->session, callbacks, server);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(server->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void accept_client(struct stand_in *server)
{
	/* cppcheck-suppress nullPointer ; accept4() takes NULL for an address nobody wants */
	int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	stand_in_close_client(server);
	server->fd = fd;
	server->clients++;
	server->requested = false;
	server->request[0] = '\0';
	server->body_length = 0;
	nghttp2_hd_deflate_new(&server->deflater, 4096);
	if (!server->mute)
		start_session(server);
}

void stand_in_step(struct stand_in *server)
{
	uint8_t buffer[FRAME_MAX];
	const uint8_t *out;
	ssize_t n;

	accept_client(server);
	if (server->fd < 0)
		return;
	n = recv(server->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n > 0 && server->mute)
		server->requested = true;
	if (server->mute)
		return;
	if (n > 0)
		nghttp2_session_mem_recv(server->session, buffer, (size_t)n);
	while ((n = nghttp2_session_mem_send(server->session, &out)) > 0)
		stand_in_raw(server, out, (size_t)n);
}

/* The client may be gone already: that is its right when it was sent rubbish. */
void stand_in_raw(struct stand_in *server, const void *bytes, size_t length)
{
	if (server->fd >= 0 && send(server->fd, bytes, length, MSG_NOSIGNAL) < 0)
		cr_assert(errno == EPIPE || errno == ECONNRESET, "%s", strerror(errno));
}

void stand_in_frame(struct stand_in *server, const nghttp2_frame_hd *hd, const void *payload)
{
	const uint8_t head[9] = {
		(uint8_t)(hd->length >> 16),
		(uint8_t)(hd->length >> 8),
		(uint8_t)hd->length,
		hd->type,
		hd->flags,
		(uint8_t)(hd->stream_id >> 24),
		(uint8_t)(hd->stream_id >> 16),
		(uint8_t)(hd->stream_id >> 8),
		(uint8_t)hd->stream_id,
	};

	stand_in_raw(server, head, sizeof(head));
	stand_in_raw(server, payload, hd->length);
}

/* The end of a name: its first colon that does not start it. */
static size_t split(char *text, nghttp2_nv fields[static FIELDS_MAX])
{
	char *save = NULL;
	size_t n = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line + 1, ':');

		cr_assert_lt(n, FIELDS_MAX);
		*colon = '\0';
		fields[n++] = (nghttp2_nv){
			.name = (uint8_t *)line,
			.namelen = strlen(line),
			.value = (uint8_t *)colon + 2,
			.valuelen = strlen(colon + 2),
		};
	}
	return n;
}

void stand_in_headers(struct stand_in *server, uint8_t flags, const char *fields)
{
	_cleanup_free_ char *text = strdup(fields);
	nghttp2_nv nv[FIELDS_MAX];
	uint8_t block[2 * FRAME_MAX];
	nghttp2_frame_hd hd = {
		.type = NGHTTP2_HEADERS,
		.flags = flags | NGHTTP2_FLAG_END_HEADERS,
		.stream_id = 1,
	};
	size_t n = split(text, nv);

	hd.length = (size_t)nghttp2_hd_deflate_hd(server->deflater, block, sizeof(block), nv, n);
	cr_assert_leq(hd.length, FRAME_MAX);
	stand_in_frame(server, &hd, block);
}

void stand_in_data(struct stand_in *server, uint8_t flags, const void *data, size_t length)
{
	nghttp2_frame_hd hd = { .type = NGHTTP2_DATA, .stream_id = 1 };
	const uint8_t *at = data;

	do {
		hd.length = MIN(length, (size_t)FRAME_MAX);
		length -= hd.length;
		hd.flags = length ? NGHTTP2_FLAG_NONE : flags;
		stand_in_frame(server, &hd, at);
		at += hd.length;
	} while (length);
}
