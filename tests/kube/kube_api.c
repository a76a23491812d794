/* SPDX-License-Identifier: Apache-2.0 */
/* The API as a person uses it: plain requests, and kubectl. */
#include "tests/kube/kube_internal.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#define ANSWER_MAX ((size_t)64 << 20)

struct answer {
	char *text;
	size_t length;
};

/* The API server is in a namespace of its own: sockets to it are made there. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	_cleanup_close_ int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct kube *kube = arg;
	int fd;

	(void)purpose;
	if (own < 0 || setns(kube->host->netns, CLONE_NEWNET) < 0)
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (setns(own, CLONE_NEWNET) < 0)
		abort();
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct answer *answer = arg;
	char *more;

	if (answer->length + size * n >= ANSWER_MAX)
		return 0;
	more = realloc(answer->text, answer->length + size * n + 1);
	if (!more)
		return 0;
	answer->text = more;
	memcpy(more + answer->length, data, size * n);
	answer->length += size * n;
	more[answer->length] = '\0';
	return size * n;
}

void kube_api_open(struct kube *kube)
{
	kube->curl = curl_easy_init();
	lab_check(kube->lab, kube->curl, "no curl");
}

void kube_api_close(struct kube *kube)
{
	curl_easy_cleanup(kube->curl);
	kube->curl = NULL;
}

static void prepare(struct kube *kube, const char *method, const char *path)
{
	CURL *curl = kube->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, lab_printf(kube->lab, "%s%s", kube->url, path));
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_CAINFO, lab_printf(kube->lab, "%s/ca.crt", kube->dir));
	curl_easy_setopt(curl, CURLOPT_SSLCERT, lab_printf(kube->lab, "%s/admin.crt", kube->dir));
	curl_easy_setopt(curl, CURLOPT_SSLKEY, lab_printf(kube->lab, "%s/admin.key", kube->dir));
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, kube);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)LAB_WAIT_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
}

static const char *type_of(const char *method, const char *path)
{
	if (streq(method, "APPLY") || strstr(path, "fieldManager="))
		return "Content-Type: application/apply-patch+yaml";
	if (streq(method, "PATCH"))
		return "Content-Type: application/merge-patch+json";
	return "Content-Type: application/json";
}

json_t *kube_call(struct kube *kube, const char *method, const char *path, const json_t *body,
		  long *ret_status)
{
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct curl_slist *headers = curl_slist_append(NULL, type_of(method, path));
	struct answer answer = { 0 };
	json_t *json = NULL;
	long status = 0;
	CURLcode code;

	prepare(kube, method, path);
	curl_easy_setopt(kube->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(kube->curl, CURLOPT_WRITEDATA, &answer);
	if (text)
		curl_easy_setopt(kube->curl, CURLOPT_POSTFIELDS, text);
	code = curl_easy_perform(kube->curl);
	curl_easy_getinfo(kube->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	if (answer.text)
		json = json_loads(answer.text, JSON_DECODE_ANY, NULL);
	lab_check(kube->lab, ret_status || (code == CURLE_OK && status < 300),
		  "%s %s: %s, status %ld: %s", method, path, curl_easy_strerror(code), status,
		  answer.text ?: "");
	free(answer.text);
	if (ret_status)
		*ret_status = code == CURLE_OK ? status : 0;
	return json ? lab_keep(kube->lab, json) : NULL;
}

json_t *kube_patch(struct kube *kube, const char *path, const json_t *patch)
{
	return kube_call(kube, "PATCH", path, patch, NULL);
}

const char *kube_ctl_argv(struct kube *kube, int *ret_code, const char *const *args)
{
	const char *argv[LAB_ARGS_MAX] = {
		lab_printf(kube->lab, "%s/kubectl", kube->bin),
		"--kubeconfig",
		lab_printf(kube->lab, "%s/admin.kubeconfig", kube->dir),
	};
	const char *output;
	int code;

	lab_args(argv, 3, args);
	output = lab_run(kube->lab, lab_place(NULL, kube->host), argv, &code);
	lab_check(kube->lab, ret_code || code == 0, "kubectl %s failed (%d):\n%s", args[0], code,
		  output);
	if (ret_code)
		*ret_code = code;
	return output;
}

static const char *write_file(struct kube *kube, const char *text)
{
	const char *path =
		lab_path(kube->lab, lab_printf(kube->lab, "kubectl-%u.yaml", kube->files++));
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	lab_check(kube->lab, f && fputs(text, f) >= 0, "cannot write %s", path);
	return path;
}

void kube_apply(struct kube *kube, const char *yaml)
{
	kube_ctl(kube, "apply", "-f", write_file(kube, yaml));
}

void kube_delete(struct kube *kube, const char *yaml)
{
	kube_ctl(kube, "delete", "--ignore-not-found", "-f", write_file(kube, yaml));
}

void kube_namespace(struct kube *kube, const char *name, const char *labels)
{
	json_t *object = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace",
				   "metadata", "name", name);
	json_t *account = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind",
				    "ServiceAccount", "metadata", "name", "default");

	if (labels)
		json_object_set_new(json_object_get(object, "metadata"), "labels",
				    json_loads(labels, 0, NULL));
	kube_call(kube, "POST", "/api/v1/namespaces", lab_keep(kube->lab, object), NULL);
	kube_call(kube, "POST",
		  lab_printf(kube->lab, "/api/v1/namespaces/%s/serviceaccounts", name),
		  lab_keep(kube->lab, account), NULL);
}
