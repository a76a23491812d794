/* SPDX-License-Identifier: Apache-2.0 */
/* Which cluster and which user: the files merged as kubectl does, the first to say it wins. */
#include "user/base/file.h"
#include "user/kube/kubeconfig.h"

#define FILES_MAX 32 /* in $KUBECONFIG */

struct files {
	struct kubeconfig file[FILES_MAX];
	size_t n;
	struct kube_error *error;
};

static void files_done(struct files *files)
{
	for (size_t i = 0; i < files->n; i++)
		kubeconfig_done(&files->file[i]);
}

static int load(const char *paths, bool required, struct files *files)
{
	_cleanup_free_ char *copy = strdup(paths);
	char *rest = copy, *path;

	if (!copy)
		return -ENOMEM;
	/* One that was named on the command line is one, whatever its name. */
	while ((path = strsep(&rest, required ? "" : ":"))) {
		int r;

		if (!*path)
			continue;
		if (files->n == FILES_MAX)
			return kube_fail(files->error, -EBADMSG, "KUBECONFIG: more than %d files",
					 FILES_MAX);
		r = kubeconfig_load(path, &files->file[files->n], files->error);
		if (r == 0)
			files->n++;
		else if (r != -ENOENT || required)
			return r;
	}
	if (files->n == 0)
		return kube_fail(files->error, -ENOENT, "none of the kubeconfig files exists: %s",
				 paths);
	return 0;
}

static struct kube_spot root_of(struct files *files, size_t i)
{
	yaml_node_t *root = kubeconfig_root(&files->file[i]);

	return (struct kube_spot){ .file = &files->file[i],
				   .map = root && root->type == YAML_MAPPING_NODE ? root : NULL,
				   .what = "kubeconfig",
				   .error = files->error };
}

/* 1: entry @node of a list is the one called @name, its part @what is in @ret. */
static int entry_is(const struct kube_spot *root, yaml_node_t *node, const char *what,
		    const char *name, struct kube_spot *ret)
{
	struct kube_spot entry = *root;
	_cleanup_free_ char *own = NULL;
	int r;

	if (node->type != YAML_MAPPING_NODE)
		return kube_spot_fail(root, -EBADMSG, node, what, "a mapping is expected");
	entry.map = node;
	entry.what = what;
	r = kube_spot_text(&entry, "name", &own);
	if (r < 0 || !own || !streq(own, name))
		return r;
	entry.name = name;
	r = kube_spot_map(&entry, what, ret);
	if (r < 0)
		return r;
	if (!ret->map)
		return kube_spot_fail(&entry, -EBADMSG, node, what, "is missing");
	return 1;
}

/* The first entry called @name of the list @list in any file. */
static int find(struct files *files, const char *list, const char *what, const char *name,
		struct kube_spot *ret)
{
	for (size_t i = 0; i < files->n; i++) {
		struct kube_spot root = root_of(files, i);
		yaml_node_t *items;
		int r;

		r = kube_spot_list(&root, list, &items);
		for (size_t j = 0; r == 0 && j < yaml_list_length(items); j++)
			r = entry_is(&root,
				     kubeconfig_node(root.file,
						     items->data.sequence.items.start[j]),
				     what, name, ret);
		if (r != 0)
			return MIN(r, 0);
	}
	return kube_fail(files->error, -EBADMSG,
			 "%s: there is no %s \"%.64s\": `kubectl config view` shows what there is",
			 files->file[0].path, what, name);
}

static int current_context(struct files *files, char **ret)
{
	for (size_t i = 0; i < files->n; i++) {
		struct kube_spot root = root_of(files, i);
		int r;

		r = kube_spot_text(&root, "current-context", ret);
		if (r < 0 || *ret)
			return r;
	}
	return kube_fail(files->error, -EBADMSG,
			 "%s: no current-context: give --kube-context, or run `kubectl config "
			 "use-context NAME`",
			 files->file[0].path);
}

/* A file, or the same in place, which wins. */
static int read_pem(const struct kube_spot *spot, const char *field, struct kube_file *ret)
{
	char data[64];
	int r;

	snprintf(data, sizeof(data), "%s-data", field);
	r = kube_spot_data(spot, data, &ret->text, &ret->length);
	return r < 0 || ret->text ? r : kube_spot_path(spot, field, &ret->path);
}

static int check_server(const struct kube_spot *cluster, char *server)
{
	yaml_node_t *node = NULL;
	size_t length = server ? strlen(server) : 0;

	kube_spot_get(cluster, "server", &node);
	if (!server)
		return kube_spot_fail(cluster, -EBADMSG, cluster->map, "server",
				      "is missing: https://HOST:PORT is expected");
	while (length > 0 && server[length - 1] == '/')
		server[--length] = '\0';
	if (!startswith(server, "https://") && !startswith(server, "http://"))
		return kube_spot_fail(cluster, -EBADMSG, node, "server",
				      "https://HOST:PORT is expected");
	if (strpbrk(server, "@?# \t\r\n"))
		return kube_spot_fail(cluster, -EBADMSG, node, "server",
				      "an address without user, query and white space is expected");
	return 0;
}

