/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One gRPC call with an endless answer (server streaming) over HTTP/2 on a Unix socket. It
 * never blocks: the caller waits for grpc_call_events() on grpc_call_fd() and then calls
 * grpc_call_dispatch(). After the first failure the call is over: free it, make a new one.
 *
 * The bytes that are read may hold a private key: the buffer is on the secure heap, and wiped
 * after each read. nghttp2 hands DATA on without a copy.
 */
#pragma once

#include "user/credential/grpc_response.h"

struct grpc_call;

struct grpc_options {
	const char *socket; /* path */
	const char *method; /* "/Service/Method" */
	const char *metadata_name, *metadata_value; /* one header field more */
	grpc_message_fn on_message;
	void *arg;
};

/* Connects and sends the request, which is an empty message. */
int grpc_call_new(const struct grpc_options *options, struct grpc_call **ret,
		  struct credential_error *reterr);
struct grpc_call *grpc_call_free(struct grpc_call *call); /* takes and returns NULL */
static inline void grpc_call_freep(struct grpc_call **call)
{
	grpc_call_free(*call);
}

int grpc_call_fd(const struct grpc_call *call);
uint32_t grpc_call_events(const struct grpc_call *call); /* EPOLLIN, EPOLLOUT */
/* Reads and writes what can be without blocking, a bounded amount; < 0: the call is over. */
int grpc_call_dispatch(struct grpc_call *call, struct credential_error *reterr);
/* Asks whether the other side still lives. */
int grpc_call_ping(struct grpc_call *call, struct credential_error *reterr);
/* How many bytes came so far; does not change when the other side is dead. */
uint64_t grpc_call_received(const struct grpc_call *call);
