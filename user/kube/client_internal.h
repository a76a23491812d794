/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the client: a queue of calls, and the wire that the running ones share. */
#pragma once

#include <curl/curl.h>
#include <sys/queue.h>

#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/kube/client.h"
#include "user/kube/config_internal.h"
#include "user/kube/exec.h"

#define KUBE_QUEUE_MAX 4096 /* calls that wait for their turn */
#define KUBE_CONNECT_MS 10000 /* for TCP and TLS together */
#define KUBE_TICK_MS 10000 /* how often files and silent wires are looked at */
#define KUBE_PROBE_IDLE_MS 30000 /* silence after which the server is asked for a sign of life */
#define KUBE_PROBE_TIMEOUT_MS 15000
#define KUBE_STATUS_BYTES_MAX (64 << 10) /* of a Status in place of a stream */
#define KUBE_USER_TIMEOUT_MS 30000 /* TCP_USER_TIMEOUT: sent, and nobody acknowledged */

TAILQ_HEAD(kube_calls, kube_call);
TAILQ_HEAD(kube_wires, kube_wire);

/* What a connection is authenticated with. Calls keep it while curl may look at it. */
struct kube_tls {
	unsigned int references;
	char *ca, *certificate, *key;
	size_t ca_length, certificate_length, key_length;
};

/*
 * One multi handle, so one connection with HTTP/2. A wire is given up whole: when it is dead, or
 * when the CA or the client certificate changed. curl alone would put new calls on it.
 */
struct kube_wire {
	TAILQ_ENTRY(kube_wire) entry;
	struct kube_client *client;
	CURLM *multi;
	struct event *timer;
	struct kube_calls calls;
	int64_t last_byte_ms;
	bool retired; /* takes no calls any more */
	bool http2;
};

struct kube_call {
	TAILQ_ENTRY(kube_call) entry;
	struct kube_client *client;
	struct kube_wire *wire; /* NULL: it waits */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct kube_tls *tls;
	struct event *timer;

	char *method, *path, *body, *content_type, *accept;
	size_t body_length;
	unsigned int timeout_ms, silence_ms;
	struct kube_handlers handlers;

	int64_t started_ms, last_data_ms;
	uint64_t credentials; /* which ones it was sent with */
	long status;
	int failed; /* what on_data() said, or a limit of ours */
	char *data; /* the answer */
	size_t length, capacity;
	bool seen, retried, cancelled, in_done;
	char curl_text[CURL_ERROR_SIZE];
};

struct kube_client {
	struct event_base *base;
	struct kube_config *config;
	char *user_agent;
	struct kube_wire *wire;
	struct kube_wires wires; /* all, the retired ones too */
	struct kube_calls waiting;
	size_t waiting_n, running_n;
	unsigned int in_curl; /* inside of curl nothing may be removed from it */
	struct event *kick, *tick;
	struct kube_call *probe; /* asks a silent wire for a sign of life */
	struct kube_tls *tls;
	uint64_t credentials; /* grows with each change */
	struct kube_exec_run *exec;
	int64_t exec_failed_ms;
	bool exec_fresh; /* the plugin has run for the calls that wait */
	struct kube_error exec_error;
	struct kube_client_stats stats;
};

static inline int64_t kube_now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

/* credentials.c */
/* 1: @client->tls and the token are good; 0: a plugin runs; < 0: there are none. */
int kube_credentials_ready(struct kube_client *client, struct kube_error *reterr);
/* The server refused those that @call had. */
void kube_credentials_refused(struct kube_client *client, const struct kube_call *call);
const char *kube_credentials_token(const struct kube_client *client); /* NULL: none */
struct kube_tls *kube_tls_ref(struct kube_tls *tls);
struct kube_tls *kube_tls_unref(struct kube_tls *tls); /* returns NULL */

/* client_wire.c */
int kube_wire_new(struct kube_client *client, struct kube_wire **ret);
void kube_wire_free(struct kube_wire *wire);
int kube_wire_add(struct kube_wire *wire, struct kube_call *call);
void kube_wire_remove(struct kube_call *call);
/* Fails its calls, all of them or the streams alone, and takes it out of use. */
void kube_wire_retire(struct kube_wire *wire, bool streams_only, int r, const char *why);
/* Asks for a sign of life after a silence. */
void kube_wire_tick(struct kube_wire *wire);

/* client_request.c */
int kube_call_prepare(struct kube_call *call);
/* Ends what kube_call_prepare() began; the call may be prepared again. */
void kube_call_unprepare(struct kube_call *call);

/* client_response.c */
size_t kube_response_write(char *data, size_t size, size_t n, void *arg);
size_t kube_response_header(char *data, size_t size, size_t n, void *arg);
int kube_response_error(CURLcode code, const struct kube_call *call);
/* Message and reason of the Status object that the answer may be; the caller's. */
int kube_response_status(const struct kube_call *call, char **ret_message, char **ret_reason);

/* client_call.c */
void kube_call_curl_done(struct kube_call *call, CURLcode code);
void kube_call_fail(struct kube_call *call, int r, const char *why);
void kube_call_free(struct kube_call *call);
/* Starts waiting calls, and frees what could not be freed inside of curl. */
void kube_client_kick(struct kube_client *client);
void kube_client_succeeded(struct kube_client *client);
void kube_client_work(struct kube_client *client);