static int read_cluster(const struct kube_spot *cluster, struct kube_config *config)
{
	int r;

	if ((r = kube_spot_text(cluster, "server", &config->server)) < 0 ||
	    (r = check_server(cluster, config->server)) < 0 ||
	    (r = kube_spot_text(cluster, "tls-server-name", &config->server_name)) < 0 ||
	    (r = kube_spot_text(cluster, "proxy-url", &config->proxy)) < 0 ||
	    (r = kube_spot_bool(cluster, "insecure-skip-tls-verify", &config->insecure)) < 0 ||
	    (r = read_pem(cluster, "certificate-authority", &config->ca)) < 0)
		return r;
	if (config->insecure && kube_file_given(&config->ca))
		return kube_spot_fail(cluster, -EBADMSG, cluster->map, "insecure-skip-tls-verify",
				      "and certificate-authority exclude each other: remove it");
	return 0;
}

/* What would log in otherwise than meant when it were passed over. */
static int check_user(const struct kube_spot *user)
{
	static const struct {
		const char *field, *why;
	} refused[] = {
		{ "username", "basic authentication is not supported: use a token" },
		{ "password", "basic authentication is not supported: use a token" },
		{ "auth-provider", "is not supported any more: use exec" },
		{ "as", "impersonation is not supported: use credentials of that user" },
		{ "as-uid", "impersonation is not supported: use credentials of that user" },
		{ "as-groups", "impersonation is not supported: use credentials of that user" },
		{ "as-user-extra", "impersonation is not supported: use credentials of that user" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		yaml_node_t *node;
		int r;

		r = kube_spot_get(user, refused[i].field, &node);
		if (r < 0)
			return r;
		if (node)
			return kube_spot_fail(user, -ENOTSUP, node, refused[i].field, "%s",
					      refused[i].why);
	}
	return 0;
}

static int read_token(const struct kube_spot *user, struct kube_file *ret)
{
	yaml_node_t *node;
	int r;

	r = kube_spot_path(user, "tokenFile", &ret->path);
	if (r < 0 || ret->path)
		return r;
	r = kube_spot_text(user, "token", &ret->text);
	if (r < 0 || !ret->text)
		return r;
	ret->length = strlen(ret->text);
	if (!strpbrk(ret->text, " \t\r\n"))
		return 0;
	kube_spot_get(user, "token", &node);
	return kube_spot_fail(user, -EBADMSG, node, "token", "has white space in it");
}

static int read_user(const struct kube_spot *user, struct kube_config *config)
{
	struct kube_spot exec;
	int r;

	if ((r = check_user(user)) < 0 || (r = read_token(user, &config->token)) < 0 ||
	    (r = read_pem(user, "client-certificate", &config->certificate)) < 0 ||
	    (r = read_pem(user, "client-key", &config->key)) < 0 ||
	    (r = kube_spot_map(user, "exec", &exec)) < 0)
		return r;
	if (kube_file_given(&config->certificate) != kube_file_given(&config->key))
		return kube_spot_fail(user, -EBADMSG, user->map,
				      kube_file_given(&config->key) ? "client-certificate"
								    : "client-key",
				      "is missing: certificate and key go together");
	if (!exec.map)
		return 0;
	if (kube_file_given(&config->token) || kube_file_given(&config->certificate))
		return kube_spot_fail(user, -EBADMSG, exec.map, "exec",
				      "beside other credentials: remove the ones or the other");
	return kube_exec_read(&exec, &config->exec);
}

static int pick(struct files *files, const char *context_name, struct kube_config *config)
{
	_cleanup_free_ char *cluster_name = NULL, *user_name = NULL;
	struct kube_spot context, cluster, user;
	int r;

	if ((r = find(files, "contexts", "context", context_name, &context)) < 0 ||
	    (r = kube_spot_text(&context, "cluster", &cluster_name)) < 0 ||
	    (r = kube_spot_text(&context, "user", &user_name)) < 0 ||
	    (r = kube_spot_text(&context, "namespace", &config->namespace)) < 0)
		return r;
	if (!cluster_name)
		return kube_spot_fail(&context, -EBADMSG, context.map, "cluster", "is missing");
	r = find(files, "clusters", "cluster", cluster_name, &cluster);
	if (r < 0)
		return r;
	r = read_cluster(&cluster, config);
	if (r < 0 || !user_name)
		return r;
	r = find(files, "users", "user", user_name, &user);
	return r < 0 ? r : read_user(&user, config);
}

static int pick_context(struct files *files, const char *context, struct kube_config *config)
{
	_cleanup_free_ char *current = NULL;
	int r = 0;

	if (!context)
		r = current_context(files, &current);
	if (r == 0)
		r = pick(files, context ? context : current, config);
	if (r == 0 && asprintf(&config->origin, "%s, context \"%s\"", files->file[0].path,
			       context ? context : current) < 0) {
		config->origin = NULL;
		r = -ENOMEM;
	}
	return r;
}

int kube_config_files(const char *paths, bool required, const char *context,
		      struct kube_config *config, struct kube_error *reterr)
{
	struct files files = { .error = reterr };
	int r;

	r = load(paths, required, &files);
	if (r == 0)
		r = pick_context(&files, context, config);
	files_done(&files);
	return r;
}

int kube_config_text(const char *path, const char *text, size_t length, struct kube_config *config,
		     struct kube_error *reterr)
{
	struct files files = { .error = reterr };
	int r;

	r = kubeconfig_parse(path, text, length, &files.file[0], reterr);
	if (r < 0)
		return r;
	files.n = 1;
	r = pick_context(&files, NULL, config);
	files_done(&files);
	return r;
}
