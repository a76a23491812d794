/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP to one API server: libcurl's multi interface on libevent's loop, HTTP/2 over one
 * connection where it is offered. Nothing blocks but an exec credential plugin's start.
 * Every request has a limit on time, on silence and on bytes. No function logs.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/kube/config.h"

#define KUBE_RESPONSE_BYTES_MAX (64 << 20) /* of any answer that is kept whole */
#define KUBE_CALL_TIMEOUT_MS 30000 /* of an answer that is kept whole, when not told otherwise */
#define KUBE_CALLS_MAX 256 /* at once; more wait */

struct kube_client;

/* Takes over @config, also on failure. */
int kube_client_new(struct event_base *base, struct kube_config *config, const char *user_agent,
		    struct kube_client **ret, struct kube_error *reterr);
/* Ends all calls without a word to their owners. Takes and returns NULL. */
struct kube_client *kube_client_free(struct kube_client *client);
static inline void kube_client_freep(struct kube_client **client)
{
	kube_client_free(*client);
}

const struct kube_config *kube_client_config(const struct kube_client *client);
struct event_base *kube_client_base(const struct kube_client *client);

/* Strings are copied. */
struct kube_request {
	const char *method; /* NULL: GET */
	const char *path; /* with query, escaped: "/api/v1/pods?limit=500" */
	const char *body; /* NULL: none */
	size_t length; /* of @body */
	const char *content_type; /* NULL: application/json */
	const char *accept; /* NULL: application/json */
	unsigned int timeout_ms; /* 0: KUBE_CALL_TIMEOUT_MS; with @on_data there is none */
	unsigned int silence_ms; /* with @on_data: the longest without a byte; 0: no limit */
};

struct kube_response {
	int error; /* 0: the server answered; else a negative errno: -ETIMEDOUT, -ECONNREFUSED.. */
	long status; /* HTTP's; 0: no answer */
	const char *body; /* with a final NUL; NULL when it was streamed */
	size_t length;
	int64_t retry_after_ms; /* Retry-After of 429 and 503; 0: none was given */
	/* For people: of the Status object (reason: message), or what curl says; never NULL. */
	const char *message;
	const char *reason; /* of the Status object: "AlreadyExists", "Expired"; "" for none */
};

struct kube_call;

/*
 * Part of a streamed answer (of status 200 only); < 0 ends the call with that error. First comes
 * a part of length 0: the answer has begun.
 */
typedef int (*kube_data_fn)(void *arg, const char *data, size_t length);
/* The end of a call, once, unless it was cancelled; @response is valid during the call only. */
typedef void (*kube_done_fn)(void *arg, const struct kube_response *response);

struct kube_handlers {
	kube_data_fn on_data; /* NULL: the body is kept whole, for @on_done */
	kube_done_fn on_done; /* NULL: nobody cares */
	void *arg;
};

/*
 * Begins a call. @on_done is never called from within. 401 makes the client read the
 * credentials again (or run the plugin again) and try once more by itself.
 */
int kube_call_start(struct kube_client *client, const struct kube_request *request,
		    const struct kube_handlers *handlers, struct kube_call **ret);
/* Ends a call without @on_done. Takes and returns NULL. */
struct kube_call *kube_call_cancel(struct kube_call *call);

/* The same, waiting for the end: runs the loop of @client meanwhile. For start-up and tools. */
struct kube_answer {
	struct kube_response response;
	char *body, *message, *reason; /* own what @response points to */
};
int kube_call_wait(struct kube_client *client, const struct kube_request *request,
		   struct kube_answer *ret);
void kube_answer_done(struct kube_answer *answer);

/* For status and metrics. */
struct kube_client_stats {
	uint64_t calls, failures, bytes_received, connections; /* since the start */
	bool http2; /* of the last connection */
	int64_t last_success_ms; /* CLOCK_BOOTTIME; 0: never */
	char last_error[KUBE_ERROR_MAX]; /* "" since the last success */
};
void kube_client_stats(const struct kube_client *client, struct kube_client_stats *ret);

/*
 * Full jitter: a random wait after the @failures-th failure in a row, from about 0.5 s up
 * to about 30 s, so that a server that comes back is not met by everybody at once.
 */
unsigned int kube_backoff_ms(unsigned int failures);
