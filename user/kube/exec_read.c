/* SPDX-License-Identifier: Apache-2.0 */
/* https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins */
#include "user/kube/kubeconfig.h"

#define ARGUMENTS_MAX 256

static char **strings_free(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
	return NULL;
}

struct kube_exec *kube_exec_free(struct kube_exec *exec)
{
	if (!exec)
		return NULL;
	free(exec->command);
	strings_free(exec->argument);
	strings_free(exec->environment);
	free(exec->api_version);
	free(exec->hint);
	kube_secret_free(exec->token);
	kube_secret_free(exec->certificate);
	kube_secret_free(exec->key);
	free(exec);
	return NULL;
}

static void exec_freep(struct kube_exec **exec)
{
	kube_exec_free(*exec);
}

/* A bare name is looked up in PATH, "./x" starts at the kubeconfig. */
static int read_command(const struct kube_spot *spot, struct kube_exec *exec)
{
	int r;

	r = kube_spot_text(spot, "command", &exec->command);
	if (r < 0)
		return r;
	if (!exec->command)
		return kube_spot_fail(spot, -EBADMSG, spot->map, "command", "is missing");
	if (!strchr(exec->command, '/'))
		return 0;
	free(TAKE_PTR(exec->command));
	return kube_spot_path(spot, "command", &exec->command);
}

/* The command itself comes first, as in every argv. */
static int read_arguments(const struct kube_spot *spot, struct kube_exec *exec)
{
	yaml_node_t *list;
	size_t n;
	int r;

	r = kube_spot_list(spot, "args", &list);
	if (r < 0)
		return r;
	n = yaml_list_length(list);
	if (n > ARGUMENTS_MAX)
		return kube_spot_fail(spot, -EBADMSG, list, "args", "more than %d", ARGUMENTS_MAX);
	exec->argument = calloc(n + 2, sizeof(char *));
	if (!exec->argument || !(exec->argument[0] = strdup(exec->command)))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item =
			kubeconfig_node(spot->file, list->data.sequence.items.start[i]);

		if (item->type != YAML_SCALAR_NODE)
			return kube_spot_fail(spot, -EBADMSG, item, "args", "text is expected");
		exec->argument[i + 1] = strdup((const char *)item->data.scalar.value);
		if (!exec->argument[i + 1])
			return -ENOMEM;
	}
	return 0;
}

static int read_variable(const struct kube_spot *spot, yaml_node_t *node, char **ret)
{
	_cleanup_free_ char *name = NULL, *value = NULL;
	struct kube_spot item = *spot;
	int r;

	if (node->type != YAML_MAPPING_NODE)
		return kube_spot_fail(spot, -EBADMSG, node, "env", "name and value are expected");
	item.map = node;
	if ((r = kube_spot_text(&item, "name", &name)) < 0 ||
	    (r = kube_spot_text(&item, "value", &value)) < 0)
		return r;
	if (!name || strchr(name, '='))
		return kube_spot_fail(spot, -EBADMSG, node, "env", "a name without = is expected");
	if (asprintf(ret, "%s=%s", name, value ? value : "") < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int read_environment(const struct kube_spot *spot, struct kube_exec *exec)
{
	yaml_node_t *list;
	size_t n;
	int r;

	r = kube_spot_list(spot, "env", &list);
	if (r < 0)
		return r;
	n = yaml_list_length(list);
	if (n > ARGUMENTS_MAX)
		return kube_spot_fail(spot, -EBADMSG, list, "env", "more than %d", ARGUMENTS_MAX);
	exec->environment = calloc(n + 1, sizeof(char *));
	if (!exec->environment)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_variable(spot,
				  kubeconfig_node(spot->file, list->data.sequence.items.start[i]),
				  &exec->environment[i]);
	return r;
}

static int check_version(const struct kube_spot *spot, const struct kube_exec *exec)
{
	yaml_node_t *node = NULL;

	kube_spot_get(spot, "apiVersion", &node);
	if (exec->api_version && (streq(exec->api_version, "client.authentication.k8s.io/v1") ||
				  streq(exec->api_version, "client.authentication.k8s.io/v1beta1")))
		return 0;
	return kube_spot_fail(spot, -EBADMSG, node ? node : spot->map, "apiVersion",
			      "client.authentication.k8s.io/v1 or v1beta1 is expected");
}

/* Nobody sits at a service's terminal. */
static int check_mode(const struct kube_spot *spot)
{
	_cleanup_free_ char *mode = NULL;
	yaml_node_t *node = NULL;
	int r;

	r = kube_spot_text(spot, "interactiveMode", &mode);
	if (r < 0 || !mode || streq(mode, "Never") || streq(mode, "IfAvailable"))
		return r;
	kube_spot_get(spot, "interactiveMode", &node);
	if (streq(mode, "Always"))
		return kube_spot_fail(spot, -ENOTSUP, node, "interactiveMode",
				      "Always needs a terminal: use a plugin that does not");
	return kube_spot_fail(spot, -EBADMSG, node, "interactiveMode",
			      "Never or IfAvailable is expected");
}

int kube_exec_read(const struct kube_spot *spot, struct kube_exec **ret)
{
	_cleanup_(exec_freep) struct kube_exec *exec = calloc(1, sizeof(*exec));
	int r;

	if (!exec)
		return -ENOMEM;
	if ((r = kube_spot_text(spot, "apiVersion", &exec->api_version)) < 0 ||
	    (r = check_version(spot, exec)) < 0 || (r = check_mode(spot)) < 0 ||
	    (r = read_command(spot, exec)) < 0 || (r = read_arguments(spot, exec)) < 0 ||
	    (r = read_environment(spot, exec)) < 0 ||
	    (r = kube_spot_text(spot, "installHint", &exec->hint)) < 0 ||
	    (r = kube_spot_bool(spot, "provideClusterInfo", &exec->cluster_info)) < 0)
		return r;
	*ret = TAKE_PTR(exec);
	return 0;
}
