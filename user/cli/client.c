/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "user/cli/cluster.h"

#define READ_CHUNK 65536u

struct connection {
	const struct cli *cli;
	const struct client_request *request;
	int fd;
	struct kubectl_child kubectl; /* at the other end of fd, in a cluster */
	struct cluster_nodes node; /* the one that is asked, in a cluster */
	char *buffer; /* what has come of lines that are not yet handed over */
	size_t length;
	size_t size;
	size_t lines; /* handed over */
};

static void connection_done(struct connection *c)
{
	free(c->buffer);
	closep(&c->fd);
	kubectl_end(&c->kubectl, true);
	cluster_nodes_done(&c->node);
}

const char *client_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t client_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int say_local(const struct cli *cli, const char *what, const char *remedy)
{
	fprintf(cli->err, "countersign: %s/" CLIENT_SOCKET ": %s%s%s\n", cli->state, what,
		*remedy ? "; " : "", remedy);
	return CLI_FAILED;
}

/* What kubectl said; its exit code. */
static int end_kubectl(struct connection *c, bool now, char ret_error[static KUBECTL_ERROR_MAX])
{
	_cleanup_close_ int err = TAKE_FD(c->kubectl.err);
	int code;

	closep(&c->fd);
	c->fd = -EBADF;
	code = kubectl_end(&c->kubectl, now);
	kubectl_error(err, ret_error);
	return code;
}

static int say_cluster(const struct connection *c, const char *what, const char *remedy)
{
	fprintf(c->cli->err, "%s: node %s: ", c->cli->program,
		c->node.n ? c->node.item[0].name : "");
	cli_put(c->cli->err, what);
	fprintf(c->cli->err, "%s%s\n", *remedy ? "; " : "", remedy);
	return CLI_FAILED;
}

/* Of an agent elsewhere: kubectl knows what was wrong, when it says anything. */
static int say(struct connection *c, const char *what, const char *remedy)
{
	char error[KUBECTL_ERROR_MAX] = "";

	if (!c->cli->cluster)
		return say_local(c->cli, what, remedy);
	if (c->kubectl.pid)
		end_kubectl(c, true, error);
	return *error ? say_cluster(c, error, "") : say_cluster(c, what, remedy);
}

static int say_connect_error(const struct cli *cli, int error)
{
	const char *remedy = "";

	if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
		remedy = "is countersignd running? It may have another state directory: "
			 "try --state DIR or $COUNTERSIGN_STATE";
	else if (error == EACCES || error == EPERM)
		remedy = "only root may talk to the agent: try sudo";
	return say_local(cli, strerror(error), remedy);
}

int client_connect(const struct cli *cli, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CLIENT_SOCKET,
			      cli->state);

	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return say_local(cli, "the path is too long for a Unix socket",
				 "choose a shorter state directory");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return say_connect_error(cli, errno);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return say_connect_error(cli, errno);
	*ret_fd = TAKE_FD(fd);
	return CLI_OK;
}

static int connect_cluster(struct connection *c)
{
	int r = cluster_one_node(c->cli, &c->node);

	if (r != CLI_OK)
		return r;
	r = cluster_connect(c->cli, c->node.item[0].pod, &c->kubectl);
	if (r < 0)
		return say(c, strerror(-r), "is there a kubectl in $PATH?");
	c->fd = TAKE_FD(c->kubectl.fd);
	return CLI_OK;
}

static int connect_agent(struct connection *c)
{
	struct timeval limit = { .tv_sec = CLIENT_TIMEOUT_S };
	int r = c->cli->cluster ? connect_cluster(c) : client_connect(c->cli, &c->fd);

	if (r != CLI_OK)
		return r;
	if (c->cli->cluster)
		limit.tv_sec = MAX(c->cli->cluster->timeout_s, CLIENT_TIMEOUT_S);
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    (!c->request->endless &&
	     setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0))
		return say(c, strerror(errno), "");
	return CLI_OK;
}

