/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_kube_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define HEAD_MAX 16384

/* The request comes at once; it is small. */
static void read_head(int fd, char head[HEAD_MAX])
{
	size_t n = 0;

	while (n < HEAD_MAX - 1) {
		ssize_t got = recv(fd, head + n, HEAD_MAX - 1 - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
		head[n] = '\0';
		if (strstr(head, "\r\n\r\n"))
			break;
	}
	head[n] = '\0';
}

static void say(int fd, const struct scripted *scripted)
{
	size_t length = strlen(scripted->answer);
	size_t piece = scripted->by_bytes ? 1 : length;
	int yes = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	for (size_t at = 0; at < length; at += piece)
		if (send(fd, scripted->answer + at, piece, MSG_NOSIGNAL) < 0)
			return;
}

struct speaker {
	struct scripted_server *server;
	struct event *event;
};

/* Not a thread: what is said fits the socket's buffers, or the test makes them large. */
static void on_request(evutil_socket_t fd, short what, void *arg)
{
	struct speaker *speaker = arg;
	struct scripted_server *server = speaker->server;
	const struct scripted *scripted;
	char head[HEAD_MAX];

	(void)what;
	read_head(fd, head);
	event_free(speaker->event);
	free(speaker);
	/* curl may look whether a connection that it kept is still there. */
	if (!head[0]) {
		close(fd);
		return;
	}
	cr_assert_lt(server->requests, REQUESTS_MAX);
	scripted = &server->script[MIN(server->requests, server->script_n - 1)];
	server->at_ms[server->requests] = kube_now_ms();
	server->request[server->requests++] = strdup(head);
	*strchr(head, '\r') = '\0';
	cr_expect_not_null(strstr(head, scripted->wants), "request %zu: %s, not %s",
			   server->requests, head, scripted->wants);
	say(fd, scripted);
	if (scripted->hangs)
		server->open[server->open_n++] = fd;
	else
		close(fd);
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct speaker *speaker = calloc(1, sizeof(*speaker));
	int client, size = 8 << 20;

	(void)what;
	/* cppcheck-suppress nullPointer ; nobody asks for the peer's address */
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(client, 0);
	setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	speaker->server = arg;
	cr_assert_eq(loop_read(speaker->server->base, client, on_request, speaker, &speaker->event),
		     0);
}

void scripted_start(struct scripted_server *server, const struct scripted *script, size_t n)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	*server = (struct scripted_server){ .script = script, .script_n = n };
	server->base = event_base_new();
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(server->fd, 0);
	cr_assert_eq(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(server->fd, 16), 0);
	cr_assert_eq(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
	server->port = ntohs(address.sin_port);
	cr_assert_eq(loop_read(server->base, server->fd, on_connection, server, &server->event), 0);
}

void scripted_stop(struct scripted_server *server)
{
	event_free(server->event);
	close(server->fd);
	for (size_t i = 0; i < server->open_n; i++)
		close(server->open[i]);
	for (size_t i = 0; i < server->requests; i++)
		free(server->request[i]);
	event_base_free(server->base);
}

struct kube_client *scripted_client(struct scripted_server *server)
{
	struct kube_config *config = calloc(1, sizeof(*config));
	struct kube_client *client = NULL;
	char text[256];
	int n;

	n = snprintf(text, sizeof(text),
		     "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
		     "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%u'}}]\n",
		     server->port);
	cr_assert_eq(kube_config_text("/config", text, (size_t)n, config, NULL), 0);
	cr_assert_eq(kube_client_new(server->base, config, "test", &client, NULL), 0);
	return client;
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

bool scripted_run(struct scripted_server *server, const bool *done, int64_t ms)
{
	const struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	bool late = false;
	struct event *event = evtimer_new(server->base, on_late, &late);

	event_add(event, &limit);
	while (!*done && !late)
		event_base_loop(server->base, EVLOOP_ONCE);
	event_free(event);
	return *done;
}
