/* SPDX-License-Identifier: Apache-2.0 */
/* An agent that says what the test wants, and a command line that runs against it. */
#pragma once

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "user/cli/client.h"

#define SERVER_REQUEST_MAX 4096

struct server {
	char directory[64];
	char path[96];
	int listener;
	pthread_t thread;
	const char *answer; /* sent as it is, then the connection is closed */
	size_t answer_length;
	char request[SERVER_REQUEST_MAX]; /* what came, NUL-terminated */
};

static inline void *server_main(void *arg)
{
	struct server *s = arg;
	size_t length = 0, sent = 0;
	/* cppcheck-suppress nullPointer ; accept4(2) takes NULL when nobody asks who it is */
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return NULL; /* the test closed the listener */
	while (length < sizeof(s->request) - 1 && !memchr(s->request, '\n', length)) {
		ssize_t n = read(fd, s->request + length, sizeof(s->request) - 1 - length);

		if (n <= 0)
			break;
		length += (size_t)n;
	}
	while (sent < s->answer_length) {
		ssize_t n = send(fd, s->answer + sent, s->answer_length - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	close(fd);
	return NULL;
}

static inline void server_start_bytes(struct server *s, const char *answer, size_t length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(s, 0, sizeof(*s));
	s->answer = answer;
	s->answer_length = length;
	strcpy(s->directory, "/tmp/countersign-test-XXXXXX");
	cr_assert_not_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof(s->path), "%s/" CLIENT_SOCKET, s->directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(s->listener, 0);
	cr_assert_eq(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(s->listener, 4), 0);
	cr_assert_eq(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static inline void server_start(struct server *s, const char *answer)
{
	server_start_bytes(s, answer, strlen(answer));
}

static inline void server_stop(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->directory);
}

/* What a run of the program printed, and its exit code. */
struct outcome {
	int code;
	char *out;
	char *err;
};

#define RUN_ARGS_MAX 16

/* Runs "countersign @args", NULL-terminated. */
static inline struct outcome run_args(const char *const *args)
{
	char *copy[RUN_ARGS_MAX + 2] = { strdup("countersign") };
	struct outcome o = { 0 };
	size_t out_length, err_length;
	FILE *out = open_memstream(&o.out, &out_length);
	FILE *err = open_memstream(&o.err, &err_length);
	int argc = 1;

	cr_assert(out && err);
	for (; args[argc - 1] && argc <= RUN_ARGS_MAX; argc++)
		copy[argc] = strdup(args[argc - 1]);
	/* getopt may change the order: free by another list */
	char *owned[RUN_ARGS_MAX + 2];

	memcpy(owned, copy, sizeof(owned));
	o.code = cli_main(argc, copy, out, err);
	fclose(out);
	fclose(err);
	for (int i = 0; i < argc; i++)
		free(owned[i]);
	return o;
}

#define run_cli(...) run_args((const char *const[]){ __VA_ARGS__, NULL })

static inline void outcome_done(struct outcome *o)
{
	free(o->out);
	free(o->err);
	*o = (struct outcome){ 0 };
}

/* One run against an agent that answers @answer. */
#define run_against(server, text, ...)                                           \
	({                                                                       \
		struct outcome _outcome;                                         \
                                                                                 \
		server_start(server, text);                                      \
		_outcome = run_cli("--state", (server)->directory, __VA_ARGS__); \
		server_stop(server);                                             \
		_outcome;                                                        \
	})

#define expect_in(text, part) cr_expect(strstr(text, part), "\"%s\" is not in: %s", part, text)
#define expect_not_in(text, part) cr_expect_null(strstr(text, part), "\"%s\" is in: %s", part, text)
