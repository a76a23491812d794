/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "user/agent/verbs.h"

#define CONTROL_BACKLOG 16 /* connections that wait to be accepted */

struct client {
	struct control *control;
	struct client *next;
	struct bufferevent *bev;
	const struct client_stream *ops; /* NULL: no stream */
	void *stream;
	bool asked; /* the request was taken */
	bool half_closed; /* will send no more; may still read */
	bool ending; /* close when all is sent */
};

struct control {
	struct agent *agent;
	struct evconnlistener *listener;
	char *path;
	struct client *clients;
	size_t n_clients;
};

static void client_free(struct client *client)
{
	struct client **at = &client->control->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->control->n_clients--;
	if (client->ops)
		client->ops->free(client->stream);
	bufferevent_free(client->bev);
	free(client);
}

static size_t unsent(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->bev));
}

bool client_has_room(const struct client *client)
{
	return unsent(client) < CONTROL_BACKLOG_BYTES;
}

void client_line(struct client *client, json_t *line)
{
	_cleanup_free_ char *json = line ? json_dumps(line, JSON_COMPACT) : NULL;
	const char *text = json ?: "{\"error\":\"out of memory\"}";

	bufferevent_write(client->bev, text, strlen(text));
	bufferevent_write(client->bev, "\n", 1);
	json_decref(line);
}

void client_error(struct client *client, const char *text)
{
	client_line(client, json_pack("{s:s}", "error", text));
}

int client_origin(const struct client *client, const json_t *request, struct origin *ret)
{
	const json_t *note = json_object_get(request, "note");

	if (note && !json_is_string(note))
		return -EINVAL;
	return origin_of_peer(bufferevent_getfd(client->bev), json_string_value(note), ret);
}

void client_stream(struct client *client, const struct client_stream *ops, void *stream)
{
	client->ops = ops;
	client->stream = stream;
}

/* Closes once all is sent; who does not read it in time is closed anyway. */
static void client_end(struct client *client)
{
	const struct timeval timeout = { .tv_sec = CONTROL_REQUEST_S };

	if (client->ops)
		client->ops->free(client->stream);
	client->ops = NULL;
	client->ending = true;
	bufferevent_set_timeouts(client->bev, NULL, &timeout);
	bufferevent_setwatermark(client->bev, EV_WRITE, 0, 0);
	/* Frees the client from the loop, not under the caller's feet. */
	bufferevent_trigger(client->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

/* Whether the other side is gone for good, rather than only done with sending. */
static bool is_gone(const struct client *client)
{
	struct pollfd p = { .fd = bufferevent_getfd(client->bev) };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static void client_pump(struct client *client)
{
	int more;

	if (!client->ops || client->ending || !client_has_room(client))
		return;
	more = client->ops->pump(client->control->agent, client, client->stream);
	if (!more)
		client_end(client);
	else if (more > 1)
		bufferevent_trigger(client->bev, EV_WRITE,
				    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void control_pump(struct control *control)
{
	struct client *next;

	for (struct client *c = control ? control->clients : NULL; c; c = next) {
		next = c->next;
		if (c->half_closed && is_gone(c))
			client_free(c);
		else
			client_pump(c);
	}
}

bool control_has_streams(const struct control *control)
{
	for (const struct client *c = control ? control->clients : NULL; c; c = c->next)
		if (c->ops)
			return true;
	return false;
}

static void take_request(struct client *client, const char *text, size_t length)
{
	char error[sizeof("not a JSON object: ") + JSON_ERROR_TEXT_LENGTH];
	json_error_t why = { 0 };
	json_t *request;

	client->asked = true;
	bufferevent_set_timeouts(client->bev, NULL, NULL);
	request = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
	if (json_is_object(request)) {
		serve_verb(client->control->agent, client, request);
	} else {
		snprintf(error, sizeof(error), "not a JSON object: %s",
			 *why.text ? why.text : "an array");
		client_error(client, error);
	}
	json_decref(request);
	if (client->ops)
		client_pump(client);
	else
		client_end(client);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct client *client = arg;
	_cleanup_free_ char *line = NULL;
	size_t length;

	if (client->asked) {
		evbuffer_drain(input, evbuffer_get_length(input));
		return;
	}
	line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF);
	if (line) {
		take_request(client, line, length);
	} else if (evbuffer_get_length(input) >= CONTROL_REQUEST_MAX) {
		client->asked = true;
		client_error(client, "the request is too long");
		client_end(client);
	}
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (client->ending && !unsent(client))
		client_free(client);
	else
		client_pump(client);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (!(what & BEV_EVENT_EOF) || !client->asked || is_gone(client)) {
		client_free(client);
		return;
	}
	client->half_closed = true;
}

static struct client *client_new(struct control *control, int fd)
{
	const struct timeval timeout = { .tv_sec = CONTROL_REQUEST_S };
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->control = control;
	client->bev = bufferevent_socket_new(control->agent->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->bev) {
		free(client);
		return NULL;
	}
	client->next = control->clients;
	control->clients = client;
	control->n_clients++;
	bufferevent_setcb(client->bev, on_read, on_write, on_event, client);
	bufferevent_set_timeouts(client->bev, &timeout, NULL);
	bufferevent_setwatermark(client->bev, EV_READ, 0, CONTROL_REQUEST_MAX);
	bufferevent_setwatermark(client->bev, EV_WRITE, CONTROL_BACKLOG_BYTES / 4, 0);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	return client;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
		      int length, void *arg)
{
	struct control *control = arg;
	struct client *client = client_new(control, fd);

	(void)listener;
	(void)addr;
	(void)length;
	if (!client) {
		close(fd);
		return;
	}
	if (control->n_clients <= CONTROL_CLIENTS_MAX)
		return;
	client->asked = true;
	client_error(client, "too many clients: close one and try again");
	client_end(client);
	/* Beyond that there is not even memory for the message. */
	if (control->n_clients > 2 * CONTROL_CLIENTS_MAX)
		client_free(client);
}

/* A socket with mode 0600 from its first moment. */
static int bind_socket(const char *path, int *ret)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	/* Only who holds the lock gets here, so nobody listens on what is there. */
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	mask = umask(0177);
	r = ret_errno(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	umask(mask);
	if (r < 0)
		return r;
	*ret = TAKE_FD(fd);
	return 0;
}

int control_new(struct agent *agent, const char *path, struct control **ret)
{
	_cleanup_close_ int fd = -EBADF;
	struct control *control;
	int r;

	r = bind_socket(path, &fd);
	if (r < 0)
		return r;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->agent = agent;
	control->path = strdup(path);
	control->listener = evconnlistener_new(agent->base, on_accept, control,
					       LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
					       CONTROL_BACKLOG, fd);
	if (control->listener)
		TAKE_FD(fd);
	if (!control->path || !control->listener) {
		control_free(control);
		return -ENOMEM;
	}
	*ret = control;
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	while (control->clients)
		client_free(control->clients);
	if (control->listener)
		evconnlistener_free(control->listener);
	if (control->path)
		unlink(control->path);
	free(control->path);
	free(control);
	return NULL;
}