static int send_request(struct connection *c)
{
	_cleanup_free_ char *text = json_dumps(c->request->body, JSON_COMPACT);
	size_t length, sent = 0;

	if (!text)
		return say(c, strerror(ENOMEM), "");
	length = strlen(text);
	text[length++] = '\n'; /* in the place of the NUL, which nobody needs now */
	while (sent < length) {
		ssize_t n = send(c->fd, text + sent, length - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return say(c, strerror(errno), "the agent does not listen any more");
		sent += (size_t)n;
	}
	return CLI_OK;
}

static int say_agent_error(const struct cli *cli, const json_t *line)
{
	const json_t *errors = json_object_get(line, "errors"), *item;
	size_t i;

	fprintf(cli->err, "countersign: ");
	cli_put(cli->err, client_text(line, "error"));
	fputc('\n', cli->err);
	json_array_foreach(errors, i, item) {
		const char *text = json_string_value(item);

		fprintf(cli->err, "  ");
		cli_put(cli->err, text ? text : "(not a text)");
		fputc('\n', cli->err);
	}
	return CLI_FAILED;
}

static int take_line(struct connection *c, const char *line, size_t length)
{
	json_error_t error;
	json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!json_is_object(json)) {
		json_decref(json);
		return say(c, "the answer is not JSON",
			   "is this the socket of a countersignd of this version?");
	}
	c->lines++;
	if (json_object_get(json, "error"))
		r = say_agent_error(c->cli, json);
	else
		r = c->request->reply(c->cli, json, c->request->arg);
	json_decref(json);
	return r;
}

/* Hands over what is complete, beginning the search for its end at @fresh. */
static int take_lines(struct connection *c, size_t fresh)
{
	size_t start = 0;
	char *end;
	int r = CLI_OK;

	while (r == CLI_OK && (end = memchr(c->buffer + fresh, '\n', c->length - fresh))) {
		size_t stop = (size_t)(end - c->buffer);

		r = take_line(c, c->buffer + start, stop - start);
		start = fresh = stop + 1;
	}
	memmove(c->buffer, c->buffer + start, c->length - start);
	c->length -= start;
	return r;
}

static int make_room(struct connection *c)
{
	size_t size = c->size ? c->size * 2 : READ_CHUNK;
	char *buffer;

	if (c->length < c->size)
		return CLI_OK;
	if (size > CLIENT_LINE_MAX)
		return say(c, "an answer line is longer than 16 MiB", "");
	buffer = realloc(c->buffer, size);
	if (!buffer)
		return say(c, strerror(ENOMEM), "");
	c->buffer = buffer;
	c->size = size;
	return CLI_OK;
}

static int say_end(struct connection *c)
{
	char error[KUBECTL_ERROR_MAX];

	if (c->kubectl.pid && end_kubectl(c, false, error) != 0)
		return say_cluster(c, *error ? error : "kubectl failed", "");
	if (c->length > 0)
		return say(c, "the answer breaks off in the middle of a line",
			   "has countersignd ended? See its log");
	if (c->lines == 0 && !c->request->may_be_empty)
		return say(c, "the agent closed the connection without an answer", "see its log");
	if (c->request->endless)
		return say(c, "the agent closed the connection", "has it been stopped?");
	return CLI_OK;
}

static int say_read_error(struct connection *c, int error)
{
	if (error == EAGAIN || error == EWOULDBLOCK)
		return say(c, "no answer for a minute", "see the log of countersignd");
	return say(c, strerror(error), "");
}

static int receive(struct connection *c)
{
	for (;;) {
		size_t fresh = c->length;
		ssize_t n;
		int r = make_room(c);

		if (r != CLI_OK)
			return r;
		n = read(c->fd, c->buffer + c->length, c->size - c->length);
		if (n < 0 && errno == EINTR)
			continue;
		/* kubectl ended and had not read all that it was told. */
		if (n < 0 && errno == ECONNRESET)
			n = 0;
		if (n < 0)
			return say_read_error(c, errno);
		if (n == 0)
			return say_end(c);
		c->length += (size_t)n;
		r = take_lines(c, fresh);
		if (r != CLI_OK)
			return r;
	}
}

int client_call(const struct cli *cli, const struct client_request *request)
{
	_cleanup_(connection_done) struct connection c = {
		.cli = cli,
		.request = request,
		.fd = -EBADF,
		.kubectl = { .fd = -EBADF, .err = -EBADF },
	};
	int r;

	if (!request->body)
		return say_local(cli, "cannot make the request", "are all arguments UTF-8?");
	r = connect_agent(&c);
	if (r == CLI_OK)
		r = send_request(&c);
	return r == CLI_OK ? receive(&c) : r;
}
