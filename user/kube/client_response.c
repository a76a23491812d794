/* SPDX-License-Identifier: Apache-2.0 */
/* What comes back: bytes with their limits, curl's errors as errno, Status objects. */
#include <jansson.h>

#include "user/kube/client_internal.h"

#define MESSAGE_MAX 1024 /* of a Status's text, for people */

/* Told once, with the first byte of an answer. */
static void note_first(struct kube_call *call)
{
	struct kube_client_stats *stats = &call->client->stats;
	long version = 0, connects = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
	if (call->seen || call->status == 0)
		return;
	call->seen = true;
	curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
	stats->connections += (uint64_t)connects;
	stats->http2 = call->wire->http2 = version == CURL_HTTP_VERSION_2_0;
}

static void note_bytes(struct kube_call *call, size_t n)
{
	call->last_data_ms = kube_now_ms();
	call->wire->last_byte_ms = call->last_data_ms;
	call->client->stats.bytes_received += n;
}

size_t kube_response_header(char *data, size_t size, size_t n, void *arg)
{
	struct kube_call *call = arg;
	bool end = n * size == 2 && data[0] == '\r', first = !call->seen;

	note_bytes(call, size * n);
	if (!end || call->cancelled)
		return size * n;
	note_first(call);
	if (!first || call->status != 200 || !call->handlers.on_data)
		return size * n;
	/* A watch of what does not change has no data for a minute, but it is there. */
	kube_client_succeeded(call->client);
	call->failed = MIN(call->handlers.on_data(call->handlers.arg, "", 0), 0);
	return call->failed < 0 ? 0 : size * n;
}

static int keep(struct kube_call *call, const char *data, size_t n, size_t max)
{
	size_t capacity = MAX(call->capacity, (size_t)4096);
	char *more;

	if (call->length + n > max)
		return -EMSGSIZE;
	while (capacity < call->length + n + 1)
		capacity *= 2;
	if (capacity != call->capacity) {
		more = realloc(call->data, capacity);
		if (!more)
			return -ENOMEM;
		call->data = more;
		call->capacity = capacity;
	}
	memcpy(call->data + call->length, data, n);
	call->length += n;
	call->data[call->length] = '\0';
	return 0;
}

size_t kube_response_write(char *data, size_t size, size_t n, void *arg)
{
	struct kube_call *call = arg;
	int r;

	n *= size;
	note_first(call);
	note_bytes(call, n);
	if (call->cancelled)
		return 0;
	if (!call->handlers.on_data)
		r = keep(call, data, n, KUBE_RESPONSE_BYTES_MAX);
	else if (call->status == 200)
		r = call->handlers.on_data(call->handlers.arg, data, n);
	else
		r = keep(call, data, n, KUBE_STATUS_BYTES_MAX);
	if (r >= 0 && !call->cancelled)
		return n;
	call->failed = r;
	return 0;
}

int kube_response_error(CURLcode code, const struct kube_call *call)
{
	static const struct {
		CURLcode code;
		int r;
	} table[] = {
		{ CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT },
		{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH },
		{ CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH },
		{ CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED },
		{ CURLE_SSL_CACERT_BADFILE, -EKEYREJECTED },
		{ CURLE_SSL_CERTPROBLEM, -EKEYREJECTED },
		{ CURLE_SSL_ISSUER_ERROR, -EKEYREJECTED },
		{ CURLE_SSL_CONNECT_ERROR, -EPROTO },
		{ CURLE_GOT_NOTHING, -ECONNRESET },
		{ CURLE_SEND_ERROR, -ECONNRESET },
		{ CURLE_RECV_ERROR, -ECONNRESET },
		{ CURLE_PARTIAL_FILE, -ECONNRESET },
		{ CURLE_HTTP2, -ECONNRESET },
		{ CURLE_HTTP2_STREAM, -ECONNRESET },
		{ CURLE_OUT_OF_MEMORY, -ENOMEM },
		{ CURLE_BAD_CONTENT_ENCODING, -EBADMSG },
	};
	long error = 0;

	if (code == CURLE_OK)
		return 0;
	if (code == CURLE_WRITE_ERROR && call->failed < 0)
		return call->failed;
	if (code == CURLE_COULDNT_CONNECT) {
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
		return error > 0 ? -(int)error : -ECONNREFUSED;
	}
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].code == code)
			return table[i].r;
	return -EIO;
}

/* Some words in place of a Status that is not there. */
static int plain_words(const struct kube_call *call, char **ret)
{
	static const struct {
		long from, to;
		const char *words;
	} table[] = {
		{ 300, 399, "the server sends us elsewhere, which is refused" },
		{ 404, 404, "the server has no such resource" },
		{ 502, 504, "the server, or what is before it, is not ready" },
		{ 0, 999, "the answer is no Status object: is it a Kubernetes API server?" },
	};
	size_t i = 0;

	while (call->status < table[i].from || call->status > table[i].to)
		i++;
	return asprintf(ret, "HTTP %ld: %s", call->status, table[i].words) < 0 ? -ENOMEM : 0;
}

int kube_response_status(const struct kube_call *call, char **ret_message, char **ret_reason)
{
	_cleanup_free_ char *message = NULL, *reason = NULL;
	const char *kind, *text, *word;
	json_t *root;
	int r = 0;

	root = call->data ? json_loadb(call->data, call->length, 0, NULL) : NULL;
	kind = json_string_value(json_object_get(root, "kind"));
	text = json_string_value(json_object_get(root, "message"));
	word = json_string_value(json_object_get(root, "reason"));
	reason = strdup(kind && streq(kind, "Status") && word ? word : "");
	if (!reason)
		r = -ENOMEM;
	else if (!kind || !streq(kind, "Status"))
		r = plain_words(call, &message);
	else if (asprintf(&message, "%s%s%.*s", *reason ? reason : "HTTP error", text ? ": " : "",
			  MESSAGE_MAX, text ? text : "") < 0)
		r = -ENOMEM;
	json_decref(root);
	if (r < 0) {
		message = NULL;
		return r;
	}
	*ret_message = TAKE_PTR(message);
	*ret_reason = TAKE_PTR(reason);
	return 0;
}
