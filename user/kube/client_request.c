/* SPDX-License-Identifier: Apache-2.0 */
/* A call as curl's easy handle. */
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "user/kube/client_internal.h"

/* A peer that vanished without a word is noticed while something is on the way to it. */
static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned int limit = KUBE_USER_TIMEOUT_MS;

	(void)arg;
	(void)purpose;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	return CURL_SOCKOPT_OK;
}

static void set_wire(CURL *easy, const struct kube_config *config)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* Rather wait for the connection that is being made than make another one. */
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (config->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy);
}

/* Not copied by curl: wiped when the last call that has it ends. */
static struct curl_blob blob_of(char *text, size_t length)
{
	return (struct curl_blob){ .data = text, .len = length, .flags = CURL_BLOB_NOCOPY };
}

static int set_tls(CURL *easy, const struct kube_config *config, const struct kube_tls *tls)
{
	struct curl_blob ca = blob_of(tls->ca, tls->ca_length);
	struct curl_blob certificate = blob_of(tls->certificate, tls->certificate_length);
	struct curl_blob key = blob_of(tls->key, tls->key_length);
	CURLcode code = CURLE_OK;

	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
	if (tls->ca) {
		/* Else curl would believe the system's authorities, too. */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		code = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
	}
	if (code == CURLE_OK && tls->certificate)
		code = curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
	if (code == CURLE_OK && tls->key)
		code = curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

__attribute__((format(printf, 2, 3))) static int add_header(struct kube_call *call,
							    const char *format, ...)
{
	struct curl_slist *more;
	va_list args;
	char *line;
	int n;

	va_start(args, format);
	n = vasprintf(&line, format, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM;
	more = curl_slist_append(call->headers, line);
	kube_secret_free(line);
	if (!more)
		return -ENOMEM;
	call->headers = more;
	return 0;
}

static int set_headers(struct kube_call *call)
{
	const char *token = kube_credentials_token(call->client);

	/* A file may hold anything; a line end would begin a header of its own. */
	if (token && strpbrk(token, "\r\n"))
		return -EBADMSG;
	if (add_header(call, "Accept: %s", call->accept ? call->accept : "application/json") < 0 ||
	    add_header(call, "Expect:") < 0)
		return -ENOMEM;
	if (call->body &&
	    add_header(call, "Content-Type: %s",
		       call->content_type ? call->content_type : "application/json") < 0)
		return -ENOMEM;
	if (token && add_header(call, "Authorization: Bearer %s", token) < 0)
		return -ENOMEM;
	return curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) ? -ENOMEM : 0;
}

/* "host", "port" and "path" of the server's address. */
struct address {
	char *host, *port, *path;
};

static void address_done(struct address *address)
{
	curl_free(address->host);
	curl_free(address->port);
	curl_free(address->path);
}

static int address_parse(const char *server, struct address *ret)
{
	CURLU *url = curl_url();
	int r = -ENOMEM;

	if (!url)
		return r;
	if (curl_url_set(url, CURLUPART_URL, server, 0))
		r = -EINVAL;
	else if (!curl_url_get(url, CURLUPART_HOST, &ret->host, 0) &&
		 !curl_url_get(url, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) &&
		 !curl_url_get(url, CURLUPART_PATH, &ret->path, 0))
		r = 0;
	curl_url_cleanup(url);
	return r;
}

/* The certificate is for @name: curl is told that name, and to connect where the server is. */
static int set_renamed(struct kube_call *call, const char *server, const char *name)
{
	_cleanup_(address_done) struct address address = { 0 };
	_cleanup_free_ char *url = NULL;
	struct curl_slist *to;
	char *line;
	int r;

	r = address_parse(server, &address);
	if (r < 0)
		return r;
	if (asprintf(&url, "https://%s:%s%s%s", name, address.port,
		     streq(address.path, "/") ? "" : address.path, call->path) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	if (asprintf(&line, "%s:%s:%s:%s", name, address.port, address.host, address.port) < 0)
		return -ENOMEM;
	to = curl_slist_append(NULL, line);
	free(line);
	if (!to)
		return -ENOMEM;
	call->connect_to = to;
	if (curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, to) ||
	    curl_easy_setopt(call->easy, CURLOPT_URL, url))
		return -ENOMEM;
	return add_header(call, "Host: %s:%s", address.host, address.port);
}

static int set_url(struct kube_call *call)
{
	const struct kube_config *config = call->client->config;
	_cleanup_free_ char *url = NULL;

	if (config->server_name)
		return set_renamed(call, config->server, config->server_name);
	if (asprintf(&url, "%s%s", config->server, call->path) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	return curl_easy_setopt(call->easy, CURLOPT_URL, url) ? -ENOMEM : 0;
}

static void set_method(struct kube_call *call)
{
	CURL *easy = call->easy;

	if (call->body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
	}
	if (call->method)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	/* A compressor would hold back what a watch waits for. */
	if (!call->body && !strstr(call->path, "watch="))
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void set_answer(struct kube_call *call)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_USERAGENT, call->client->user_agent);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, kube_response_write);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, kube_response_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_text);
}

int kube_call_prepare(struct kube_call *call)
{
	struct kube_client *client = call->client;
	int r;

	call->easy = curl_easy_init();
	if (!call->easy)
		return -ENOMEM;
	call->tls = kube_tls_ref(client->tls);
	call->credentials = client->credentials;
	call->curl_text[0] = '\0';
	set_wire(call->easy, client->config);
	set_method(call);
	set_answer(call);
	r = set_tls(call->easy, client->config, call->tls);
	if (r == 0)
		r = set_url(call);
	if (r == 0)
		r = set_headers(call);
	return r;
}

void kube_call_unprepare(struct kube_call *call)
{
	if (call->easy)
		curl_easy_cleanup(call->easy);
	call->easy = NULL;
	for (struct curl_slist *line = call->headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(call->headers);
	call->headers = NULL;
	curl_slist_free_all(call->connect_to);
	call->connect_to = NULL;
	call->tls = kube_tls_unref(call->tls);
	if (call->data)
		explicit_bzero(call->data, call->length);
	free(call->data);
	call->data = NULL;
	call->length = call->capacity = 0;
	call->status = 0;
	call->failed = 0;
	call->seen = false;
}
