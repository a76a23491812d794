/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/config.h"

#include <ctype.h>
#include <fcntl.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/kube/config_internal.h"

#define IN_CLUSTER_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define FILE_READ_EVERY_MS 60000 /* also when nothing says that it changed */

char *kube_secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return NULL;
}

void kube_file_done(struct kube_file *file)
{
	free(file->path);
	if (file->text)
		explicit_bzero(file->text, file->length);
	free(file->text);
	*file = (struct kube_file){ 0 };
}

static bool same_version(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A token or PEM file has no use for white space around it. */
static size_t trimmed(const char *text, size_t length)
{
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	return length;
}

static int read_anew(struct kube_file *file, const struct stat *now, struct kube_error *reterr)
{
	size_t length;
	char *text;
	int r;

	r = file_read_at(AT_FDCWD, file->path, KUBE_FILE_BYTES_MAX, &text, &length);
	if (r == 0 && trimmed(text, length) == 0) {
		free(text);
		return kube_fail(reterr, -EBADMSG, "%s is empty: is it being written?", file->path);
	}
	if (r < 0)
		return kube_fail(reterr, r, "cannot read %s: %s", file->path, strerror(-r));
	text[trimmed(text, length)] = '\0';
	length = trimmed(text, length);
	file->seen = *now;
	file->read_ms = clock_ms(CLOCK_BOOTTIME);
	if (file->text && file->length == length && memcmp(file->text, text, length) == 0) {
		explicit_bzero(text, length);
		free(text);
		return 0;
	}
	if (file->text)
		explicit_bzero(file->text, file->length);
	free(file->text);
	file->text = text;
	file->length = length;
	return 1;
}

int kube_file_refresh(struct kube_file *file, bool force, struct kube_error *reterr)
{
	struct stat now;
	int r;

	if (!file->path)
		return 0;
	if (stat(file->path, &now) < 0) {
		r = -errno;
		return file->text ? 0
				  : kube_fail(reterr, r, "cannot read %s: %s", file->path,
					      strerror(-r));
	}
	if (file->text && !force && same_version(&now, &file->seen) &&
	    clock_ms(CLOCK_BOOTTIME) - file->read_ms < FILE_READ_EVERY_MS)
		return 0;
	r = read_anew(file, &now, file->text ? NULL : reterr);
	return r < 0 && file->text ? 0 : r;
}

/* What is read when the client starts must be there then: a wrong path is said at once. */
static int read_files(struct kube_config *config, struct kube_error *reterr)
{
	struct kube_file *const files[] = { &config->ca, &config->token, &config->certificate,
					    &config->key };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = kube_file_refresh(files[i], false, reterr);

		if (r < 0)
			return r == -ENOENT ? -EBADMSG : r;
	}
	return 0;
}

static bool port_is_good(const char *port)
{
	size_t digits = strspn(port, "0123456789");

	return digits > 0 && digits < 6 && port[digits] == '\0';
}

static int in_cluster_server(const char *host, const char *port, struct kube_config *config,
			     struct kube_error *reterr)
{
	if (!port || !port_is_good(port))
		return kube_fail(reterr, -EBADMSG,
				 "KUBERNETES_SERVICE_PORT is \"%.32s\", not a port: in a pod the "
				 "kubelet sets it; elsewhere unset KUBERNETES_SERVICE_HOST",
				 port ? port : "");
	if (strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:") !=
	    strlen(host))
		return kube_fail(reterr, -EBADMSG,
				 "KUBERNETES_SERVICE_HOST is neither an address nor a name");
	if (asprintf(&config->server, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host,
		     port) < 0) {
		config->server = NULL;
		return -ENOMEM;
	}
	return 0;
}

int kube_config_in_cluster(const char *directory, struct kube_config *config,
			   struct kube_error *reterr)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	struct kube_file namespace = { 0 };
	int r;

	if (!host || !*host)
		return kube_fail(reterr, -ENOENT,
				 "this is no pod: KUBERNETES_SERVICE_HOST is unset");
	r = in_cluster_server(host, getenv("KUBERNETES_SERVICE_PORT"), config, reterr);
	if (r < 0)
		return r;
	directory = directory ? directory : IN_CLUSTER_DIR;
	config->ca.path = path_join(directory, "ca.crt");
	config->token.path = path_join(directory, "token");
	namespace.path = path_join(directory, "namespace");
	config->origin = strdup("in-cluster configuration");
	if (!config->ca.path || !config->token.path || !namespace.path || !config->origin)
		r = -ENOMEM;
	/* Not every ServiceAccount volume has it. */
	else if (kube_file_refresh(&namespace, false, NULL) > 0)
		config->namespace = TAKE_PTR(namespace.text);
	kube_file_done(&namespace);
	return r;
}

static int home_config(const char *context, struct kube_config *config, struct kube_error *reterr)
{
	const char *home = getenv("HOME");
	_cleanup_free_ char *path = NULL;

	path = path_join(home && *home ? home : "/root", ".kube/config");
	if (!path)
		return -ENOMEM;
	if (access(path, F_OK) < 0)
		return kube_fail(
			reterr, -ENOENT,
			"no API server is known: give --kubeconfig, set KUBECONFIG, or run "
			"in a pod with a ServiceAccount (%s does not exist)",
			path);
	return kube_config_files(path, true, context, config, reterr);
}

static int find(const struct kube_config_options *options, struct kube_config *config,
		struct kube_error *reterr)
{
	const char *list = getenv("KUBECONFIG");
	int r;

	if (options->kubeconfig)
		return kube_config_files(options->kubeconfig, true, options->context, config,
					 reterr);
	if (list && *list)
		return kube_config_files(list, false, options->context, config, reterr);
	/* A context names an entry of a kubeconfig: then a pod's files are not meant. */
	r = options->context ? -ENOENT
			     : kube_config_in_cluster(options->in_cluster_dir, config, reterr);
	return r == -ENOENT ? home_config(options->context, config, reterr) : r;
}

/* Whoever sees the wire would have the token. */
static int check_clear_text(const struct kube_config *config, struct kube_error *reterr)
{
	if (startswith(config->server, "https://"))
		return 0;
	if (!kube_file_given(&config->token) && !kube_file_given(&config->certificate) &&
	    !config->exec)
		return 0;
	return kube_fail(
		reterr, -EBADMSG,
		"%s: the server is %s, and credentials are not sent without TLS: use https",
		config->origin, config->server);
}

int kube_config_new(const struct kube_config_options *options, struct kube_config **ret,
		    struct kube_error *reterr)
{
	_cleanup_(kube_config_freep) struct kube_config *config = calloc(1, sizeof(*config));
	int r;

	if (!config)
		return -ENOMEM;
	r = find(options, config, reterr);
	if (r < 0)
		return r;
	if (!config->namespace)
		config->namespace = strdup("default");
	if (!config->namespace)
		return -ENOMEM;
	r = check_clear_text(config, reterr);
	if (r < 0)
		return r;
	r = read_files(config, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(config);
	return 0;
}

struct kube_config *kube_config_free(struct kube_config *config)
{
	if (!config)
		return NULL;
	kube_file_done(&config->ca);
	kube_file_done(&config->token);
	kube_file_done(&config->certificate);
	kube_file_done(&config->key);
	kube_exec_free(config->exec);
	free(config->origin);
	free(config->server);
	free(config->server_name);
	free(config->proxy);
	free(config->namespace);
	free(config);
	return NULL;
}

const char *kube_config_server(const struct kube_config *config)
{
	return config->server;
}

const char *kube_config_namespace(const struct kube_config *config)
{
	return config->namespace;
}
