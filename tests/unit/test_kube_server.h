/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that says what a script says, one answer per connection, in the client's own loop. It
 * is for what no real API server can be made to do when it suits: answers that are broken, cut,
 * or refused at a certain moment. What a real one does is tested in tests/kube/client.sh.
 */
#pragma once

#include "user/kube/client_internal.h"
#include "user/kube/reflector.h"

#define JSON_200 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
#define REQUESTS_MAX 64

struct scripted {
	const char *wants; /* that the request line must have */
	const char *answer;
	bool hangs; /* the connection stays open after it */
	bool by_bytes; /* sent byte by byte */
};

struct scripted_server {
	struct event_base *base;
	struct event *event;
	int fd;
	unsigned int port;
	const struct scripted *script; /* the last one is said again and again */
	size_t script_n;
	char *request[REQUESTS_MAX]; /* whole heads */
	int64_t at_ms[REQUESTS_MAX];
	size_t requests;
	int open[REQUESTS_MAX]; /* connections that hang */
	size_t open_n;
};

void scripted_start(struct scripted_server *server, const struct scripted *script, size_t n);
void scripted_stop(struct scripted_server *server);
/* A client of it; the configuration has no credentials. */
struct kube_client *scripted_client(struct scripted_server *server);
/* Runs the loop until *@done, at most @ms. */
bool scripted_run(struct scripted_server *server, const bool *done, int64_t ms);
